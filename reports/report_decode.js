/* A token at a time: time, cache and energy against the context, and batches of sequences. */
const Decode = (function () {
  'use strict';

  const { node, show, field, filled, figure, table, download, options, legend, logScale, legendRoom, groups, SHAPES, DASHES } = Parts;

  const all = (cells) => cells.filter((row) => row.level === 'decode' && row.context > 0 && row.wall_ms > 0);
  const dims = (row) => ['D', 'H', 'K'].map((dim) => dim + ' = ' + show(row[dim])).join(', ');
  const layerOf = (row) => [row.place, row.B, row.contexts, dims(row)].join();
  const ragged = (row) => row.contexts === 'ragged';
  const batch = (row) => (row.B > 1 ? 'B = ' + show(row.B) + (ragged(row) ? ', ragged' : '') + ', ' : '');
  const called = (row) => (row.schedule === 'masked' ? 'masked, both tracks' : row.mixer === 'routed' ? 'routed, ρ = ' + show(Number((100 * row.rho).toPrecision(3))) + ' %' : row.mixer);

  /* Attention, what masks it, routed by falling ρ, convolution: from the slowest to the quickest, as a legend reads. */
  const rank = (row) => (row.mixer === 'attention' ? 3 : row.schedule === 'masked' ? 2 : row.mixer === 'routed' ? row.rho : -1);

  function linesOf(rows, read) {
    return groups(rows.filter((row) => read(row) > 0), called).map((own) => ({
      title: called(own[0]), rank: rank(own[0]),
      points: own.map((row) => ({ x: row.context, y: read(row), row })).sort((a, b) => a.x - b.x),
    })).sort((a, b) => b.rank - a.rank);
  }

  /* What is there to compare with is not among the colours, of which there are six. */
  const dataset = (line, i, colours) => ({
    label: line.title,
    data: line.points.map((p) => ({ x: p.x, y: p.y })),
    showLine: true,
    borderColor: line.rank === 2 ? colours.ink : colours.colours[i % 6],
    backgroundColor: line.rank === 2 ? colours.ink : colours.colours[i % 6],
    borderDash: DASHES[i % 6],
    borderWidth: 2,
    pointRadius: 4,
    pointStyle: SHAPES[i % 6],
  });

  const COLUMNS = [
    ['layer', called], ['context', field('context')], ['contexts', field('contexts')], ['B', field('B')], ['rho', field('rho')],
    ['ms a token', field('wall_ms')], ['first quartile ms', field('wall_ms_q1')], ['third quartile ms', field('wall_ms_q3')],
    ['tokens/s', field('tokens_per_s')], ['bytes a step', field('bytes')], ['share of the roof %', field('roofline_pct')],
    ['state bytes', field('state_bytes')], ['energy a token J', (row) => (row.energy_j > 0 ? row.energy_j / row.B : null)],
    ['variant', field('variant')]];

  function chart(spec) {
    return figure({
      name: spec.name, title: spec.title, note: spec.note, label: spec.label + ' The table below has the numbers.',
      height: 310 + legendRoom(spec.lines.map(field('title'))),
      columns: filled(COLUMNS, spec.rows), rows: spec.rows,
      make: (colours) => ({
        type: 'scatter',
        data: { datasets: spec.lines.map((line, i) => dataset(line, spec.lines.slice(0, i).filter((other) => other.rank !== 2).length, colours)) },
        options: options(colours, {
          plugins: {
            legend: legend(colours, 8),
            tooltip: { callbacks: { label: (item) => item.dataset.label + ': ' + show(item.parsed.x) + ' positions, ' + show(item.parsed.y) + ' ' + spec.unit } },
          },
          scales: { x: logScale(colours, 'context, positions in the cache'), y: logScale(colours, spec.axis) },
        }),
      }),
    });
  }

  const payText = (own) => own.map((p) => 'ρ = ' + show(Number((100 * p.rho).toPrecision(3))) + ' %: ' + p.text).join('; ');

  function timeFigure(rows, index, paying) {
    const first = rows[0], lines = linesOf(rows, field('wall_ms'));
    const own = paying.filter((p) => p.device === first.device && p.contexts === first.contexts && ['B', 'D', 'H', 'K'].every((dim) => p[dim] === first[dim]));
    const text = own.length ? ' Routing pays from a context of: ' + payText(own) + '.' : '';
    return chart({
      name: 'decode-' + (index + 1), rows, lines, unit: 'ms', axis: first.B > 1 ? 'ms a step of all sequences' : 'ms a token',
      title: 'A token’s time on ' + first.place,
      note: batch(first) + dims(first) + '.' + text,
      label: 'Line chart on log axes: milliseconds of a token against the context on ' + first.device + ', routed beside attention and convolution.' + text,
    });
  }

  function energyFigure(rows, index) {
    const first = rows[0];
    return chart({
      name: 'decode-energy-' + (index + 1), rows, lines: linesOf(rows, (row) => row.energy_j / row.B), unit: 'J', axis: 'energy a token, J',
      title: 'A token’s energy on ' + first.place,
      note: batch(first) + dims(first) + '. Counter: ' + show(first.energy_source) + '.',
      label: 'Line chart on log axes: energy of a token against the context on ' + first.device + '.',
    });
  }

  /* What a sequence keeps hangs on the layer alone: once for each of them, on whatever device it was measured first. */
  function cacheFigure(rows) {
    const kept = (row) => row.state_bytes / row.B;
    const lines = groups(rows.filter((row) => kept(row) > 0 && !ragged(row)), (row) => [row.mixer === 'conv', row.D].join())
      .map((own) => ({
        title: (own[0].mixer === 'conv' ? 'convolution' : 'attention and routed') + ', D = ' + own[0].D,
        points: Array.from(new Map(own.map((row) => [row.context, { x: row.context, y: kept(row) }])).values()).sort((a, b) => a.x - b.x),
      })).sort((a, b) => b.points[b.points.length - 1].y - a.points[a.points.length - 1].y);
    const most = lines.length && lines[0].points[lines[0].points.length - 1];
    return lines.length ? chart({
      name: 'decode-cache', rows: rows.filter((row) => !ragged(row)), lines, unit: 'bytes', axis: 'bytes a sequence',
      title: 'What a sequence keeps in a layer',
      note: 'Keys and values of all positions, and the last rows for the convolution. Routing reads the cache seldom and keeps it all the same.',
      label: 'Line chart on log axes: bytes of a sequence’s state in a layer against its context, up to ' + show(most.y) + ' bytes at ' + show(most.x) + ' positions.',
    }) : null;
  }

  function batches(rows) {
    const many = rows.filter((row) => row.B > 1);
    if (!many.length) return [];
    many.sort((a, b) => (a.place < b.place ? -1 : a.place > b.place ? 1 : a.B - b.B || a.context - b.context || rank(b) - rank(a)));
    const columns = filled([['device', field('place')], ['layer', called], ['B', field('B')], ['D', field('D')], ['contexts', field('contexts')], ['shortest', field('context_min')],
      ['middle', field('context_median')], ['longest', field('context')], ['tokens/s of all', field('tokens_per_s')], ['ms a token of each', field('wall_ms')]], many);
    return [node('p', {}, 'Batches of sequences: a step gives each a token and is over when its longest sequence is.'),
      table('Batches of sequences', columns, many), download('batches', columns, many)];
  }

  function section(cells, breakevens, paying) {
    const rows = all(cells);
    if (!rows.length) return null;
    const own = groups(rows, layerOf).filter((group) => new Set(group.map(field('context'))).size > 1);
    const energy = own.map((group) => group.filter((row) => row.energy_j > 0)).filter((group) => group.length);
    const cache = cacheFigure(rows);
    const from = { found: 'from that context on', always: 'at every measured context', never: 'at no measured context' };
    const PAYS = [['device', field('device')], ['B', field('B')], ['D', field('D')], ['contexts', field('contexts')], ['routed ρ', field('rho')], ['pays from context', field('text')],
      ['that is', (p) => from[p.verdict]], ['measured contexts', (p) => p.points.map(field('context'))], ['attention / routed there', (p) => p.points.map((q) => Number(q.speedup.toPrecision(3)))]];
    const EVEN = [['device', field('device')], ['B', field('B')], ['D', field('D')], ['contexts', field('contexts')], ['context', field('context')],
      ['break-even ρ*', (b) => (b.verdict === 'found' ? b.rho : b.text)], ['ρ* by quartiles', field('interval_text')], ['attention / masked', field('masked_speedup')]];
    const compacted = breakevens.filter((b) => b.schedule === 'compacted');
    return [node('p', {}, 'A layer’s mixer, one token at a time, from a state that earlier positions left. A token that is not routed reads no cache, so its cost does not grow with the context; ' +
      'every n-th one is routed and reads all of it. Masked computes attention for every token and the convolution too. Where every row of a batch gets a token, a time is that of the step.'),
    ...(paying.length ? [table('Contexts from which routing pays', PAYS, paying), download('paying', PAYS, paying)] : []),
    ...(compacted.length ? [table('Break-even ρ* of decoding', EVEN, compacted), download('break-even-decode', EVEN, compacted)] : []),
    node('div', { class: 'figures' }, ...own.map((group, i) => timeFigure(group, i, paying)), ...(cache ? [cache] : []), ...energy.map(energyFigure)),
    ...batches(rows)];
  }

  return { section };
})();
