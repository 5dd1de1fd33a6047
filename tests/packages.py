#!/usr/bin/env python3
"""packages.py SOURCE: every recipe of packaging/, ./dev and docs/install.md ask for what the build looks for, no more and no
less, in the versions that it wants; version, licence and options are the tree's; what two recipes download is the same. The
names of a dependency stand in NAMES and nowhere else: a new one is a line there, and a word in each list."""
import hashlib
import re
import sys
import types
from pathlib import Path

source = Path(sys.argv[1])
# What the build looks for: its name in Debian, Spack, conda-forge, Fedora, Arch; None where it is not packaged there.
NAMES = {
    "OpenCL": ("ocl-icd-opencl-dev opencl-headers", "opencl", "ocl-icd", "ocl-icd-devel opencl-headers", "ocl-icd opencl-headers"),
    "CLBlast": ("libclblast-dev", "clblast", "clblast", "clblast-devel", "clblast"),
    "hwloc": ("libhwloc-dev", "hwloc", "libhwloc", "hwloc-devel", "hwloc"),
    "jansson": ("libjansson-dev", "jansson", "jansson", "jansson-devel", "jansson"),
    "libxxhash": ("libxxhash-dev", "xxhash", "xxhash", "xxhash-devel", "xxhash"),
    "sqlite3": ("libsqlite3-dev", "sqlite", "libsqlite", "sqlite-devel", "sqlite"),
    "csv": ("libcsv-dev", "libcsv", "libcsv", "libcsv-devel", None),
    "Random123/philox.h": ("librandom123-dev", "random123", "random123", "Random123-devel", None),
    "CHART_JS": ("libjs-chart.js", "resource chart.js", "source chart.min.js", None, None),
    "check": ("check libsubunit-dev", "check", "check", "check-devel subunit-devel", "check"),
    "PkgConfig": ("pkg-config", "pkgconfig", "pkg-config", "pkgconf", "pkgconf"),
    "C": ("gcc libc6-dev", "c", "${{ compiler('c') }} ${{ stdlib('c') }}", "gcc", "gcc"),
    "CMake": ("cmake", "cmake", "cmake", "cmake", "cmake"),
    "Ninja": ("ninja-build", "generator ninja", "ninja", "ninja-build", "ninja"),
    "a driver": ("pocl-opencl-icd", "pocl", "pocl", "pocl", "pocl"),
}
SAME = {"csv.h": "csv", "clblast": "CLBlast"}  # looked for twice
SYSTEM = {"Threads"}
TESTS = {"check", "a driver"}  # what the suites need and the program does not
DEBIAN, SPACK, CONDA, FEDORA, ARCH = range(5)
wrong = []


def read(name):
    return (source / name).read_text()


def hold(what, told, wanted):
    if told != wanted:
        lines = [f"{name} is missing" for name in sorted(wanted - told)] + [f"{name} is too much" for name in sorted(told - wanted)]
        wrong.append(f"{what}: {', '.join(lines)}")


def names(column, left_out=()):
    found = set()
    for need, row in NAMES.items():
        if need not in left_out and row[column]:
            found |= set(re.findall(r"\$\{\{.*?\}\}|resource \S+|source \S+|generator \S+|\S+", row[column]))
    return found


# What the build looks for.
build = "".join(re.sub(r"(?m)#.*", "", path.read_text()) for path in sorted(source.glob("**/CMakeLists.txt"))
                if path.relative_to(source).parts[0] in ("CMakeLists.txt", "kernels", "host", "bench", "reports", "study", "survey",
                                                         "cli", "packaging"))
needs, least = {"C", "CMake", "Ninja", "a driver"}, {}
for name in re.findall(r"find_package\((\w+)", build):
    needs.add(name)
for name, version in re.findall(r"pkg_check_modules\(\w+ (?:QUIET|REQUIRED)(?: IMPORTED_TARGET)? ([\w.-]+)(?:>=([\d.]+))?", build):
    needs.add(name)
    if version:
        least[name] = version
for name in re.findall(r"find_(?:library|path)\(\w+ (\S+)", build) + re.findall(r"find_file\((\w+)", build):
    needs.add(name)
needs = {SAME.get(name, name) for name in needs} - SYSTEM
hold("tests/packages.py, NAMES", set(NAMES), needs)
least["CMake"] = re.search(r"cmake_minimum_required\(VERSION ([\d.]+)", build).group(1)
release = re.search(r"project\(turnout VERSION ([\d.]+)", build).group(1)
options = set(re.findall(r"option\((\w+)", build)) | {"CHART_JS"}
licence = read("LICENSE").split(" License")[0]
assert {"BUILD_TESTING", "TN_WERROR"} <= options and licence == "MIT" and len(least) == 2

# ./dev, the container, docs/install.md
dev = re.search(r'build_packages="([^"]*)"', read("dev")).group(1).split()
hold("./dev, build_packages", set(dev), names(DEBIAN))
script = read("packaging/container/build.sh")
told = re.search(r"no-install-recommends ((?:.*\\\n)*.*)", script).group(1).replace("\\", " ").split()
hold("packaging/container/build.sh", set(told), names(DEBIAN, TESTS) | {"dpkg-dev", "file"})  # the last two make the package
pages = read("docs/install.md")
for system, column in {"Fedora": FEDORA, "Arch": ARCH}.items():
    line = re.search(rf"(?m)^\| {system} \| `\S+ (?:install|-S) ([^`]*)`", pages).group(1)
    hold(f"docs/install.md, {system}", set(line.split()), names(column))
for need, version in least.items():
    word = {"sqlite3": "SQLite"}.get(need, need)
    if f"{word} ≥ {version}" not in pages:
        wrong.append(f"docs/install.md does not say '{word} ≥ {version}'")

# The Debian package: whoever links libturnout.a needs what turnout.pc names.
cpack = read("packaging/CMakeLists.txt")
private = re.search(r"Requires.private: (.*)", read("packaging/turnout.pc.in")).group(1).split()
suggests = re.search(r'SUGGESTS\s+"([^"]*)"', cpack).group(1).split(", ")
for need in private:
    for package in NAMES[SAME.get(need, need)][DEBIAN].split()[:1]:
        if package not in suggests:
            wrong.append(f"packaging/CMakeLists.txt does not suggest {package}, which turnout.pc's {need} is")

# Spack: the recipe by itself, with recorders in place of Spack's directives.
FOLDER = "packaging/spack/spack_repo/turnout/packages"


def spack(package):
    calls = {}
    module = types.ModuleType("spack.package")
    module.__all__ = ["license", "version", "variant", "depends_on", "resource"]
    recorders = {name: lambda *words, _name=name, **named: calls.setdefault(_name, []).append((words, named))
                 for name in [*module.__all__, "generator"]}
    for name in module.__all__:
        setattr(module, name, recorders[name])
    bases = {"cmake": "CMakePackage", "autotools": "AutotoolsPackage"}
    made = {"spack": types.ModuleType("spack"), "spack.package": module}
    for room, base in bases.items():
        made[f"spack_repo.builtin.build_systems.{room}"] = types.SimpleNamespace(
            **{base: type(base, (), {}), "generator": recorders["generator"]})
    for name in ["spack_repo", "spack_repo.builtin", "spack_repo.builtin.build_systems"]:
        made[name] = types.ModuleType(name)
    sys.modules.update(made)
    path = source / FOLDER / package / "package.py"
    scope = {"__file__": str(path), "__name__": package}
    exec(compile(path.read_text(), str(path), "exec"), scope)
    return calls, scope[package.capitalize()]


calls, turnout = spack("turnout")
depends = {}
for (spec, *_), named in calls["depends_on"]:
    depends.setdefault(re.match(r"[\w-]+", spec).group(), []).append((spec, named))
told = set(depends) | {f"resource {named['name']}" for _, named in calls["resource"]} | {f"generator {words[0]}" for words, _ in calls["generator"]}
hold("Spack's package.py", told, names(SPACK) | {"openblas", "git"})  # a peer, behind a variant; and what tells the commit
for need in TESTS:
    for spec, named in depends[NAMES[need][SPACK]]:
        if named.get("type") != "test" and "when" not in named:
            wrong.append(f"Spack's package.py: {spec} is for tests alone")
for need, version in least.items():
    if f"{NAMES[need][SPACK]}@{version}:" not in [spec for spec, _ in depends[NAMES[need][SPACK]]]:
        wrong.append(f"Spack's package.py does not want {NAMES[need][SPACK]}@{version}:")
hold("Spack's licence", {words[0] for words, _ in calls["license"]}, {licence})
if turnout.git != source.resolve().as_uri():
    wrong.append(f"Spack's package.py takes {turnout.git} for the repository, not {source.resolve().as_uri()}")

# conda
conda = {path.parent.name: path.read_text() for path in source.glob("packaging/conda/*/recipe.yaml")}


def listed(text, room):
    lines = re.search(rf"(?m)^  {room}:\n((?:    - .*\n)+)", text).group(1)
    return dict(re.match(r"    - (\$\{\{.*?\}\}|\S+) ?(.*)", line).groups() for line in lines.splitlines())


told = listed(conda["turnout"], "build") | listed(conda["turnout"], "host")
hold("conda's recipe.yaml", set(told) | {"source " + re.search(r"url: \S*/(\S+)", conda["turnout"]).group(1)},
     names(CONDA, TESTS) | {"git"})
for need, version in least.items():
    if told[NAMES[need][CONDA]] != f">={version}":
        wrong.append(f"conda's recipe.yaml does not want {NAMES[need][CONDA]} >={version}")
for what, pattern, wanted in [("version", r'(?m)^  version: "(.*)"', release), ("licence", r"(?m)^  license: (.*)", licence)]:
    hold(f"conda's {what}", set(re.findall(pattern, conda["turnout"])), {wanted})
for name in sorted(set(conda) - {"turnout"}):
    if name not in told:
        wrong.append(f"packaging/conda/{name}: the recipe of Turnout does not ask for it")
if re.search(r"(?m)^## ([\d.]+)", read("CHANGELOG.md")).group(1) != release:
    wrong.append(f"CHANGELOG.md does not begin with {release}, the version of CMakeLists.txt")

# Options: of the tree, and none forgotten.
recipe = read(f"{FOLDER}/turnout/package.py")
for what, text, pattern in [("conda's recipe.yaml", conda["turnout"], r"-D(\w+)="), ("packaging/container/build.sh", script, r"-D(\w+)="),
                            ("Spack's package.py", recipe, r'self\.define\("(\w+)"')]:
    set_there = {name for name in re.findall(pattern, text) if not name.startswith("CMAKE_")}
    hold(f"{what}, options", set_there - {"CHART_JS"}, {"BUILD_TESTING", "TN_WERROR"})
    hold(f"{what}, options of no meaning", set_there - options, set())

# What two recipes download is one thing.
csv_calls, csv_class = spack("libcsv")
urls = [(named["url"], named["sha256"]) for _, named in calls["resource"]]
urls += [(csv_class.url, named["sha256"]) for _, named in csv_calls["version"]]
for name, (url, digest) in zip(["turnout", "libcsv"], urls):
    there = re.search(r"url: (\S+(?: \}\}\S*)?.*)\n\s+sha256: (\w+)", conda[name]).groups()
    version = re.search(r'(?m)^  version: "(.*)"', conda[name]).group(1)
    hold(f"download of {name}", {(there[0].replace("${{ version }}", version), there[1])}, {(url, digest)})
chart = Path("/usr/share/javascript/chart.js/chart.min.js")
if chart.is_file() and f"Chart.js v{re.search(r'chart.js@([^/]*)', urls[0][0]).group(1)}\n" in chart.read_text()[:200]:
    hold("checksum of Chart.js", {urls[0][1]}, {hashlib.sha256(chart.read_bytes()).hexdigest()})

# The two container files do the same.
container, definition = read("packaging/container/Containerfile"), read("packaging/container/turnout.def")
base = re.search(r"ARG BASE=\S*?([^/\s]+)\n", container).group(1)
hold("turnout.def, From", set(re.findall(r"(?m)^From: (\S+)", definition)), {base})
drivers = re.search(r'ARG DRIVERS="(.*)"', container).group(1)
hold("turnout.def, commands", set(re.findall(r"(?m)^ +(/(?:source|package)/\S+\.sh.*)", definition)),
     {re.search(r"RUN (/source\S+)", container).group(1), f"/package/install.sh {drivers}"})
hold("packaging/container, drivers", set(drivers.split()), set(NAMES["a driver"][DEBIAN].split()))

for line in wrong:
    print(line, file=sys.stderr)
if not wrong:
    print(f"{len(NAMES)} dependencies: ./dev, docs, Spack, conda and the containers name each; version {release}, {licence}")
sys.exit(bool(wrong))
