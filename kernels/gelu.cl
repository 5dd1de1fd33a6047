/* GELU in its tanh form (Hendrycks and Gimpel, 2016): y = ½x·(1 + tanh g) with g = √(2/π)·(x + 0.044715·x³).
 * gelu_value and gelu_slope stand in common.cl, for products that end in them. A work-item owns `share`
 * neighbours. */

kernel void gelu_forward(global float *restrict y,       /* [count] */
                         const global float *restrict x, /* [count] */
                         int share, int count) {
    const int first = get_global_id(0) * share, last = min(first + share, count);
#define AT(i, left) store_out(gelu_value(load_ahead(x + (i), left)), y + (i), left)
    OVER_RUNS(first, last, AT);
#undef AT
}

kernel void gelu_backward(global float *dx,               /* [count] */
                          const global float *dy,         /* [count], may be dx */
                          const global float *restrict x, /* [count] */
                          int share, int count) {
    const int first = get_global_id(0) * share, last = min(first + share, count);
#define AT(i, left)                                                                                          \
    store_out(load_ahead(dy + (i), left) * gelu_slope(load_ahead(x + (i), left)), dx + (i), left)
    OVER_RUNS(first, last, AT);
#undef AT
}
