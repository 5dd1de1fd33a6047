/* Token strips: where a router sent the positions of a few sequences. A strip is a sequence, a lane a layer. */
const Routes = (function () {
  'use strict';

  const { node, show, field, figure } = Parts;

  const LEFT = 58, LANE = 15, HEAD = 22, FOOT = 22, LEAST = 6, WIDEST = 16;
  const TEXTS = 4; /* runs whose text is shown: it takes a page each */

  /* What a position is: routed in some layer, needed by the task, or neither. */
  function marksOf(sequence) {
    const needed = new Set(sequence.needed || []);
    const routed = sequence.routed.map((positions) => new Set(positions));
    const marked = sequence.positions.filter((p) => needed.has(p) || routed.some((layer) => layer.has(p)));
    return { needed, routed, marked };
  }

  /* Positions that fit into `room` cells: both ends, what is marked, and as much around it as there is room for. A gap, which
     takes a cell, stands for positions left out. */
  function windows(sequence, marked, room) {
    const listed = sequence.positions;
    const gaps = (kept) => kept.reduce((n, p, i) => n + (i > 0 && p !== kept[i - 1] + 1 ? 1 : 0), 0);
    let best = null;
    for (let radius = 0; radius <= listed.length; radius = radius < 8 ? radius + 1 : radius * 2) {
      const near = new Set();
      marked.concat(listed[0], listed[listed.length - 1]).forEach((p) => {
        for (let q = p - radius; q <= p + radius; q++) near.add(q);
      });
      const kept = listed.filter((p) => near.has(p));
      if (kept.length + gaps(kept) > room) break;
      best = kept;
      if (kept.length === listed.length) break;
    }
    if (!best) { /* too much is marked: the first of it */
      best = marked.slice(0, Math.max(room, 1));
      while (best.length > 1 && best.length + gaps(best) > room) best.pop();
    }
    const cells = [];
    best.forEach((p, i) => {
      if (i > 0 && p !== best[i - 1] + 1) cells.push(null);
      cells.push(p);
    });
    return cells;
  }

  function diamond(ctx, x, y, size) {
    ctx.beginPath();
    ctx.moveTo(x, y - size);
    ctx.lineTo(x + size, y);
    ctx.lineTo(x, y + size);
    ctx.lineTo(x - size, y);
    ctx.fill();
  }

  /* A routed cell is full; one that the task does not need is crossed out too, so that colour is not all that tells them apart. */
  function cell(ctx, colours, x, y, width, routed, wasted) {
    const inner = Math.max(width - 1, 1), height = LANE - 3;
    ctx.fillStyle = !routed ? colours.line : colours.colours[wasted ? 1 : 0];
    ctx.fillRect(x, y, inner, height);
    if (!wasted) return;
    ctx.strokeStyle = colours.raised;
    ctx.lineWidth = 1.5;
    ctx.beginPath();
    ctx.moveTo(x, y);
    ctx.lineTo(x + inner, y + height);
    ctx.moveTo(x + inner, y);
    ctx.lineTo(x, y + height);
    ctx.stroke();
  }

  /* Numbers under the ends and under what is marked, where they do not run into each other; marked ones come first. */
  function numbers(ctx, cells, marked, width, top) {
    const taken = [];
    const first = cells.filter((p) => marked.has(p)).reverse(), ends = [cells[0], cells[cells.length - 1]];
    ctx.textAlign = 'center';
    first.concat(ends).forEach((p) => {
      const x = LEFT + (cells.indexOf(p) + 0.5) * width, half = ctx.measureText(String(p)).width / 2 + 3;
      const at = Math.max(x, LEFT - 12 + half);
      if (taken.some(([from, to]) => at + half > from && at - half < to)) return;
      taken.push([at - half, at + half]);
      ctx.fillText(String(p), at, top);
    });
    ctx.textAlign = 'left';
  }

  function strip(ctx, colours, sequence, width, top, areas) {
    const at = new Map(sequence.positions.map((p, i) => [p, i]));
    const { needed, routed, marked } = marksOf(sequence);
    const room = Math.floor((width - LEFT - 8) / LEAST);
    const cells = windows(sequence, marked, room);
    const wide = Math.min(WIDEST, (width - LEFT - 8) / cells.length);
    const length = sequence.positions[sequence.positions.length - 1] + 1;
    const shown = cells.filter((p) => p !== null).length;
    ctx.font = '600 12px ' + Chart.defaults.font.family;
    ctx.fillStyle = colours.ink;
    const cut = marked.some((p) => !cells.includes(p)); /* then what is left out may be routed */
    ctx.fillText('Sequence ' + sequence.id + (cut ? ': the first ' + shown + ' of ' + marked.length + ' routed or needed positions, of '
      : shown < length ? ': ' + shown + ' of ' : ': ') + length + (cut ? '' : ' positions'), 0, top + 9);
    ctx.font = '11px ' + Chart.defaults.font.family;
    const lanes = (sequence.needed ? ['needed'] : []).concat(routed.map((_, i) => 'layer ' + i));
    lanes.forEach((name, lane) => {
      const y = top + HEAD + lane * LANE, layer = lane - (sequence.needed ? 1 : 0);
      ctx.fillStyle = colours.soft;
      ctx.fillText(name, 0, y + LANE / 2 - 1);
      cells.forEach((p, i) => {
        const x = LEFT + i * wide;
        if (p !== null) areas.push({ x, y, width: wide, height: LANE, text: 'position ' + p + ', token ' + sequence.tokens[at.get(p)] });
        if (p === null) {
          ctx.fillStyle = colours.soft;
          for (let k = 1; k < 4 && layer >= 0; k++) ctx.fillRect(x + (k * wide) / 4 - 0.5, y + LANE / 2 - 2, 1, 1);
        } else if (layer >= 0) {
          cell(ctx, colours, x, y, wide, routed[layer].has(p), !!sequence.needed && routed[layer].has(p) && !needed.has(p));
        } else if (needed.has(p)) {
          ctx.fillStyle = colours.ink;
          diamond(ctx, x + (wide - 1) / 2, y + LANE / 2 - 1, 4.5);
        }
      });
    });
    ctx.fillStyle = colours.soft;
    numbers(ctx, cells, new Set(marked), wide, top + HEAD + lanes.length * LANE + 7);
  }

  function key(ctx, colours, known, width, top) {
    let x = 0;
    const say = (text) => {
      ctx.fillStyle = colours.ink;
      ctx.fillText(text, x, top + 6);
      x += ctx.measureText(text).width + 16;
    };
    ctx.font = '11px ' + Chart.defaults.font.family;
    if (known) {
      ctx.fillStyle = colours.ink;
      diamond(ctx, x + 5, top + 6, 4.5);
      x += 14;
      say('the task needs it');
    }
    cell(ctx, colours, x, top, 12, true, false);
    x += 16;
    say(known ? 'routed, needed' : 'routed');
    if (!known) return;
    if (x + ctx.measureText('routed, not needed').width + 18 > width) {
      x = 0;
      top += 17;
    }
    cell(ctx, colours, x, top, 12, true, true);
    x += 16;
    say('routed, not needed');
  }

  const heightOf = (sequence) => HEAD + FOOT + LANE * (sequence.routed.length + (sequence.needed ? 1 : 0)) + 6;

  /* What a strip says, as numbers: every row that is routed or needed. */
  function rowsOf(run) {
    const rows = [];
    run.routes.sequences.forEach((sequence) => {
      const { needed, routed, marked } = marksOf(sequence);
      marked.forEach((p) => {
        const layers = routed.map((layer, i) => (layer.has(p) ? i : -1)).filter((i) => i >= 0);
        rows.push({
          sequence: sequence.id, position: p, token: sequence.tokens[sequence.positions.indexOf(p)],
          routed: layers.length ? layers.join(' ') : 'none',
          layers: layers.length, needed: sequence.needed ? (needed.has(p) ? 'yes' : 'no') : null,
        });
      });
    });
    return rows;
  }

  function words(run, rows) {
    const routed = rows.reduce((n, row) => n + row.layers, 0);
    const wanted = rows.filter((row) => row.needed === 'yes');
    const found = wanted.filter((row) => row.layers > 0).length;
    const wasted = rows.filter((row) => row.needed === 'no').length;
    const known = run.routes.sequences.some(field('needed'));
    return run.routes.sequences.length + ' sequences, ' + run.routes.layers + ' layers: ' + routed + ' rows routed' +
      (known ? '; ' + found + ' of ' + wanted.length + ' needed positions took attention in some layer, ' + wasted + ' that are not needed did' : '') + '.';
  }

  function stripsFigure(run) {
    const rows = rowsOf(run), sequences = run.routes.sequences;
    const known = sequences.some(field('needed'));
    const text = words(run, rows);
    return figure({
      name: 'strips-' + run.name.replace(/[^\w.-]+/g, '-'),
      title: 'Where ' + run.name + ' sends its tokens',
      note: text + ' Dots: positions left out.',
      label: 'Strips of tokens, a lane a layer. ' + text + ' The table below lists every such position.',
      height: sequences.reduce((sum, sequence) => sum + heightOf(sequence), 36),
      columns: [['sequence', field('sequence')], ['position', field('position')], ['token', field('token')], ['routed in layers', field('routed')]]
        .concat(known ? [['the task needs it', field('needed')]] : []),
      rows: rows,
      paint: (ctx, width, height, colours) => {
        const areas = [];
        let top = 0;
        ctx.textBaseline = 'middle';
        sequences.forEach((sequence) => {
          strip(ctx, colours, sequence, width, top, areas);
          top += heightOf(sequence);
        });
        key(ctx, colours, known, width, top + 2);
        return areas;
      },
    });
  }

  /* The figures of all runs that have routes; null where none has. */
  function strips(runs) {
    const all = runs.filter((run) => run.routes && run.routes.sequences.length), texts = all.filter(TextStrips.isText);
    const routed = all.filter((run) => !TextStrips.isText(run) || texts.indexOf(run) < TEXTS);
    if (!routed.length) return null;
    return [node('p', {}, 'Held-out sequences, position by position: a full cell took attention in that layer, hard decision. Of text the bytes stand there themselves, those that are not printable as escapes.'),
      node('div', {}, ...routed.map((run) => (TextStrips.isText(run) ? TextStrips : { stripsFigure }).stripsFigure(run)))];
  }

  return { strips };
})();
