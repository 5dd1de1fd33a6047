#!/usr/bin/env python3
"""test_check.py BUILD: `./dev check` itself: what it has to find it finds, what is known it passes, what is no longer true
it says. Parts whose compiler is not there are skipped and said."""
import os
import sys
import tempfile
import unittest

import rules
import traffic
from amd import Amd
from intel import Intel
from listing import Build, Use
from loops import loops_of
from nvidia import Nvidia
from tools import Failed

FOLDER = sys.argv.pop(1) if len(sys.argv) > 1 else "build"
GOOD = "kernel void made_up(global float *x) { x[get_global_id(0)] *= 2.0f; }"
SCRATCH = """kernel void made_up(global float *x, global int *at) {
    float own[64];
    for (int i = 0; i < 64; i++) own[i] = x[i];
    for (int i = 0; i < 64; i++) own[at[i] & 63] += own[at[i + 1] & 63];
    x[get_global_id(0)] = own[at[3] & 63]; }"""
PRODUCT = """kernel void made_up(global float *x, int n) {
    local float a[16 * 64] __attribute__((aligned(16))), b[16 * 64] __attribute__((aligned(16)));
    float4 sum[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    const int i = get_local_id(0) & 15, j = (get_local_id(0) >> 4) & 15;
    for (int step = 0; step < n; step++) {
        for (int k = get_local_id(0); k < 16 * 64; k += 256) { a[k] = x[k + step]; b[k] = x[2 * k + step]; }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int k = 0; k < 16; k++) {
            const float4 v = *(const local float4 *)(a + k * 64 + 4 * i), w = *(const local float4 *)(b + k * 64 + 4 * j);
            sum[0] += v.x * w; sum[1] += v.y * w; sum[2] += v.z * w; sum[3] += v.w * w;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    for (int k = 0; k < 4; k++) ((global float4 *)x)[4 * get_global_id(0) + k] = sum[k]; }"""


def build_of(source, group=64):
    build = Build("made_up", "-cl-std=CL1.2", source)
    build.uses["made_up"].append(Use("op", "groups", "groups", "forward", "default", True, "large", "N=1", group))
    return build


class Compilers(unittest.TestCase):
    def compiled(self, vendor, source):
        if vendor.missing():
            self.skipTest(vendor.missing())
        with tempfile.TemporaryDirectory() as folder:
            return vendor.compile(build_of(source), vendor.targets, folder)

    def whats(self, vendor, source, group=64):
        facts = self.compiled(vendor, source)
        return {f.what for target in facts
                for f in rules.failures_of(build_of(source, group), vendor, target, facts[target], rules.Bars("bars.txt"))}

    def test_nothing(self):
        for vendor in (Nvidia(FOLDER), Amd(FOLDER), Intel(FOLDER)):
            with self.subTest(vendor.name):
                self.assertEqual(self.whats(vendor, GOOD), set())

    def test_scratch(self):
        for vendor in (Nvidia(FOLDER), Amd(FOLDER)):
            with self.subTest(vendor.name):
                self.assertIn("scratch", self.whats(vendor, SCRATCH))

    def test_scratch_of_intel(self):
        facts = self.compiled(Intel(FOLDER), SCRATCH.replace("64", "2048").replace("63", "2047"))
        self.assertTrue(all(f["made_up"]["scratch"] or f["made_up"]["spills"] for f in facts.values()), facts)

    def test_absent(self):
        for vendor in (Nvidia(FOLDER), Amd(FOLDER), Intel(FOLDER)):
            with self.subTest(vendor.name):
                self.assertEqual(self.whats(vendor, GOOD.replace("made_up", "other")), {"absent"})

    def test_wrong_source(self):
        for vendor in (Nvidia(FOLDER), Amd(FOLDER), Intel(FOLDER)):
            with self.subTest(vendor.name), self.assertRaises(Failed):
                self.compiled(vendor, GOOD.replace("2.0f", "no_such_name"))

    def test_undefined_function(self):
        for vendor in (Nvidia(FOLDER), Amd(FOLDER)):
            with self.subTest(vendor.name), self.assertRaises(Failed):
                self.compiled(vendor, "float nowhere(float x);" + GOOD.replace("2.0f", "nowhere(2.0f)"))

    def test_product(self):
        """Its share is its multiply-adds over all; its loads of local memory are wide."""
        for vendor in (Nvidia(FOLDER), Amd(FOLDER)):
            with self.subTest(vendor.name):
                for facts in self.compiled(vendor, PRODUCT).values():
                    loop = facts["made_up"]["loops"][0]
                    self.assertGreaterEqual(loop["count"]["fma"], 8 if vendor.name == "AMD" else 16)  # AMD has packed ones
                    self.assertEqual(loop["share"], round(100 * loop["count"]["fma"] / loop["size"], 1))
                    self.assertEqual(facts["made_up"]["local"], 2 * 16 * 64 * 4)
                    self.assertEqual(rules.measured("wide", facts["made_up"]), 100)

    def test_lost_width(self):
        narrow = PRODUCT.replace("*(const local float4 *)(", "vload4(0, ").replace("(0, a +", "(0, a + 1 +")
        facts = self.compiled(Nvidia(FOLDER), narrow)
        self.assertTrue(all(rules.measured("wide", f["made_up"]) < 100 for f in facts.values()))

    def test_large_group(self):
        facts = {"made_up": {"registers": 100, "scratch": 0, "spills": 0, "loops": [], "memory": {}}}
        self.assertEqual([f.what for f in rules.failures_of(build_of(GOOD, 1024), Nvidia(FOLDER), "sm_90", facts, rules.Bars())],
                         ["group"])


class Rules(unittest.TestCase):
    def test_loops(self):
        """Of nested loops each has what is its own."""
        code = [("outer", "")] + [("fma", "")] * 40 + [("jump", "L1")] + [("fma", "")] * 35 + [("jump", "L0")]
        loops = loops_of(code, {"L0": 0, "L1": 1}, lambda op, to: to if op == "jump" else None, lambda op, _: op)
        self.assertEqual([(loop.size, loop.multiply_adds) for loop in loops], [(41, 40), (37, 35)])

    def test_barriers(self):
        code = [("fma", "")] * 20 + [("BAR", "")] + [("add", "")] * 9 + [("BAR", ""), ("fma", ""), ("jump", "L0")]
        loops = loops_of(code, {"L0": 0}, lambda op, to: to if op == "jump" else None, lambda op, _: op)
        self.assertEqual([(loop.size, loop.multiply_adds) for loop in loops], [(23, 21)])

    def test_known(self):
        with tempfile.NamedTemporaryFile("w", dir=rules.HERE, suffix=".txt") as file:
            file.write("one scratch nvidia amd # as it is\ntwo spills amd\n")
            file.flush()
            known = rules.Known(os.path.basename(file.name))
        failures = [rules.Failure("one", "scratch", "nvidia", ""), rules.Failure("one", "spills", "nvidia", "")]
        self.assertEqual(known.split(failures), ([failures[1]], 1))
        untrue = known.untrue(failures, lambda kernel, vendor: True)
        self.assertEqual([line.split(": ")[1].split(" is")[0] for line in untrue], ["one scratch amd", "two spills amd"])
        self.assertEqual(known.untrue(failures, lambda kernel, vendor: vendor == "nvidia"), [])

    def test_bars(self):
        facts = {"loops": [{"share": 70.0, "size": 200, "count": {"fma": 140, "LDS.32": 8, "LDS.128": 8}}], "memory": {}}
        self.assertEqual(rules.measured("fma", facts), 70)
        self.assertEqual(rules.measured("wide", facts), 50)
        self.assertIsNone(rules.measured("fma2", facts))
        self.assertEqual([what for what, _ in rules.under_bars(build_of(GOOD), "made_up", facts, rules.Bars())], ["bar"])


class Traffic(unittest.TestCase):
    """gelu, of which a program that is broken on purpose must be found."""

    def counted(self, old, new):
        counter = traffic.Traffic(FOLDER)
        if counter.missing():
            self.skipTest(counter.missing())
        kernels = os.path.join(rules.HERE, "..", "..", "kernels")
        with tempfile.TemporaryDirectory() as folder:
            os.system(f"cp -R '{kernels}'/. '{folder}'")
            path = os.path.join(folder, "gelu.cl")
            with open(path, encoding="utf-8") as file:
                text = file.read()
            self.assertTrue(old in text, f"{old} is not in gelu.cl")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text.replace(old, new, 1))
            os.environ["TURNOUT_KERNELS"] = folder
            try:
                return counter.one(traffic.Case("gelu", "N=2048", True, "forward", None))
            finally:
                del os.environ["TURNOUT_KERNELS"]

    def test_whole(self):
        result = self.counted("kernel void gelu_forward", "kernel void gelu_forward")
        self.assertEqual(result.kernels(), ["gelu_forward"])
        self.assertEqual(result.sum("gelu_forward", 32, "global", "load").least, 2048 * 4 / 32)
        self.assertNotIn("misaligned", [f.what for f in traffic.failures_of(result)])

    def test_broken(self):
        first = "const int first"
        strided = f"if (x[(8 * (int)get_global_id(0)) % count] > 1e30f) return;\n    {first}"
        result = self.counted(first, strided)
        self.assertIn("sectors", [f.what for f in traffic.failures_of(result)])
        result = self.counted(first, f"if (((const global float4 *)(x + 1))->s0 > 1e30f) return;\n    {first}")
        self.assertIn("misaligned", [f.what for f in traffic.failures_of(result)])
        banks = f"local float t[2048]; t[32 * get_local_id(0)] = 1.0f;\n    {first}"
        result = self.counted(first, banks)
        self.assertIn("turns", [f.what for f in traffic.failures_of(result)])


if __name__ == "__main__":
    unittest.main()
