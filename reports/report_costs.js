/* What a layer costs: time and energy against the routed fraction, time against the length, devices side by side. */
const Costs = (function () {
  'use strict';

  const { node, middle, isNumber, show, field, figure, options, legend, axisTitle, logScale, barLabels, lines, legendRoom, groups, SHAPES, DASHES } = Parts;

  /* ---- rows ---- */

  /* Names the place of every row: the device, and the file where several files have rows of that kind of it. */
  function name(rows, files) {
    const kind = (row) => [row.device, row.level, !!row.part].join();
    const sources = new Map();
    rows.forEach((row) => sources.set(kind(row), (sources.get(kind(row)) || new Set()).add(row.source)));
    rows.forEach((row) => {
      row.called = short(row.device);
      row.file = files[row.source].split('/').slice(-2).join('/');
      row.place = row.called + (sources.get(kind(row)).size > 1 ? ', ' + row.file : '');
    });
  }

  /* PoCL puts its own word and the compiler's name of the core before the name of a CPU. */
  const short = (device) => String(device).replace(/^pthread-[a-z0-9_-]+-(?=[A-Z])/, '').replace(/\((R|TM)\)/g, '');

  const layers = (cells) => cells.filter((row) => row.level === 'layer' && !row.part && !['masked', 'block-skipping'].includes(row.schedule) && row.wall_ms > 0);

  /* The fraction that a row stands for: a layer routes whole rows, ⌈fT⌉ of T. */
  const stands = (row, fraction) => Math.round(row.rho * row.T) === Math.ceil(fraction * row.T - 1e-9);
  const shapeOf = (row) => ['B', 'T', 'D', 'H', 'K'].map((dim) => row[dim]).join(' ');
  const dims = (row) => ['D', 'H', 'K'].filter((dim) => isNumber(row[dim])).map((dim) => dim + ' = ' + row[dim]).join(', ');
  const median = (row) => row.wall_ms;

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
    ['its first quartile', field('speedup_q1')],
    ['its third quartile', field('speedup_q3')],
    ['ideal speed-up', field('ideal')],
    ['share of ideal %', field('share_pct')],
    ['fastest of what was measured', field('fastest')],
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

  /* From where the lower quartile crosses to where the upper one does, on the part of the axis that was measured; null where
     neither crosses. */
  function intervalBar(group) {
    const interval = group.interval;
    if (!interval || (interval.low.verdict !== 'found' && interval.high.verdict !== 'found')) return null;
    const first = group.points.find((p) => p.rho > 0);
    if (!first || !(interval.high.rho > 0)) return null;
    return [Math.max(interval.low.rho, Math.min(first.rho, interval.high.rho)), interval.high.rho];
  }

  /* Of compacted, masked, which costs the same at every ρ, so that one number of a shape stands against each point, and block-skipping. */
  function fastestOf(group, point) {
    const found = [[group.schedule, point.speedup], ['masked', group.masked_speedup], ['block-skipping', point.blocks_speedup]].filter((way) => isNumber(way[1]));
    if (found.length < 2) return group.schedule === 'compacted' ? 'compacted alone was measured' : null;
    const most = Math.max(...found.map((way) => way[1]));
    return found.filter((way) => way[1] === most).map((way) => way[0]).join(' and ');
  }

  const evenWords = (group) => 'T = ' + show(group.T) + (group.varied ? ', B = ' + show(group.B) : '') + ': ρ* ' + (group.verdict === 'found' ? '= ' : '') + group.text +
    (group.interval ? ', by quartiles ' + group.interval_text : '');

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
    const bar = intervalBar(group);
    if (bar)
      sets.push({
        label: name + ', ρ* by quartiles ' + group.interval_text,
        data: bar.map((rho) => ({ x: rho, y: denseAt(group.points, rho) })),
        borderColor: colours.ink,
        backgroundColor: colours.ink,
        borderWidth: 2,
        pointStyle: 'line',
        rotation: 90,
        pointRadius: ['low', 'high'].map((end) => (group.interval[end].verdict === 'found' ? 6 : 0)), /* no cap where the measured range ends it */
        mark: true,
        showLine: true,
      });
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

  function timeFigure(group, index, files) {
    const first = group[0];
    const rows = [].concat(...group.map((g) => g.points.map((p) => Object.assign({ T: g.T, B: g.B, D: g.D, fastest: fastestOf(g, p) }, p))));
    const zero = rows.some((row) => row.rho === 0) ? ' ρ = 0 has no place on a log axis: see the table.' : '';
    const many = new Set(group.map(field('T'))).size < group.length;
    group.forEach((g) => { g.varied = many; });
    return figure({
      name: 'time-' + (index + 1),
      title: 'A layer’s time on ' + short(first.device),
      note: ['D = ' + show(first.D), 'H = ' + show(first.H), first.schedule, files > 1 ? middle(first.file.split('/').slice(-2).join('/'), 48) : '']
        .filter(Boolean).join(', ') + '. Dashed: dense attention; ring: break-even ρ*; ' +
          (group.some(intervalBar) ? 'bar: its quartiles.' : 'no bar: ' + (group.some(field('interval')) ? 'no quartile crosses.' : 'no quartiles in the file.')) + zero,
      label: 'Line chart on log axes: time of a layer against the routed fraction on ' + first.device + ', a line a length. Break-even: ' +
        group.map(evenWords).join('; ') + '. The table below has the numbers.',
      height: 340 + legendRoom(group.map((g) => 'T = ' + g.T + ', routed')),
      columns: POINT_COLUMNS,
      rows: rows,
      make: (colours) => ({
        type: 'scatter',
        data: { datasets: [].concat(...group.map((g, i) => timeSets(g, i, colours))).map((s) => Object.assign({ showLine: !s.mark, order: s.mark ? 0 : 1 }, s)) },
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

  /* ---- energy against the routed fraction ---- */

  /* Where the routed layer's energy first reaches the dense layer's, by straight lines; null where it never does. */
  function evenEnergy(points, dense) {
    const i = points.findIndex((p) => p.energy_j >= dense);
    if (i <= 0) return null;
    const a = points[i - 1], b = points[i];
    return between(a.rho, b.rho, (dense - a.energy_j) / (b.energy_j - a.energy_j));
  }

  function energyLines(rows) {
    return groups(rows.filter((row) => row.mixer === 'routed' && row.rho > 0), shapeOf).map((points) => {
      const own = rows.find((row) => row.mixer === 'attention' && shapeOf(row) === shapeOf(points[0]));
      points.sort((a, b) => a.rho - b.rho);
      return { T: points[0].T, points, dense: own ? own.energy_j : null, even: own ? evenEnergy(points, own.energy_j) : null };
    }).sort((a, b) => a.T - b.T);
  }

  function energyFigure(rows, index) {
    const lines = energyLines(rows), first = rows[0];
    const even = lines.filter((line) => line.even !== null).map((line) => 'T = ' + line.T + ': ρ* = ' + show(line.even));
    return figure({
      name: 'energy-' + (index + 1),
      title: 'A layer’s energy on ' + first.place,
      note: dims(first) + ', ' + first.pass + '. Dashed: dense attention. Counter: ' + show(first.energy_source) + '.',
      label: 'Line chart on log axes: energy of a layer against the routed fraction on ' + first.device + '. Break-even by energy: ' +
        (even.join('; ') || 'none') + '. The table below has the numbers.',
      height: 310 + legendRoom([].concat(...lines.map((line) => ['T = ' + line.T, line.dense === null ? '' : 'T = ' + line.T + ', dense, ρ* = 0.1234']))),
      columns: [['T', field('T')], ['B', field('B')], ['mixer', field('mixer')], ['rho', field('rho')], ['energy J', field('energy_j')],
        ['above idle J', field('energy_net_j')], ['ms', median],
        ['source', field('energy_source')]],
      rows: rows,
      make: (colours) => ({
        type: 'scatter',
        data: {
          datasets: [].concat(...lines.map((line, i) => {
            const look = { borderColor: colours.colours[i % 6], backgroundColor: colours.colours[i % 6], showLine: true, borderWidth: 2 };
            const ends = [line.points[0].rho, line.points[line.points.length - 1].rho];
            return [Object.assign({ label: 'T = ' + line.T + (line.even === null ? '' : ', break-even ρ* = ' + show(line.even)), pointRadius: 4, pointStyle: SHAPES[i % 6],
              data: line.points.map((p) => ({ x: p.rho, y: p.energy_j })) }, look)]
              .concat(line.dense === null ? [] : [Object.assign({}, look, { label: 'T = ' + line.T + ', dense', pointRadius: 0, borderDash: [6, 4], borderWidth: 1.5,
                pointStyle: 'line', data: ends.map((x) => ({ x, y: line.dense })) })]);
          })),
        },
        options: options(colours, {
          plugins: { legend: legend(colours, 8) },
          scales: { x: logScale(colours, 'routed fraction ρ'), y: logScale(colours, 'energy of a call, J') },
        }),
      }),
    });
  }

  function energy(cells) {
    const rows = layers(cells), measured = rows.filter((row) => row.energy_j > 0);
    if (!rows.length) return null;
    const charts = groups(measured, (row) => [row.place, row.pass, dims(row)].join())
      .filter((group) => group.some((row) => row.mixer === 'routed' && row.rho > 0));
    if (charts.length) return [node('div', { class: 'figures' }, ...charts.map(energyFigure))];
    const why = Array.from(new Set(rows.map((row) => String(row.energy_source || 'unmeasured')))).join('; ');
    return [node('p', {}, 'No layer’s energy was measured: ' + why + '. It is neither 0 nor estimated.')];
  }

  /* ---- time against the length ---- */

  /* log y = a + b log x by least squares over T ≥ 1024, with b's standard error where more than two points leave one. */
  function fitPower(points) {
    const used = points.filter((p) => p.x >= 1024).map((p) => [Math.log(p.x), Math.log(p.y)]);
    const n = used.length;
    if (n < 2) return null;
    const mean = (k) => used.reduce((sum, p) => sum + p[k], 0) / n;
    const mx = mean(0), my = mean(1);
    const sxx = used.reduce((sum, p) => sum + (p[0] - mx) * (p[0] - mx), 0);
    const slope = used.reduce((sum, p) => sum + (p[0] - mx) * (p[1] - my), 0) / sxx;
    const rest = used.reduce((sum, p) => sum + Math.pow(p[1] - my - slope * (p[0] - mx), 2), 0);
    return { slope, error: n > 2 ? Math.sqrt(rest / (n - 2) / sxx) : null, n };
  }

  const fitText = (fit) => (fit ? 'T^' + fit.slope.toFixed(2) + (fit.error === null ? ' (two lengths)' : ' ± ' + fit.error.toFixed(2)) : 'no fit');

  /* The fractions that the longest length was measured at, the smallest, the nearest to 1 % and to 10 %. */
  function fractions(rows) {
    const longest = Math.max(...rows.map(field('T')));
    const found = rows.filter((row) => row.T === longest && row.rho > 0).map((row) => Number(row.rho.toPrecision(2)));
    const nearest = (goal) => found.slice().sort((a, b) => Math.abs(Math.log(a / goal)) - Math.abs(Math.log(b / goal)))[0];
    return found.length ? Array.from(new Set([Math.min(...found), nearest(0.01), nearest(0.1)])) : [];
  }

  function lengthLines(rows) {
    const line = (title, own) => ({
      title,
      points: own.map((row) => ({ x: row.T, y: row.wall_ms / row.B, row })).sort((a, b) => a.x - b.x),
    });
    const routed = rows.filter((row) => row.mixer === 'routed');
    const named = Array.from(new Set(rows.map(field('mixer')))).filter((mixer) => mixer !== 'routed').sort();
    return named.map((mixer) => line(mixer, rows.filter((row) => row.mixer === mixer)))
      .concat(fractions(routed).map((f) => line('routed, ρ = ' + show(100 * f) + ' %', routed.filter((row) => stands(row, f)))))
      .filter((found) => new Set(found.points.map((p) => p.x)).size > 1)
      .map((found) => Object.assign(found, { fit: fitPower(found.points) }));
  }

  function scalingFigure(lines, index) {
    const first = lines[0].points[0].row;
    const rows = [].concat(...lines.map((line) => line.points.map((p) => Object.assign({ line: line.title, fit: line.fit, each: p.y }, p.row))));
    const text = lines.map((line) => line.title + ' ' + fitText(line.fit)).join('; ');
    return figure({
      name: 'scaling-' + (index + 1),
      title: (first.level === 'model' ? 'A whole model’s time' : 'A layer’s time') + ' against the length on ' + first.place,
      note: dims(first) + ', ' + first.pass + '. Fitted over T ≥ 1024, exponent ± standard error: ' + text + '.',
      label: 'Line chart on log axes: time of a ' + first.level + ' for one sequence against its length on ' + first.device + '. Fitted over T of 1024 and more: ' + text + '. The table below has the numbers.',
      height: 310 + legendRoom(lines.map((line) => line.title + ': ' + fitText(line.fit))),
      columns: [['layer', field('line')], ['T', field('T')], ['B', field('B')], ['rho', field('rho')], ['ms a sequence', field('each')], ['ms a call', median],
        ['first quartile ms', field('wall_ms_q1')], ['third quartile ms', field('wall_ms_q3')], ['exponent', (row) => (row.fit ? row.fit.slope : null)],
        ['standard error', (row) => (row.fit ? row.fit.error : null)], ['lengths in the fit', (row) => (row.fit ? row.fit.n : null)]],
      rows: rows,
      make: (colours) => ({
        type: 'scatter',
        data: {
          datasets: lines.map((line, i) => ({
            label: line.title + ': ' + fitText(line.fit),
            data: line.points.map((p) => ({ x: p.x, y: p.y })),
            showLine: true,
            borderColor: colours.colours[i % 6],
            backgroundColor: colours.colours[i % 6],
            borderDash: DASHES[i % 6],
            borderWidth: 2,
            pointRadius: 4,
            pointStyle: SHAPES[i % 6],
          })),
        },
        options: options(colours, {
          plugins: { legend: legend(colours, 8) },
          scales: { x: logScale(colours, 'T, positions of a sequence'), y: logScale(colours, 'ms a sequence') },
        }),
      }),
    });
  }

  function scaling(cells) {
    const models = cells.filter((row) => row.level === 'model' && row.T > 0 && row.B > 0 && row.wall_ms > 0);
    const charts = groups(layers(cells).concat(models), (row) => [row.level, row.place, row.pass, dims(row)].join()).map(lengthLines).filter((lines) => lines.length);
    if (!charts.length) return null;
    return [node('p', {}, 'Time of one sequence of a batch. The exponent is the slope on log axes: 1 is a layer that costs the same for every position, 2 one whose positions cost more the longer the sequence.'),
      node('div', { class: 'figures' }, ...charts.map(scalingFigure))];
  }

  /* ---- devices side by side ---- */

  /* Of what was measured on most devices the longest, at its smallest width. */
  function commonShape(rows, key, length) {
    const found = groups(rows, key).map((own) => ({ own, devices: new Set(own.map(field('device'))).size, places: new Set(own.map(field('place'))).size, row: own[0] }));
    found.sort((a, b) => b.devices - a.devices || b.places - a.places || length(b.row) - length(a.row) || a.row.D - b.row.D || (a.row.pass === 'forward' ? -1 : 1));
    return found.length && found[0].places > 1 ? found[0].own : null;
  }

  /* What devices are held against each other by: a layer; where no two have one, a token; else a kernel. */
  const COMPARED = [
    { what: 'a layer', rows: (cells) => layers(cells).filter((row) => row.mixer !== 'routed' || stands(row, 0.01)), key: (row) => row.pass + ' ' + shapeOf(row), length: field('T') },
    { what: 'a token', rows: (cells) => cells.filter((row) => row.level === 'decode' && row.wall_ms > 0 && row.schedule !== 'masked' && (row.mixer !== 'routed' || stands(Object.assign({}, row, { T: 1000 }), 0.01))),
      key: (row) => [row.context, row.contexts, shapeOf(row)].join(' '), length: field('context') },
    { what: 'a kernel', rows: (cells, ops) => ops.filter((row) => row.wall_ms > 0), key: (row) => [row.op, row.pass, row.shape, row.schedule].join(' '), length: field('wall_ms') },
  ];
  const MOST = 40; /* places: a canvas has an end */

  function devicesFigure(cells, ops) {
    const made = COMPARED.map((way) => [way, commonShape(way.rows(cells, ops), way.key, way.length)]).find(([, found]) => found);
    if (!made) return null;
    const [way, own] = made, first = own[0];
    const mixerOf = (row) => row.mixer || row.op, mixers = Array.from(new Set(own.map(mixerOf))).sort();
    const at = (mixer, place) => own.find((row) => mixerOf(row) === mixer && row.place === place);
    const named = (mixer) => (mixer === 'routed' ? 'routed, ρ = ' + show(100 * own.find((row) => row.mixer === 'routed').rho) + ' %' : mixer);
    const last = mixers[mixers.length - 1], quick = (place) => (at(last, place) ? at(last, place).wall_ms : Infinity);
    const all = Array.from(new Set(own.map(field('place')))).sort((a, b) => quick(a) - quick(b) || (a < b ? -1 : 1)), places = all.slice(0, MOST);
    const sizes = [['B', first.B], ['T', first.T], ['context', first.context]].filter(([, value]) => isNumber(value)).map(([dim, value]) => dim + ' = ' + value);
    const shape = (first.shape ? [String(first.shape).replace(/,/g, ', ')] : sizes.concat(dims(first))).concat(first.pass || []).join(', ');
    return figure({
      name: 'devices',
      title: 'Devices side by side: ms of ' + way.what,
      note: shape + ': the longest that most devices have, the quickest first. The filter of T chooses another.' +
        (all.length > MOST ? ' The first ' + MOST + ' of ' + all.length + '; the table has all.' : ''),
      label: 'Bar chart: milliseconds of ' + way.what + ' on each device. Fastest, ' + named(last) + ': ' + all[0] + ' with ' + show(quick(all[0])) + ' ms. The table below has the numbers.',
      height: 90 + places.length * (16 + 22 * mixers.length),
      columns: [['device', field('place')], ['mixer', mixerOf], ['rho', field('rho')], ['ms', median], ['first quartile ms', field('wall_ms_q1')], ['third quartile ms', field('wall_ms_q3')],
        ['share of the roof %', field('roofline_pct')]],
      rows: own,
      make: (colours) => ({
        type: 'bar',
        data: {
          labels: places.map(lines),
          datasets: mixers.map((mixer, i) => ({
            label: named(mixer),
            data: places.map((place) => (at(mixer, place) ? at(mixer, place).wall_ms : null)),
            words: places.map(() => 'not measured'),
            backgroundColor: colours.colours[i % 6],
            borderColor: colours.ink,
            borderWidth: 0.5,
            pointStyle: 'rect',
          })),
        },
        options: options(colours, {
          indexAxis: 'y',
          layout: { padding: { right: 60 } },
          plugins: { legend: legend(colours, 10), tooltip: { mode: 'index' } },
          scales: { x: { beginAtZero: true, title: axisTitle(colours, 'ms of a call') }, y: { ticks: { color: colours.ink, autoSkip: false }, grid: { display: false } } },
        }),
        plugins: [barLabels(colours, ' ms')],
      }),
    });
  }

  return { name, timeFigure, energy, scaling, devicesFigure };
})();
