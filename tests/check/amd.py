"""AMD without a card: clang and libclc, as its open drivers build kernels. What clang does not know is left out and said."""
import glob
import os
import re

from loops import loops_of, read_listing
from tools import Failed, first_of, run

NAME = "AMD"
TARGETS = ["gfx906", "gfx90a", "gfx942", "gfx1030", "gfx1100"]
CLANG = "clang-19"
BITCODE = "lib/clc/amdgcn--amdhsa.bc"


class Amd:
    name = NAME
    read_by = ("amd.py", "loops.py")

    def __init__(self, folder):
        root = os.path.abspath(os.path.join(folder, "amd", "usr"))
        self.clang = first_of(os.path.join(root, "bin", CLANG), CLANG)
        self.environment = dict(os.environ)
        self.bitcode = os.path.join("/usr", BITCODE)
        if self.clang and self.clang.startswith(root):
            self.environment["LD_LIBRARY_PATH"] = ":".join(glob.glob(os.path.join(root, "lib", "*-linux-gnu")))
            self.bitcode = os.path.join(root, BITCODE)
        self.targets = TARGETS
        self.unknown = []
        if self.clang:
            known = run([self.clang, "-target", "amdgcn-amd-amdhsa", "-nogpulib", "-print-supported-cpus"],
                        env=self.environment).split()
            self.targets = [target for target in TARGETS if target in known]
            self.unknown = [target for target in TARGETS if target not in known]

    def missing(self):
        if not self.clang:
            return CLANG + " is not there (./dev check fetches it from Debian's packages)"
        if not os.path.exists(self.bitcode):
            return "libclc of " + CLANG + " is not there"
        return None

    def version(self):
        return run([self.clang, "--version"], env=self.environment)

    @staticmethod
    def too_large(_build, _kernel, _facts):
        """A device's limit is asked before a launch, and clang keeps registers within it."""
        return None

    def compile(self, build, targets, folder):
        """{target: {kernel: facts}}; raises tools.Failed with what the compiler said."""
        source, text = (os.path.join(folder, "k." + end) for end in ("cl", "s"))
        with open(source, "w", encoding="utf-8") as file:
            file.write(build.source)
        facts = {}
        for target in targets:
            run([self.clang, "-fno-crash-diagnostics", "-x", "cl", *build.options.split(), "-O3", "-w", "-target",
                 "amdgcn-amd-amdhsa", "-mcpu=" + target, "-nogpulib", "-Xclang", "-finclude-default-header", "-Xclang",
                 "-mlink-builtin-bitcode", "-Xclang", self.bitcode, "-S", "-o", text, source], env=self.environment)
            with open(text, encoding="utf-8") as file:
                facts[target] = facts_of(file.read())
        return facts


def facts_of(text):
    defined = set(re.findall(r"^([\w.$]+):", text, re.M))
    absent = {name for name in re.findall(r"([\w.$]+)@(?:gotpcrel32|rel32)@lo", text) if name not in defined}
    if absent:
        raise Failed("functions that there are none of: " + ", ".join(sorted(absent)))
    bodies = dict(re.findall(r"^(\w+): +; @\w+\n(.*?)^\.Lfunc_end", text, re.S | re.M))
    waves = dict(re.findall(r"\.amdhsa_kernel (\w+)\n.*?; Occupancy: (\d+)", text, re.S))
    facts = {}
    # Scalar registers spill into lanes of vector registers, which costs no memory: they are not counted.
    for block in re.split(r"\n  - ", text.partition("amdhsa.kernels:")[2].partition("\namdhsa.")[0])[1:]:
        name = re.search(r"\n    \.name: +(\w+)", block)[1]
        def number(key):
            found = re.search(rf"\.{key}: +(\d+)", block)
            return int(found[1]) if found else 0
        facts[name] = {"registers": number("vgpr_count"), "local": number("group_segment_fixed_size"),
                       "scratch": number("private_segment_fixed_size"),
                       "spills": number("vgpr_spill_count"), "waves": int(waves[name])}
        facts[name].update(instructions(bodies[name]))
    return facts


def kind_of(opcode, _operands):
    """As those of NVIDIA are called: "fma", "LDS.128", "STG.32"; the rest by its name."""
    if re.match(r"v_(dual_|pk_)?(fma|fmac|mac|fmaak|fmamk|mad)_f32", opcode):
        return "fma"
    found = re.match(r"(ds|global|flat|buffer)_(read|load|write|store)(2?)(?:st64)?_(\w+)", opcode)
    if not found:
        return opcode
    space, way, twice, what = found.groups()
    word = re.search(r"b(\d+)|dword(?:x(\d))?|[us]?(?:byte|short)", what)
    if not word:
        return opcode
    width = int(word[1]) if word[1] else 32 * int(word[2] or 1) if "dword" in word[0] else 8 if "byte" in word[0] else 16
    letters = ("LD" if way in ("read", "load") else "ST") + ("S" if space == "ds" else "G")
    return f"{letters}.{width * (2 if twice else 1)}"


def target_of(opcode, operands):
    found = re.match(r"\s*(\.LBB\w+)", operands) if opcode.startswith(("s_cbranch", "s_branch")) else None
    return found[1] if found else None


def instructions(body):
    code, labels = read_listing(body.split("\n"), r"(\.LBB\w+):", r"^\t([a-z]\w+)(.*)")
    kinds = [kind_of(*c) for c in code]
    memory = {kind: kinds.count(kind) for kind in sorted(set(kinds)) if re.match(r"(LD|ST)[GS]\.", kind)}
    loops = loops_of(code, labels, target_of, kind_of)
    return {"instructions": len(code), "memory": memory, "loops": [loop.facts() for loop in loops[:8]]}
