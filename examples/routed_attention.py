#!/usr/bin/env python3
"""Causal attention for those few positions of a sequence that are routed, held against numpy.
python3 routed_attention.py [/path/of/libturnout.so]"""
import sys
from ctypes import CDLL, Structure, byref, c_bool, c_char, c_double, c_int, c_int64, c_long, c_size_t, c_void_p
import numpy as np

class Context(Structure):  # tn_context
    _fields_ = [("status", c_int), ("message", c_char * 8192), ("live", c_long), ("quiet", c_bool)]

class Shape(Structure):  # tn_flash_attention_shape
    _fields_ = [(name, c_int64) for name in "B T R Rkv max_rows H Dh Hkv window".split()]
    _fields_ += [("scale", c_double), ("at_most", c_bool)]

lib = CDLL(sys.argv[1] if len(sys.argv) > 1 else "libturnout.so.0.2")
context, device = Context(), c_void_p()

def must(status):
    if status != 0:
        sys.exit(context.message.decode())

def upload(array):
    buffer = c_void_p()
    must(lib.tn_buffer_create(device, c_size_t(array.nbytes), byref(buffer)))
    must(lib.tn_buffer_write(buffer, c_size_t(0), c_size_t(array.nbytes), c_void_p(array.ctypes.data)))
    return buffer

T, H, Dh = 256, 2, 32
rows = np.arange(3, T, 16, dtype=np.int32)  # the routed positions: queries for those, keys and values for all
k, v = np.random.default_rng(1).standard_normal((2, T, H * Dh), dtype=np.float32)
q, o, lse = k[rows] + v[rows], np.zeros((len(rows), H * Dh), np.float32), np.zeros((len(rows), H), np.float32)
bounds = [np.array([0, n], np.int32) for n in (len(rows), T)]

must(lib.tn_device_open_selected(byref(context), None, byref(device)))  # the first GPU, else the first CPU
buffers = [upload(array) for array in (o, lse, q, k, v, rows, *bounds)]
shape = Shape(B=1, T=T, R=len(rows), Rkv=T, max_rows=len(rows), H=H, Dh=Dh)
must(lib.tn_flash_attention_forward(device, byref(shape), *buffers, None, None))
must(lib.tn_buffer_read(buffers[0], c_size_t(0), c_size_t(o.nbytes), c_void_p(o.ctypes.data)))
for buffer in buffers:
    lib.tn_buffer_destroy(buffer)
lib.tn_device_close(device)

heads = [np.moveaxis(x.astype(float).reshape(-1, H, Dh), 1, 0) for x in (q, k, v)]  # [H, rows, Dh]
scores = heads[0] @ np.swapaxes(heads[1], 1, 2) / Dh**0.5
weights = np.exp(np.where(np.arange(T) <= rows[:, None], scores, -np.inf))
expected = np.moveaxis(weights @ heads[2] / weights.sum(2, keepdims=True), 0, 1).reshape(o.shape)
worst = abs(o - expected).max()
print(f"{len(rows)} of {T} positions, off by {worst:.1e} at most")
sys.exit(context.live != 0 or not worst < 1e-5)
