"""many_machines.py TURNOUT OUT MACHINES: reports on the simulated machines of machines.py, held against what this script works out
from the same CSV files by itself: break-evens, the best device for every work, which device the page's verdict takes, and what
SQLite says. With 100 machines also the time that report and compare take (their own processors' time, for a busy machine is no slow
program) and the page's opening."""

import csv
import json
import math
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import time

import machines

WORK = "level op pass mixer B T D H Dh K rho schedule shape peer part cores cache context contexts".split()
SECONDS, PAGE_SECONDS = 5.0, 3.0
wrong = []


def say(*words):
    print(*words, flush=True)


def must(fine, *words):
    if not fine and len(wrong) < 20:
        wrong.append(" ".join(str(word) for word in words))


def run(program, *arguments, code=0):
    """Standard output and the seconds of processors; the time in which the machine did something else is not in it."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    must(done.returncode == code, arguments, "ends with", done.returncode, done.stderr[-300:])
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    say(f"{' '.join(map(str, arguments[:2]))} …: {used:.2f} s of processors, {time.monotonic() - begun:.2f} s")
    return done.stdout, used


def rows_of(folder):
    rows = []
    for path in sorted(folder.glob("cost*.csv")):
        with open(path, newline="") as stream:
            rows += [dict(row, file=path.name) for row in csv.DictReader(stream)]
    return rows


def measured(rows):
    return [row for row in rows if row["status"] == "ok"]


def break_evens(rows):
    """(host, D, T) → the first ρ, going up, at which a routed layer is no faster than dense attention; text where there is none."""
    curves = {}
    for row in rows:
        if row["level"] == "layer" and row["mixer"] == "routed" and row["schedule"] == "compacted":
            curves.setdefault((row["host"], int(row["D"]), int(row["T"])), []).append((float(row["rho"]), float(row["dense_ratio"]), float(row["dense_wall_ms"]), float(row["wall_ms"])))
    found = {}
    for key, points in curves.items():
        points.sort()
        found[key] = "never" if points[0][1] <= 1 else "always"
        for a, b in zip(points, points[1:]):
            if found[key] == "always" and a[1] > 1 >= b[1]:
                found[key] = (a, b)
                break
    return found


def check_break_evens(page, rows):
    own, seen = break_evens(measured(rows)), 0
    for b in page["breakevens"]:
        if b["context"] is not None or b["schedule"] != "compacted":
            continue
        key = (re.search(r"node-\d+", b["file"]).group(0), int(b["D"]), int(b["T"]))
        mine = own[key]
        seen += 1
        if isinstance(mine, str):
            must(b["verdict"] == mine, key, "is", b["verdict"], "and should be", mine)
            continue
        (low, r0, *_), (high, r1, *_) = mine
        straight = low + (high - low) * (r0 - 1) / (r0 - r1)
        must(b["verdict"] == "found" and low <= b["rho"] <= high, key, "breaks even at", b["rho"], "and should between", low, high)
        must(b["verdict"] == "found" and abs(b["rho"] - straight) <= 0.25 * (high - low), key, "breaks even at", b["rho"], "and should about", straight)
    must(seen == len(own), seen, "break-evens of", len(own))
    say(f"{seen} break-evens agree")


def by_work(rows):
    works = {}
    for row in measured(rows):
        works.setdefault(tuple(row[name] for name in WORK), []).append((float(row["wall_ms"]), row["host"]))
    return works


def check_best(text, rows, machines_):
    """The fastest device of every work, and the ratio of all others to it."""
    works, seen = by_work(rows), 0
    for row in csv.DictReader(text.splitlines()):
        times = sorted(works[tuple(row[name] for name in WORK)])
        host = re.search(r"node-\d+$", row["device"])
        host = host.group(0) if host else next(h for _, h in times if machines.Machine(int(h[-3:])).device == row["device"])
        ms, place = next((ms, i + 1) for i, (ms, h) in enumerate(times) if h == host)
        seen += 1
        must(int(row["place"]) == place or ms == times[int(row["place"]) - 1][0], row["device"], "has place", row["place"], "and should have", place)
        must(abs(float(row["ms"]) / ms - 1) < 1e-5 and abs(float(row["ratio"]) * times[0][0] / ms - 1) < 1e-5, row["device"], row["ratio"], ms / times[0][0])
        if place == 1 and row["verdict"] == "fastest":
            must(times[1][0] / times[0][0] > 1.1, "called the fastest by", times[1][0] / times[0][0])
    must(seen == sum(len(times) for times in works.values()), seen, "places")
    say(f"{seen} places in {len(works)} works agree")


def check_verdict(page, rows):
    """Of the page's table the device that is best at a work must have the least time there, by the rows."""
    verdict = page.get("verdict")
    if not verdict:
        return
    wanted = {
        "a routed layer": lambda row: row["level"] == "layer" and row["mixer"] == "routed" and row["schedule"] == "compacted" and row["T"] == "4096" and row["D"] == "256",
        "a decoded token": lambda row: row["level"] == "decode" and row["mixer"] == "routed" and row["context"] == "262144" and row["B"] == "1",
    }
    for name, takes in wanted.items():
        own = {}
        for row in measured(rows):
            if takes(row) and 0.002 < float(row["rho"]) < 0.05:
                own.setdefault(round(float(row["wall_ms"]), 9), row)
        shown = [(d["device"], work) for d in verdict["devices"] for work in d["works"] if work["work"] == name]
        best = [(device, work) for device, work in shown if work["best"]]
        must(len(best) == 1, "of", name, len(best), "are the best")
        for device, work in best:
            row = next((row for ms, row in own.items() if abs(ms / work["ms"] - 1) < 1e-6), None)
            must(row and (row["host"] in device or row["device"] == device), "the best at", name, "is", device, work["ms"])
            alike = [w["ms"] for _, w in shown if w["shape"] == work["shape"] and w["ms"] is not None]
            must(work["ms"] == min(alike), "the best at", name, "has", work["ms"], "another", min(alike))
            if row:
                same = [float(other["wall_ms"]) for other in measured(rows) if takes(other) and other["rho"] == row["rho"]]
                must(abs(min(same) / work["ms"] - 1) < 1e-6, "the rows have", min(same), "at", name, "and the verdict", work["ms"])
            say(f"best at {name}: {device}, {work['ms']:.4g} ms among {len(alike)}")


def check_database(program, out, folder, rows):
    import sqlite3
    database = out / "results.db"
    run(program, "report", folder, "--sqlite", database, "-q")
    before = database.read_bytes()
    run(program, "report", folder, "--sqlite", database, "-q")
    must(database.read_bytes() == before, "the same files again changed the database")
    asked = sqlite3.connect(database).execute(
        "SELECT host, min(wall_ms) AS ms FROM cost WHERE used AND level = 'layer' AND mixer = 'routed' AND schedule = 'compacted' AND T = 4096 AND D = 256 "
        "AND rho BETWEEN 0.009 AND 0.011 GROUP BY device_id ORDER BY ms").fetchall()
    own = sorted((float(row["wall_ms"]), row["host"]) for row in measured(rows)
                 if row["level"] == "layer" and row["mixer"] == "routed" and row["schedule"] == "compacted" and row["T"] == "4096" and row["D"] == "256"
                 and 0.009 <= float(row["rho"]) <= 0.011)
    must([host for host, _ in asked] == [host for _, host in own], "SQLite names", asked[:3], "and the files", own[:3])
    return database


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text(), flags=re.S).group(1))


def check_scrolled(page, out):
    """A figure far down is drawn when a reader gets there, and not before."""
    probed = out / "probed.html"
    probe = """<script>
      const far = Array.from(document.querySelectorAll('figure')).slice(-200)[0], before = far.dataset.drawn;
      far.scrollIntoView();
      setTimeout(() => { document.body.dataset.far = before + ' ' + far.dataset.drawn; }, 2000);
    </script>"""
    probed.write_text(page.read_text().replace("</body>", probe + "</body>"))
    done = subprocess.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--dump-dom", "--virtual-time-budget=20000",
                           f"--user-data-dir={out / 'browser'}", "--window-size=1280,900", probed.resolve().as_uri()], capture_output=True, timeout=280, check=True)
    found = re.search(r'<body[^>]* data-far="([^"]*)"', done.stdout.decode())
    must(found and found.group(1) == "false true", "a figure far down is drawn before and after scrolling to it:", found and found.group(1))


def check_opening(page, out):
    if not shutil.which("chromium"):
        say("not held here: how long the page takes to open (chromium is not installed)")
        return
    took = []
    while len(took) < 4 and min(took, default=PAGE_SECONDS) >= PAGE_SECONDS:
        done = subprocess.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr", "--dump-dom",
                               f"--user-data-dir={out / 'browser'}", "--window-size=1280,900", page.resolve().as_uri()], capture_output=True, timeout=280, check=True)
        dom, noise = done.stdout.decode(), [line for line in done.stderr.decode(errors="replace").splitlines() if "CONSOLE" in line]
        must(not noise, "console:", noise[:2])
        found = re.search(r'<body[^>]* data-drawn="(\d+)"', dom)
        took.append(int(found.group(1)) / 1000 if found else math.inf)
    check_scrolled(page, out)
    say(f"the page ({page.stat().st_size / 1e6:.1f} MB) opened in {min(took):.2f} s")
    must(min(took) < PAGE_SECONDS, "the page takes", min(took), "s to open,", PAGE_SECONDS, "s allowed")


def main(program, out, count):
    out, count = pathlib.Path(out), int(count)
    shutil.rmtree(out, ignore_errors=True)
    folder, again = out / "machines", out / "again"
    machines.main(folder, count)
    again.mkdir()
    for path in folder.glob("*.csv"):
        (again / path.name).write_text(path.read_text().replace("2026-02-01", "2026-03-01").replace("0123456789ab", "1123456789ab"))
    rows = rows_of(folder)
    must(len(rows) == 500 * count, len(rows), "rows")
    _, report = run(program, "report", folder, "-o", out / "report.html", "-q")
    page = data_of(out / "report.html")
    check_break_evens(page, rows)
    check_verdict(page, rows)
    text, across = run(program, "compare", "--across", "device", folder, "--format", "csv")
    check_best(text, rows, count)
    _, compare = run(program, "compare", folder, again, "-o", out / "compare.csv")
    _, history = run(program, "compare", "--history", folder, again, "-o", out / "history.csv")
    must(not list(csv.DictReader(open(out / "history.csv"))), "equal numbers are a change")
    database = check_database(program, out, folder, rows)
    run(program, "report", database, "-o", out / "kept.html", "-q")
    kept = data_of(out / "kept.html")
    must({k: v for k, v in kept.items() if k != "written"} == {k: v for k, v in page.items() if k != "written"}, "the database gives another report")
    if count >= 100:
        for name, used in (("report", report), ("compare", compare), ("--across", across), ("--history", history)):
            must(used < SECONDS, name, "takes", used, "s,", SECONDS, "s allowed")
        check_opening(out / "report.html", out)
    for line in wrong:
        print("wrong:", line, file=sys.stderr)
    if not wrong:
        shutil.rmtree(out, ignore_errors=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
