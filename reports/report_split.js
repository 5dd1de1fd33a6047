/* Where a routed layer's time goes: its parts as stacked bars, against the whole that was measured beside them. */
const Split = (function () {
  'use strict';

  const { node, isNumber, show, field, figure, groups, lines, legendRoom, options, legend, axisTitle } = Parts;

  /* Six colours for eleven parts: the second six are striped. */
  function fill(colours, i) {
    const colour = colours.colours[i % 6];
    if (i < 6) return colour;
    const tile = document.createElement('canvas'), size = 8;
    tile.width = tile.height = size;
    const ctx = tile.getContext('2d');
    ctx.fillStyle = colour;
    ctx.fillRect(0, 0, size, size);
    ctx.strokeStyle = colours.raised;
    ctx.lineWidth = 2;
    ctx.beginPath();
    [-size, 0, size].forEach((x) => {
      ctx.moveTo(x, size);
      ctx.lineTo(x + size, 0);
    });
    ctx.stroke();
    return ctx.createPattern(tile, 'repeat');
  }

  /* A bar is one measurement: the whole and the parts that were timed in turn with it. */
  function barsOf(rows) {
    return groups(rows, (row) => [row.B, row.T, row.rho, row.seed].join()).map((own) => {
      const whole = own.find((row) => row.part === 'whole'), parts = own.filter((row) => row.part !== 'whole');
      return { whole, parts, sum: parts.reduce((sum, row) => sum + row.wall_ms, 0) };
    }).filter((bar) => bar.whole && bar.parts.length).sort((a, b) => a.whole.T - b.whole.T || a.whole.rho - b.whole.rho);
  }

  const spoken = (part) => part.replace(/_/g, ' ');
  const title = (bar) => 'T = ' + bar.whole.T + ', ρ = ' + show(100 * bar.whole.rho) + ' %';
  const sumText = (bar) => (100 * bar.sum / bar.whole.wall_ms).toFixed(0) + ' % of ' + show(Number(bar.whole.wall_ms.toPrecision(3))) + ' ms';

  /* The whole as a line at 100 %, and at each bar's end what its parts add up to. */
  const sums = (colours, bars) => ({
    id: 'sums',
    afterDatasetsDraw(chart) {
      const { ctx, chartArea: area, scales } = chart, x = scales.x.getPixelForValue(100);
      ctx.save();
      ctx.strokeStyle = ctx.fillStyle = colours.ink;
      ctx.setLineDash([4, 3]);
      ctx.beginPath();
      ctx.moveTo(x, area.top);
      ctx.lineTo(x, area.bottom);
      ctx.stroke();
      ctx.font = '11px ' + Chart.defaults.font.family;
      ctx.textBaseline = 'middle';
      bars.forEach((bar, i) => {
        const end = scales.x.getPixelForValue(Math.max(100, 100 * bar.sum / bar.whole.wall_ms));
        ctx.fillText(sumText(bar), end + 6, scales.y.getPixelForValue(i));
      });
      ctx.restore();
    },
  });

  function splitFigure(rows, index) {
    const bars = barsOf(rows), first = bars[0].whole;
    const parts = Array.from(new Set([].concat(...bars.map((bar) => bar.parts.map(field('part'))))));
    const share = (bar, part) => {
      const row = bar.parts.find((r) => r.part === part);
      return row ? (100 * row.wall_ms) / bar.whole.wall_ms : null;
    };
    const longest = bars[bars.length - 1], most = longest.parts.slice().sort((a, b) => b.wall_ms - a.wall_ms).slice(0, 3);
    const text = title(longest) + ': ' + most.map((row) => spoken(row.part) + ' ' + show(Math.round(share(longest, row.part))) + ' %').join(', ') +
      '; all parts ' + sumText(longest);
    const off = bars.filter((bar) => bar.whole.reason).map((bar) => title(bar) + ', ' + bar.whole.reason);
    const table = [].concat(...bars.map((bar) => bar.parts.concat(bar.whole).map((row) => Object.assign({ share: (100 * row.wall_ms) / bar.whole.wall_ms }, row))));
    return figure({
      name: 'split-' + (index + 1),
      title: 'Parts of a routed layer on ' + first.place,
      note: 'D = ' + first.D + ', H = ' + first.H + ', ' + first.pass + '. ' + text + '. Dashed: the whole as measured.' + (off.length ? ' More than 10 % off: ' + off.join('; ') + '.' : ''),
      label: 'Stacked bars: parts of a routed layer’s time on ' + first.device + ', in percent of the measured whole. ' + text + '. The table below has the numbers.',
      height: 60 + bars.length * 46 + legendRoom(parts),
      columns: [['part', field('part')], ['T', field('T')], ['B', field('B')], ['rho', field('rho')], ['ms', field('wall_ms')], ['first quartile ms', field('wall_ms_q1')],
        ['third quartile ms', field('wall_ms_q3')], ['% of the whole', field('share')]],
      rows: table,
      make: (colours) => ({
        type: 'bar',
        data: {
          labels: bars.map(title).map(lines),
          datasets: parts.map((part, i) => ({
            label: spoken(part),
            data: bars.map((bar) => share(bar, part)),
            backgroundColor: fill(colours, i),
            borderColor: colours.raised,
            borderWidth: 1,
            pointStyle: 'rect',
          })),
        },
        options: options(colours, {
          indexAxis: 'y',
          layout: { padding: { right: 120 } },
          plugins: {
            legend: legend(colours, 12),
            tooltip: { mode: 'nearest', intersect: true, callbacks: { label: (item) => item.dataset.label + ': ' + show(item.parsed.x) + ' %' } },
          },
          scales: {
            x: { stacked: true, min: 0, max: Math.max(100, ...bars.map((bar) => 5 * Math.ceil((100 * bar.sum / bar.whole.wall_ms - 1) / 5))), title: axisTitle(colours, '% of the measured whole') },
            y: { stacked: true, ticks: { color: colours.ink }, grid: { display: false } },
          },
        }),
        plugins: [sums(colours, bars)],
      }),
    });
  }

  function split(cells) {
    const rows = cells.filter((row) => row.part && isNumber(row.wall_ms));
    const charts = groups(rows, (row) => [row.place, row.D, row.H, row.K, row.pass].join()).filter((own) => barsOf(own).length);
    if (!charts.length) return null;
    return [node('p', {}, 'What a routed layer is made of, each part by the time its kernels run; launch is the time in which none runs.'),
      node('div', { class: 'figures' }, ...charts.map(splitFigure))];
  }

  return { split };
})();
