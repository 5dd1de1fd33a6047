/* What the page says, from the JSON in it. No network, no storage. */
(function () {
  'use strict';

  const {
    page, contents, node, isNumber, show, table, field, filled, download, section, figure, draw, check, narrow, options, legend,
    axisTitle, logScale, darkness,
  } = Parts;
  const data = JSON.parse(document.getElementById('data').textContent);

  const SHAPES = ['circle', 'rect', 'triangle', 'rectRot', 'crossRot', 'star'];
  const DASHES = [[], [8, 3], [2, 3], [8, 3, 2, 3], [14, 4], [4, 4]];
  const SAVINGS = [
    ['score_flops_saved_pct', 'score FLOPs'],
    ['all_flops_saved_pct', 'all FLOPs'],
    ['time_saved_pct', 'time'],
    ['energy_saved_pct', 'energy'],
  ];

  /* ---- runs ---- */

  /* null in a summary means "does not apply" and is not looked up in the configuration. */
  function of(run, name) {
    const found = [run.summary, run.config].find((from) => from && from[name] !== undefined);
    return found ? found[name] : null;
  }
  const percent = (value) => (isNumber(value) ? 100 * value : null);

  function taskText(run) {
    const parts = [of(run, 'task')];
    if (isNumber(of(run, 'distance')) && of(run, 'task') === 'recall') parts.push('distance ' + of(run, 'distance'));
    if (isNumber(of(run, 'length')) && of(run, 'task') === 'mqar')
      parts.push(of(run, 'length') + ' long, ' + show(of(run, 'pairs')) + ' pairs');
    return parts.filter(Boolean).join(', ');
  }

  const RUN_COLUMNS = [
    ['run', field('name')],
    ['task', taskText],
    ['mixer', (run) => of(run, 'mixer')],
    ['routing', (run) => of(run, 'routing')],
    ['seed', (run) => of(run, 'seed')],
    ['accuracy %', (run) => percent(run.summary ? run.summary.accuracy : null)],
    ['bits per byte', (run) => of(run, 'bits_per_byte')],
    ['attention %', (run) => of(run, 'attention_pct')],
    ['floor %', (run) => of(run, 'floor_pct')],
    ['attention % by layer', (run) => of(run, 'attention_pct_layers')],
  ];
  const SAVING_COLUMNS = SAVINGS.map(([name, title]) => [title + ' saved %', (run) => of(run, name)]);
  const SAVING_COLUMNS_ALL = SAVING_COLUMNS.slice();
  SAVING_COLUMNS_ALL.splice(3, 0, ['time saved %, quartiles', (run) => [of(run, 'time_saved_pct_q1'), of(run, 'time_saved_pct_q3')].filter(isNumber)]);
  const STATE_COLUMNS = [
    ['status', (run) => (run.summary ? of(run, 'status') : 'not evaluated')],
    ['note', (run) => of(run, 'reason'), 'text'],
  ];

  /* Value at a bar's end, or the word that stands for it: an unmeasured saving is not a bar of length 0. */
  const barLabels = (colours) => ({
    id: 'barLabels',
    afterDatasetsDraw(chart) {
      const ctx = chart.ctx;
      ctx.save();
      ctx.font = '11px ' + Chart.defaults.font.family;
      ctx.textBaseline = 'middle';
      chart.data.datasets.forEach((dataset, d) => {
        if (!chart.isDatasetVisible(d)) return;
        chart.getDatasetMeta(d).data.forEach((bar, i) => {
          const value = dataset.data[i];
          const zero = chart.scales.x.getPixelForValue(0);
          ctx.fillStyle = value === null ? colours.soft : colours.ink;
          const text = value === null ? dataset.words[i] : show(Number(value.toFixed(1))) + ' %';
          ctx.fillText(text, (value > 0 ? bar.x : zero) + 5, bar.y);
        });
      });
      ctx.restore();
    },
  });

  function savingsFigure(runs) {
    return figure({
      name: 'savings',
      title: 'What routing saved, %',
      note: 'Against the same model with attention in every row, on the same device in the same run. Below 0: it cost more.',
      label: 'Bar chart: savings in score FLOPs, all FLOPs, time and energy, a group of bars a run. The table below has the numbers.',
      height: 90 + runs.length * 92,
      columns: filled([RUN_COLUMNS[0], ['mixer', (run) => of(run, 'mixer')]].concat(SAVING_COLUMNS_ALL), runs),
      rows: runs,
      open: true,
      make: (colours) => ({
        type: 'bar',
        data: {
          labels: runs.map(field('name')),
          datasets: SAVINGS.map(([name, title], i) => ({
            label: title,
            data: runs.map((run) => (isNumber(of(run, name)) ? of(run, name) : null)),
            words: runs.map((run) => (of(run, name) === null ? 'not given' : String(of(run, name)))),
            backgroundColor: [colours.colours[5], colours.colours[0], colours.colours[2], colours.colours[4]][i],
            borderColor: colours.ink,
            borderWidth: 0.5,
            pointStyle: 'rect',
          })),
        },
        options: options(colours, {
          indexAxis: 'y',
          layout: { padding: { right: 56 } },
          plugins: { legend: legend(colours, 10), tooltip: { mode: 'index' } },
          scales: {
            x: { suggestedMin: 0, suggestedMax: 100, title: axisTitle(colours, 'saved, %') },
            y: { ticks: { color: colours.ink }, grid: { display: false } },
          },
        }),
        plugins: [barLabels(colours)],
      }),
    });
  }

  /* ---- training curves ---- */

  /* At most `count` of the rows, evenly spread, first and last kept. */
  function thin(rows, count) {
    if (rows.length <= count) return rows;
    return Array.from({ length: count }, (_, i) => rows[Math.round((i * (rows.length - 1)) / (count - 1))]);
  }

  function metric(run, name) {
    const c = run.metrics.columns.indexOf(name);
    return (row) => row[c];
  }

  function phaseBorder(run) {
    const phase = metric(run, 'phase'), step = metric(run, 'step');
    const row = run.metrics.rows.find((r) => phase(r) === 2);
    return row ? step(row) : null;
  }

  /* Phase 1 is shaded up to the first run that leaves it; runs that leave it elsewhere get a line each. */
  const phases = (colours, borders) => ({
    id: 'phases',
    beforeDatasetsDraw(chart) {
      if (!borders.length) return;
      const { ctx, chartArea: area, scales } = chart;
      const first = Math.min(scales.x.getPixelForValue(borders[0]), area.right);
      ctx.save();
      ctx.fillStyle = colours.soft;
      ctx.globalAlpha = 0.12;
      ctx.fillRect(area.left, area.top, Math.max(first - area.left, 0), area.bottom - area.top);
      ctx.globalAlpha = 1;
      ctx.strokeStyle = colours.soft;
      ctx.setLineDash([3, 3]);
      borders.forEach((border) => {
        const x = scales.x.getPixelForValue(border);
        ctx.beginPath();
        ctx.moveTo(x, area.top);
        ctx.lineTo(x, area.bottom);
        ctx.stroke();
      });
      ctx.font = '11px ' + Chart.defaults.font.family;
      if (first - area.left > 50) ctx.fillText('phase 1', area.left + 2, area.top - 5);
      if (area.right - first > 50) ctx.fillText('phase 2', first + 2, area.top - 5);
      ctx.restore();
    },
  });

  function curveFigure(runs, spec) {
    const borders = Array.from(new Set(runs.map(phaseBorder).filter((b) => b !== null && b > 0))).sort((a, b) => a - b);
    const rows = [], shown = [];
    runs.forEach((run) => {
      const all = run.metrics.rows.map((row) => ({
        run: run.name, step: metric(run, 'step')(row), phase: metric(run, 'phase')(row), value: metric(run, spec.metric)(row),
      }));
      rows.push(...all);
      shown.push(...thin(all, 9));
    });
    return figure({
      name: spec.name,
      title: spec.title,
      note: spec.note,
      label: 'Line chart: ' + spec.title + ' against the training step, a line a run. The table below has numbers.',
      height: 300,
      columns: [['run', field('run')], ['step', field('step')], ['phase', field('phase')], [spec.metric, field('value')]],
      rows: rows,
      shown: shown,
      make: (colours) => ({
        type: 'line',
        data: {
          datasets: runs.map((run, i) => ({
            label: run.name,
            data: thin(run.metrics.rows, 500)
              .map((row) => ({ x: metric(run, 'step')(row), y: metric(run, spec.metric)(row) }))
              .map((p) => (spec.scale && isNumber(p.y) ? { x: p.x, y: p.y * spec.scale } : p))
              .map((p) => (spec.log && !(p.y > 0) ? { x: p.x, y: null } : p)),
            borderColor: colours.colours[i % 6],
            backgroundColor: colours.colours[i % 6],
            borderDash: DASHES[(i + Math.floor(i / 6)) % 6],
            borderWidth: 2,
            pointRadius: 0,
            pointStyle: 'line',
          })),
        },
        options: options(colours, {
          layout: { padding: { top: borders.length ? 16 : 0 } },
          plugins: { legend: legend(colours, 26) },
          scales: {
            x: { type: 'linear', title: axisTitle(colours, 'step'), ticks: { maxTicksLimit: 8 } },
            y: spec.log
              ? logScale(colours, spec.axis)
              : { beginAtZero: true, suggestedMax: spec.max, title: axisTitle(colours, spec.axis) },
          },
        }),
        plugins: [phases(colours, borders)],
      }),
    });
  }

  /* ---- time against the routed fraction ---- */

  const POINT_COLUMNS = [
    ['T', field('T')],
    ['B', field('B')],
    ['D', field('D')],
    ['rho', field('rho')],
    ['routed ms', field('wall_ms')],
    ['first quartile ms', field('wall_ms_q1')],
    ['third quartile ms', field('wall_ms_q3')],
    ['dense ms', field('dense_ms')],
    ['speed-up', field('speedup')],
    ['ideal speed-up', field('ideal')],
    ['share of ideal %', field('share_pct')],
  ];

  const between = (a, b, share) => a + (b - a) * share;

  function denseAt(points, rho) {
    const i = points.findIndex((p) => p.rho >= rho);
    if (i <= 0) return points[i < 0 ? points.length - 1 : 0].dense_ms;
    return between(points[i - 1].dense_ms, points[i].dense_ms, (rho - points[i - 1].rho) / (points[i].rho - points[i - 1].rho));
  }

  /* Straight lines between measured points are curves on log axes: drawn through many small steps, marks on the measured ones. */
  function routedLine(points) {
    const line = [];
    points.forEach((p, i) => {
      for (let k = 1; i > 0 && k < 12; k++) {
        const before = points[i - 1];
        const rho = before.rho > 0 ? before.rho * Math.pow(p.rho / before.rho, k / 12) : 0;
        const share = (rho - before.rho) / (p.rho - before.rho);
        if (rho > 0) line.push({ x: rho, y: between(before.wall_ms, p.wall_ms, share), measured: false });
      }
      if (p.rho > 0) line.push({ x: p.rho, y: p.wall_ms, measured: true });
    });
    return line;
  }

  function timeSets(group, i, colours) {
    const colour = colours.colours[i % 6];
    const name = 'T = ' + show(group.T) + (group.varied ? ', B = ' + show(group.B) : '');
    const line = routedLine(group.points);
    const sets = [{
      label: name + ', routed',
      data: line,
      borderColor: colour,
      backgroundColor: colour,
      borderWidth: 2,
      pointStyle: SHAPES[i % 6],
      pointRadius: line.map((p) => (p.measured ? 4 : 0)),
      pointHitRadius: line.map((p) => (p.measured ? 8 : 0)),
      pointHoverRadius: line.map((p) => (p.measured ? 6 : 0)),
    }, {
      label: name + ', dense attention',
      data: group.points.filter((p) => p.rho > 0).map((p) => ({ x: p.rho, y: p.dense_ms })),
      borderColor: colour,
      backgroundColor: colour,
      borderDash: [6, 4],
      borderWidth: 1.5,
      pointRadius: 0,
      pointStyle: 'line',
    }];
    if (group.verdict === 'found' && group.rho > 0)
      sets.push({
        label: name + ', break-even ρ* = ' + show(group.rho),
        data: [{ x: group.rho, y: denseAt(group.points, group.rho) }],
        borderColor: colours.ink,
        backgroundColor: colours.raised,
        borderWidth: 2,
        pointStyle: 'circle',
        pointRadius: 8,
        mark: true,
      });
    return sets;
  }

  function timeFigure(groups, index) {
    const first = groups[0];
    const rows = [].concat(...groups.map((g) => g.points.map((p) => Object.assign({ T: g.T, B: g.B, D: g.D }, p))));
    const zero = rows.some((row) => row.rho === 0) ? ' ρ = 0 has no place on a log axis: see the table.' : '';
    const many = new Set(groups.map(field('T'))).size < groups.length;
    groups.forEach((g) => { g.varied = many; });
    return figure({
      name: 'time-' + (index + 1),
      title: 'A layer’s time on ' + first.device,
      note: ['D = ' + show(first.D), 'H = ' + show(first.H), first.schedule, data.costFiles > 1 ? first.file : '']
        .filter(Boolean).join(', ') + '. Dashed: dense attention; ring: break-even ρ*.' + zero,
      label: 'Line chart on log axes: time of a layer against the routed fraction on ' + first.device + ', a line a length. The table below has the numbers.',
      height: 380,
      columns: POINT_COLUMNS,
      rows: rows,
      make: (colours) => ({
        type: 'scatter',
        data: { datasets: [].concat(...groups.map((g, i) => timeSets(g, i, colours))).map((s) => Object.assign({ showLine: !s.mark, order: s.mark ? 0 : 1 }, s)) },
        options: options(colours, {
          plugins: {
            legend: Object.assign(legend(colours, 8), {
              labels: Object.assign(legend(colours, 8).labels, { filter: (item) => / routed$/.test(item.text) }),
              onClick: (event, item, own) => {
                const name = item.text.replace(/, routed$/, ',');
                own.chart.data.datasets.forEach((s, d) => {
                  if (s.label.startsWith(name)) own.chart.setDatasetVisibility(d, !own.chart.isDatasetVisible(d));
                });
                own.chart.update();
              },
            }),
            tooltip: { callbacks: { label: (item) => item.dataset.label + ': ρ ' + show(item.parsed.x) + ', ' + show(item.parsed.y) + ' ms' } },
          },
          scales: {
            x: logScale(colours, 'routed fraction ρ'),
            y: logScale(colours, 'time of a layer, ms'),
          },
        }),
      }),
    });
  }

  /* ---- the page ---- */

  function intro() {
    page.append(node('h1', {}, 'Turnout: what routing costs and saves'));
    const count = (n, word) => n + ' ' + word + (n === 1 ? '' : 's');
    page.append(node('p', { class: 'soft' }, [count(data.devices.length, 'device') + ' with cost rows',
      count(data.runs.length, 'run'), count(data.breakevens.length, 'break-even'),
      count(data.failures.length, 'cell') + ' without a number'].join(', ') + '. Written ' + data.written + '.'));
    page.append(node('p', {}, 'Routed attention sends each token down a cheap local track or across to attention. ρ is the fraction that takes attention. ' +
      'Savings are given in counted operations, in time and in energy side by side, for they differ.'));
    page.append(node('nav', { 'aria-label': 'Contents' }, contents));
  }

  function devicesSection() {
    if (!data.devices.length) return;
    const columns = ['device', 'platform', 'driver', 'kind', 'compute_units', 'pci', 'host', 'cpu', 'version']
      .map((name) => [name.replace('_', ' '), field(name)]);
    columns.push(['rows measured', (d) => d.rows_ok || 0], ['not measured', (d) => d.rows_failed || 0]);
    section('devices', 'Devices', table('Devices with cost rows', columns, data.devices), download('devices', columns, data.devices));
  }

  function runsSections() {
    if (!data.runs.length) return;
    const columns = filled(RUN_COLUMNS.concat(SAVING_COLUMNS, STATE_COLUMNS), data.runs);
    section('runs', 'Runs', table('Runs on held-out sequences', columns, data.runs), download('runs', columns, data.runs));
    const evaluated = data.runs.filter(field('summary'));
    if (evaluated.length) section('savings', 'Savings side by side', savingsFigure(evaluated));
    const trained = data.runs.filter((run) => run.metrics && run.metrics.rows.length);
    if (!trained.length) return;
    const box = node('div', { class: 'figures' },
      curveFigure(trained, { name: 'loss', metric: 'loss', title: 'Training loss', note: 'Cross-entropy and routing penalty, nats.', axis: 'loss, nats' }),
      curveFigure(trained, { name: 'accuracy', metric: 'accuracy', scale: 100, max: 100, title: 'Training accuracy', note: 'Of each logged batch; the table gives it as a fraction.', axis: 'accuracy, %' }),
      curveFigure(trained, { name: 'attention', metric: 'attention_pct', log: true, title: 'Share of rows that take attention', note: 'Hard decision, log axis; a run at 0 % has no line here.', axis: 'attention, %' }));
    section('training', 'Training', box);
  }

  function breakevenSection() {
    if (!data.breakevens.length) return;
    const groups = new Map();
    data.breakevens.forEach((b) => {
      const key = JSON.stringify([b.file, b.platform, b.device, b.schedule, b.D, b.H, b.K]);
      groups.set(key, (groups.get(key) || []).concat([b]));
    });
    const smallest = (name) => (b) => b.points[0][name];
    const verdict = { found: 'pays below ρ*', always: 'pays at every measured ρ', never: 'pays at no measured ρ' };
    const columns = [['device', field('device')], ['schedule', field('schedule')], ['B', field('B')], ['T', field('T')], ['D', field('D')],
      ['break-even ρ*', (b) => (b.verdict === 'found' ? b.rho : b.text)], ['routing', (b) => verdict[b.verdict]],
      ['smallest ρ', smallest('rho')], ['faster there, ×', smallest('speedup')], ['ideal, ×', smallest('ideal')],
      ['share of ideal %', smallest('share_pct')]];
    if (data.costFiles > 1) columns.push(['file', field('file')]);
    const charts = Array.from(groups.values()).filter((g) => g.some((b) => b.points.some((p) => p.rho > 0)));
    section('break-even', 'Where routing pays',
      node('p', {}, 'Below the break-even ρ* a routed layer is faster than dense attention on that device at that length. ' +
        'The ideal is the speed-up that counting operations promises; its share is what arrives.'),
      table('Break-even and share of the ideal', columns, data.breakevens), download('break-even', columns, data.breakevens),
      node('div', { class: 'figures' }, ...charts.map(timeFigure)));
  }

  function rowsSection(id, title, text, rows, names) {
    if (!rows.length) return;
    const used = names.filter((name) => rows.some((row) => row[name] !== null && row[name] !== undefined));
    const columns = used.map((name) => [name, name === 'energy_j' ? (row) => (isNumber(row[name]) ? row[name] : 'unmeasured') : field(name),
      name === 'reason' ? 'text' : '']);
    const whole = table(title, columns, rows);
    const many = rows.length > 12;
    section(id, title, node('p', {}, text),
      many ? node('details', {}, node('summary', {}, rows.length + ' rows'), whole) : whole, download(id, columns, rows));
  }

  function provenance() {
    const list = (caption, values) => node('div', {}, node('p', {}, node('strong', {}, caption)),
      node('ul', {}, ...values.map((value) => node('li', {}, value))));
    const configs = data.runs.filter(field('config')).map((run) => node('details', {}, node('summary', {}, 'Configuration of ' + run.name),
      table('Configuration of ' + run.name, [['field', (e) => e[0]], ['value', (e) => (typeof e[1] === 'object' ? JSON.stringify(e[1]) : String(e[1])), 'text']],
        Object.entries(run.config))));
    const machines = Array.from(new Set(data.devices.map((d) =>
      [show(d.host), show(d.cpu), 'version ' + show(d.version), 'measured ' + show(d.first) + (d.last === d.first ? '' : ' to ' + show(d.last))].join(', '))));
    section('provenance', 'Where the numbers come from',
      ...(machines.length ? [list('Machines', machines)] : []), list('Files', data.files), ...configs,
      node('p', { class: 'soft' }, 'Written ' + data.written + ' by turnout ' + data.version + '. Units and meaning of every column: reports/SCHEMA.md. Charts by Chart.js ' +
        Chart.version + ' (MIT licence), in this file; nothing is loaded from a network.'));
  }

  data.costFiles = data.files.filter((name) => /\.csv$/.test(name)).length;
  intro();
  devicesSection();
  runsSections();
  breakevenSection();
  rowsSection('layers', 'Layers and models', 'Every measured layer and model pass.', data.cells,
    ['device', 'level', 'pass', 'mixer', 'schedule', 'B', 'T', 'D', 'H', 'K', 'rho', 'n', 'wall_ms', 'wall_ms_q1', 'wall_ms_q3', 'gflops', 'gbs', 'roofline_pct', 'energy_j', 'energy_source']);
  rowsSection('ops', 'Kernels', 'Each op by itself: median wall time of a call, its rates, and its share of the measured roof.', data.ops,
    ['device', 'op', 'pass', 'shape', 'B', 'T', 'D', 'schedule', 'n', 'wall_ms', 'wall_ms_q1', 'wall_ms_q3', 'event_ms', 'gflops', 'gbs', 'roofline_pct', 'energy_j', 'verified', 'peer', 'peer_ratio', 'peer_ratio_q1', 'peer_ratio_q3']);
  rowsSection('failures', 'Cells without a number', 'Not measured, and why. They take no part in anything above.', data.failures,
    ['device', 'level', 'op', 'pass', 'mixer', 'schedule', 'B', 'T', 'D', 'rho', 'status', 'reason']);
  provenance();
  if (narrow()) Chart.defaults.font.size = 11;
  draw();
  check();
  darkness.addEventListener('change', draw);
})();
