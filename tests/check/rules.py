"""What a build may not do, what of it is known (known.txt), and the bars of hot loops (bars.txt)."""
import collections
import fnmatch
import os

HERE = os.path.dirname(os.path.abspath(__file__))
PRODUCT = 50  # per cent of multiply-adds from which a loop is a product
HOT = 128  # multiply-adds of a loop that wants a bar
HELD = ("NVIDIA", "AMD")  # to no scratch and no spills; of Intel it is said
Failure = collections.namedtuple("Failure", "kernel what vendor detail")  # detail: for people, no part of the key


def lines_of(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            words = line.split("#")[0].split()
            if words:
                yield f"{name}:{number}", words


class Known:
    """Lines "KERNEL WHAT VENDOR…": failures that are known. One that is no longer true is a failure itself."""

    def __init__(self, name="known.txt"):
        self.place = {(kernel, what, vendor): place for place, (kernel, what, *vendors) in lines_of(name)
                      for vendor in vendors}

    def split(self, failures):
        """Those that are not in the list, and how many are."""
        fresh = [f for f in failures if f[:3] not in self.place]
        return fresh, len(failures) - len(fresh)

    def gone(self, kernels):
        """Places of lines whose kernel no build at defaults has any more."""
        return [f"{place}: {' '.join(key)} is no longer true: take it out" for key, place in self.place.items()
                if key[2] != "traffic" and key[0] not in kernels]

    def untrue(self, failures, was_judged):
        """Places of lines whose kernel was looked at and did not fail. was_judged(kernel, vendor)."""
        true = {f[:3] for f in failures}
        return [f"{place}: {' '.join(key)} is no longer true: take it out" for key, place in self.place.items()
                if key not in true and was_judged(key[0], key[2])]


class Bars:
    """Lines "KERNEL-PATTERN WHAT LEAST NAME=VALUE…": the least that WHAT may be of kernels built with these options.

    fma, fma2, fma3…   per cent of multiply-adds among the instructions of the loop that has most of them, of
                       the one with the next most, …; of a loop of several barriers each stretch between two counts
    wide               per cent of the loads of local memory that are of 128 bits, in loops that are products
    global             per cent of the kernel's accesses of global memory that are of 128 bits"""

    def __init__(self, name="bars.txt"):
        self.rows = [(place, words[0], words[1], float(words[2]), set(words[3:])) for place, words in lines_of(name)]

    def of(self, kernel, options):
        have = set(options.split())
        return [row for row in self.rows if fnmatch.fnmatch(kernel, row[1]) and row[4] <= have]


def share(counts, wide, *kinds):
    every = sum(n for kind, n in counts.items() if kind.split(".")[0] in kinds)
    return 100 * sum(counts.get(f"{kind}.{wide}", 0) for kind in kinds) / every if every else None


def measured(what, facts):
    """The value that a bar is held against; None where the kernel has no such thing."""
    loops = facts["loops"]
    if what.startswith("fma"):
        place = int(what[3:] or 1) - 1
        return loops[place]["share"] if place < len(loops) else None
    if what == "wide":
        counts = collections.Counter()
        for loop in (loop for loop in loops if loop["share"] >= PRODUCT):
            counts.update(loop["count"])
        return share(counts, "128", "LDS")
    if what == "global":
        return share(facts["memory"], "128", "LDG", "STG")
    raise ValueError(what)


def failures_of(build, vendor, target, facts_of_kernels, bars):
    """What a build's kernels do that they may not: [Failure]."""
    found = []
    for kernel in build.uses:
        facts = facts_of_kernels.get(kernel)
        def fail(what, detail):
            found.append(Failure(kernel, what, vendor.name.lower(),
                                 f"{detail}; {build.file} {build.short_options} on {target}"))
        if facts is None:
            fail("absent", "it is launched, and there is no such kernel")
            continue
        if vendor.name == "NVIDIA":
            for what, detail in under_bars(build, kernel, facts, bars):
                fail(what, detail)
        if vendor.name not in HELD or not build.is_default(kernel):
            continue
        if facts["scratch"]:
            fail("scratch", f"{facts['scratch']} B of scratch an item")
        if facts["spills"]:
            fail("spills", f"{facts['spills']} spilled")
        over = vendor.too_large(build, kernel, facts)
        if over:
            fail("group", over)
    return found


def under_bars(build, kernel, facts, bars):
    """(what, detail) of each bar that the kernel is under; and where a variant for GPUs multiplies and has none."""
    rows = bars.of(kernel, build.short_options)
    for place, _, what, least, _ in rows:
        if what.startswith("fma") and not build.is_default(kernel):
            continue  # a value to try may be a slow one
        value = measured(what, facts)
        if value is None:
            yield what, f"has no such loop or access, and {place} wants {least:g} %"
        elif value < least:
            yield what, f"{value:.1f} %, and {place} wants {least:g} %"
    first = facts["loops"][0] if facts["loops"] else {"count": {"fma": 0}}
    if (not rows and build.is_default(kernel) and first["count"]["fma"] >= HOT and first["share"] >= PRODUCT
            and any(kind.startswith("LDS") for kind in first["count"])):
        yield "bar", "its loop multiplies tiles in local memory, and bars.txt has no line for it"
