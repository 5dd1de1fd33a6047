/* Accuracy against attention, and the rows of a study. */
const Study = (function () {
  'use strict';

  const { node, isNumber, show, field, filled, tableDetails, download, figure, groups, legendRoom, options, legend, axisTitle, logScale, SHAPES } = Parts;
  const { of, saving, quartiles, percent, taskText, mixerText } = Runs;

  /* Of a list what stands between its convolutions: "match in 1 of 8 layers". */
  function withoutNumbers(text) {
    const words = text.split(',').map((word) => word.split(':')[0]), others = Array.from(new Set(words)).filter((word) => word !== 'conv');
    if (words.length === 1) return words[0];
    return others.map((other) => other + ' in ' + words.filter((word) => word === other).length + ' of ' + words.length + ' layers').join(', ');
  }

  /* "random:0.002" and "periodic:496" are one mixer each; routing by capacity, training without the curriculum, and windows are others. */
  function kindOf(run) {
    const mixer = withoutNumbers(String(of(run, 'mixer'))), routing = String(of(run, 'routing') || '');
    return mixer + (mixer === 'routed' && routing.startsWith('capacity') ? ', capacity' : '') +
      (mixer === 'routed' && of(run, 'curriculum') === false ? ', no curriculum' : '') + (isNumber(of(run, 'window')) ? ', window ' + of(run, 'window') : '');
  }

  const attention = (run) => of(run, 'attention_pct');
  const accuracy = (run) => percent(run.summary.accuracy);
  const COLUMNS = [
    ['run', field('name')], ['task', taskText], ['mixer', mixerText], ['seed', (run) => of(run, 'seed')],
    ['accuracy %', accuracy], ['attention %', attention], ['floor %', (run) => of(run, 'floor_pct')],
  ];

  /* Floors as lines across the chart, each once. */
  const floorLines = (colours, floors) => ({
    id: 'floors',
    beforeDatasetsDraw(chart) {
      const { ctx, chartArea: area, scales } = chart;
      ctx.save();
      ctx.strokeStyle = ctx.fillStyle = colours.soft;
      ctx.setLineDash([3, 3]);
      ctx.font = '11px ' + Chart.defaults.font.family;
      const told = []; /* [x, from, to]: where a name stands; one that nothing has room for is in the table alone */
      floors.forEach((floor) => {
        const x = scales.x.getPixelForValue(floor.value), text = 'floor, ' + floor.text, long = ctx.measureText(text).width + 8;
        ctx.beginPath();
        ctx.moveTo(x, area.top);
        ctx.lineTo(x, area.bottom);
        ctx.stroke();
        const from = [0, long + 8].find((start) => start + long < area.height && !told.some(([at, low, high]) => Math.abs(at - x) < 14 && start < high && start + long > low));
        if (from === undefined) return;
        told.push([x, from, from + long]);
        ctx.save();
        ctx.translate(x - 5, area.bottom - 6 - from);
        ctx.rotate(-Math.PI / 2);
        ctx.fillText(text, 0, 0);
        ctx.restore();
      });
      ctx.restore();
    },
  });

  /* Points that would hide one another, as runs of several seeds with the same answers do, stand above one another. */
  const STEP = 7, NEAR = 3;
  const stacks = {
    id: 'stacks',
    beforeDatasetsDraw(chart) {
      const taken = [];
      chart.data.datasets.forEach((set, d) => {
        if (!chart.isDatasetVisible(d)) return;
        chart.getDatasetMeta(d).data.forEach((point, i) => {
          const x = chart.scales.x.getPixelForValue(set.data[i].x);
          let y = chart.scales.y.getPixelForValue(set.data[i].y);
          while (taken.some(([tx, ty]) => Math.abs(tx - x) < NEAR && Math.abs(ty - y) < NEAR)) y -= STEP;
          taken.push([x, y]);
          point.x = x;
          point.y = y;
        });
      });
    },
  };
  const ROWS = 12; /* of a stack at the top that there is room for */
  const highest = (runs) => Math.min(ROWS, Math.max(...groups(runs, (run) => [taskText(run), kindOf(run), accuracy(run)].join()).map((own) => own.length)));

  /* The axis of accuracy: all of it, or that part where all runs are. */
  function span(runs) {
    const low = Math.min(...runs.map(accuracy)), high = Math.max(...runs.map(accuracy));
    if (high - low > 25) return [0, 100];
    const step = high - low > 5 ? 5 : 1;
    return [Math.max(0, step * Math.floor(low / step - 0.5)), Math.min(100, step * Math.ceil(high / step + 0.5))];
  }

  const ORDER = ['routed', 'attention', 'conv', 'oracle'];
  const rank = (kind) => (ORDER.indexOf(kind) < 0 ? ORDER.length : ORDER.indexOf(kind));
  const byKind = (a, b) => rank(kindOf(a[0])) - rank(kindOf(b[0])) || (kindOf(a[0]) < kindOf(b[0]) ? -1 : 1);

  /* Lengths have floors of their own, so one of them is put into words: the one that most kinds were evaluated at. */
  function words(runs) {
    const lengths = groups(runs, taskText).map((own) => ({ own, kinds: groups(own, kindOf).sort(byKind) }));
    const most = lengths.sort((a, b) => b.kinds.length - a.kinds.length)[0];
    return taskText(most.own[0]) + ': ' +
      most.kinds.map((own) => kindOf(own[0]) + ' ' + show(accuracy(bestOf(own))) + ' % right at ' + show(attention(bestOf(own))) + ' % attention').join('; ');
  }

  /* The least attention at which a kind still answers as well as its best run, within one in a hundred. */
  function bestOf(own) {
    const top = Math.max(...own.map(accuracy));
    return own.filter((run) => accuracy(run) >= top - 1).sort((a, b) => attention(a) - attention(b))[0];
  }

  function frontFigure(runs) {
    const kinds = groups(runs, kindOf).sort(byKind);
    const floors = groups(runs.filter((run) => of(run, 'floor_pct') > 0), (run) => of(run, 'floor_pct'))
      .map((own) => ({ value: of(own[0], 'floor_pct'), text: taskText(own[0]).replace(/^\w+, /, '') })).slice(0, 8);
    const least = Math.min(...runs.map(attention).concat(floors.map(field('value'))).filter((value) => value > 0), 100);
    const zero = Math.pow(10, Math.floor(Math.log10(least)) - 1), none = runs.some((run) => attention(run) === 0);
    const text = words(runs), [bottom, top] = span(runs), many = highest(runs);
    const task = String(of(runs[0], 'task'));
    return figure({
      name: 'front-' + task,
      title: 'Accuracy and attention, ' + task,
      note: 'Least attention within 1 % of the best accuracy, ' + text + '.' + (bottom > 0 || top < 100 ? ' The axis shows ' + bottom + ' to ' + top + ' % alone.' : '') +
        (many > 1 ? ' A point a run: those that would hide one another stand above one another, up to ' + many + '.' : ''),
      label: 'Scatter chart: accuracy against the share of rows that take attention, a series a mixer. At ' + text + '. The table below has every run.',
      height: 330 + STEP * many + legendRoom(kinds.map((own) => kindOf(own[0]))),
      columns: filled(COLUMNS, runs),
      rows: runs,
      make: (colours) => ({
        type: 'scatter',
        data: {
          datasets: kinds.map((own, i) => ({
            label: kindOf(own[0]),
            data: own.map((run) => ({ x: Math.max(attention(run), zero), y: accuracy(run), name: run.name, seed: of(run, 'seed'), of: attention(run) })),
            borderColor: colours.colours[i % 6],
            backgroundColor: i < 6 ? colours.colours[i % 6] : colours.raised,
            borderWidth: 2,
            pointRadius: many > 1 ? 3.5 : 6,
            pointStyle: SHAPES[(i + Math.floor(i / 6)) % 6],
            clip: false,
          })),
        },
        options: options(colours, {
          layout: { padding: { top: 8, right: 12 } },
          plugins: {
            legend: legend(colours, 8),
            tooltip: { callbacks: { label: (item) => item.raw.name + (item.raw.seed ? ', seed ' + item.raw.seed : '') + ': ' + show(item.parsed.y) + ' % accuracy, ' + show(item.raw.of) + ' % attention' } },
          },
          scales: {
            x: Object.assign(logScale(colours, 'rows that take attention, %'), {
              min: none ? zero / 1.5 : undefined,
              max: 100,
              afterBuildTicks: (axis) => {
                const powers = [], every = Math.ceil((50 * Math.log10(100 / zero)) / axis.chart.width + 0.01); /* labels take 50 pixels */
                for (let p = 10 * zero; p <= 100.1; p *= 10) if (p >= 0.99 * axis.min && Math.round(Math.log10(100 / p)) % every === 0) powers.push({ value: p });
                axis.ticks = (none ? [{ value: zero }] : []).concat(powers);
              },
              ticks: { autoSkip: false, maxRotation: 0, callback: (value) => (none && value === zero ? '0' : show(Number(value.toPrecision(3)))) },
            }),
            y: {
              min: bottom,
              max: top + ((top - bottom) * STEP * (many - 1)) / 230, /* room for what stands above the top */
              afterBuildTicks: (axis) => {
                const step = [0.2, 0.5, 1, 2, 5, 10, 20].find((s) => (top - bottom) / s <= 6);
                axis.ticks = Array.from({ length: Math.floor((top - bottom) / step + 1e-9) + 1 }, (_, i) => ({ value: Number((top - i * step).toFixed(6)) })).reverse();
              },
              title: axisTitle(colours, 'accuracy, %'),
            },
          },
        }),
        plugins: [floorLines(colours, floors), stacks],
      }),
    });
  }

  function front(runs) {
    const usable = runs.filter((run) => isNumber(accuracy(run)) && isNumber(attention(run)));
    const tasks = groups(usable, (run) => of(run, 'task')).filter((own) => own.length > 1);
    if (!tasks.length) return null;
    return [node('p', {}, 'Up and to the left is better: right answers from little attention. On the line is the least attention that the task allows; 0 stands at the left end of the log axis.'),
      node('div', { class: 'figures' }, ...tasks.map(frontFigure))];
  }

  const ROW_COLUMNS = [['name', field('name')]].concat(
    [['part', 'part'], ['task', null], ['trained at', 'trained_distance'], ['mixer', 'mixer'], ['routing', 'routing'], ['seed', 'seed'], ['λ', 'lambda'], ['accuracy', null],
      ['attention %', 'attention_pct'], ['floor %', 'floor_pct'], ['regret ×', 'regret'], ['rows a sequence', 'rows_per_sequence'], ['score FLOPs saved %', 'score_flops_saved_pct'],
      ['all FLOPs saved %', 'all_flops_saved_pct'], ['time saved %', 'time_saved_pct'], ['time saved %, quartiles', 'quartiles'], ['energy saved %', 'energy_saved_pct'], ['training s', 'train_s'],
      ['break-even, sequences', 'break_even_sequences'], ['decisions differ', 'decisions_differ'], ['status', 'status'], ['note', 'reason']]
      .map(([title, name]) => (title === 'task' ? ['task', taskText] : title === 'mixer' ? ['mixer', mixerText] : title === 'accuracy' ? ['accuracy %', accuracy]
        : title === 'time saved %, quartiles' ? [title, quartiles]
          : [title, (run) => (/_saved_pct$/.test(name) ? saving(run, name) : of(run, name))].concat(title === 'note' ? ['text'] : []))));

  function rows(runs) {
    if (!runs.length) return null;
    const columns = filled(ROW_COLUMNS, runs);
    return [node('p', {}, 'Every evaluation of a trained model. Rows of one training differ in what they were evaluated on.'),
      tableDetails('study', runs.length + ' rows', 'Rows of the study', columns, runs, runs, runs.length <= 12), download('study', columns, runs)];
  }

  return { front, rows };
})();
