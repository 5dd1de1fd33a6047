#!/usr/bin/env python3
"""torch_peer.py SCRIPT: bench/peers/torch_peer.py with a made-up PyTorch: which card it takes, what it sets there,
what it answers. No card and no PyTorch is needed."""

import array
import os
import subprocess
import sys
import tempfile

NUMPY = """
import array
float32 = "f"
def fromfile(path, dtype):
    values = array.array("f")
    with open(path, "rb") as file:
        values.frombytes(file.read())
    return values
"""

TORCH = """
import os, time
SETTING = os.environ["FAKE_TORCH"].split()
__version__ = "9.9"
float32 = "f"
precision = "medium"

class Device:
    def __init__(self, kind, index): self.kind, self.index = kind, index
    def __eq__(self, other): return other and (self.kind, self.index) == (other.kind, other.index)
device = Device

class Tensor:
    def __init__(self, values, shape, on=None): self.values, self.shape, self.on = list(values), shape, on
    def reshape(self, shape): return Tensor(self.values, tuple(shape), self.on)
    def to(self, on): return Tensor(self.values, self.shape, on)
    def t(self):
        rows, columns = self.shape
        return Tensor([self.values[r * columns + c] for c in range(columns) for r in range(rows)], (columns, rows), self.on)
    def detach(self): return self
    def contiguous(self): return self
    def cpu(self): return Tensor(self.values, self.shape)
    def numpy(self):
        import array
        assert self.on is None, "numpy() of a tensor that lies on a card"
        return array.array("f", self.values)

def from_numpy(values): return Tensor(values, (len(values),))
def empty(*shape, device=None): return Tensor([0] * (shape[0] * shape[1]), shape, device)

def mm(a, b, out):
    wanted = os.environ.get("FAKE_WANTED", "")
    on = f"{a.on.kind}:{a.on.index}" if a.on else ""
    assert on == wanted, f"works on {on!r}, not on {wanted!r}"
    assert a.on == b.on == out.on or not wanted
    if wanted:
        assert precision == "highest" and not backends.cuda.matmul.allow_tf32 and not backends.cudnn.allow_tf32, "TF32 is on"
        assert runtime_of(a.on.kind).current == a.on.index, "another card is current"
    (m, k), n = a.shape, b.shape[1]
    out.values = [sum(a.values[i * k + l] * b.values[l * n + j] for l in range(k)) for i in range(m) for j in range(n)]

def set_float32_matmul_precision(to):
    global precision
    precision = to
def set_num_threads(n): pass
def get_num_threads(): return 3

class Switch: allow_tf32 = True
class backends:
    class cuda: matmul = Switch()
    cudnn = Switch()

class Properties: pass
class Runtime:
    def __init__(self, kind):
        self.cards, self.current, self.waited = [s.split("=") for s in SETTING if s.startswith(kind)], 0, 0
    def is_available(self): return bool(self.cards)
    def device_count(self): return len(self.cards)
    def set_device(self, i): self.current = i
    def synchronize(self): self.waited += 1
    def get_device_properties(self, i):
        p = Properties()
        p.name = "Card " + str(i)
        if self.cards[i][1] != "?":
            p.pci_domain_id, p.pci_bus_id, p.pci_device_id = (int(n, 16) for n in self.cards[i][1].split(":"))
        return p
    class Event:
        def __init__(self, enable_timing): assert enable_timing
        def record(self): self.at = time.perf_counter()
        def elapsed_time(self, end): return 1e3 * (end.at - self.at)
cuda, xpu = Runtime("cuda"), Runtime("xpu")
def runtime_of(kind): return cuda if kind == "cuda" else xpu
class version:
    cuda = "13.0"
    hip = "7.1" if "hip" in SETTING else None
"""

# Its setting, its argument, where products must run, words of the answer to prepare.
CASES = (
    ("", None, "", "ready PyTorch 9.9 3 threads"),
    ("cuda=0:17:0 cuda=0:65:0", "0000:65:00.0", "cuda:1", "ready PyTorch 9.9 Card 1 at 0000:65:00, CUDA 13.0, TF32 off, cuBLAS"),
    ("cuda=0:17:0 cuda=0:65:0", "17:00.0", "cuda:0", "Card 0 at 0000:17:00"),
    ("cuda=2:C1:1f", "0002:c1:1F.0", "cuda:0", "Card 0 at 0002:c1:1f"),
    ("cuda=0:83:0 hip", "0000:83:00.0", "cuda:0", "ROCm 7.1, TF32 off, rocBLAS"),
    ("xpu=0:3:0", "0000:03:00.0", "xpu:0", "XPU, TF32 off, oneMKL"),
    ("xpu=?", "0000:03:00.0", "xpu:0", "Card 0 the only card it sees, XPU"),
    ("xpu=? xpu=?", "0000:03:00.0", "", "unsupported PyTorch sees no card at 0000:03:00.0, but Card 0 at an address it does not tell"),
    ("cuda=0:17:0", "0000:65:00.0", "", "unsupported PyTorch sees no card at 0000:65:00.0, but Card 0 at 0000:17:00"),
    ("cuda=1:65:0", "0000:65:00.0", "", "unsupported PyTorch sees no card at 0000:65:00.0"),
    ("", "0000:65:00.0", "", "unsupported this PyTorch (9.9) sees no card"),
    ("cuda=0:17:0", "", "", "unsupported the driver of this device tells no PCI address"),
)


def fail(case, text):
    sys.exit(f"FAILED: {case[0]!r}, card {case[1]!r}: {text}")


def floats(path, values):
    with open(path, "wb") as file:
        array.array("f", values).tofile(file)


def check(script, folder, case):
    setting, card, wanted, words = case
    a, b, c = (os.path.join(folder, name) for name in "abc")
    floats(a, [1, 2, 3, 4, 5, 6])
    floats(b, [1, 0, 0, 1, 1, 1])
    environment = dict(os.environ, PYTHONPATH=folder, FAKE_TORCH=setting, FAKE_WANTED=wanted)
    lines = f"prepare gemm nn M=2 N=2 K=3 epilogue=0 {a} {b}\nrun 3\noutput {c}\nquit\n"
    argv = [sys.executable, script] + ([f"card={card}"] if card is not None else [])
    run = subprocess.run(argv, input=lines, env=environment, capture_output=True, text=True, timeout=60)
    answers = run.stdout.splitlines()
    if len(answers) != 3 or words not in answers[0]:
        fail(case, f"answers {answers}, {run.stderr[-300:]}")
    if answers[0].startswith("unsupported"):
        return
    seconds = answers[1].split()
    if seconds[0] != "seconds" or len(seconds) != (3 if wanted else 2) or not all(0 <= float(s) < 60 for s in seconds[1:]):
        fail(case, f"to 'run 3' it answers {answers[1]!r}")
    if wanted and float(seconds[2]) > float(seconds[1]):
        fail(case, f"events say more than the clock: {answers[1]!r}")
    got = array.array("f")
    with open(c, "rb") as file:
        got.frombytes(file.read())
    if answers[2] != "written" or list(got) != [4, 5, 10, 11]:
        fail(case, f"the product is {list(got)}")


def main():
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (("numpy.py", NUMPY), ("torch.py", TORCH)):
            with open(os.path.join(folder, name), "w") as file:
                file.write(text)
        for case in CASES:
            check(sys.argv[1], folder, case)
    print(len(CASES), "settings, all as they should be")


main()
