"""The tables of docs/kernels.md: what stands between two marks there is written by `./dev check --write`."""
import os

HERE = os.path.dirname(os.path.abspath(__file__))
PAGE = os.path.join(HERE, "..", "..", "docs", "kernels.md")
SHOWN = {"NVIDIA": "sm_90", "AMD": "gfx90a", "Intel": "pvc"}  # the target whose numbers stand for the vendor's


def marks(name):
    return f"<!-- {name}: written by ./dev check -->\n", f"<!-- {name}: end -->\n"


def parts(name):
    """The page before the table, the table, and what is behind."""
    with open(PAGE, encoding="utf-8") as file:
        text = file.read()
    first, last = marks(name)
    before, _, rest = text.partition(first)
    table, _, behind = rest.partition(last)
    return before + first, table, last + behind


def write(name, table):
    before, _, behind = parts(name)
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(before + table + behind)


def is_current(name, table):
    return parts(name)[1] == table


def rows(head, lines):
    text = ["| " + " | ".join(words) + " |\n" for words in [head, ["---"] * len(head), *lines]]
    return "".join(text)


def worst(results, kernel):
    """The most scratch and spills of an item over the targets, where there are any: "96 B + 12"."""
    scratch = max(facts[kernel]["scratch"] for facts in results.values() if kernel in facts)
    spills = max(facts[kernel]["spills"] for facts in results.values() if kernel in facts)
    return (f"{scratch} B" if scratch else "–") + (f" + {spills}" if spills else "")


def of_vendor(vendor, results, kernel):
    """Cells of one vendor; results: {target: {kernel: facts}}."""
    shown = results.get(SHOWN[vendor], {}).get(kernel)
    width = 4 if vendor == "NVIDIA" else 3 if vendor == "AMD" else 2
    if not shown:
        return ["does not compile" if results else "not asked"] + [""] * (width - 1)
    if vendor == "NVIDIA":
        loops = shown["loops"]
        share = ", ".join(f"{loop['share']:.0f} %" for loop in loops[:3]) or "–"
        return [str(shown["registers"]), f"{shown['local'] / 1024:.1f}" if shown["local"] else "–", worst(results, kernel), share]
    if vendor == "AMD":
        return [str(shown["registers"]), str(shown["waves"]), worst(results, kernel)]
    return [f"{shown['lanes']}", worst(results, kernel)]


HEAD = ["kernel", "options", "group", "sm_90: registers", "local KB", "NVIDIA: scratch + spills", "multiply-adds of its loops",
        "gfx90a: VGPRs", "waves", "AMD: scratch + spills", "pvc: lanes", "Intel: scratch + spills"]


def compiled(builds, results):
    """results: {vendor name: {(file, options): {target: facts}}}."""
    lines = []
    for build in builds:
        for kernel in sorted(build.uses):
            if build.is_default(kernel):
                cells = [f"`{kernel}`", build.short_options or "–", str(build.group(kernel))]
                for vendor in SHOWN:
                    of = results.get(vendor, {}).get((build.file, build.options), {})
                    cells += of_vendor(vendor, {t: f for t, f in of.items() if "failed" not in f}, kernel)
                lines.append(cells)
    return rows(HEAD, lines)


def traffic(results):
    """Each kernel at each shape: sectors of global memory and turns of local memory over the least, runs of 32 items."""
    lines = []
    for result in results:
        for kernel in result.kernels():
            cells = [f"`{kernel}`", f"{result.case.op} {result.case.passed}, {result.ran}",
                     result.case.shape.replace(",", " ") + ("" if result.case.aligned else " (unaligned)")]
            for space in ("global", "local"):
                for way in ("load", "store"):
                    ratio = result.ratio(kernel, 32, space, way)
                    cells.append(f"{ratio:.2f}" if ratio else "–")
            lines.append(cells)
    return rows(["kernel", "op", "shape", "global loads", "global stores", "local loads", "local stores"], lines)
