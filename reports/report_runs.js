/* Runs: what routing saved in each, and how they were trained. */
const Runs = (function () {
  'use strict';

  const { isNumber, show, field, filled, figure, options, legend, axisTitle, logScale, barLabels, lines, legendRoom, DASHES } = Parts;

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
  /* Only such a run is drawn: what another holds is no result, its row says why. */
  const isOk = (run) => !!run.summary && of(run, 'status') === 'ok';

  /* Against itself nothing is saved, and what its quartiles leave on either side of 0 is not told: no number then, but why.
     Energy has no quartiles. */
  const isOwn = (run) => of(run, 'mixer') === 'attention' && !isNumber(of(run, 'window'));
  const mixerText = (run) => of(run, 'mixer') + (isNumber(of(run, 'window')) ? ', window ' + of(run, 'window') : '');
  function saving(run, name) {
    const value = of(run, name);
    const low = of(run, name + '_q1'), high = of(run, name + '_q3');
    if (!isNumber(value)) return value;
    if (isOwn(run) || !isOk(run)) return 'n/a';
    return isNumber(low) && isNumber(high) && Math.min(low, high) <= 0 && Math.max(low, high) >= 0 ? 'n/a (' + show(low) + ' to ' + show(high) + ')' : value;
  }

  const quartiles = (run) => (isOwn(run) || !isOk(run) ? [] : [of(run, 'time_saved_pct_q1'), of(run, 'time_saved_pct_q3')].filter(isNumber));
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
    ['mixer', mixerText],
    ['routing', (run) => of(run, 'routing')],
    ['seed', (run) => of(run, 'seed')],
    ['accuracy %', (run) => percent(run.summary ? run.summary.accuracy : null)],
    ['bits per byte', (run) => of(run, 'bits_per_byte')],
    ['attention %', (run) => of(run, 'attention_pct')],
    ['floor %', (run) => of(run, 'floor_pct')],
    ['attention % by layer', (run) => of(run, 'attention_pct_layers')],
  ];
  const SAVING_COLUMNS = SAVINGS.map(([name, title]) => [title + ' saved %', (run) => saving(run, name)]);
  SAVING_COLUMNS.splice(3, 0, ['time saved %, quartiles', quartiles]);
  const STATE_COLUMNS = [
    ['status', (run) => (run.summary ? of(run, 'status') : 'not evaluated')],
    ['note', (run) => of(run, 'reason'), 'text'],
  ];

  const MOST = 40; /* bars of runs: a canvas has an end */

  function savingsFigure(all) {
    const runs = all.slice(0, MOST);
    return figure({
      name: 'savings',
      title: 'What routing saved, %',
      note: 'Against the same model with attention in every row, on the same device in the same run; in brackets the quartiles of the time. Below 0: it cost more. n/a: the run is that model, or 0 lies ' +
        'between the quartiles.' +
        (all.length > MOST ? ' The first ' + MOST + ' of ' + all.length + ' runs; the table has all.' : ''),
      label: 'Bar chart: savings in score FLOPs, all FLOPs, time and energy, a group of bars a run. The table below has the numbers.',
      height: 90 + runs.length * 92,
      columns: filled([RUN_COLUMNS[0], ['mixer', mixerText]].concat(SAVING_COLUMNS), all),
      rows: all,
      open: true,
      make: (colours) => ({
        type: 'bar',
        data: {
          labels: runs.map(field('name')).map(lines),
          datasets: SAVINGS.map(([name, title], i) => ({
            label: title,
            data: runs.map((run) => (isNumber(saving(run, name)) ? saving(run, name) : null)),
            notes: runs.map((run) => (name === 'time_saved_pct' && quartiles(run).length === 2 ? ' (' + quartiles(run).map((q) => show(Number(q.toPrecision(3)))).join(' to ') + ')' : '')),
            words: runs.map((run) => (saving(run, name) === null ? 'not given' : String(saving(run, name)))),
            backgroundColor: [colours.colours[5], colours.colours[0], colours.colours[2], colours.colours[4]][i],
            borderColor: colours.ink,
            borderWidth: 0.5,
            pointStyle: 'rect',
          })),
        },
        options: options(colours, {
          indexAxis: 'y',
          layout: { padding: { right: 120 } },
          plugins: { legend: legend(colours, 10), tooltip: { mode: 'index' } },
          scales: {
            x: { suggestedMin: 0, suggestedMax: 100, title: axisTitle(colours, 'saved, %') },
            y: { ticks: { color: colours.ink }, grid: { display: false } },
          },
        }),
        plugins: [barLabels(colours, ' %')],
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
      height: 260 + legendRoom(runs.map(field('name'))),
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

  return { of, isOk, saving, quartiles, percent, taskText, mixerText, RUN_COLUMNS, SAVING_COLUMNS, STATE_COLUMNS, savingsFigure, curveFigure };
})();
