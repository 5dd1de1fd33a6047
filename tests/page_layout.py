"""The layout of a report's page at a phone's width, a desk's and a large screen's, and on paper, in light and in dark: no text outside the
box that holds it, no two texts on one another, nothing beyond the page's edge, in the page itself and in what its canvases draw."""

import json
import re

WIDTHS = (390, 1440, 2560)
PAPER = 703  # CSS pixels between the margins of an A4 sheet
SLACK = 1.5  # CSS pixels that rounding may take

# Before any other script: every text that a canvas is given is kept, with the box it takes on the canvas, until the canvas is cleared.
RECORD = """<script>
(() => {
  const texts = new Map(), whole = CanvasRenderingContext2D.prototype;
  window.canvasTexts = texts;
  const clear = whole.clearRect, fill = whole.fillText;
  whole.clearRect = function (x, y, width, height) {
    if (width >= this.canvas.clientWidth - 1 && height >= this.canvas.clientHeight - 1) texts.set(this.canvas, []);
    return clear.call(this, x, y, width, height);
  };
  whole.fillText = function (text, x, y, ...rest) {
    const size = this.measureText(text), m = this.getTransform(), scale = window.devicePixelRatio || 1;
    const left = { center: size.width / 2, right: size.width, end: size.width }[this.textAlign] || 0;
    const corners = [[x - left, y - size.actualBoundingBoxAscent], [x - left + size.width, y - size.actualBoundingBoxAscent],
      [x - left, y + size.actualBoundingBoxDescent], [x - left + size.width, y + size.actualBoundingBoxDescent]]
      .map(([a, b]) => [(m.a * a + m.c * b + m.e) / scale, (m.b * a + m.d * b + m.f) / scale]);
    const xs = corners.map((c) => c[0]), ys = corners.map((c) => c[1]);
    if (text.trim() && texts.has(this.canvas) === false) texts.set(this.canvas, []);
    if (text.trim()) texts.get(this.canvas).push({ text, left: Math.min(...xs), right: Math.max(...xs), top: Math.min(...ys), bottom: Math.max(...ys) });
    return fill.call(this, text, x, y, ...rest);
  };
})();
</script>"""

# Opens every table, draws anew, and tells the frame around it what it finds.
PROBE = """<script>
window.addEventListener('load', async () => {
  document.querySelectorAll('details').forEach((details) => { details.open = true; });
  await new Promise((done) => setTimeout(done, 300));
  window.canvasTexts.clear();
  Parts.draw(true);
  const SLACK = %SLACK%, wrong = [], paper = %PAPER%;
  const seen = { texts: 0, canvasTexts: 0, figures: document.querySelectorAll('figure').length, cards: 0, scrolled: 0, width: window.innerWidth };
  const say = (what) => { if (wrong.length < 40 && !wrong.includes(what)) wrong.push(what); };
  const page = document.documentElement;
  if (page.scrollWidth > page.clientWidth) say('the page is ' + page.scrollWidth + ' px wide, ' + page.clientWidth + ' are there');

  /* What a text may not leave: the nearest box with an edge, and the page. What scrolls holds its own, if it shows that it does. */
  const scrolls = (box) => !paper && ['auto', 'scroll'].includes(getComputedStyle(box).overflowX);
  const edged = new Set(['FIGURE', 'TD', 'TH', 'BUTTON', 'CAPTION', 'LI']);
  const rects = [];
  const walker = document.createTreeWalker(document.getElementById('report'), NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode, parent = text.parentElement;
    if (!text.data.trim() || parent.closest('select, script') || !parent.checkVisibility()) continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    let scroller = null;
    for (let up = parent; up && up.id !== 'report' && !scroller; up = up.parentElement) if (scrolls(up)) scroller = up;
    const clip = scroller ? scroller.getBoundingClientRect() : null;
    if (scroller && scroller.scrollWidth > scroller.clientWidth + SLACK && !getComputedStyle(scroller).backgroundImage.includes('gradient')) say('no cue that this scrolls: ' + text.data.slice(0, 40));
    for (const rect of range.getClientRects()) {
      if (rect.width < 1) continue;
      seen.texts++;
      for (let up = parent; up && up.id !== 'report'; up = up.parentElement) {
        const own = up.getBoundingClientRect(), style = getComputedStyle(up);
        const hides = style.overflowX !== 'visible' && !scrolls(up);
        if (style.display !== 'inline' && (hides || edged.has(up.tagName) || up.className === 'card') && (rect.left < own.left - SLACK || rect.right > own.right + SLACK))
          say('"' + text.data.slice(0, 40) + '" leaves its ' + up.tagName.toLowerCase() + ' by ' + Math.round(Math.max(own.left - rect.left, rect.right - own.right)) + ' px');
        if (up === scroller) break;
      }
      if (!scroller && (rect.left < -SLACK || rect.right > page.clientWidth + SLACK)) say('"' + text.data.slice(0, 40) + '" stands beyond the edge of the page');
      if (!clip || (rect.bottom <= clip.bottom && rect.top >= clip.top && rect.right <= clip.right && rect.left >= clip.left))
        rects.push({ text: text.data, left: rect.left, right: rect.right, top: rect.top, bottom: rect.bottom });
    }
  }

  /* A name that is cut has the whole of it under the pointer, and paths say nothing of the machine's folders. */
  document.querySelectorAll('th, td, option').forEach((box) => {
    const [head, tail] = box.textContent.split('…');
    if (tail !== undefined && !box.className.includes('text') && (!box.title.startsWith(head) || !box.title.endsWith(tail)) && box.textContent !== box.title && box.textContent.indexOf(' … ') < 0)
      say('cut, and the whole is nowhere: ' + box.textContent);
  });
  const path = /(^|\\s)\\/\\w+\\/\\S*/.exec(document.getElementById('report').textContent);
  if (path) say('an absolute path: ' + path[0].slice(0, 80));

  const first = document.querySelector('figure');
  if (document.getElementById('figure-devices') && first.id !== 'figure-devices') say('the first chart is ' + first.id + ', not that of the devices');

  /* Every run of the chart of accuracy is there to be seen: inside its axes, and on no other. */
  if (!paper) document.querySelectorAll('figure[id^="figure-front-"] canvas').forEach((canvas) => {
    const chart = Chart.getChart(canvas), area = chart.chartArea, at = [];
    chart.data.datasets.forEach((set, d) => chart.getDatasetMeta(d).data.forEach((point) => {
      if (point.x < area.left - SLACK || point.x > area.right + SLACK || point.y < area.top - SLACK || point.y > area.bottom + SLACK) say(canvas.closest('figure').id + ': a run stands outside the axes');
      if (at.some(([x, y]) => Math.abs(x - point.x) < 2 && Math.abs(y - point.y) < 2)) say(canvas.closest('figure').id + ': a run hides another');
      at.push([point.x, point.y]);
      seen.points = at.length;
    }));
  });

  const overlap = (list, where) => {
    list.sort((a, b) => a.top - b.top);
    list.forEach((a, i) => {
      for (let k = i + 1; k < list.length && list[k].top < a.bottom - SLACK; k++) {
        const b = list[k];
        if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > SLACK && Math.min(a.bottom, b.bottom) - b.top > 3)
          say(where + ': "' + a.text.slice(0, 40) + '" and "' + b.text.slice(0, 40) + '" stand on one another');
      }
    });
  };
  overlap(rects, 'the page');

  const apart = (boxes, where) => boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b) => {
    if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > SLACK && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > SLACK) say(where + ' overlap');
  }));
  document.querySelectorAll('.cards, .figures').forEach((grid) => {
    seen.cards += grid.querySelectorAll('.card').length;
    apart(Array.from(grid.children).map((box) => box.getBoundingClientRect()), grid.className);
  });
  document.querySelectorAll('.scroll').forEach((box) => { seen.scrolled += box.scrollWidth > box.clientWidth + SLACK; });
  document.querySelectorAll('table.wide').forEach((table) => {
    if (window.innerWidth < 560 && table.parentNode.scrollWidth > table.parentNode.clientWidth) say('a table of cards scrolls sideways: ' + table.caption.textContent);
    if (paper && table.scrollWidth > page.clientWidth) say('a table leaves the paper: ' + table.caption.textContent);
  });

  window.canvasTexts.forEach((texts, canvas) => {
    if (!canvas.isConnected || paper) return; /* printed is the picture that the screen had */
    const where = canvas.closest('figure').id, width = canvas.clientWidth, height = canvas.clientHeight;
    seen.canvasTexts += texts.length;
    texts.forEach((t) => {
      if (t.left < -SLACK || t.right > width + SLACK || t.top < -SLACK || t.bottom > height + SLACK)
        say(where + ': "' + t.text + '" leaves its canvas by ' + Math.round(Math.max(-t.left, t.right - width, -t.top, t.bottom - height)) + ' px');
    });
    overlap(texts, where);
  });
  window.parent.postMessage(JSON.stringify({ paper, seen, wrong }), '*');
});
</script>"""

FRAMES = """<body style="margin:0"><pre id="probe"></pre><script>
const said = [];
window.addEventListener('message', (event) => {
  said.push(JSON.parse(event.data));
  if (said.length === %d) document.getElementById('probe').textContent = JSON.stringify(said);
});
</script>%s"""


def probed(text, paper):
    probe = PROBE.replace("%SLACK%", str(SLACK)).replace("%PAPER%", json.dumps(paper))
    if paper:  # what a printer gets, on a screen that can be asked
        text = text.replace("@media print", "@media all").replace("@media screen and (max-width: 559px)", "@media not all")
        text = text.replace('<html lang="en">', '<html lang="en" data-print>')
    return text.replace("<head>", "<head>" + RECORD, 1).replace("</body>", probe + "</body>")


def check_layout(out, page, name, chromium, unescaped, schemes):
    """Lines that say what is wrong with the page, opened by chromium(out, page, *options)."""
    text, wrong = page.read_text(), []
    screen, paper, frames = out / f"{name}-screen.html", out / f"{name}-paper.html", out / f"{name}-frames.html"
    screen.write_text(probed(text, False))
    paper.write_text(probed(text, True))
    widths = [(screen.name, width) for width in WIDTHS] + [(paper.name, PAPER)]
    frame = "".join(f'<iframe src="{source}" style="border:0;display:block;width:{width}px;height:3000px"></iframe>' for source, width in widths)
    frames.write_text(FRAMES % (len(widths), frame))
    for scheme in schemes:
        colours = f"--blink-settings=preferredColorScheme={int(scheme == 'light')}"
        dom, noise = chromium(out, frames, "--virtual-time-budget=60000", "--dump-dom", colours, "--window-size=2600,1200")
        wrong += [f"{name}, {scheme}: console: {line}" for line in noise]
        found = re.search(r'<pre id="probe">(\[.*?)</pre>', dom, flags=re.S)
        if not found:
            wrong.append(f"{name}, {scheme}: not every width was told")
            continue
        for told in json.loads(unescaped(found.group(1))):
            seen = told["seen"]
            where = f"{name}, {scheme}, {'A4' if told['paper'] else str(seen['width']) + ' px'}"
            wrong += [f"{where}: {line}" for line in told["wrong"]]
            if seen["texts"] < 200 or (not told["paper"] and seen["canvasTexts"] < 5 * seen["figures"]):
                wrong.append(f"{where}: the page was not read: {seen}")
    return wrong


def check_print(out, page, name, chromium):
    """The page as a printer gets it, A4 all through."""
    made = out / f"{name}.pdf"
    chromium(out, page, "--no-pdf-header-footer", f"--print-to-pdf={made}")
    sheets = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", made.read_bytes())
    wrong = {sheet for sheet in sheets if abs(float(sheet[0]) - 595) > 1.5 or abs(float(sheet[1]) - 842) > 1.5}
    return [] if sheets and not wrong else [f"{name}: printed on {sorted(wrong) or 'no'} sheets, not on A4"]
