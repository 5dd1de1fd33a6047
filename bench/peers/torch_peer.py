#!/usr/bin/env python3
"""PyTorch behind the lines of bench/peers/README.md. With an argument card=ADDRESS it works on the card at that
PCI address, by whatever its build has for it, else on the processor."""

import ctypes
import os
import re
import sys
import time

answers = os.fdopen(os.dup(1), "w")  # what a library prints must not stand among answers
os.dup2(2, 1)


def answer(text):
    answers.write(text.replace("\n", " ")[:1000] + "\n")
    answers.flush()


class Refused(Exception):
    """This peer cannot do that; not a fault."""


def floats(path, *shape):
    import numpy

    values = torch.from_numpy(numpy.fromfile(path, dtype=numpy.float32)).reshape(shape)
    return values.to(card.device) if card else values


def place(text):
    """A PCI address as numbers: domain, bus, device."""
    found = re.fullmatch(r"(?:([0-9a-fA-F]+):)?([0-9a-fA-F]+):([0-9a-fA-F]+)(?:\.[0-9a-fA-F]+)?", text)
    return tuple(int(part or "0", 16) for part in found.groups()) if found else None


def address_by_driver(library, function, index):
    """What the driver says of the device that its runtime counts as `index`."""
    try:
        ask, text = getattr(ctypes.CDLL(library), function), ctypes.create_string_buffer(32)
    except (OSError, AttributeError):
        return None
    return place(text.value.decode()) if ask(text, len(text), index) == 0 else None


class Card:
    """One of torch.cuda's devices (CUDA or ROCm) or torch.xpu's."""

    def __init__(self, kind, index):
        self.index = index
        self.runtime = torch.xpu if kind == "xpu" else torch.cuda
        self.properties = self.runtime.get_device_properties(index)
        self.device = torch.device(kind, index)
        hip = getattr(torch.version, "hip", None)
        if kind == "xpu":
            self.build, self.blas, self.driver = "XPU", "oneMKL", None
        elif hip:
            self.build, self.blas, self.driver = f"ROCm {hip}", "rocBLAS", ("libamdhip64.so", "hipDeviceGetPCIBusId")
        else:
            self.build, self.blas, self.driver = f"CUDA {torch.version.cuda}", "cuBLAS", ("libcuda.so.1", "cuDeviceGetPCIBusId")

    def place(self):
        """None where neither PyTorch nor the driver tells."""
        p = self.properties
        if getattr(p, "pci_bus_id", None) is not None:
            return (getattr(p, "pci_domain_id", 0), p.pci_bus_id, getattr(p, "pci_device_id", 0))
        return address_by_driver(*self.driver, self.index) if self.driver else None

    def use(self):
        """Full precision alone, and no work left from before."""
        self.runtime.set_device(self.index)
        torch.set_float32_matmul_precision("highest")
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        self.runtime.synchronize()


def find_card(address):
    wanted = place(address)
    if wanted is None:
        raise Refused("the driver of this device tells no PCI address by which PyTorch's card could be found")
    cards = []
    for kind, runtime in (("cuda", torch.cuda), ("xpu", getattr(torch, "xpu", None))):
        if runtime and runtime.is_available():
            cards += [Card(kind, i) for i in range(runtime.device_count())]
    seen = [(c, c.place()) for c in cards]
    for c, at in seen:
        if at == wanted:
            return c
    if len(seen) == 1 and seen[0][1] is None:
        return cards[0]
    if not cards:
        raise Refused(f"this PyTorch ({torch.__version__}) sees no card; a build for CUDA, ROCm or XPU is needed")
    shown = ", ".join(f"{c.properties.name} at " + ("an address it does not tell" if at is None else "%04x:%02x:%02x" % at) for c, at in seen)
    raise Refused(f"PyTorch sees no card at {address}, but {shown}")


def gemm(passes, dims, files):
    """C = A·B with either turned, as in host/ops/gemm.h."""
    if dims.get("epilogue"):
        raise Refused("torch.mm adds no bias; epilogue=0 can be compared")
    m, n, k = dims["M"], dims["N"], dims["K"]
    a = floats(files[0], k, m).t() if passes == "tn" else floats(files[0], m, k)
    b = floats(files[1], n, k).t() if passes == "nt" else floats(files[1], k, n)
    c = torch.empty(m, n, device=card.device) if card else torch.empty(m, n)

    def call():
        torch.mm(a, b, out=c)
        return [c]

    call.note = f", {card.blas}" if card else ""
    return call


def flash_attention(passes, dims, files):
    """Causal attention of every row; rows are [B,T,H·Dh]."""
    shape = (dims["B"], dims["T"], dims["H"], dims["Dh"])
    q, k, v = (floats(f, *shape).transpose(1, 2).contiguous() for f in files[:3])
    attention = torch.nn.functional.scaled_dot_product_attention

    def as_rows(x):
        return x.transpose(1, 2)

    if passes == "forward":

        def forward():
            with torch.no_grad():
                return [as_rows(attention(q, k, v, is_causal=True))]

        return forward
    gradient = floats(files[3], *shape).transpose(1, 2).contiguous()
    for x in (q, k, v):
        x.requires_grad_(True)

    def both():
        o = attention(q, k, v, is_causal=True)
        return [as_rows(d) for d in torch.autograd.grad(o, (q, k, v), gradient)]

    return both


def causal_conv(passes, dims, files):
    """Depthwise, causal, then silu; channels are put in front once, as PyTorch wants them."""
    batch, length, width, taps = dims["B"], dims["T"], dims["D"], dims["K"]

    def channels(path):
        return floats(path, batch, length, width).transpose(1, 2).contiguous()

    u = channels(files[0])
    # ours has w[d, j] on u[t - j]; a convolution here runs the other way
    w = floats(files[1], width, taps).flip(1).reshape(width, 1, taps).contiguous()
    b = floats(files[2], width)

    def convolve():
        z = torch.nn.functional.conv1d(u, w, b, padding=taps - 1, groups=width)
        return torch.nn.functional.silu(z[..., :length])

    if passes == "forward":

        def forward():
            with torch.no_grad():
                return [convolve().transpose(1, 2)]

        return forward
    gradient, before = channels(files[3]), channels(files[4])
    for x in (u, w, b):
        x.requires_grad_(True)

    def both():
        du, dw, db = torch.autograd.grad(convolve(), (u, w, b), gradient)
        return [(du + before).transpose(1, 2), dw.reshape(width, taps).flip(1), db]

    return both


class Model:
    """The recall model of host/model/README.md, soft gate, both tracks for all rows."""

    def __init__(self, dims, path):
        self.dims = dims
        self.shapes = self.parameter_shapes()
        self.start = floats(path, -1)
        self.p = {}
        at = 0
        for name, shape in self.shapes.items():
            count = 1
            for n in shape:
                count *= n
            self.p[name] = self.start[at : at + count].reshape(shape).clone().requires_grad_(True)
            at += count
        if at != self.start.numel():
            raise ValueError(f"{self.start.numel()} weights came, the model has {at}")
        self.make_optimizer()

    def parameter_shapes(self):
        """In the order of the specification, which is the order of the file."""
        g = self.dims
        d, f = g["D"], g["F"]
        shapes = {"embed.weight": (g["V"], d)}
        for i in range(g["layers"]):
            layer = {
                "norm1.weight": (d,),
                "mixer.conv.weight": (d, g["K"]),
                "mixer.conv.bias": (d,),
                "mixer.conv_out.weight": (d, d),
                "mixer.q.weight": (d, d),
                "mixer.k.weight": (d, d),
                "mixer.v.weight": (d, d),
                "mixer.o.weight": (d, d),
                "mixer.router.weight": (d,),
                "mixer.router.bias": (1,),
                "norm2.weight": (d,),
                "mlp.up.weight": (f, d),
                "mlp.up.bias": (f,),
                "mlp.down.weight": (d, f),
                "mlp.down.bias": (d,),
            }
            shapes.update({f"layers.{i}.{name}": shape for name, shape in layer.items()})
        shapes["norm.weight"] = (d,)
        shapes["head.weight"] = (g["V"], d)
        return shapes

    def make_optimizer(self):
        g = self.dims
        matrices = [x for name, x in self.p.items() if x.dim() == 2 and "conv.weight" not in name]
        rest = [x for name, x in self.p.items() if x.dim() != 2 or "conv.weight" in name]
        self.optimizer = torch.optim.AdamW(
            [{"params": matrices}, {"params": rest, "weight_decay": 0.0}],
            lr=g["lr"],
            betas=(g["beta1"], g["beta2"]),
            eps=g["eps"],
            weight_decay=g["weight_decay"],
            fused=True,
        )

    def reset(self):
        at = 0
        with torch.no_grad():
            for x in self.p.values():
                x.copy_(self.start[at : at + x.numel()].reshape(x.shape))
                at += x.numel()
        self.make_optimizer()

    def norm(self, x, name):
        return torch.nn.functional.rms_norm(x, (self.dims["D"],), self.p[name], self.dims["rms_eps"])

    def mixer(self, u, prefix):
        g, f, linear = self.dims, torch.nn.functional, torch.nn.functional.linear

        def w(name):
            return self.p[prefix + name]

        batch, length, width, taps = g["B"], g["T"], g["D"], g["K"]
        kernel = w("conv.weight").flip(1).unsqueeze(1)
        z = f.conv1d(u.transpose(1, 2), kernel, w("conv.bias"), padding=taps - 1, groups=width)[..., :length]
        c = linear(f.silu(z).transpose(1, 2), w("conv_out.weight"))

        def heads(name):
            return linear(u, w(name)).view(batch, length, g["H"], width // g["H"]).transpose(1, 2)

        a = f.scaled_dot_product_attention(
            heads("q.weight"), heads("k.weight"), heads("v.weight"), is_causal=True
        )
        o = linear(a.transpose(1, 2).reshape(batch, length, width), w("o.weight"))
        gate = torch.sigmoid(u @ w("router.weight") + w("router.bias")).unsqueeze(-1)
        return c + gate * (o - c)

    def loss(self, tokens, rows, labels):
        g, f = self.dims, torch.nn.functional
        x = f.embedding(tokens, self.p["embed.weight"])
        for i in range(g["layers"]):
            layer = f"layers.{i}."
            x = x + self.mixer(self.norm(x, layer + "norm1.weight"), layer + "mixer.")
            u = self.norm(x, layer + "norm2.weight")
            h = f.gelu(f.linear(u, self.p[layer + "mlp.up.weight"], self.p[layer + "mlp.up.bias"]), approximate="tanh")
            x = x + f.linear(h, self.p[layer + "mlp.down.weight"], self.p[layer + "mlp.down.bias"])
        x = x.reshape(-1, g["D"])[rows]
        return f.cross_entropy(f.linear(self.norm(x, "norm.weight"), self.p["head.weight"]), labels)


def step(passes, dims, files):
    """One training step: forward, loss, backward, clip, AdamW. Its result is the losses before steps 1 to 5."""
    model = Model(dims, files[0])
    tokens = floats(files[1], dims["B"], dims["T"]).long()
    rows, labels = (floats(f, dims["L"]).long() for f in files[2:4])
    loss_of = torch.compile(model.loss) if dims["compile"] else model.loss
    parameters = list(model.p.values())

    def call():
        model.optimizer.zero_grad(set_to_none=True)
        loss = loss_of(tokens, rows, labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, dims["clip"])
        model.optimizer.step()
        return loss

    def result():
        model.reset()
        return [torch.stack([call().detach() for _ in range(5)])]

    call.result = result
    call.note = ", compiled" if dims["compile"] else ", eager"
    return call


REAL = ("rms_eps", "lr", "beta1", "beta2", "eps", "weight_decay", "clip")
OPS = {
    "step": (step, ("step",)),
    "gemm": (gemm, ("nn", "nt", "tn")),
    "flash_attention": (flash_attention, ("forward", "forward+backward")),
    "causal_conv": (causal_conv, ("forward", "forward+backward")),
}


def prepare(words):
    global card
    if asked_card is not None and not card:
        card = find_card(asked_card)
        card.use()
    op, passes = words[0], words[1]
    pairs = (w.split("=") for w in words[2:] if not w.startswith("/"))
    dims = {k: int(v) if v.lstrip("-").isdigit() and k not in REAL else float(v) for k, v in pairs}
    files = [w for w in words[2:] if w.startswith("/")]
    make, known = OPS.get(op, (None, ()))
    if passes not in known:
        raise Refused(f"there is no {op} {passes} here")
    call = make(passes, dims, files)
    call()
    call()
    if card:
        card.runtime.synchronize()
        at = card.place()
        at = "the only card it sees" if at is None else "at %04x:%02x:%02x" % at
        where = f"{card.properties.name} {at}, {card.build}, TF32 off"
    else:
        where = f"{torch.get_num_threads()} threads"
    answer(f"ready PyTorch {torch.__version__} {where}{getattr(call, 'note', '')}")
    return call


def timed(call, count):
    """Seconds by the clock and, on a card, between two events of its own."""
    if not card:
        start = time.perf_counter()
        for _ in range(count):
            call()
        return f"{time.perf_counter() - start:.9g}"
    first, last = (card.runtime.Event(enable_timing=True) for _ in range(2))
    card.runtime.synchronize()
    start = time.perf_counter()
    first.record()
    for _ in range(count):
        call()
    last.record()
    card.runtime.synchronize()
    return f"{time.perf_counter() - start:.9g} {1e-3 * first.elapsed_time(last):.9g}"


def handle(call, word, rest):
    if word == "prepare":
        return prepare(rest.split())
    if call is None:
        raise ValueError("nothing is prepared")
    if word == "run":
        answer(f"seconds {timed(call, int(rest))}")
    elif word == "output":
        with open(rest.strip(), "wb") as file:
            for x in getattr(call, "result", call)():
                file.write(x.detach().contiguous().cpu().numpy().tobytes())
        answer("written")
    else:
        raise ValueError(f"'{word}' is not understood")
    return call


def main():
    call = None
    for line in sys.stdin:
        word, _, rest = line.partition(" ")
        word = word.strip()
        if word == "quit":
            break
        if word == "prepare":
            call = None  # memory of the last one goes first
        try:
            call = handle(call, word, rest)
        except Refused as why:
            answer(f"unsupported {why}")
        except Exception as why:  # one bad row, not the whole run
            answer(f"error {type(why).__name__}: {why}")


try:
    import numpy  # noqa: F401
    import torch
except ImportError as missing:
    for line in sys.stdin:
        if line.startswith("quit"):
            break
        answer(
            f"unsupported {missing} ({sys.executable}); ./dev peers makes an environment with it, --python names another"
        )
    sys.exit(0)

asked_card = next((word[len("card=") :] for word in sys.argv[1:] if word.startswith("card=")), None)
card = None  # found at the first prepare, which can say why not
torch.set_num_threads(len(os.sched_getaffinity(0)))
main()
