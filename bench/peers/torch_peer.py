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


OPS = {
    "gemm": (gemm, ("nn", "nt", "tn")),
    "flash_attention": (flash_attention, ("forward", "forward+backward")),
    "causal_conv": (causal_conv, ("forward", "forward+backward")),
}


def prepare(words):
    op, passes = words[0], words[1]
    dims = {k: int(v) for k, v in (w.split("=") for w in words[2:] if not w.startswith("/"))}
    files = [w for w in words[2:] if w.startswith("/")]
    make, known = OPS.get(op, (None, ()))
    if passes not in known:
        raise Refused(f"there is no {op} {passes} here")
    call = make(passes, dims, files)
    call()
    call()
    answer(f"ready PyTorch {torch.__version__} {torch.get_num_threads()} threads")
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
            for x in call():
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
