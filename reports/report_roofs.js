/* Rooflines: what rows reach, against what the device was measured to be able to. */
const Roofs = (function () {
  'use strict';

  const { node, isNumber, show, field, figure, groups, legendRoom, options, legend, logScale, SHAPES } = Parts;

  const intensity = (row) => row.gflops / row.gbs;

  /* A row's share of the roof is the larger of its shares of two ceilings. Those that a ceiling bounds all give the same value
     of it, and no row gives a higher one: the highest is the ceiling where two rows agree on it. */
  function ceiling(values) {
    const sorted = values.filter((v) => v > 0 && Number.isFinite(v)).sort((a, b) => b - a);
    return sorted.length > 1 && sorted[1] > 0.99 * sorted[0] ? sorted[0] : null;
  }

  /* Rows of small working sets are held against the caches: the memory's ceiling is that of the large ones, where there are. */
  function roofOf(rows) {
    const copy = (some) => ceiling(some.map((row) => (100 * row.gbs) / row.roofline_pct));
    return {
      peak: ceiling(rows.map((row) => (100 * row.gflops) / row.roofline_pct)),
      copy: copy(rows.filter((row) => row.gbs * row.wall_ms * 1e6 >= 2 ** 29)) || copy(rows),
    };
  }

  /* How a routed layer was run, where it is not as the run-time does. */
  const way = (row) => (['masked', 'block-skipping'].includes(row.schedule) ? ', ' + row.schedule : '');

  function kindOf(row) {
    if (row.level === 'op') return 'kernels';
    return row.level + (row.mixer ? ', ' + row.mixer : '') + way(row);
  }

  function roofFigure(rows, index, many) {
    const first = rows[0], roof = roofOf(rows);
    const kinds = groups(rows, kindOf).sort((a, b) => (kindOf(a[0]) < kindOf(b[0]) ? -1 : 1));
    const best = rows.slice().sort((a, b) => b.roofline_pct - a.roofline_pct)[0];
    const called = (row) => (row.op && row.level === 'op' ? row.op + ' ' : row.mixer + way(row) + ' layer ') + row.pass;
    const text = (roof.peak ? show(Math.round(roof.peak)) + ' GFLOP/s' : 'arithmetic ceiling unknown') + ', ' +
      (roof.copy ? show(roof.copy) + ' GB/s' : 'memory ceiling unknown');
    const xs = rows.map(intensity), low = Math.min(...xs) / 1.5, high = Math.max(...xs) * 1.5;
    const line = [low, roof.peak && roof.copy ? Math.min(Math.max(roof.peak / roof.copy, low), high) : low, high]
      .map((x) => ({ x, y: Math.min(roof.peak || Infinity, roof.copy ? roof.copy * x : Infinity) })).filter((p) => Number.isFinite(p.y));
    return figure({
      name: 'roofline-' + (index + 1),
      title: 'Roofline of ' + first.called + (many ? ', ' + first.file : ''),
      note: 'Ceilings as measured: ' + text + '. Least work and least traffic of each row: what a cache keeps may pass the slope.',
      label: 'Scatter chart on log axes: GFLOP/s against operations a byte on ' + first.device + ', below ceilings of ' + text + '. Nearest to its roof: ' +
        called(best) + ' with ' + show(best.roofline_pct) + ' %. The table below has the numbers.',
      height: 310 + legendRoom(['ceilings'].concat(kinds.map((own) => kindOf(own[0])))),
      columns: [['what', called], ['shape', (row) => row.shape || ['B', 'T', 'D'].map((d) => d + '=' + show(row[d])).join(',') + (isNumber(row.rho) ? ',rho=' + show(row.rho) : ''), 'text'],
        ['operations a byte', intensity], ['GFLOP/s', field('gflops')], ['GB/s', field('gbs')], ['share of the roof %', field('roofline_pct')]],
      rows: rows,
      make: (colours) => ({
        type: 'scatter',
        data: {
          datasets: [{ label: 'ceilings', data: line, showLine: true, borderColor: colours.ink, borderWidth: 2, pointRadius: 0, pointHitRadius: 0, pointStyle: 'line' }]
            .concat(kinds.map((own, i) => ({
              label: kindOf(own[0]),
              data: own.map((row) => ({ x: intensity(row), y: row.gflops, text: called(row) })),
              borderColor: colours.colours[i % 6],
              backgroundColor: colours.colours[i % 6],
              pointRadius: 4,
              pointStyle: SHAPES[i % 6],
            }))),
        },
        options: options(colours, {
          plugins: {
            legend: legend(colours, 8),
            tooltip: { callbacks: { label: (item) => (item.raw.text || 'ceiling') + ': ' + show(item.parsed.x) + ' operations a byte, ' + show(item.parsed.y) + ' GFLOP/s' } },
          },
          scales: { x: logScale(colours, 'operations a byte'), y: logScale(colours, 'GFLOP/s') },
        }),
      }),
    });
  }

  function roofs(rows) {
    const usable = rows.filter((row) => !row.part && row.gflops > 0 && row.gbs > 0 && row.roofline_pct > 0);
    const measured = groups(usable, (row) => row.device + ' ' + row.source); /* ceilings belong to a file */
    if (!measured.length) return null;
    const many = (own) => measured.filter((other) => other[0].device === own[0].device).length > 1;
    return [node('div', { class: 'figures' }, ...measured.map((own, i) => roofFigure(own, i, many(own))))];
  }

  return { roofs };
})();
