/* Token strips of text: the bytes themselves, marked by how many layers routed them. */
const TextStrips = (function () {
  'use strict';

  const { page, figure, field } = Parts;

  const CELL = 7.4, LINE = 20, HEAD = 22, FOOT = 10, SEQUENCES = 2; /* drawn; the table has all */
  const MONOSPACE = 'ui-monospace, "DejaVu Sans Mono", monospace';
  const SHORT = { 9: '\\t', 10: '\\n', 13: '\\r', 92: '\\\\' };

  const isText = (run) => ((run.summary && run.summary.task) || (run.config && run.config.task)) === 'text';

  const shownAs = (byte) => SHORT[byte] || (byte > 31 && byte < 127 ? String.fromCharCode(byte) : '\\x' + byte.toString(16).padStart(2, '0'));

  const layersOf = (routed, position) => routed.map((layer, i) => (layer.has(position) ? i : -1)).filter((i) => i >= 0);

  /* Every position of the sequence that the file has, and "…" where it leaves some out; lines end where the text's do. */
  function layout(sequence, columns) {
    const cells = [], routed = sequence.routed.map((positions) => new Set(positions));
    let line = 0, at = 0;
    const put = (text, more) => {
      if (at + text.length > columns) { line++; at = 0; }
      cells.push(Object.assign({ text, line, at }, more));
      at += text.length;
    };
    sequence.positions.forEach((position, i) => {
      if (position !== (i ? sequence.positions[i - 1] + 1 : 0)) put('…', {});
      const byte = sequence.tokens[i], layers = layersOf(routed, position);
      put(shownAs(byte), { position, byte, layers });
      if (byte === 10) { line++; at = 0; }
    });
    return { id: sequence.id, cells, lines: line + (at > 0 ? 1 : 0) };
  }

  const says = (cell) => 'position ' + cell.position + ', byte \'' + cell.text + '\' (' + cell.byte + '), ' +
    (cell.layers.length ? 'routed in layer' + (cell.layers.length > 1 ? 's ' : ' ') + cell.layers.join(', ') : 'not routed');

  /* The more layers, the darker and the thicker the line below. */
  function mark(ctx, colours, x, y, width, count, layers) {
    if (!count) return;
    ctx.fillStyle = colours.colours[0];
    ctx.globalAlpha = 0.1 + (0.35 * count) / layers;
    ctx.fillRect(x, y, width, LINE - 2);
    ctx.globalAlpha = 1;
    const thick = Math.max(1, (4 * count) / Math.max(layers, 4));
    ctx.fillRect(x, y + LINE - 2 - thick, width - 0.5, thick);
  }

  function paint(ctx, colours, laid, layers, columns, width) {
    const wide = Math.min(CELL, width / columns), areas = [];
    let top = 0;
    ctx.textBaseline = 'middle';
    laid.forEach((sequence) => {
      ctx.font = '600 12px ' + Chart.defaults.font.family;
      ctx.fillStyle = colours.ink;
      ctx.fillText('Sequence ' + sequence.id, 0, top + 9);
      ctx.font = (12 * wide) / CELL + 'px ' + MONOSPACE;
      sequence.cells.forEach((cell) => {
        const x = cell.at * wide, y = top + HEAD + cell.line * LINE, inner = cell.text.length * wide;
        if (cell.layers) {
          mark(ctx, colours, x, y, inner, cell.layers.length, layers);
          areas.push({ x, y, width: inner, height: LINE, text: says(cell) });
        }
        ctx.fillStyle = cell.layers && cell.text.length === 1 ? colours.ink : colours.soft;
        ctx.fillText(cell.text, x, y + LINE / 2 - 2);
      });
      top += HEAD + sequence.lines * LINE + FOOT;
    });
    ctx.font = '11px ' + Chart.defaults.font.family;
    for (let n = 1, x = 0; n <= layers && n <= 8; n++) {
      const text = n + (n > 1 ? ' layers' : ' layer');
      mark(ctx, colours, x, top, 14, n, layers);
      ctx.fillStyle = colours.ink;
      ctx.fillText(text, x + 19, top + LINE / 2 - 1);
      x += 19 + ctx.measureText(text).width + 16;
    }
    return areas;
  }

  function stripsFigure(run) {
    const columns = Math.max(32, Math.min(120, Math.floor((page.clientWidth - 60) / CELL)));
    const sequences = run.routes.sequences, laid = sequences.map((sequence) => layout(sequence, columns));
    const cells = laid.flatMap((sequence) => sequence.cells.filter(field('layers')).map((cell) => Object.assign({ sequence: sequence.id }, cell)));
    const rows = cells.filter((cell) => cell.layers.length), drawn = laid.slice(0, SEQUENCES);
    const text = rows.length + ' of ' + cells.length + ' bytes of ' + sequences.length + ' sequences took attention in some of ' + run.routes.layers + ' layers.';
    return figure({
      name: 'strips-' + run.name.replace(/[^\w.-]+/g, '-'),
      title: 'What ' + run.name + ' sends to attention',
      note: text + (laid.length > drawn.length ? ' The first ' + drawn.length + ' sequences; the table has all.' : '') + ' What stands marked was read when it was routed: it predicts the next byte.',
      label: 'The text of held-out sequences, bytes marked by how many layers routed them. ' + text + ' The table below lists every routed byte.',
      height: drawn.reduce((sum, sequence) => sum + HEAD + sequence.lines * LINE + FOOT, 26),
      columns: [['sequence', field('sequence')], ['position', field('position')], ['byte', field('byte')], ['text', field('text'), 'text'], ['routed in layers', (cell) => cell.layers.join(' ')]],
      rows: rows,
      paint: (ctx, width, height, colours) => paint(ctx, colours, drawn, run.routes.layers, columns, width),
    });
  }

  return { isText, stripsFigure };
})();
