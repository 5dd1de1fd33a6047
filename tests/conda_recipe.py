#!/usr/bin/env python3
"""conda_recipe.py SOURCE WORK PLACES…: the conda recipes, built by rattler-build: every one is read, and Turnout's is run with
its tests. What it depends on are empty packages of this machine's versions, behind which its own libraries and compiler stand,
and Chart.js is this machine's file, with the checksum that the recipe tells. A PLACE has a Python with py-rattler-build; exit
77 without."""
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

source, work = (Path(path).resolve() for path in sys.argv[1:3])
try:
    import rattler_build
except ImportError:
    for place in sys.argv[3:]:
        if os.access(place, os.X_OK) and Path(place) != Path(sys.executable):
            os.execv(place, [place, __file__, str(source), str(work)])
    print("skipped: rattler-build is not installed (pip install py-rattler-build)")
    sys.exit(77)
CHART = Path("/usr/share/javascript/chart.js/chart.min.js")
if not CHART.is_file():
    print(f"skipped: {CHART} is not there")
    sys.exit(77)

# What stands behind a package of conda-forge here, and the version of which Debian package it has.
BEHIND = {"clblast": "libclblast-dev", "cmake": "cmake", "git": "git", "jansson": "libjansson-dev", "libcsv": "libcsv-dev",
          "libhwloc": "libhwloc-dev", "libsqlite": "libsqlite3-dev", "ninja": "ninja-build", "ocl-icd": "ocl-icd-opencl-dev",
          "pkg-config": "pkg-config", "pocl": "libpocl2", "random123": "librandom123-dev", "xxhash": "libxxhash-dev",
          "gcc_linux-64": "gcc", "sysroot_linux-64": "libc6-dev"}
VARIANTS = rattler_build.VariantConfig({"c_compiler": ["gcc"], "c_stdlib": ["sysroot"], "target_platform": ["linux-64"]})


def version(package):
    said = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True)
    assert said.returncode == 0, f"{package} is not installed: {said.stderr}"
    return re.sub(r"^\d+:|[-+~].*", "", said.stdout)


def build(text, where, test):
    where.mkdir(parents=True, exist_ok=True)
    recipe = where / "recipe.yaml"
    recipe.write_text(text)
    rendered = rattler_build.Stage0Recipe.from_file(recipe).render(VARIANTS)
    assert len(rendered) == 1, rendered
    tools = rattler_build.ToolConfiguration(test_strategy="native" if test else "skip")
    return rendered[0].run_build(tool_config=tools, output_dir=work / "channel", channels=[(work / "channel").as_uri()])


for recipe in source.glob("packaging/conda/*/recipe.yaml"):
    rendered = rattler_build.Stage0Recipe.from_file(recipe).render(VARIANTS)
    assert [variant.recipe.package.name for variant in rendered] == [recipe.parent.name], recipe

shutil.rmtree(work, ignore_errors=True)
(work / "channel").mkdir(parents=True)
os.environ["RATTLER_CACHE_DIR"] = str(work / "cache")
for name, package in BEHIND.items():
    build(f"package: {{name: {name}, version: '{version(package)}'}}\n"
          "build: {noarch: generic, script: 'mkdir -p $PREFIX/share && touch $PREFIX/share/$PKG_NAME.empty'}\n",
          work / name, False)

# In a clone, for the recipe builds the commit of the repository that it lies in.
clone = work / "clone"
subprocess.run(["git", "clone", "-q", source, clone], check=True)
recipe = clone / "packaging/conda/turnout/recipe.yaml"
text, count = re.subn(r"url: https://cdn\S*/chart\.min\.js", f"url: {CHART.as_uri()}", recipe.read_text())
assert count == 1, text
build(text, recipe.parent, True)
print("the recipes are read, and the package that Turnout's makes passes its tests")
