/* The parts of the page: tables, downloads, sections, figures and their colours. Text goes in as text, never as markup. */
const Parts = (function () {
  'use strict';

  const page = document.getElementById('report');
  const figures = []; /* {node, canvas, make, chart}: drawn again when the colour scheme changes */

  /* Okabe and Ito's colours, which colour-blind readers can tell apart; line dashes and point shapes repeat the difference. */
  const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9'];
  const COLOURS_DARK = ['#4aa3df', '#f08a3c', '#2fc79a', '#e39ac4', '#f2b632', '#8ccff5'];
  const darkness = window.matchMedia('(prefers-color-scheme: dark)');

  function theme() {
    const style = getComputedStyle(document.documentElement);
    return {
      ink: style.getPropertyValue('--ink').trim(),
      soft: style.getPropertyValue('--soft').trim(),
      line: style.getPropertyValue('--line').trim(),
      raised: style.getPropertyValue('--raised').trim(),
      colours: darkness.matches ? COLOURS_DARK : COLOURS,
    };
  }

  /* ---- small parts ---- */

  function node(tag, attributes, ...children) {
    const made = document.createElement(tag);
    Object.entries(attributes || {}).forEach(([name, value]) => made.setAttribute(name, value));
    children.forEach((child) => made.append(child));
    return made;
  }

  const isNumber = (value) => typeof value === 'number' && Number.isFinite(value);

  function show(value) {
    if (value === null || value === undefined || value === '' || (Array.isArray(value) && !value.length)) return '–';
    if (Array.isArray(value)) return value.map(show).join(' · ');
    if (!isNumber(value)) return String(value);
    const size = Math.abs(value);
    if (Number.isInteger(value) && size < 1e7) return String(value);
    if (size !== 0 && (size >= 1e6 || size < 1e-4)) return value.toExponential(2);
    return String(Number(value.toPrecision(4)));
  }

  /* columns: [title, reader] or [title, reader, 'text']; the first is the row's heading. */
  function table(caption, columns, rows) {
    const head = node('tr');
    const body = node('tbody');
    const numeric = columns.map(([, read], c) => c > 0 && rows.some((row) => isNumber(read(row))) &&
      rows.every((row) => { const v = read(row); return isNumber(v) || v == null || v === '' || v === 'unmeasured'; }));
    columns.forEach(([title], c) =>
      head.append(node('th', { scope: 'col', class: numeric[c] ? 'number' : '' }, title)));
    rows.forEach((row) => {
      const line = node('tr');
      columns.forEach(([, read, kind], c) => {
        const value = read(row);
        if (c === 0) line.append(node('th', { scope: 'row' }, show(value)));
        else {
          const absent = value === 'unmeasured' ? ' absent' : '';
          line.append(node('td', { class: (numeric[c] ? 'number' : kind || '') + absent }, show(value)));
        }
      });
      body.append(line);
    });
    return node('div', { class: 'scroll', role: 'region', tabindex: '0', 'aria-label': caption },
      node('table', {}, node('caption', {}, caption), node('thead', {}, head), body));
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
    page.append(node('section', { 'aria-labelledby': id }, heading, ...children));
  }

  /* spec: {name, title, note, label, height, columns, rows, shown (rows of the table), open, make(theme) → Chart config} */
  function figure(spec) {
    const canvas = node('canvas', { role: 'img', 'aria-label': spec.label });
    const shown = spec.shown || spec.rows;
    const less = shown.length < spec.rows.length ? ' (' + shown.length + ' of ' + spec.rows.length + ' rows; the CSV has all)' : '';
    const details = node('details', {}, node('summary', {}, 'The same as a table' + less),
      table(spec.title, spec.columns, shown));
    details.open = !!spec.open;
    const box = node('div', { class: 'chart', style: 'height:' + spec.height + 'px' }, canvas);
    const made = node('figure', { 'data-drawn': 'false', id: 'figure-' + spec.name },
      node('figcaption', {}, spec.title, node('small', {}, spec.note || '')), box,
      download(spec.name, spec.columns, spec.rows), details);
    figures.push({ node: made, canvas: canvas, make: spec.make, chart: null });
    return made;
  }

  function draw() {
    const colours = theme();
    Chart.defaults.color = colours.soft;
    Chart.defaults.borderColor = colours.line;
    Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
    Chart.defaults.animation = false;
    figures.forEach((f) => {
      if (f.chart) f.chart.destroy();
      f.chart = new Chart(f.canvas, f.make(colours));
    });
  }

  /* A figure counts as drawn when its canvas holds something; tests look for it. */
  function check() {
    figures.forEach((f) => {
      const pixels = f.canvas.getContext('2d').getImageData(0, 0, f.canvas.width, f.canvas.height).data;
      f.node.dataset.drawn = String(pixels.some((value) => value !== 0));
    });
  }

  const narrow = () => page.clientWidth < 560;

  function options(colours, more) {
    return Object.assign({
      responsive: true,
      maintainAspectRatio: false,
      interaction: { mode: 'nearest', intersect: false },
    }, more);
  }

  const legend = (colours, width) => ({
    position: 'bottom',
    labels: { color: colours.ink, usePointStyle: true, boxWidth: width, boxHeight: 7, padding: 10 },
  });

  const axisTitle = (colours, text) => ({ display: true, text: text, color: colours.ink });

  /* 1, 2 and 5 of each power of ten, or the powers alone where they are many: all a log axis has room for. */
  function logTick(value) {
    const digit = value / Math.pow(10, Math.floor(Math.log10(value) + 1e-9));
    const kept = this.max / this.min > 200 ? [1] : [1, 2, 5];
    return kept.some((k) => Math.abs(digit - k) < 1e-6) ? show(value) : null;
  }

  const logScale = (colours, title) => ({
    type: 'logarithmic',
    title: axisTitle(colours, title),
    ticks: { callback: logTick, autoSkip: false, maxRotation: 0 },
  });

  return {
    page, contents, node, isNumber, show, table, field, filled, download, section, figure, draw, check, narrow, options, legend,
    axisTitle, logScale, darkness,
  };
})();
