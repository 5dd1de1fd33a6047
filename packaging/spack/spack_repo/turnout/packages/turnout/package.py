# SPDX-License-Identifier: MIT
import json
from pathlib import Path

from spack_repo.builtin.build_systems.cmake import CMakePackage, generator

from spack.package import *


class Turnout(CMakePackage):
    """What routed attention costs and saves on OpenCL devices: a program that verifies, tunes and times the kernels,
    trains small models with them and writes reports; and ops and model as a library."""

    # The repository that this recipe lies in; elsewhere, name one.
    homepage = "file://" + str(Path(__file__).resolve().parents[6] / "README.md")
    git = "file://" + str(Path(__file__).resolve().parents[6])

    license("MIT")

    version("main", branch="main")

    variant("openblas", default=False, description="OpenBLAS, which `turnout bench --peers` compares with")

    depends_on("c", type="build")
    depends_on("cmake@3.20:", type="build")
    depends_on("git", type="build")  # tells the commit
    depends_on("pkgconfig", type="build")

    # A loader, through which drivers of every vendor are found; PoCL as one driver among them.
    depends_on("opencl@1.2:")
    depends_on("pocl+icd", when="^[virtuals=opencl] pocl")
    depends_on("clblast+shared")
    depends_on("hwloc@2:")
    depends_on("jansson@2.9:")
    depends_on("xxhash@0.8:")
    depends_on("sqlite@3.24:")
    depends_on("libcsv")
    depends_on("random123@1.13:", type="build")
    depends_on("openblas@0.3:", type="run", when="+openblas")

    depends_on("check@0.15:", type="test")
    depends_on("pocl+icd", type="test")

    # The page of a report is drawn by it, and it becomes part of the program.
    resource(
        name="chart.js",
        url="https://cdn.jsdelivr.net/npm/chart.js@3.9.1/dist/chart.min.js",
        sha256="fbc45926e6b46845a0f905552a0e0b1331049bff1115ecf94dbe0904d895e710",
        expand=False,
        placement="chart.js",
    )

    generator("ninja")

    sanity_check_is_file = ["bin/turnout", "include/turnout/turnout.h", "share/man/man1/turnout.1"]

    def patch(self):
        # What Spack kept of a clone has no .git to ask for the commit.
        commit = self.spec.variants.get("commit")
        if commit and not Path(".git").exists():
            Path("packaging/commit.txt").write_text(f"{commit.value}\n")

    def cmake_args(self):
        return [
            self.define("BUILD_TESTING", self.run_tests),
            self.define("TN_WERROR", False),
            self.define("CHART_JS", join_path(self.stage.source_path, "chart.js", "chart.min.js")),
        ]

    def setup_run_environment(self, env):
        if self.spec.satisfies("+openblas"):
            env.set("TURNOUT_OPENBLAS", join_path(self.spec["openblas"].prefix.lib, "libopenblas.so.0"))

    def check(self):
        """The suites but for those that take minutes each or look at the source alone."""
        with working_dir(self.build_directory):
            Executable("ctest")("--output-on-failure", "-j", str(make_jobs), "-LE", "^(source|slow|all)$")

    def test_version(self):
        """the program starts and says what it was built from"""
        said = json.loads(Executable(self.prefix.bin.turnout)("--version", "--json", output=str))
        assert said["release"] and said["version"].startswith(said["release"]), said
        assert self.spec.is_develop or said["commit"], said

    def test_devices(self):
        """drivers are found, and an op is right on the first device"""
        turnout = Executable(self.prefix.bin.turnout)
        turnout("devices", fail_on_error=False)
        if turnout.returncode == 3:
            raise SkipTest("there is no OpenCL device")
        turnout("verify", "--op", "gelu", "--cases", "3")
