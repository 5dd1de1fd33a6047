#!/usr/bin/env python3
"""circles.py ROOT NM LIBRARY…: no two files need each other, and no include points upwards.

Held are: headers and sources that include each other in a circle; sources whose functions call each other's in a circle
(by the symbols of the built libraries, as NM lists them); includes of a room that does not lie below; and headers
"Inside ROOM" that are included from another room. Every circle is named with what closes it."""
import pathlib
import re
import subprocess
import sys

# Every room with those that lie below it.
LIBRARY = ["kernels", "host/base"]
BELOW = {
    "kernels": [],
    "host/base": [],
    "host/ref": ["host/base"],
    "host/cl": LIBRARY,
    "host/ops": LIBRARY + ["host/cl"],
    "host/cases": LIBRARY + ["host/cl", "host/ops", "host/ref"],
    "host/model": LIBRARY + ["host/cl", "host/ops"],
    "host/tasks": ["host/base"],
    "host/train": LIBRARY + ["host/cl", "host/ops", "host/model", "host/tasks"],
    "reports": ["host/base"],
}
HOST = [room for room in BELOW if room.startswith("host/")]
BELOW["bench/measure"] = LIBRARY + ["host/cl"]
BELOW["bench/rows"] = HOST + ["bench/measure"]
BELOW["bench/shapes"] = HOST
BELOW["bench/levels"] = HOST + ["bench/measure", "bench/rows"]
BELOW["bench/sweep"] = HOST + ["bench/measure", "bench/rows", "bench/shapes", "bench/levels"]
BELOW["bench/peers"] = HOST + ["bench/measure", "bench/rows", "bench/levels"]
BELOW["bench/tune"] = HOST + ["bench/measure", "bench/shapes"]
BELOW["study"] = HOST + ["reports", "bench/measure", "bench/rows", "bench/levels"]
BELOW["survey"] = HOST + ["reports", "bench/measure", "bench/rows", "bench/shapes", "bench/levels", "bench/sweep"]
BELOW["cli"] = [room for room in BELOW if room != "cli"]

# Circles of calls that are left, by the names of their sources. One that is gone must be taken off.
LEFT = []


def circles(arrows):
    """Sets of nodes that reach each other (Tarjan)."""
    number, low, stack, found = {}, {}, [], []

    def visit(node):
        number[node] = low[node] = len(number)
        stack.append(node)
        for other in arrows.get(node, ()):
            if other not in number:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], number[other])
        if low[node] == number[node]:
            circle = stack[stack.index(node):]
            del stack[stack.index(node):]
            if len(circle) > 1:
                found.append(sorted(circle))

    sys.setrecursionlimit(10000)
    for node in list(arrows):
        if node not in number:
            visit(node)
    return found


def includes(root):
    """For each source and header of ours what it includes of ours, as paths from the root."""
    files = [path for room in list(BELOW) + ["tests"] for path in (root / room).glob("*.[ch]")]
    by_name = {}
    for path in files:
        if path.suffix == ".h" and path.parent.name != "tests":
            by_name.setdefault(path.name, []).append(path)
    failures = [f"two headers are called {name}: {paths[0]}, {paths[1]}" for name, paths in by_name.items() if len(paths) > 1]
    arrows = {}
    for path in files:
        names = re.findall(r'^\s*#\s*include\s+"([^"]+)"', path.read_text(), re.M)
        for name in names:
            beside = path.parent / name
            targets = [beside] if beside.exists() else by_name.get(name, [])
            arrows.setdefault(path.relative_to(root), []).extend(target.relative_to(root) for target in targets)
    return arrows, failures


def check_includes(root):
    arrows, failures = includes(root)
    if len(arrows) < 100:
        failures.append(f"only {len(arrows)} files with includes under {root}: the rooms are named otherwise now")
    for circle in circles(arrows):
        failures.append("files include each other: " + ", ".join(map(str, circle)))
    for path, targets in arrows.items():
        room = path.parent.as_posix()
        for target in targets:
            there = target.parent.as_posix()
            if room == there or room == "tests":
                continue
            if there not in BELOW[room]:
                failures.append(f"{path} includes {target}: {there} does not lie below {room}")
            first = (root / target).read_text().split("\n", 1)[0]
            if first.startswith("/* Inside "):
                failures.append(f"{path} includes {target}, which says: {first}")
    return failures


def check_calls(nm, libraries):
    defined, needed = {}, {}
    for library in libraries:
        lines = subprocess.run([nm, "-A", library], check=True, capture_output=True, text=True).stdout.splitlines()
        for line in lines:
            where, _, symbol = line.rpartition(":")
            kind, name = symbol.split()[-2:]
            source = pathlib.PurePath(library).name + ":" + where.rpartition(":")[2].removesuffix(".o").removesuffix(".c")
            if kind == "T":
                defined[name] = source
            elif kind == "U":
                needed.setdefault(source, set()).add(name)
    arrows = {source: {defined[name] for name in names if defined.get(name, source) != source}
              for source, names in needed.items()}
    failures, left = [], list(LEFT)
    if len(arrows) < 100:
        failures.append(f"only {len(arrows)} sources in the libraries: {' '.join(libraries)}")
    for circle in circles(arrows):
        sources = {source.partition(":")[2] for source in circle}
        if sources in left:
            left.remove(sources)
            continue
        calls = [f"{a} calls {name} of {defined[name]}" for a in circle for name in sorted(needed[a])
                 if defined.get(name, a) != a and defined[name] in circle]
        failures.append("sources call each other: " + "; ".join(calls))
    for sources in left:
        failures.append(f"{' and '.join(sorted(sources))} call each other no more: take them off LEFT in tests/circles.py")
    return failures


def main():
    failures = check_includes(pathlib.Path(sys.argv[1])) + check_calls(sys.argv[2], sys.argv[3:])
    for failure in failures:
        print("FAILED:", failure)
    if not failures:
        print("no circle but those left:", ", ".join(" and ".join(sorted(names)) for names in LEFT) or "none")
    sys.exit(bool(failures))


main()
