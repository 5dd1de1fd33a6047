#!/usr/bin/env python3
"""reframe.py TURNOUT CHECKS PLACES…: the ReFrame test against the program: its figures are those of the CSV, an earlier run
makes references, and what is slower than they allow fails. ReFrame is $REFRAME, or in a PLACE, or in the path; exit 77
without."""
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile

turnout, checks = (os.path.abspath(path) for path in sys.argv[1:3])
places = [os.environ.get("REFRAME", ""), *sys.argv[3:]]
reframe = next((place for place in places if os.access(place, os.X_OK)), None) or shutil.which("reframe")
if not reframe:
    print("skipped: ReFrame is not installed (pip install reframe-hpc; REFRAME names its program)")
    sys.exit(77)

folder = tempfile.mkdtemp(prefix="turnout-reframe-")


def run(code, **variables):
    """Figures of a run by name, its CSV's rows, and what was said."""
    variables = {"turnout": turnout, "grid": "--op=gelu,row_gather --seconds=0.01 --energy=off", **variables}
    words = [reframe, "--nocolor", "--prefix", f"{folder}/run", "--report-file", f"{folder}/report.json", "-c", checks, "-r"]
    for name, value in variables.items():
        words += ["-S", f"turnout_sweep.{name}={value}"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == code, f"{done.returncode} instead of {code}: {done.stdout}{done.stderr}"
    with open(f"{folder}/report.json") as f:
        case = json.load(f)["runs"][-1]["testcases"][0]
    place = case["outputdir"] if code == 0 else case["stagedir"]
    try:
        with open(f"{place}/cost.csv", newline="") as f:
            rows = list(csv.DictReader(f))
    except FileNotFoundError:
        rows = []
    figures = {name.split(":", 2)[2]: value for name, value in (case.get("perfvalues") or {}).items()}
    return figures, rows, done.stdout


def check_figures(figures, rows):
    """One a row, each with the row's own time."""
    ok = [row for row in rows if row["status"] == "ok"]
    assert len(figures) == len(ok) == 4, (figures, rows)
    for row in ok:
        mine = [value for name, value in figures.items()
                if f"op={row['op']}," in name and f"pass={row['pass']}," in name and f"shape={row['shape']}," in name]
        assert len(mine) == 1 and mine[0][0] == float(row["wall_ms"]) and mine[0][4] == "ms", (row, mine)


def write(path, rows, factor):
    with open(path, "w", newline="") as f:
        out = csv.DictWriter(f, rows[0].keys())
        out.writeheader()
        for row in rows:
            out.writerow(dict(row, wall_ms=repr(float(row["wall_ms"]) * factor)))


try:
    figures, rows, _ = run(0)
    check_figures(figures, rows)
    assert all(value[1] == 0 for value in figures.values()), figures  # no reference
    write(f"{folder}/earlier.csv", rows, 1)
    figures, again, _ = run(0, baseline=f"{folder}/earlier.csv", tolerance=100)
    check_figures(figures, again)
    earlier = sorted(float(row["wall_ms"]) for row in rows)
    assert sorted(value[1] for value in figures.values()) == earlier, (figures, earlier)
    write(f"{folder}/faster.csv", rows, 1e-3)
    _, _, said = run(1, baseline=f"{folder}/faster.csv", tolerance=0.5)
    assert "performance" in said.lower(), said
    _, _, said = run(1, grid="--op=nosuch")
    assert "sanity" in said.lower(), said
    print("ReFrame's figures are the CSV's, and those of an earlier run hold them")
finally:
    shutil.rmtree(folder, ignore_errors=True)
