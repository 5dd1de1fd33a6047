/* Bits of text by place: where attention earns its cost, and how much of that routing keeps. */
const Bits = (function () {
  'use strict';

  const { node, isNumber, show, field, filled, table, download, figure, groups, legendRoom, options, legend, axisTitle, SHAPES, DASHES } = Parts;

  const MOST = 4;      /* routed runs in a chart; the tables have all */
  const NOTHING = 0.01; /* of conv's bits: where attention gains less than that, there is no win to keep */
  const KINDS = { indentation: 'indentation', copy: 'within a copy', copy_start: 'start of a copy', name_seen: 'name seen before', name_new: 'other name', punctuation: 'punctuation', other: 'other' };

  /* "text512-routed-budget0.09-s1" is routed-budget0.09, whatever its seed. */
  const labelOf = (row) => String(row.run).replace(/^text\d+-/, '').replace(/-s\d+$/, '');

  function median(values) {
    const known = values.filter(isNumber).sort((a, b) => a - b), half = Math.floor(known.length / 2);
    return !known.length ? null : known.length % 2 ? known[half] : (known[half - 1] + known[half]) / 2;
  }

  /* Runs over one text have as many bytes of each kind; those over another have not. */
  function texts(rows) {
    const evaluations = groups(rows, (row) => row.file + ' ' + row.name);
    const key = (own) => own[0].length + ' ' + (String(own[0].run).match(/^text\d+-/) || [''])[0] + own.filter((row) => row.by !== 'position').map(field('bytes')).join();
    return groups(evaluations, key).map((own) => own.flat());
  }

  /* All buckets of a seed as one. */
  function whole(rows) {
    const bytes = rows.reduce((sum, row) => sum + row.bytes, 0);
    const mean = (name) => rows.reduce((sum, row) => sum + row.bytes * (row[name] || 0), 0) / bytes;
    return { bytes, bits_per_byte: mean('bits_per_byte'), routed_pct: mean('routed_pct') };
  }

  /* {label, mixer, seeds}: of each seed its buckets by name, and all of them as 'all'. */
  function runsOf(rows, by) {
    return groups(rows.filter((row) => row.by === by), labelOf).map((own) => ({
      label: labelOf(own[0]), mixer: String(own[0].mixer), window: own[0].window,
      seeds: new Map(groups(own, field('seed')).map((seed) => [seed[0].seed,
        new Map(seed.map((row) => [row.bucket, row]).concat([['all', whole(seed)]]))])),
    }));
  }

  const of = (run, bucket, name) => (run ? median(Array.from(run.seeds.values()).map((seed) => seed.get(bucket) && seed.get(bucket)[name])) : null);
  const bits = (run, bucket) => of(run, bucket, 'bits_per_byte');

  /* In one layer or in all, by a router or by the rule that stands beside it. */
  const isRouted = (run) => /routed|match:/.test(run.mixer);
  const named = (runs, name) => runs.find((run) => run.label === name) || runs.find((run) => run.mixer === name && !isNumber(run.window));

  /* Whose gain over conv is to be kept: attention beside the convolution in every row where that was run, else attention alone. */
  const peer = (runs) => runs.find((run) => run.label === 'both') || named(runs, 'attention');

  /* Of what attention gains over conv, seed by seed; null where it gains nothing. */
  function kept(runs, run, bucket) {
    const conv = named(runs, 'conv'), attention = peer(runs);
    if (!conv || !attention) return null;
    return median(Array.from(run.seeds.entries()).map(([seed, own]) => {
      const [from, to, mine] = [conv.seeds.get(seed), attention.seeds.get(seed), own].map((s) => s && s.get(bucket) && s.get(bucket).bits_per_byte);
      return isNumber(from) && isNumber(to) && isNumber(mine) && from - to > NOTHING * from ? (100 * (from - mine)) / (from - to) : null;
    }));
  }

  /* What a chart shows: the two that a routed run lies between, and the routed ones. */
  const shown = (runs) => [named(runs, 'conv'), peer(runs)].filter(Boolean).concat(runs.filter(isRouted).slice(0, MOST));

  /* As the rows of the first run come, of which each has some bytes. */
  const bucketsOf = (rows) => Array.from(new Set(rows.filter((row) => row.bytes > 0).map(field('bucket'))));

  const seedsText = (runs) => {
    const most = Math.max(...runs.map((run) => run.seeds.size));
    return most > 1 ? ' Medians of up to ' + most + ' seeds.' : '';
  };

  function lineChart(colours, buckets, series, titles, y) {
    return {
      type: 'line',
      data: {
        labels: buckets,
        datasets: series.map((one, i) => ({
          label: one.label, data: one.values, spanGaps: true,
          borderColor: colours.colours[i % 6], backgroundColor: colours.colours[i % 6], borderDash: DASHES[i % 6], borderWidth: 2,
          pointRadius: 4, pointStyle: SHAPES[i % 6],
        })),
      },
      options: options(colours, {
        plugins: { legend: legend(colours, 26) },
        scales: { x: { title: axisTitle(colours, titles[0]), ticks: { autoSkip: false } }, y: Object.assign({ title: axisTitle(colours, titles[1]) }, y) },
      }),
    };
  }

  const X_TITLE = 'bytes back to where the last 8 bytes stood';

  function distanceFigure(rows, index) {
    const runs = runsOf(rows, 'distance'), drawn = shown(runs);
    const buckets = bucketsOf(rows.filter((row) => row.by === 'distance'));
    const long = [];
    runs.forEach((run) => buckets.concat('all').forEach((bucket) => long.push({
      run: run.label, bucket, bytes: of(run, bucket, 'bytes'), bits: bits(run, bucket), routed: of(run, bucket, 'routed_pct'), kept: kept(runs, run, bucket),
    })));
    const text = 'Sequences of ' + show(rows[0].length) + ' bytes, held out.' + seedsText(runs);
    return figure({
      name: 'bits-distance-' + index,
      title: 'Bits a byte by distance to the nearest earlier copy',
      note: text + ' None: the last 8 bytes had not stood in the sequence before.',
      label: 'Line chart: bits a byte against how far back the last 8 bytes stood before, a line a run. ' + text + ' The table below has every run.',
      height: 280 + legendRoom(drawn.map(field('label'))),
      columns: filled([['run', field('run')], ['bytes back', field('bucket')], ['bytes', field('bytes')], ['bits a byte', field('bits')],
        ['routed %', field('routed')], ['win kept %', field('kept')]], long),
      rows: long,
      make: (colours) => lineChart(colours, buckets, drawn.map((run) => ({ label: run.label, values: buckets.map((bucket) => bits(run, bucket)) })), [X_TITLE, 'bits a byte'], {}),
    });
  }

  function keptFigure(rows, index) {
    const runs = runsOf(rows, 'distance'), drawn = runs.filter(isRouted).slice(0, MOST);
    const buckets = bucketsOf(rows.filter((row) => row.by === 'distance')).concat('all');
    const long = [];
    runs.filter((run) => !['conv', (peer(runs) || {}).label].includes(run.label)).forEach((run) =>
      buckets.forEach((bucket) => long.push({ run: run.label, bucket, kept: kept(runs, run, bucket), routed: of(run, bucket, 'routed_pct') })));
    if (!drawn.length || !long.some((row) => isNumber(row.kept))) return null;
    const text = drawn.map((run) => run.label + ' keeps ' + show(kept(runs, run, 'all')) + ' % of it all at ' + show(of(run, 'all', 'routed_pct')) + ' % of rows').join('; ');
    return figure({
      name: 'bits-kept-' + index,
      title: 'What routing keeps of attention’s win over convolutions, %',
      note: text + '. No point: attention gains less than 1 % there.',
      label: 'Line chart: share of what attention gains over convolutions that each routed run has, by distance to the nearest earlier copy. ' + text + '. The table below has every run.',
      height: 280 + legendRoom(drawn.map(field('label'))),
      columns: filled([['run', field('run')], ['bytes back', field('bucket')], ['win kept %', field('kept')], ['routed %', field('routed')]], long),
      rows: long,
      make: (colours) => lineChart(colours, buckets, drawn.map((run) => ({ label: run.label, values: buckets.map((bucket) => kept(runs, run, bucket)) })),
        [X_TITLE, 'win kept, %'], { suggestedMin: 0, suggestedMax: 100 }),
    });
  }

  /* A row a bucket and one of all; of each routed run its bits, what it keeps, and its share of rows. */
  function placeTable(rows, by, title, name, index) {
    const runs = runsOf(rows, by), conv = named(runs, 'conv'), attention = peer(runs);
    const first = attention || conv || runs[0];
    const buckets = bucketsOf(rows.filter((row) => row.by === by)).concat('all');
    const bytes = (bucket) => of(first, bucket, 'bytes');
    const win = (bucket) => (conv && attention ? bits(conv, bucket) - bits(attention, bucket) : null);
    const columns = [[title, (bucket) => KINDS[bucket] || bucket], ['bytes %', (bucket) => (100 * bytes(bucket)) / bytes('all')]];
    if (conv) columns.push([conv.label + ', bits', (bucket) => bits(conv, bucket)]);
    if (attention) columns.push([attention.label + ', bits', (bucket) => bits(attention, bucket)]);
    if (conv && attention) columns.push(['share of ' + (attention.label === 'both' ? 'both’s' : 'attention’s') + ' win %', (bucket) => (100 * win(bucket) * bytes(bucket)) / (win('all') * bytes('all'))]);
    runs.filter(isRouted).forEach((run) => columns.push([run.label + ', bits', (bucket) => bits(run, bucket)],
      [run.label + ', win kept %', (bucket) => kept(runs, run, bucket)], [run.label + ', routed %', (bucket) => of(run, bucket, 'routed_pct')]));
    return [table(name + ', sequences of ' + show(rows[0].length) + ' bytes', filled(columns, buckets), buckets),
      download('bits-' + by + '-' + index, filled(columns, buckets), buckets)];
  }

  /* Nodes of the section; null without rows. */
  function section(rows) {
    if (!rows.length) return null;
    const parts = [node('p', {}, 'Held-out bytes of text by what stands before them in the sequence, never beyond it. Where the last 8 bytes stood earlier, attention can ' +
      'look up what came next; the farther back, the less convolutions see of it. Kept: 100 · (conv − run) / (conv − attention), seed by seed; attention is that beside ' +
      'the convolution in every row (both) where it was run.')];
    texts(rows).forEach((own, i) => {
      const figures = [distanceFigure(own, i + 1), keptFigure(own, i + 1)].filter(Boolean);
      parts.push(node('div', { class: 'figures' }, ...figures), ...placeTable(own, 'kind', 'kind', 'Bits by kind of place', i + 1),
        ...placeTable(own, 'position', 'quarter', 'Bits by quarter of the sequence', i + 1));
    });
    return parts;
  }

  return { section };
})();
