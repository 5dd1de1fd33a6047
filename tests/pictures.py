"""pictures.py MAKE_REPORT OUT FILE...: the figures that README shows, as a reader of the report sees them.

From the top of the tree, after ./dev build:
    python3 tests/pictures.py build/tests/make_report reports/pictures \\
        reports/baselines/demo-pocl reports/baselines/recall-pocl/controls.csv
"""

import pathlib
import re
import subprocess
import sys
import tempfile

from dashboard import chromium

PICTURES = {"time": "time-1", "parts": "split-1", "routes": "strips-routed", "front": "front-recall", "scaling": "scaling-1"}
WIDTH, LARGEST = 900, 200_000
# Leaves one figure, without what only a screen can use.
ALONE = """<script>
const shown = document.getElementById('figure-%s');
shown.querySelectorAll('button, details').forEach((part) => part.remove());
Object.assign(shown.style, { position: 'fixed', top: 0, left: 0, width: '100%%', margin: 0, zIndex: 1, border: 0, borderRadius: 0 });
Object.assign(document.body.style, { overflow: 'hidden', visibility: 'hidden' });
shown.style.visibility = 'visible';
document.body.dataset.height = Math.ceil(shown.getBoundingClientRect().height);
</script>"""


def main(make_report, out, *files):
    out = pathlib.Path(out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        subprocess.run([make_report, folder / "report.html", *files], check=True)
        text = (folder / "report.html").read_text()
        for name, figure in PICTURES.items():
            page, picture = folder / f"{name}.html", out / f"{name}.png"
            page.write_text(text.replace("</body>", ALONE % figure + "</body>"))
            look = ["--virtual-time-budget=8000", "--blink-settings=preferredColorScheme=1"]
            dom, noise = chromium(folder, page, *look, "--dump-dom", f"--window-size={WIDTH},800")
            height = re.search(r'<body[^>]* data-height="(\d+)"', dom)
            if noise or not height:
                sys.exit(f"{name}: these files have no figure {figure}: {noise}")
            chromium(folder, page, *look, f"--screenshot={picture}", f"--window-size={WIDTH},{height.group(1)}", "--force-device-scale-factor=1.5")
            size = picture.stat().st_size
            print(f"{picture.name}: {size / 1000:.0f} kB")
            if size > LARGEST:
                sys.exit(f"{picture} is larger than {LARGEST / 1000:.0f} kB")


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
