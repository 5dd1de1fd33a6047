"""Opens a report in headless Chromium: every figure must have drawn, every download must hold its header, nothing may be
fetched from elsewhere, and the console must stay silent."""

import pathlib
import re
import subprocess
import sys

FIGURES = 7  # savings, three training curves, a time chart for each device and file
# Counts the downloads instead of saving them, and says what the first line of each would be.
PROBE = """<script>
HTMLAnchorElement.prototype.click = function () {};
const heads = [], waiting = [];
URL.createObjectURL = (blob) => { waiting.push(blob.text().then((t) => heads.push(t.split('\\n')[0]))); return 'blob:none'; };
document.querySelectorAll('button').forEach((button) => button.click());
Promise.all(waiting).then(() => { document.body.dataset.downloads = heads.join('|'); });
</script>"""


def chromium(out, page, *options):
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=8000",
               "--enable-logging=stderr", f"--user-data-dir={out / 'browser'}", *options, page.as_uri()]
    done = subprocess.run(command, capture_output=True, timeout=120, check=True)
    silent = [line for line in done.stderr.decode(errors="replace").splitlines() if "CONSOLE" in line]
    return done.stdout.decode(), silent


def main(make_report, data, out):
    data, out = pathlib.Path(data), pathlib.Path(out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    page, probed = out / "report.html", out / "probed.html"
    subprocess.run([make_report, page, data / "cost.csv", data / "demo"], check=True)
    text = page.read_text()
    probed.write_text(text.replace("</body>", PROBE + "</body>"))

    # A window has a least width; a frame has not.
    framed = out / "framed.html"
    framed.write_text('<body style="margin:0"><iframe src="report.html" style="border:0;width:390px;height:8200px"></iframe>')

    wrong = []
    if re.search(r'<(?:script|link|img)[^>]*(?:src|href)="(?!data:)', text):
        wrong.append("the page refers to another file")
    if "<script>alert" in text:
        wrong.append("markup in a reason got into the page unescaped")
    for scheme in ("light", "dark"):
        dom, noise = chromium(out, probed, "--dump-dom", f"--blink-settings=preferredColorScheme={int(scheme == 'light')}")
        drawn = re.findall(r'data-drawn="(\w+)"', dom)
        if drawn != ["true"] * FIGURES:
            wrong.append(f"{scheme}: figures drawn: {drawn}, expected {FIGURES}")
        heads = re.search(r'data-downloads="([^"]*)"', dom)
        heads = heads.group(1).split("|") if heads else []
        if len(heads) < FIGURES or not all("," in head for head in heads):
            wrong.append(f"{scheme}: downloads hold: {heads}")
        if "unmeasured" not in re.sub(r'<script.*?</script>', "", dom, flags=re.S):
            wrong.append(f"{scheme}: unmeasured energy is not shown as such")
        wrong += [f"{scheme}: console: {line}" for line in noise]
        colours = f"--blink-settings=preferredColorScheme={int(scheme == 'light')}"
        for name, width, height, source in (("desktop", 1280, 5400, page), ("phone", 390, 8200, framed)):
            chromium(out, source, f"--screenshot={out / f'{scheme}-{name}.png'}", f"--window-size={width},{height}", colours)
    for line in wrong:
        print(line)
    print(f"{'failed' if wrong else 'fine'}; page and screenshots are in {out}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
