/* The parts of the page: tables, downloads, sections, figures and their colours. Text goes in as text, never as markup. */
const Parts = (function () {
  'use strict';

  const page = document.getElementById('report');
  const body = node('div'); /* the sections: made anew when a filter changes */
  const figures = []; /* {node, canvas, make or paint, chart, width}: drawn again when the colour scheme changes */
  const opened = new Map(); /* which tables the reader opened or closed, so that a filter leaves them so */
  const WIDE = 4; /* columns that a phone has room for */
  const LONGEST = 400; /* rows of a table in the page; downloads have all */
  const MANY = 150, AT_ONCE = 12; /* of so many figures these are drawn before anyone scrolls: of a hundred devices there are 900 */

  /* Okabe and Ito's colours, which colour-blind readers can tell apart, the last two darkened until they stand out from white;
     line dashes and point shapes repeat the difference. */
  const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#b87d00', '#2f97d6'];
  const COLOURS_DARK = ['#4aa3df', '#f08a3c', '#2fc79a', '#e39ac4', '#f2b632', '#8ccff5'];
  const SHAPES = ['circle', 'rect', 'triangle', 'rectRot', 'crossRot', 'star'];
  const DASHES = [[], [8, 3], [2, 3], [8, 3, 2, 3], [14, 4], [4, 4]];
  const darkness = window.matchMedia('(prefers-color-scheme: dark)');

  function theme() {
    const style = getComputedStyle(document.documentElement);
    return {
      ink: style.getPropertyValue('--ink').trim(),
      soft: style.getPropertyValue('--soft').trim(),
      line: style.getPropertyValue('--line').trim(),
      raised: style.getPropertyValue('--raised').trim(),
      colours: darkness.matches && !('print' in document.documentElement.dataset) ? COLOURS_DARK : COLOURS,
    };
  }

  function node(tag, attributes, ...children) {
    const made = document.createElement(tag);
    Object.entries(attributes || {}).forEach(([name, value]) => made.setAttribute(name, value));
    children.forEach((child) => made.append(child));
    return made;
  }

  const less = (few, all) => (few.length < all.length ? ' (' + few.length + ' of ' + all.length + ' rows; the CSV has all)' : '');
  const isNumber = (value) => typeof value === 'number' && Number.isFinite(value);

  function show(value) {
    if (value === null || value === undefined || value === '' || (Array.isArray(value) && !value.length)) return '–';
    if (Array.isArray(value)) return value.map(show).join(' · ');
    if (!isNumber(value)) return String(value);
    const size = Math.abs(value);
    if (Number.isInteger(value) && size < 1e7) return String(value);
    if (size !== 0 && (size >= 1e6 || size < 1e-4)) return value.toExponential(2).replace(/\.?0+e/, 'e');
    return String(Number(value.toPrecision(4)));
  }

  /* A name too long for its place, without its middle: ends tell names apart. */
  function middle(text, most) {
    if (String(text).length <= most) return String(text);
    const signs = Array.from(String(text));
    const tail = Math.ceil((most - 1) / 2);
    return signs.length <= most ? signs.join('') : signs.slice(0, most - 1 - tail).join('') + '…' + signs.slice(-tail).join('');
  }

  /* A node for such a name, with the whole of it under the pointer. */
  function named(tag, attributes, text, most) {
    const cut = middle(text, most);
    return node(tag, cut === text ? attributes : Object.assign({ title: text }, attributes), cut);
  }

  /* Words in a column of numbers. */
  const isAbsent = (value) => value === 'unmeasured' || (typeof value === 'string' && value.startsWith('n/a'));

  /* columns: [title, reader] or [title, reader, 'text']; the first is the row's heading. Beside a table stands its download. */
  function table(caption, columns, all) {
    const rows = all.length > LONGEST ? all.slice(0, LONGEST) : all;
    const head = node('tr');
    const body = node('tbody');
    const numeric = columns.map(([, read], c) => c > 0 && rows.some((row) => isNumber(read(row))) &&
      rows.every((row) => { const v = read(row); return isNumber(v) || v == null || v === '' || isAbsent(v); }));
    columns.forEach(([title], c) =>
      head.append(node('th', { scope: 'col', class: numeric[c] ? 'number' : '' }, title)));
    rows.forEach((row) => {
      const line = node('tr');
      columns.forEach(([, read, kind], c) => {
        const value = read(row), most = kind === 'text' || typeof value !== 'string' ? Infinity : 44;
        if (c === 0) line.append(named('th', { scope: 'row' }, show(value), most));
        else {
          const absent = (isAbsent(value) && typeof value === 'string' && value ? ' absent' : '') + (isEmpty(value) ? ' none' : '');
          line.append(named('td', { class: (numeric[c] ? 'number' : kind || '') + absent, 'data-title': columns[c][0] }, show(value), most));
        }
      });
      body.append(line);
    });
    return node('div', { class: 'scroll', role: 'region', tabindex: '0', 'aria-label': caption },
      node('table', columns.length > WIDE ? { class: 'wide' } : {}, node('caption', {}, caption + less(rows, all)), node('thead', {}, head), body));
  }

  const field = (name) => (row) => row[name];
  const isEmpty = (value) => value === null || value === undefined || value === '' || (Array.isArray(value) && !value.length);
  const filled = (columns, rows) => columns.filter(([, read], c) => c === 0 || rows.some((row) => !isEmpty(read(row))));

  function csv(columns, rows) {
    const quote = (value) => {
      const text = value === null || value === undefined ? '' : Array.isArray(value) ? value.join(';') : String(value);
      return /[",\r\n]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text;
    };
    return [columns.map(([title]) => quote(title)).join(',')]
      .concat(rows.map((row) => columns.map(([, read]) => quote(read(row))).join(','))).join('\n') + '\n';
  }

  function download(name, columns, rows) {
    const button = node('button', { type: 'button' }, 'Download CSV');
    button.setAttribute('aria-label', 'Download ' + name + '.csv');
    button.addEventListener('click', () => {
      const url = URL.createObjectURL(new Blob([csv(columns, rows)], { type: 'text/csv' }));
      const link = node('a', { href: url, download: 'turnout-' + name + '.csv' });
      document.body.append(link);
      link.click();
      link.remove();
      setTimeout(() => URL.revokeObjectURL(url), 1000);
    });
    return button;
  }

  const contents = node('ul');

  function section(id, title, ...children) {
    contents.append(node('li', {}, node('a', { href: '#' + id }, title)));
    const heading = node('h2', { id: id }, title);
    body.append(node('section', { 'aria-labelledby': id }, heading, ...children));
  }

  /* A closed table is made when it is opened: thousands of rows cost nothing until somebody wants them. */
  function details(key, summary, make, open) {
    const made = node('details', {}, node('summary', {}, summary));
    const fill = () => {
      if (made.open && made.childElementCount === 1) made.append(make());
    };
    made.open = opened.has(key) ? opened.get(key) : !!open;
    fill();
    made.addEventListener('toggle', () => {
      opened.set(key, made.open);
      fill();
    });
    return made;
  }

  function tableDetails(key, what, title, columns, rows, shown, open) {
    const few = shown.length > LONGEST ? shown.slice(0, LONGEST) : shown;
    return details(key, what + less(few, rows), () => table(title, columns, few), open);
  }

  /* spec: {name, title, note, label, height, columns, rows, shown (rows of the table), open, and make(theme) → Chart
     config or paint(context, width, height, theme), which may give areas {x, y, width, height, text} to be read under the
     pointer} */
  function figure(spec) {
    const canvas = node('canvas', { role: 'img', 'aria-label': spec.label });
    const box = node('div', { class: 'chart', style: 'height:' + spec.height + 'px' }, canvas);
    const made = node('figure', { 'data-drawn': 'false', id: 'figure-' + spec.name },
      node('figcaption', {}, spec.title, node('small', {}, spec.note || '')), box,
      download(spec.name, spec.columns, spec.rows),
      tableDetails('figure-' + spec.name, 'The same as a table', spec.title, spec.columns, spec.rows, spec.shown || spec.rows, spec.open));
    const f = { node: made, canvas: canvas, make: spec.make, paint: spec.paint, height: spec.height, chart: null, width: 0, areas: [], waits: false };
    canvas.addEventListener('pointermove', (event) => {
      const under = f.areas.find((a) => event.offsetX >= a.x && event.offsetX < a.x + a.width && event.offsetY >= a.y && event.offsetY < a.y + a.height);
      if (f.paint) canvas.title = under ? under.text : '';
    });
    figures.push(f);
    return made;
  }

  function paint(f, colours) {
    const scale = window.devicePixelRatio || 1;
    f.width = f.canvas.parentNode.clientWidth;
    f.canvas.width = Math.round(f.width * scale);
    f.canvas.height = Math.round(f.height * scale);
    f.canvas.style.width = f.width + 'px';
    f.canvas.style.height = f.height + 'px';
    const context = f.canvas.getContext('2d');
    context.scale(scale, scale);
    f.areas = f.paint(context, f.width, f.height, colours) || [];
  }

  function put(f, colours) {
    if (f.paint) {
      paint(f, colours);
      return;
    }
    if (f.chart) f.chart.destroy();
    f.chart = new Chart(f.canvas, f.make(colours));
  }

  /* Of many figures those far down wait until they are scrolled to. */
  const watcher = new IntersectionObserver((seen) => {
    const near = new Set(seen.filter((entry) => entry.isIntersecting).map((entry) => entry.target));
    figures.filter((f) => f.waits && near.has(f.node)).forEach((f) => {
      f.waits = false;
      watcher.unobserve(f.node);
      put(f, theme());
      drawn(f);
    });
  }, { rootMargin: '800px' });

  function draw(all) {
    const colours = theme();
    Chart.defaults.color = colours.soft;
    Chart.defaults.borderColor = colours.line;
    Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
    Chart.defaults.animation = false;
    watcher.disconnect();
    figures.forEach((f, i) => {
      f.waits = !all && figures.length > MANY && i >= AT_ONCE && !f.chart && !f.width;
      if (f.waits) watcher.observe(f.node);
      else put(f, colours);
    });
  }

  /* Charts follow the width of the page by themselves, what is painted here does not. */
  function fit() {
    const colours = theme();
    figures.forEach((f) => {
      if (f.paint && !f.waits && f.width !== f.canvas.parentNode.clientWidth) paint(f, colours);
    });
  }

  /* Paper is white, whatever the screen is. */
  function print(begins) {
    if (begins) document.documentElement.dataset.print = '';
    else delete document.documentElement.dataset.print;
    draw(begins);
  }

  /* A figure counts as drawn when its canvas holds something; tests look for it. */
  function drawn(f) {
    const left = Math.floor(f.canvas.width / 5); /* a stripe here crosses axes, labels or lanes */
    const pixels = f.canvas.getContext('2d').getImageData(left, 0, 12, f.canvas.height).data;
    f.node.dataset.drawn = String(pixels.some((value) => value !== 0));
  }

  const check = () => figures.filter((f) => !f.waits).forEach(drawn);

  /* Asked for while the page is empty: asked for later, it would be laid out for each figure that wants to know. */
  let width = 0;
  const pageWidth = () => width || (width = page.clientWidth);

  function clear() {
    figures.forEach((f) => { if (f.chart) f.chart.destroy(); });
    figures.length = 0;
    body.replaceChildren();
    contents.replaceChildren();
    width = page.clientWidth;
  }

  const narrow = () => pageWidth() < 560 || 'print' in document.documentElement.dataset;

  function options(colours, more) {
    return Object.assign({
      responsive: true,
      maintainAspectRatio: false,
      interaction: { mode: 'nearest', intersect: false },
    }, more);
  }

  const legend = (colours, width) => ({
    position: 'bottom',
    labels: {
      color: colours.ink, usePointStyle: true, boxWidth: width, boxHeight: 7, padding: 10,
      generateLabels: (chart) => Chart.defaults.plugins.legend.labels.generateLabels(chart)
        .map((item) => Object.assign(item, { text: middle(item.text, narrow() ? 38 : 64) })),
    },
  });

  const axisTitle = (colours, text) => ({ display: true, text: text, color: colours.ink });

  /* 1, 2 and 5 of each power of ten, the powers alone, or some of them: what a log axis has room for. */
  function logTick(value) {
    const power = Math.floor(Math.log10(value) + 1e-9), digit = value / Math.pow(10, power);
    const across = this.isHorizontal(), room = across ? this.chart.width - 90 : 200;
    const decade = room / Math.max(Math.log10(this.max / this.min), 0.1);
    const need = across ? 7 * Math.max(show(this.min).length, show(this.max).length) + 8 : 18;
    const kept = 0.3 * decade < need || this.max / this.min > 200 ? [1] : [1, 2, 5];
    return power % Math.ceil(need / decade) === 0 && kept.some((k) => Math.abs(digit - k) < 1e-6) ? show(value) : null;
  }

  const logScale = (colours, title) => ({
    type: 'logarithmic',
    title: axisTitle(colours, title),
    ticks: { callback: logTick, autoSkip: false, maxRotation: 0 },
  });

  /* Value at a bar's end, or the word that stands for it: what was not measured is not a bar of length 0. */
  const barLabels = (colours, unit) => ({
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
          const text = value === null ? dataset.words[i] : show(Number(value.toPrecision(3))) + unit + (dataset.notes ? dataset.notes[i] : '');
          ctx.fillText(text, (value > 0 ? bar.x : zero) + 5, bar.y);
        });
      });
      ctx.restore();
    },
  });

  /* Pixels that a legend of such names takes below a chart, for the chart to keep its own height. */
  function legendRoom(names) {
    const wide = names.reduce((sum, name) => sum + 6.5 * String(name).length + 34, 0);
    return 24 * Math.ceil(wide / Math.min(pageWidth() - 60, 480));
  }

  /* A label of a bar in lines that there is room for. */
  function lines(whole) {
    if (!narrow()) return middle(whole, 40);
    const text = middle(whole, 52);
    const made = [''];
    text.split(/(?<=[ /…])/).forEach((word) => {
      if (made[made.length - 1] && (made[made.length - 1] + word).length > 18) made.push('');
      made[made.length - 1] += middle(word, 16);
    });
    return made;
  }

  /* Rows by what `key` says of them, in the order in which each first comes. */
  function groups(rows, key) {
    const found = new Map();
    rows.forEach((row) => {
      const own = key(row);
      if (!found.has(own)) found.set(own, []);
      found.get(own).push(row);
    });
    return Array.from(found.values());
  }

  return {
    page, body, contents, node, named, middle, isNumber, show, table, details, tableDetails, field, filled, download, section, figure, draw, fit, print,
    check, clear, narrow, barLabels, lines, legendRoom, theme, groups, SHAPES, DASHES, options, legend, axisTitle, logScale, darkness,
  };
})();
