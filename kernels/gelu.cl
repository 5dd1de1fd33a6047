/* GELU in its tanh form (Hendrycks and Gimpel, 2016): y = ½x·(1 + tanh g) with g = √(2/π)·(x + 0.044715·x³).
 * It is computed as x·s with s = 1/(1 + e^-2g), which is the same and keeps its digits where y is close to 0.
 * A work-item owns `share` neighbours. */

/* 2g = x·(TWICE + CUBIC·x²) */
#define TWICE 1.5957691216f
#define CUBIC 0.0713548162726f

inline floatv value(floatv x) {
    floatv e;
    return x * sigmoidv(x * (TWICE + CUBIC * x * x), &e);
}

/* s + x·s·(1 - s)·(2g)'. Past |x| = 7 it is 0 or 1 in fp32; x is held there, so that nothing overflows on the
 * way. */
inline floatv slope(floatv x) {
    x = x > (floatv)(7.0f) ? (floatv)(7.0f) : x < (floatv)(-7.0f) ? (floatv)(-7.0f) : x;
    floatv e;
    const floatv square = x * x, s = sigmoidv(x * (TWICE + CUBIC * square), &e);
    return s + x * s * (e * s) * (TWICE + 3.0f * CUBIC * square);
}

kernel void gelu_forward(global float *restrict y,       /* [count] */
                         const global float *restrict x, /* [count] */
                         int share, int count) {
    const int first = get_global_id(0) * share, last = min(first + share, count);
#define AT(i, left) store_out(value(load_ahead(x + (i), left)), y + (i), left)
    OVER_RUNS(first, last, AT);
#undef AT
}

kernel void gelu_backward(global float *dx,               /* [count] */
                          const global float *dy,         /* [count], may be dx */
                          const global float *restrict x, /* [count] */
                          int share, int count) {
    const int first = get_global_id(0) * share, last = min(first + share, count);
#define AT(i, left) store_out(load_ahead(dy + (i), left) * slope(load_ahead(x + (i), left)), dx + (i), left)
    OVER_RUNS(first, last, AT);
#undef AT
}
