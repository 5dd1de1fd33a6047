#!/usr/bin/env python3
"""A text model of ours decoded by PyTorch, eager, with a cache: what `turnout generate` is held against.

    torch_decode.py RUN --prompt-file F --tokens N [--threads T] > bytes 2> figures.json

It follows host/model/README.md: per token the norm, the router, then the convolution track or attention of the
layer, keys and values of every token into a cache that is there beforehand, and the mlp. Greedy, as `generate` is
without --temperature: the bytes must be the same. Keys of tokens that are not routed are made at once, as is usual;
a row that is not routed skips q, attention and W_o, at the price of asking for the decision."""

import argparse
import json
import os
import statistics
import sys
import time

import numpy
import torch
import torch.nn.functional as F


def check(config):
    """What this does not follow: another model would come out, and its bytes would differ for no reason of ours."""
    for field, usual in (("window", "0"), ("match", "0"), ("added", "0")):
        if config.get(field, usual) != usual:
            sys.exit(f"torch_decode.py: models with {field} {config[field]} are not followed here")
    if "," in config["mixer"] or config["mixer"].startswith("match:"):
        sys.exit(f"torch_decode.py: the mixer {config['mixer']} is not followed here")


def read_model(path):
    """Tensors and config of a safetensors file."""
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        data = numpy.frombuffer(file.read(), dtype=numpy.uint8)
    tensors = {}
    for name, at in header.items():
        if name != "__metadata__":
            first, end = at["data_offsets"]
            flat = numpy.frombuffer(data[first:end].tobytes(), dtype=numpy.float32)
            tensors[name] = torch.from_numpy(flat.reshape(at["shape"]).copy())
    return tensors, header["__metadata__"]


class Layer:
    def __init__(self, weights, config, index, positions):
        def own(name):
            return weights.get(f"layers.{index}.{name}")

        self.mixer, self.heads = config["mixer"], int(config["heads"])
        self.kv_heads = int(config.get("kv_heads", self.heads))
        self.width = int(config["d_model"]) // self.heads
        self.taps, self.eps = int(config["conv_taps"]), float(config["rms_eps"])
        self.rope = config["positions"] == "rope"
        self.norm1, self.norm2 = own("norm1.weight"), own("norm2.weight")
        self.q, self.k, self.v, self.o = (own(f"mixer.{name}.weight") for name in "qkvo")
        self.conv, self.conv_bias, self.conv_out = (own(f"mixer.{n}") for n in ("conv.weight", "conv.bias", "conv_out.weight"))
        self.router, self.router_bias = own("mixer.router.weight"), own("mixer.router.bias")
        self.up, self.up_bias, self.down, self.down_bias = (own(f"mlp.{n}") for n in ("up.weight", "up.bias", "down.weight", "down.bias"))
        if self.conv is not None:
            self.conv = self.conv.flip(1).contiguous()  # the latest row last
            self.rows = torch.zeros(int(config["d_model"]), self.taps)
        if self.k is not None:
            shape = (1, self.kv_heads, positions, self.width)
            self.keys, self.values = torch.zeros(shape), torch.zeros(shape)
        half = self.width // 2
        self.turns = torch.tensor([10000.0 ** (-2 * i / self.width) for i in range(half)], dtype=torch.float64)

    def turn(self, x, t):
        if not self.rope:
            return x
        angle = self.turns * t
        cosine, sine = angle.cos().float(), angle.sin().float()
        a, b = x.chunk(2, -1)
        return torch.cat((a * cosine - b * sine, a * sine + b * cosine), -1)

    def attend(self, u, t):
        q = self.turn(F.linear(u, self.q).view(1, self.heads, 1, self.width), t)
        a = F.scaled_dot_product_attention(q, self.keys[:, :, : t + 1], self.values[:, :, : t + 1],
                                           enable_gqa=self.heads != self.kv_heads)
        return F.linear(a.reshape(1, -1), self.o)

    def routed(self, u, t):
        if self.mixer.startswith("periodic:"):
            return t % int(self.mixer[9:]) == 0
        if self.router is None:
            return self.mixer == "attention"
        return bool(u[0] @ self.router + self.router_bias >= 0)

    def step(self, x, t):
        u = F.rms_norm(x, x.shape[1:], self.norm1, self.eps)
        if self.k is not None:
            self.keys[0, :, t] = self.turn(F.linear(u, self.k).view(self.kv_heads, self.width), t)
            self.values[0, :, t] = F.linear(u, self.v).view(self.kv_heads, self.width)
        if self.conv is not None:
            self.rows = torch.cat((self.rows[:, 1:], u.t()), 1)
        if self.routed(u, t):
            x = x + self.attend(u, t)
        else:
            x = x + F.linear(F.silu(self.conv_bias + (self.conv * self.rows).sum(1)).unsqueeze(0), self.conv_out)
        hidden = F.gelu(F.linear(F.rms_norm(x, x.shape[1:], self.norm2, self.eps), self.up, self.up_bias), approximate="tanh")
        return x + F.linear(hidden, self.down, self.down_bias)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("run")
    parser.add_argument("--prompt-file", required=True)
    parser.add_argument("--tokens", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    weights, config = read_model(os.path.join(options.run, "model.safetensors"))
    check(config)
    with open(options.prompt_file, "rb") as file:
        prompt = list(file.read())
    positions = len(prompt) + options.tokens
    layers = [Layer(weights, config, i, positions) for i in range(int(config["layers"]))]
    embed, norm, head = weights["embed.weight"], weights["norm.weight"], weights["head.weight"]
    took, written, token = [], [], None
    with torch.inference_mode():
        for t in range(positions - 1):
            begun = time.perf_counter()
            x = embed[prompt[t] if t < len(prompt) else token].unsqueeze(0)
            for layer in layers:
                x = layer.step(x, t)
            if t >= len(prompt) - 1:
                token = int(F.linear(F.rms_norm(x, x.shape[1:], norm, layers[0].eps), head).argmax())
                written.append(token)
                took.append(time.perf_counter() - begun)
    sys.stdout.buffer.write(bytes(written))
    quartiles = statistics.quantiles(took, n=4)
    print(json.dumps({"peer": f"PyTorch {torch.__version__}", "threads": options.threads, "tokens": len(written),
                      "tokens_per_s": len(took) / sum(took), "ms_q1": 1e3 * quartiles[0], "ms": 1e3 * quartiles[1],
                      "ms_q3": 1e3 * quartiles[2]}), file=sys.stderr)


if __name__ == "__main__":
    main()
