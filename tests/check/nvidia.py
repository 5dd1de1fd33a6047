"""NVIDIA without a card: clang writes PTX, ptxas assembles it, nvdisasm lists what came out. The driver's compiler is of
the same family but another version: counts are close to what it makes, not equal."""
import os
import re

from loops import loops_of, read_listing
from tools import first_of, run, version_of

NAME = "NVIDIA"
TARGETS = ["sm_75", "sm_80", "sm_90"]
BITCODE = "/usr/lib/clc/nvptx64--nvidiacl.bc"
REGISTERS = 65536  # of a multiprocessor

# libclc leaves these to library functions that there are none of: what the driver makes of them.
PRELUDE = """\
static inline float nvidia_exp2(float x) { float y; __asm__("ex2.approx.f32 %0, %1;" : "=f"(y) : "f"(x)); return y; }
static inline float nvidia_log2(float x) { float y; __asm__("lg2.approx.f32 %0, %1;" : "=f"(y) : "f"(x)); return y; }
#define native_exp2 nvidia_exp2
#define exp2 nvidia_exp2
#define native_exp(x) nvidia_exp2(1.442695041f * (x))
#define native_log2 nvidia_log2
#define native_log(x) (0.693147181f * nvidia_log2(x))
#line 1
"""


class Nvidia:
    name = NAME
    read_by = ("nvidia.py", "loops.py")
    targets = TARGETS
    unknown = []

    def __init__(self, folder):
        self.clang = first_of("clang-15")
        bins = os.environ.get("NVIDIA_BIN") or os.path.join(folder, "nvidia", "bin")
        self.ptxas, self.nvdisasm = (first_of(os.path.join(bins, name), name) for name in ("ptxas", "nvdisasm"))

    def missing(self):
        if not self.clang:
            return "clang-15 is not installed"
        if not os.path.exists(BITCODE):
            return "libclc-15 is not installed"
        if not self.ptxas or not self.nvdisasm:
            return "ptxas and nvdisasm are not there (./dev check fetches them from PyPI)"
        return None

    def version(self):
        return version_of(self.clang) + version_of(self.ptxas)

    def compile(self, build, targets, folder):
        """{target: {kernel: facts}}; raises tools.Failed with what a compiler said."""
        source, ptx = (os.path.join(folder, "k." + end) for end in ("cl", "ptx"))
        with open(source, "w", encoding="utf-8") as file:
            file.write(PRELUDE + build.source)
        words = ["-target-cpu", "sm_75", "-target-feature", "+ptx64", "-finclude-default-header",
                 "-mlink-builtin-bitcode", BITCODE]
        run([self.clang, "-fno-crash-diagnostics", "-x", "cl", *build.options.split(), "-O3", "-w", "-target",
             "nvptx64-nvidia-nvcl", *[w for word in words for w in ("-Xclang", word)], "-S", "-o", ptx, source])
        return {target: self.assemble(ptx, target, folder) for target in targets}

    @staticmethod
    def too_large(build, kernel, facts):
        """Registers are given out by eight: would a work-group of this size start?"""
        group = build.group(kernel)
        wanted = -(-facts["registers"] // 8) * 8 * group
        return f"{group} items of {facts['registers']} registers are past {REGISTERS}" if wanted > REGISTERS else None

    def assemble(self, ptx, target, folder):
        binary = os.path.join(folder, target + ".cubin")
        said = run([self.ptxas, "-arch=" + target, "-v", ptx, "-o", binary])
        listing = run([self.nvdisasm, "-c", binary])
        codes = dict(re.findall(r"\.text\.(\S+):\n(.*?)(?=\n\.text\.|\n\.section|\Z)", listing, re.S))
        facts = {}
        for name, block in re.findall(r"Compiling entry function '(\S+)'(.*?)(?=Compiling entry|\Z)", said, re.S):
            def number(pattern):
                found = re.search(pattern, block)
                return int(found[1]) if found else 0
            facts[name] = {"registers": number(r"Used (\d+) reg"), "local": number(r"(\d+) bytes smem"),
                           "scratch": number(r"(\d+) bytes stack"),
                           "spills": number(r"(\d+) bytes spill stores") + number(r"(\d+) bytes spill loads")}
            facts[name].update(instructions(codes.get(name, "")))
        return facts


def kind_of(opcode, _operands):
    """FFMA: "fma"; memory by space, direction and width in bits: "LDS.128"; the rest by its name."""
    base, *rest = opcode.split(".")
    if base == "FFMA" or base == "FFMA2":
        return "fma"
    if base in ("LDS", "STS", "LDG", "STG", "LDL", "STL", "LD", "ST"):
        width = next((word for word in rest if word in ("64", "128")), "32")
        width = next((word.lstrip("US") for word in rest if word in ("U8", "S8", "U16", "S16")), width)
        return f"{base}.{width}"
    return base


def target_of(opcode, operands):
    found = re.search(r"(\.L_[\w.]+)", operands) if opcode.startswith("BRA") else None
    return found[1] if found else None


def instructions(body):
    code, labels = read_listing(body.split("\n"), r"\s*(\.L_[\w.]+):",
                                r"/\*[0-9a-f]{4,6}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_.]*)(.*)")
    kinds = [kind_of(*c) for c in code]
    wide = {kind: kinds.count(kind) for kind in sorted(set(kinds)) if re.match(r"(LD|ST)[GSL]\.", kind)}
    loops = loops_of(code, labels, target_of, kind_of)
    return {"instructions": len(code), "memory": wide, "loops": [loop.facts() for loop in loops[:8]]}
