#!/usr/bin/env python3
"""What the vendors' compilers make of every kernel, on a machine without their cards.

    ./dev check                   every build that a GPU asks for at defaults, every target
    ./dev check --op gemm         one op (may be given more than once)
    ./dev check --op gemm --all   at each further value of each tunable too
    ./dev check --kernel 'gemm_groups*' --target sm_90

A line a kernel, build and target: registers (of AMD: VGPRs), local memory, scratch and spills of an item, then the loop
with most multiply-adds: their share among its instructions, and what of memory is touched in it and how wide. Ends with 1
where something is over a bar (tests/check/bars.txt), spills or takes scratch at a default, or does not compile, unless
tests/check/known.txt has it; and where that file has what is no longer true. What was compiled before is kept in
build/check."""
import argparse
import concurrent.futures
import fnmatch
import hashlib
import json
import os
import sys
import tempfile
import time

import table
import traffic
from amd import Amd
from intel import Intel
from listing import Listing
from nvidia import Nvidia
from rules import Bars, Failure, Known, failures_of
from tools import Failed

HERE = os.path.dirname(os.path.abspath(__file__))


def arguments():
    words = argparse.ArgumentParser(prog="./dev check", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--op", action="append", default=[], help="this op alone")
    words.add_argument("--kernel", default="*", help="kernels of this name alone; * stands for anything")
    words.add_argument("--target", action="append", default=[], help="sm_75, sm_80, sm_90, …: this target alone")
    words.add_argument("--all", action="store_true", help="the further values of tunables too")
    words.add_argument("--traffic", action="store_true", help="memory traffic under Oclgrind, in place of the compilers")
    words.add_argument("--write", action="store_true", help="the table into docs/kernels.md")
    words.add_argument("--current", action="store_true", help="fails where docs/kernels.md has another table")
    words.add_argument("--short", action="store_true", help="one build in three; of the traffic, the first shape of one op in four; drawn anew")
    words.add_argument("--quiet", action="store_true", help="what fails alone")
    words.add_argument("--build", default="build", help="the build folder (build)")
    return words.parse_args()


class Cache:
    """What was compiled before: a file by the hash of all that it depends on."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        self.readers = {}

    def reader(self, names):
        """A hash of the files that read what a compiler says."""
        if names not in self.readers:
            digest = hashlib.sha256()
            for name in names:
                with open(os.path.join(HERE, name), "rb") as file:
                    digest.update(file.read())
            self.readers[names] = digest.hexdigest()
        return self.readers[names]

    def path(self, vendor, build, target):
        key = "\0".join([self.reader(vendor.read_by), vendor.version(), build.source, build.options, target])
        return os.path.join(self.folder, hashlib.sha256(key.encode()).hexdigest() + ".json")

    def load(self, vendor, build, target):
        try:
            with open(self.path(vendor, build, target), encoding="utf-8") as file:
                return json.load(file)
        except (OSError, ValueError):
            return None

    def store(self, vendor, build, target, facts):
        path = self.path(vendor, build, target)
        with open(path + f".{os.getpid()}", "w", encoding="utf-8") as file:
            json.dump(facts, file)
        os.replace(path + f".{os.getpid()}", path)


def compile_all(vendor, build, targets, cache):
    """{target: {kernel: facts} or the words of what failed}."""
    results = {target: cache.load(vendor, build, target) for target in targets}
    left = [target for target in targets if results[target] is None]
    if left:
        with tempfile.TemporaryDirectory() as folder:
            try:
                fresh = vendor.compile(build, left, folder)
            except Failed as error:
                fresh = {target: {"failed": str(error)} for target in left}
        for target, facts in fresh.items():
            cache.store(vendor, build, target, facts)
            results[target] = facts
    return results


def describe(facts):
    lanes = f"SIMD{facts['lanes']}, " if "lanes" in facts else ""
    text = f"{lanes}{facts['registers']:4d} registers, {facts['local'] / 1024:5.1f} KB local"
    if "waves" in facts:
        text += f", {facts['waves']} waves"
    if facts["scratch"] or facts["spills"]:
        text += f", SCRATCH {facts['scratch']} B, SPILLED {facts['spills']}"
    loops = facts["loops"]
    if loops:
        memory = " ".join(f"{kind} {n}" for kind, n in loops[0]["count"].items() if kind in facts["memory"])
        shares = " ".join(f"{loop['share']:.0f}" for loop in loops)
        text += f", loops {shares} % multiply-adds; the first: {loops[0]['count'].get('fma', 0)} of {loops[0]['size']}, {memory}"
    else:
        text += ", " + " ".join(f"{kind} {n}" for kind, n in facts["memory"].items())
    return text


def show(build, kernel, results):
    """Equal lines of several targets are one."""
    lines = {}
    for target, facts in results.items():
        said = facts.get("failed") or (describe(facts[kernel]) if kernel in facts else "ABSENT")
        lines.setdefault(said, []).append(target)
    sets = sorted({use.set for use in build.uses[kernel]})
    print(f"{kernel} ({build.file}) {build.short_options or '-'}; group {build.group(kernel)}; "
          + ("default" if "default" in sets else " ".join(sets[:4])))
    for said, targets in lines.items():
        print(f"    {' '.join(targets):18s} {said}")


def judge(build, vendor, results, bars):
    failures = []
    for target, facts in results.items():
        if "failed" in facts:
            if "too much shared data" not in facts["failed"] or build.at_defaults():
                failures += [Failure(kernel, "compile", vendor.name.lower(), f"{build.file} {build.short_options} on {target}: "
                                     + facts["failed"]) for kernel in build.uses]
            continue
        failures += failures_of(build, vendor, target, facts, bars)
    return failures


def keep_table(name, text, asked):
    """Writes it, or says whether docs/kernels.md has it, as asked."""
    if asked.write and (asked.op or asked.target or asked.kernel != "*" or asked.short):
        print("check: --write wants all ops and targets", file=sys.stderr)
        return False
    if asked.write:
        table.write(name, text)
    if asked.current and not table.is_current(name, text):
        print(f"FAILED: the table \"{name}\" of docs/kernels.md is not what was found; `./dev check --write`"
              " and `./dev check --traffic --write` renew it")
        return False
    return True


def check_traffic(asked):
    counter = traffic.Traffic(asked.build)
    if counter.missing():
        print(f"not held here: memory traffic ({counter.missing()})")
        return 77
    try:
        results = counter.all(asked.op, asked.short)
    except Failed as error:
        print(f"FAILED: {error}")
        return 1
    failures = []
    for result in results:
        if not asked.quiet:
            traffic.show(result, bool(asked.op))
        failures += traffic.failures_of(result)
    if not keep_table("traffic", table.traffic(results), asked):
        return 1
    judged = {kernel for result in results for kernel in result.kernels()}
    return report([], failures, lambda kernel, vendor: vendor == traffic.VENDOR and kernel in judged and not asked.op
                  and not asked.short, f"{len(results)} launches")


def main():
    asked = arguments()
    sys.stdout.reconfigure(line_buffering=True)  # what takes minutes is seen as it comes
    if asked.traffic:
        return check_traffic(asked)
    program = os.path.join(asked.build, "tests", "check", "check_builds")
    folder = os.path.join(asked.build, "check")
    try:
        listing = Listing(program, os.path.join(folder, "sources"), asked.op)
    except (Failed, OSError) as error:
        print(f"check: the builds cannot be listed: {error}", file=sys.stderr)
        return 2
    builds = [b for b in listing.builds if (asked.all or any(b.is_default(k) for k in b.uses)) and any(fnmatch.fnmatch(k, asked.kernel) for k in b.uses)]
    kernels = {kernel for build in builds for kernel in build.uses if build.is_default(kernel)}
    if asked.short:
        turn = int(os.environ.get("TURNOUT_TEST_SEED", time.time()))
        print(f"one build in three, of number {turn % 3}")
        builds = builds[turn % 3::3]
    cache, bars = Cache(os.path.join(folder, "kept")), Bars()
    failures, judged, made = [], set(), {}
    for vendor in [Nvidia(asked.build), Amd(asked.build), Intel(asked.build)]:
        targets = [t for t in vendor.targets if t in (asked.target or vendor.targets)]
        if not targets:
            continue
        if vendor.missing():
            print(f"not held here: {vendor.name} ({vendor.missing()})")
            continue
        for target in vendor.unknown:
            print(f"not held here: {vendor.name} {target} (this clang does not know it)")
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for build, results in zip(builds, pool.map(lambda b: compile_all(vendor, b, targets, cache), builds)):
                for kernel in sorted(build.uses):
                    if not asked.quiet and fnmatch.fnmatch(kernel, asked.kernel):
                        show(build, kernel, results)
                failures += judge(build, vendor, results, bars)
                made.setdefault(vendor.name, {})[build.file, build.options] = results
                judged |= {(kernel, vendor.name.lower()) for kernel in build.uses}
    if not judged and builds:
        return 77
    if asked.current and len(made) < len(table.SHOWN):
        print("not held here: the table of docs/kernels.md (not every compiler is here)")
    elif not keep_table("compilers", table.compiled(builds, made), asked):
        return 1
    every_kernel = not asked.op and asked.kernel == "*"
    whole = every_kernel and not asked.target and not asked.short
    return report(listing.never_fitted, failures, lambda kernel, vendor: whole and (kernel, vendor) in judged,
                  f"{len(builds)} builds", kernels if every_kernel else None)


def report(never_fitted, failures, was_judged, what, kernels=None):
    known = Known()
    fresh, count = known.split(list(dict.fromkeys(failures)))
    untrue = known.untrue(failures, was_judged)
    if kernels is not None:
        untrue = list(dict.fromkeys(untrue + known.gone(kernels)))
    for name in never_fitted:
        print(f"FAILED: {name} fitted none of the shapes: let the op's case draw one that it fits")
    for key in dict.fromkeys(failure[:3] for failure in fresh):
        same = [failure for failure in fresh if failure[:3] == key]
        more = f" (and {len(same) - 1} more)" if len(same) > 1 else ""
        print(f"FAILED: {' '.join(key)}: {same[-1].detail}{more}")
    for line in untrue:
        print(f"FAILED: {line}")
    print(f"{what}; {count} times over in a way that is known")
    return 1 if fresh or untrue or never_fitted else 0


if __name__ == "__main__":
    sys.exit(main())
