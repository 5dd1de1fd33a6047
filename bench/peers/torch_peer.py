#!/usr/bin/env python3
"""PyTorch behind the lines of bench/peers/README.md."""

import os
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

    values = numpy.fromfile(path, dtype=numpy.float32)
    return torch.from_numpy(values).reshape(shape)


def gemm(passes, dims, files):
    """C = A·B with either turned, as in host/ops/gemm.h."""
    if dims.get("epilogue"):
        raise Refused("torch.mm adds no bias; epilogue=0 can be compared")
    m, n, k = dims["M"], dims["N"], dims["K"]
    a = floats(files[0], k, m).t() if passes == "tn" else floats(files[0], m, k)
    b = floats(files[1], n, k).t() if passes == "nt" else floats(files[1], k, n)
    c = torch.empty(m, n)

    def call():
        torch.mm(a, b, out=c)
        return [c]

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
    answer(f"ready PyTorch {torch.__version__} {torch.get_num_threads()} threads{getattr(call, 'note', '')}")
    return call


def handle(call, word, rest):
    if word == "prepare":
        return prepare(rest.split())
    if call is None:
        raise ValueError("nothing is prepared")
    if word == "run":
        count = int(rest)
        start = time.perf_counter()
        for _ in range(count):
            call()
        answer(f"seconds {time.perf_counter() - start:.9g}")
    elif word == "output":
        with open(rest.strip(), "wb") as file:
            for x in getattr(call, "result", call)():
                file.write(x.detach().contiguous().numpy().tobytes())
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

torch.set_num_threads(len(os.sched_getaffinity(0)))
main()
