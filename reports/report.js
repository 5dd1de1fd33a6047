/* What the page says, from the JSON in it. No network, no storage. */
(function () {
  'use strict';

  const {
    page, body, contents, node, named, isNumber, show, table, tableDetails, field, filled, download, section, draw, fit, print, check, clear,
    narrow, darkness,
  } = Parts;
  const { of, isOk, RUN_COLUMNS, SAVING_COLUMNS, STATE_COLUMNS, savingsFigure, curveFigure } = Runs;
  const whole = JSON.parse(document.getElementById('data').textContent);
  const chosen = { device: '', T: '', pass: '' }; /* '' is all */
  let data = whole; /* what passes the filters */

  const count = (n, word) => n + ' ' + word + (n === 1 ? '' : 's');
  /* Rows of files that are used nowhere on this page: damaged, twice there, or past a ceiling. */
  const unused = new Set(whole.flaws.filter(field('unused')).map((flaw) => flaw.file + ' ' + flaw.line)).size;
  const CELLS = 'cell without a number', CELLS_MANY = 'cells without a number';

  function intro() {
    page.append(node('h1', {}, 'Turnout: what routing costs and saves'));
    page.append(node('p', { class: 'soft' }, [count(whole.devices.length, 'device') + ' with cost rows',
      count(whole.runs.length, 'run'), count(whole.breakevens.length, 'break-even'),
      whole.failures.length + ' ' + (whole.failures.length === 1 ? CELLS : CELLS_MANY), count(unused, 'row') + ' not used'].join(', ') + '. Written ' + whole.written + '.'));
    page.append(...Verdict.cards(whole.verdict));
    page.append(node('p', {}, 'Routed attention sends each token down a cheap local track or across to attention. ρ is the fraction that takes attention. ' +
      'Savings are given in counted operations, in time and in energy side by side, for they differ.'));
    page.append(node('nav', { 'aria-label': 'Contents' }, contents));
  }

  /* ---- filters ---- */

  /* Positions of a sequence that a run was evaluated on. */
  function runLength(run) {
    const distance = of(run, 'distance');
    return of(run, 'task') === 'recall' && isNumber(distance) ? distance + 2 : of(run, 'length');
  }

  const READERS = {
    device: [['devices', field('device')], ['runs', (run) => of(run, 'device')], ['breakevens', field('device')], ['paying', field('device')], ['cells', field('device')],
      ['ops', field('device')], ['failures', field('device')]],
    T: [['runs', runLength], ['bits', field('length')], ['breakevens', field('T')], ['paying', () => null], ['cells', field('T')], ['ops', field('T')], ['failures', field('T')]],
    pass: [['breakevens', (b) => (isNumber(b.context) ? 'token' : 'forward')], ['paying', () => 'token'], ['cells', field('pass')], ['ops', field('pass')], ['failures', field('pass')]],
  };

  function values(name) {
    const found = new Set();
    READERS[name].forEach(([list, read]) => whole[list].forEach((row) => found.add(read(row))));
    found.delete(null);
    found.delete(undefined);
    return Array.from(found).sort((a, b) => (isNumber(a) && isNumber(b) ? a - b : String(a) < String(b) ? -1 : 1));
  }

  function filtered() {
    const kept = Object.assign({}, whole);
    Object.entries(READERS).forEach(([name, lists]) => {
      if (chosen[name] === '') return;
      lists.forEach(([list, read]) => { kept[list] = kept[list].filter((row) => String(read(row)) === chosen[name]); });
    });
    return kept;
  }

  const rowsOf = (from) => from.cells.length + from.ops.length + from.failures.length + from.runs.length;

  function filters() {
    const said = node('p', { class: 'soft', role: 'status' });
    const boxes = [['device', 'Device'], ['T', 'T, positions'], ['pass', 'Pass']].map(([name, title]) => {
      const all = values(name);
      if (all.length < 2) return null;
      const select = node('select', { id: 'filter-' + name }, node('option', { value: '' }, 'all'),
        ...all.map((value) => named('option', { value: String(value) }, String(value), narrow() ? 36 : 80)));
      select.addEventListener('change', () => {
        chosen[name] = select.value;
        render();
        said.textContent = rowsOf(data) + ' of ' + rowsOf(whole) + ' rows and runs pass the filters.';
      });
      return node('label', {}, title + ' ', select);
    }).filter(Boolean);
    if (!boxes.length) return;
    page.append(node('form', { class: 'filters', 'aria-label': 'Filters of all figures and tables' }, ...boxes));
    page.append(said);
    page.querySelector('form').addEventListener('submit', (event) => event.preventDefault());
  }

  /* ---- sections ---- */

  function devicesSection() {
    if (!data.devices.length) return;
    const columns = ['device', 'platform', 'driver', 'kind', 'compute_units', 'pci', 'host', 'cpu', 'version']
      .map((name) => [name.replace('_', ' '), field(name)]);
    columns.push(['rows measured', (d) => d.rows_ok || 0], ['not measured', (d) => d.rows_failed || 0], ['not used', (d) => d.rows_unused || 0]);
    const side = Costs.devicesFigure(data.cells, data.ops);
    section('devices', 'Devices', ...(side ? [side] : []), table('Devices with cost rows', columns, data.devices), download('devices', columns, data.devices));
  }

  function runsSections() {
    if (!data.runs.length && !data.bits.length) return;
    const runs = data.runs.filter((run) => !of(run, 'part'));
    const columns = filled(RUN_COLUMNS.concat(SAVING_COLUMNS, STATE_COLUMNS), runs);
    if (runs.length) section('runs', 'Runs', table('Runs on held-out sequences', columns, runs), download('runs', columns, runs));
    const evaluated = runs.filter(isOk);
    if (evaluated.length) section('savings', 'Savings side by side', savingsFigure(evaluated));
    const front = Study.front(data.runs.filter(isOk));
    if (front) section('front', 'Accuracy and attention', ...front);
    const rows = Study.rows(data.runs.filter((run) => of(run, 'part')));
    if (rows) section('study', 'Study', ...rows);
    const bits = Bits.section(data.bits);
    if (bits) section('bits', 'Where attention earns its cost', ...bits);
    const strips = Routes.strips(data.runs);
    if (strips) section('routes', 'Which tokens are routed', ...strips);
    trainingSection(data.runs.filter((run) => run.metrics && run.metrics.rows.length));
  }

  function trainingSection(trained) {
    if (!trained.length) return;
    section('training', 'Training', node('div', { class: 'figures' },
      curveFigure(trained, { name: 'loss', metric: 'loss', title: 'Training loss', note: 'Cross-entropy and routing penalty, nats.', axis: 'loss, nats' }),
      curveFigure(trained, { name: 'accuracy', metric: 'accuracy', scale: 100, max: 100, title: 'Training accuracy', note: 'Of each logged batch; the table gives it as a fraction.', axis: 'accuracy, %' }),
      curveFigure(trained, { name: 'attention', metric: 'attention_pct', log: true, title: 'Share of rows that take attention', note: 'Hard decision, log axis; a run at 0 % has no line here.', axis: 'attention, %' })));
  }

  function breakevenSection() {
    const layers = data.breakevens.filter((b) => !isNumber(b.context));
    if (!layers.length) return;
    const groups = new Map();
    layers.forEach((b) => {
      const key = JSON.stringify([b.file, b.platform, b.device, b.schedule, b.D, b.H, b.K]);
      groups.set(key, (groups.get(key) || []).concat([b]));
    });
    const beats = (name) => (b) => (b[name] ? (b[name].verdict === 'found' ? b[name].rho : b[name].text) : b.schedule === 'compacted' ? 'not measured' : null);
    const smallest = (name) => (b) => b.points[0][name];
    const verdict = { found: 'pays below ρ*', always: 'pays at every measured ρ', never: 'pays at no measured ρ' };
    const columns = [['device', field('device')], ['execution', field('schedule')], ['B', field('B')], ['T', field('T')], ['D', field('D')],
      ['break-even ρ*', (b) => (b.verdict === 'found' ? b.rho : b.text)], ['ρ* by quartiles', field('interval_text')], ['routing', (b) => verdict[b.verdict]],
      ['smallest ρ', smallest('rho')], ['faster there, ×', smallest('speedup')],
      ['its quartiles', (b) => [b.points[0].speedup_q1, b.points[0].speedup_q3].filter(isNumber)], ['ideal, ×', smallest('ideal')],
      ['share of ideal %', smallest('share_pct')],
      ['masked, ×', (b) => (isNumber(b.masked_speedup) ? b.masked_speedup : b.schedule === 'compacted' ? 'not measured' : null)],
      ['compacted beats masked below ρ', beats('compact')], ['compacted beats block-skipping below ρ', beats('skip')]];
    if (whole.costFiles > 1) columns.push(['file', field('file')]);
    const charts = Array.from(groups.values()).map((g) => g.filter((b) => b.points.filter((p) => p.rho > 0).length > 1)).filter((g) => g.length); /* a line needs two points */
    section('break-even', 'Where routing pays',
      node('p', {}, 'Below the break-even ρ* a routed layer is faster than dense attention on that device at that length. ' +
        'By quartiles: where the lower and the upper quartile of the ratio of neighbouring batches cross 1; that is the spread within ' +
        'a run, no confidence interval. Masked runs both tracks for all rows and then chooses: as fast at every ρ, above 1 where it is faster than dense ' +
        'attention. Block-skipping runs attention for whole blocks of rows of which any is routed. Evaluation, inference and compacted steps of training always run ' +
        'compacted, whichever is the fastest. The ideal is the speed-up that counting operations promises; its share is what arrives.'),
      table('Break-even and share of the ideal', columns, layers), download('break-even', columns, layers),
      node('div', { class: 'figures' }, ...charts.map((group, i) => Costs.timeFigure(group, i, whole.costFiles))));
  }

  function costSections() {
    const decode = Decode.section(data.cells, data.breakevens.filter((b) => isNumber(b.context)), data.paying);
    if (decode) section('decode', 'A token at a time', ...decode);
    const split = Split.split(data.cells);
    if (split) section('split', 'Where the time goes', ...split);
    const energy = Costs.energy(data.cells);
    if (energy) section('energy', 'Energy', ...energy);
    const scaling = Costs.scaling(data.cells);
    if (scaling) section('scaling', 'Scaling with the length', ...scaling);
    const roofs = Roofs.roofs(data.cells.filter((row) => row.level !== 'decode').concat(data.ops)); /* a mean over steps has no place under one roof */
    if (roofs) section('roofline', 'Against the device’s ceilings', ...roofs);
  }

  function rowsSection(id, title, text, rows, names) {
    if (!rows.length) return;
    const used = names.filter((name) => rows.some((row) => row[name] !== null && row[name] !== undefined));
    const columns = used.map((name) => [name, name === 'energy_j' ? (row) => (isNumber(row[name]) ? row[name] : 'unmeasured') : field(name),
      name === 'reason' ? 'text' : '']);
    section(id, title, node('p', {}, text),
      tableDetails(id, rows.length + ' rows', title, columns, rows, rows, rows.length <= 12), download(id, columns, rows));
  }

  /* What of the files was not taken as it stands. Filters leave it alone: a damaged row has no sure device or length. */
  function flawsSection() {
    if (!whole.flaws.length) return;
    const columns = [['file', field('file')], ['line', field('line')], ['column', field('column')], ['value', field('value')], ['why', field('why'), 'text'],
      ['row', (flaw) => (flaw.unused ? 'not used' : 'used')]];
    const rows = whole.flaws.slice().sort((a, b) => b.unused - a.unused);
    section('flaws', 'What was left out of the files', node('p', {}, count(unused, 'row') + ' of the files ' + (unused === 1 ? 'is' : 'are') +
      ' used nowhere on this page, and why. Where the row says used, its numbers stand.'),
    tableDetails('flaws', count(rows.length, 'line'), 'What was left out of the files', columns, rows, rows, rows.length <= 40), download('left-out', columns, rows));
  }

  function provenance() {
    const list = (caption, items) => node('div', {}, node('p', {}, node('strong', {}, caption)),
      node('ul', {}, ...items.map((value) => node('li', {}, value))));
    const configs = data.runs.filter(field('config')).map((run) => node('details', {}, node('summary', {}, 'Configuration of ' + run.name),
      table('Configuration of ' + run.name, [['field', (e) => e[0]], ['value', (e) => (typeof e[1] === 'object' ? JSON.stringify(e[1]) : String(e[1])), 'text']],
        Object.entries(run.config))));
    const machines = Array.from(new Set(whole.devices.map((d) =>
      [show(d.host), show(d.cpu), 'version ' + show(d.version), 'measured ' + show(d.first) + (d.last === d.first ? '' : ' to ' + show(d.last))].join(', '))));
    section('provenance', 'Where the numbers come from',
      ...(machines.length ? [list('Machines', machines)] : []), list('Files', whole.files), ...configs,
      node('p', { class: 'soft' }, 'Written ' + whole.written + ' by turnout ' + whole.version + '. Units and meaning of every column: docs/schema.md. Charts by Chart.js ' +
        Chart.version + ' (MIT licence), in this file; nothing is loaded from a network.'));
  }

  function render() {
    clear();
    data = filtered();
    devicesSection();
    runsSections();
    breakevenSection();
    costSections();
    rowsSection('layers', 'Layers and models', 'Every measured layer and model pass, and tokens of layers.', data.cells,
      ['device', 'level', 'pass', 'mixer', 'part', 'schedule', 'B', 'T', 'D', 'H', 'K', 'rho', 'n', 'wall_ms', 'wall_ms_q1', 'wall_ms_q3', 'gflops', 'gbs', 'roofline_pct', 'energy_j', 'energy_net_j', 'idle_w', 'energy_source', 'keys', 'block', 'executed_rho', 'context', 'contexts', 'context_min', 'context_median', 'state_bytes', 'tokens_per_s']);
    rowsSection('ops', 'Kernels', 'Each op by itself: median wall time of a call, its rates, and its share of the measured roof.', data.ops,
      ['device', 'op', 'pass', 'shape', 'B', 'T', 'D', 'schedule', 'n', 'wall_ms', 'wall_ms_q1', 'wall_ms_q3', 'event_ms', 'gflops', 'gbs', 'roofline_pct', 'energy_j', 'verified', 'peer', 'peer_ratio', 'peer_ratio_q1', 'peer_ratio_q3']);
    rowsSection('failures', 'Cells without a number', 'Not measured, and why. They take no part in anything above.', data.failures,
      ['device', 'level', 'op', 'pass', 'shape', 'mixer', 'schedule', 'B', 'T', 'D', 'rho', 'context', 'status', 'reason']);
    flawsSection();
    provenance();
    if (!rowsOf(data)) body.prepend(node('p', {}, 'No row and no run passes these filters together.'));
    draw();
    check();
    document.body.dataset.drawn = String(Math.round(performance.now())); /* ms since the page was asked for */
  }

  const bitsFiles = new Set(whole.bits.map(field('file')));
  whole.costFiles = whole.files.filter((name) => /\.csv$/.test(name) && !bitsFiles.has(name)).length;
  Costs.name(whole.cells.concat(whole.ops), whole.files);
  if (narrow()) Chart.defaults.font.size = 11;
  intro();
  filters();
  page.append(body);
  render();
  darkness.addEventListener('change', () => draw());
  window.addEventListener('resize', fit);
  window.addEventListener('beforeprint', () => print(true));
  window.addEventListener('afterprint', () => print(false));
})();
