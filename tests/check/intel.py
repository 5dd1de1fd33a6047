"""Intel without a card: ocloc, its offline compiler, and what it notes of each kernel in the binary."""
import glob
import os
import re

from tools import Failed, first_of, run

NAME = "Intel"
TARGETS = ["tgllp", "acm-g10", "pvc"]  # graphics of a processor, a card, a card of a data centre


class Intel:
    name = NAME
    read_by = ("intel.py",)
    targets = TARGETS
    unknown = []

    def __init__(self, folder):
        root = os.path.abspath(os.path.join(folder, "intel-gpu", "usr"))
        self.ocloc = first_of(os.path.join(root, "bin", "ocloc"), "ocloc")
        self.environment = dict(os.environ)
        if self.ocloc and self.ocloc.startswith(root):
            self.environment["LD_LIBRARY_PATH"] = ":".join(glob.glob(os.path.join(root, "lib", "*-linux-gnu")))

    def missing(self):
        return None if self.ocloc else "ocloc is not there (./dev check fetches it from Debian's packages)"

    def version(self):
        return f"{self.ocloc} {os.path.getsize(os.path.realpath(self.ocloc))}"

    def compile(self, build, targets, folder):
        """{target: {kernel: facts}}; raises tools.Failed with what the compiler said."""
        with open(os.path.join(folder, "k.cl"), "w", encoding="utf-8") as file:
            file.write(build.source)
        facts = {}
        for target in targets:
            run([self.ocloc, "compile", "-file", "k.cl", "-device", target, "-options", build.options, "-internal_options",
                 "-cl-intel-allow-zebin", "-output", target, "-output_no_suffix"], cwd=folder, env=self.environment)
            with open(os.path.join(folder, target), "rb") as file:
                facts[target] = facts_of(file.read())
        return facts


def facts_of(binary):
    start = binary.find(b"\nkernels:\n")
    if start < 0:
        raise Failed("ocloc wrote a binary without notes of its kernels")
    text = binary[start:].split(b"\nkernels_misc_info", 1)[0].split(b"\0", 1)[0].decode("latin1")
    facts = {}
    for block in re.split(r"\n  - name: +", text)[1:]:
        def number(key, within=block):
            found = re.search(rf"\b{key}: +(\d+)", within)
            return int(found[1]) if found else 0
        lanes = number("simd_size")
        buffers = re.split(r"\n      - ", block.partition("per_thread_memory_buffers:")[2])[1:]
        spilled = [number("size", part) for part in buffers if "spill" in part or "single_space" in part]
        private = [number("size", part) for part in buffers if "private_space" in part]
        # Of a hardware thread, which runs `lanes` items.
        facts[block.split()[0]] = {"registers": number("grf_count"), "local": number("slm_size"), "lanes": lanes,
                                   "scratch": -(-sum(private) // max(lanes, 1)), "spills": -(-sum(spilled) // max(lanes, 1)),
                                   "memory": {}, "loops": []}
    return facts
