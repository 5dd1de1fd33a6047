#!/usr/bin/env python3
"""spack_recipe.py SOURCE WORK: the Spack recipes: Spack's own audit of them, and an installation of what SOURCE's branch `main`
has, with this machine's libraries as externals and its Chart.js, with the checksum that the recipe tells, out of a mirror.
Spack is $SPACK, or in the path: 1.0 or later, with its packages where its configuration says; exit 77 without."""
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

source, work = (Path(path).resolve() for path in sys.argv[1:3])
spack = os.environ.get("SPACK") or shutil.which("spack")
if not spack:
    print("skipped: Spack is not installed (SPACK names its program)")
    sys.exit(77)
CHART = Path("/usr/share/javascript/chart.js/chart.min.js")
if not CHART.is_file():
    print(f"skipped: {CHART} is not there")
    sys.exit(77)
# The spec of an external, and the Debian package that has its version.
BEHIND = {"clblast+shared": "libclblast-dev", "cmake": "cmake", "hwloc": "libhwloc-dev", "jansson": "libjansson-dev",
          "libcsv": "libcsv-dev", "ninja": "ninja-build", "ocl-icd+headers": "ocl-icd-opencl-dev", "pkg-config": "pkg-config",
          "random123": "librandom123-dev", "sqlite": "libsqlite3-dev", "xxhash": "libxxhash-dev", "git": "git"}


def version(package):
    said = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True)
    assert said.returncode == 0, f"{package} is not installed: {said.stderr}"
    return re.sub(r"^\d+:|[-+~].*", "", said.stdout)


def run(*words):
    done = subprocess.run([spack, "-C", str(work / "config"), *words], capture_output=True, text=True, cwd=work)
    assert done.returncode == 0, f"spack {' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout


shutil.rmtree(work, ignore_errors=True)
(work / "config").mkdir(parents=True)
packages = {"opencl": {"buildable": False}, "pkgconfig": {"buildable": False}}
for spec, package in BEHIND.items():
    name, variants = re.match(r"([\w-]+)(.*)", spec).groups()
    packages[name] = {"buildable": False, "externals": [{"spec": f"{name}@{version(package)}{variants}", "prefix": "/usr"}]}
digest = hashlib.sha256(CHART.read_bytes()).hexdigest()
kept = work / "mirror/_source-cache/archive" / digest[:2]
kept.mkdir(parents=True)
shutil.copy(CHART, kept / digest)  # without an ending, since it is not unpacked
for name, what in {
        "packages": packages, "repos": {"turnout": str(source / "packaging/spack/spack_repo/turnout")},
        "mirrors": {"here": {"url": (work / "mirror").as_uri(), "binary": False}}, "bootstrap": {"enable": False},
        "config": {"install_tree": {"root": str(work / "opt")}, "build_stage": [str(work / "stage")], "source_cache": str(work / "cache")},
}.items():
    (work / f"config/{name}.yaml").write_text(json.dumps({name: what}))  # which is YAML too

said = run("audit", "packages", "turnout", "libcsv")
print(said)
run("install", "--fail-fast", "turnout@main")
prefix = Path(run("location", "-i", "turnout@main").strip())
built = json.loads(subprocess.run([prefix / "bin/turnout", "--version", "--json"], capture_output=True, text=True, check=True).stdout)
head = subprocess.run(["git", "-C", str(source), "rev-parse", "main"], capture_output=True, text=True, check=True).stdout.strip()
assert built["commit"] == head and "dirty" not in built["version"], (built, head)
said = run("test", "run", "turnout@main")
assert re.search(r"1 passed", said), said
print(f"Spack installed {built['version']}, and its tests pass")
