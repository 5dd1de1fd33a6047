/* GELU in its tanh form (Hendrycks and Gimpel, 2016): y = ½x·(1 + tanh g) with g = √(2/π)·(x + 0.044715·x³).
 * It is computed as x·s with s = 1/(1 + e^-2g), which is the same and keeps its digits where y is close to 0.
 */

#ifndef VECTORS
#define VECTORS 128 /* vectors of LANES elements a work-item owns */
#endif

/* 2g = x·(TWICE + CUBIC·x²) */
#define TWICE 1.5957691216f
#define CUBIC 0.0713548162726f

kernel void gelu_forward(global float *restrict y,       /* [count] */
                         const global float *restrict x, /* [count] */
                         int count) {
    const int first = get_global_id(0) * (VECTORS * LANES);
    const int last = min(first + VECTORS * LANES, count);
    for (int i = first; i < last; i += LANES) {
        const floatv v = load_part(x + i, last - i);
        floatv e;
        store_part(v * sigmoidv(v * (TWICE + CUBIC * v * v), &e), y + i, last - i);
    }
}

/* dx = dy·(s + x·s·(1 - s)·(2g)'). Past |x| = 7 the slope is 0 or 1 in fp32; x is held there, so that nothing
 * overflows on the way. */
kernel void gelu_backward(global float *dx,               /* [count] */
                          const global float *dy,         /* [count], may be dx */
                          const global float *restrict x, /* [count] */
                          int count) {
    const int first = get_global_id(0) * (VECTORS * LANES);
    const int last = min(first + VECTORS * LANES, count);
    for (int i = first; i < last; i += LANES) {
        floatv v = load_part(x + i, last - i);
        v = v > (floatv)(7.0f) ? (floatv)(7.0f) : v < (floatv)(-7.0f) ? (floatv)(-7.0f) : v;
        floatv e;
        const floatv square = v * v, s = sigmoidv(v * (TWICE + CUBIC * square), &e);
        const floatv slope = s + v * s * (e * s) * (TWICE + 3.0f * CUBIC * square);
        store_part(load_part(dy + i, last - i) * slope, dx + i, last - i);
    }
}
