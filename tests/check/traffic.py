"""Memory traffic of every kernel, counted under Oclgrind from what its work-items touch (traffic_plugin.cpp)."""
import collections
import concurrent.futures
import fnmatch
import os
import subprocess
import tempfile
import time

from rules import Failure, lines_of
from tools import Failed, first_of, run

# At most so many times the least, where rows are multiples of 16 bytes. Products read their tiles again.
SECTORS = {"gemm*": 1.3, "flash_attention*": 1.3, "attention*": 1.3, "*": 1.15}
TURNS = 1.1
VENDOR = "traffic"  # in known.txt

Case = collections.namedtuple("Case", "op shape aligned passed variant")
Cost = collections.namedtuple("Cost", "requests units least misaligned")


class Result:
    """One launch: who ran, and the costs {(kernel, lanes, space, way, line): Cost} with the texts of the lines."""

    def __init__(self, case, ran, style, lines):
        self.case, self.ran, self.style = case, ran, style
        self.chosen = case.variant is None
        self.costs, self.texts = {}, {}
        for line in lines:
            kernel, lanes, space, way, number, *counts, text = line.rstrip("\n").split("\t")
            self.costs[kernel, int(lanes), space, way, int(number)] = Cost(*map(float, counts))
            self.texts[kernel, int(number)] = text

    def kernels(self):
        return sorted({key[0] for key in self.costs})

    def sum(self, kernel, lanes, space, way=None):
        parts = [cost for key, cost in self.costs.items()
                 if key[:3] == (kernel, lanes, space) and way in (None, key[3])]
        return Cost(*(sum(column) for column in zip(*parts))) if parts else None

    def ratio(self, kernel, lanes, space, way=None):
        cost = self.sum(kernel, lanes, space, way)
        return cost.units / cost.least if cost and cost.least else None


class Traffic:
    def __init__(self, build):
        folder = os.path.join(build, "tests", "check")
        self.launch, self.plugin = os.path.join(folder, "check_launch"), os.path.join(folder, "liboclgrind-traffic.so")

    def missing(self):
        if not first_of("oclgrind"):
            return "oclgrind is not installed"
        if not os.path.exists(self.plugin):
            return "liboclgrind-dev and llvm-14-dev are not installed"
        return None

    def cases(self, ops, short):
        """Each shape, of one op in four the first where `short`, and each pass: by what a GPU takes, and by every variant that is
        written for one."""
        cases, seen = [], set()
        mine = int(os.environ.get("TURNOUT_TEST_SEED", time.time())) % 4  # the other ops on another day
        for _, (op, shape, *mark) in lines_of("traffic_shapes.txt"):
            if (ops and op not in ops) or (short and op in seen):
                continue
            seen.add(op)
            if short and not ops and len(seen) % 4 != mine:
                continue
            passes = {}
            for line in run([self.launch, "--list", op]).splitlines():
                variant, style, _, *names = line.split("\t")
                for name in names:
                    passes.setdefault(name, []).extend([variant] if style == "groups" else [])
            for name, variants in passes.items():
                cases += [Case(op, shape, not mark, name, variant) for variant in [None, *variants]]
        for op in run([self.launch, "--list"]).split():
            if op not in seen and (not ops or op in ops):
                raise Failed(f"traffic_shapes.txt has no shape of {op}")
        return cases

    def one(self, case):
        """A Result; None where the variant does not fit the shape."""
        environment = dict(os.environ, TURNOUT_KIND="gpu", TURNOUT_CACHE="off", TURNOUT_TUNED="0")
        environment.pop("TURNOUT_VARIANT", None)
        environment.pop("TURNOUT_TUNE", None)
        with tempfile.TemporaryDirectory() as folder:
            environment["TURNOUT_TRAFFIC"] = os.path.join(folder, "traffic")
            words = ["oclgrind", "--num-threads", "1", "--local-mem-size", "49152", "--max-wgsize", "1024", "--plugins",
                     os.path.abspath(self.plugin), "--build-options", "-cl-opt-disable", self.launch, case.op, case.passed,
                     case.shape, *([case.variant] if case.variant else [])]
            done = subprocess.run(words, env=environment, capture_output=True, text=True, errors="replace", check=False)
            if done.returncode == 4:
                return None
            if done.returncode != 0:
                raise Failed(f"{case.op} {case.passed} {case.shape}: {(done.stderr or done.stdout).strip()[-300:]}")
            ran = done.stdout.strip().split("\n")[-1].split("\t")
            with open(environment["TURNOUT_TRAFFIC"], encoding="utf-8", errors="replace") as file:
                return Result(case, ran[1], ran[2], file.readlines())

    def all(self, ops, short):
        """Results, in order of the shapes; what two cases share is run twice and said once."""
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            results = [result for result in pool.map(self.one, self.cases(ops, short)) if result]
        taken = {(r.case.op, r.case.shape, r.case.passed, r.ran) for r in results if r.chosen}
        return [r for r in results if r.chosen or (r.case.op, r.case.shape, r.case.passed, r.ran) not in taken]


def failures_of(result):
    """Accesses that are not aligned as they promise, anywhere; sectors and turns past the bars, where rows are aligned."""
    found = []
    case = result.case
    for kernel in result.kernels():
        def fail(what, detail):
            found.append(Failure(kernel, what, VENDOR, f"{detail}; {case.op}/{result.ran} {case.passed} {case.shape}"))
        wrong = [key[4] for key, cost in result.costs.items() if key[0] == kernel and key[1] == 32 and cost.misaligned]
        if wrong:
            fail("misaligned", "; ".join(f"line {n}: {result.texts[kernel, n]}" for n in wrong[:3]))
        if not case.aligned or not (result.chosen or result.style == "groups"):
            continue
        bar = next(most for pattern, most in SECTORS.items() if fnmatch.fnmatch(kernel, pattern))
        for lanes in (32, 64):
            for space, what, most in (("global", "sectors", bar), ("local", "turns", TURNS)):
                ratio = result.ratio(kernel, lanes, space)
                if ratio and ratio > most:
                    fail(what, f"{ratio:.2f} times the least, {most} are allowed, {lanes} lanes")
    return found


def show(result, lines):
    case = result.case
    print(f"{case.op}/{result.ran} {case.passed} {case.shape}" + ("" if case.aligned else " (unaligned)"))
    for kernel in result.kernels():
        words = []
        for space in ("global", "local"):
            for way in ("load", "store"):
                cost = result.sum(kernel, 32, space, way)
                if cost and cost.least:
                    unit = "sectors" if space == "global" else "turns"
                    other = result.ratio(kernel, 64, space, way)
                    words.append(f"{space} {way}s {cost.units:.0f} {unit}, {cost.units / cost.least:.2f} × ({other:.2f} × by 64)")
        print(f"    {kernel}: " + "; ".join(words))
        for (name, lanes, space, way, number), cost in sorted(result.costs.items()):
            if lines and name == kernel and lanes == 32 and cost.units > 1.02 * cost.least:
                print(f"        {space} {way}s {cost.units:.0f} of {cost.least:.0f}: {result.texts[kernel, number]}")
