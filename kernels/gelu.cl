/* GELU in its tanh form (Hendrycks and Gimpel, 2016): y = ½x·(1 + tanh g) with g = √(2/π)·(x + 0.044715·x³).
 * gelu_value and gelu_slope stand in lib/math.cl, for products that end in them. A work-item owns `share`
 * neighbours. */

/* AT(i, left) for the vectors at first, first + LANES, … below last; left: elements from i on. With STREAM an
 * item's share is four streams, staggered so that their page boundaries (4 KiB) do not coincide: a core's
 * prefetcher starts anew at each, and never for all four at once. */
#if STREAM
#define STREAMS        4
#define STREAM_SIZE(n) ((n) >= 8192 ? ((n) / 4 - 256) / 1024 * 1024 + 256 : (n) / (4 * LANES) * LANES)
#else
#define STREAMS        1
#define STREAM_SIZE(n) ((n) / LANES * LANES)
#endif
#define FOR_VECTORS(first, last, AT)                                                                         \
    do {                                                                                                     \
        const int size_ = STREAM_SIZE((last) - (first));                                                     \
        for (int i_ = (first); i_ < (first) + size_; i_ += LANES)                                            \
            for (int s_ = 0; s_ < STREAMS; s_++)                                                             \
                AT(i_ + s_ * size_, LANES);                                                                  \
        for (int i_ = (first) + STREAMS * size_; i_ < (last); i_ += LANES)                                   \
            AT(i_, (last)-i_);                                                                               \
    } while (0)

kernel void gelu_forward(global float *restrict y,       /* [count] */
                         const global float *restrict x, /* [count] */
                         int share, int count) {
    const int first = get_global_id(0) * share, last = min(first + share, count);
#define AT(i, left) store_out(gelu_value(load_ahead(x + (i), left)), y + (i), left)
    FOR_VECTORS(first, last, AT);
#undef AT
}

kernel void gelu_backward(global float *dx,               /* [count] */
                          const global float *dy,         /* [count], may be dx */
                          const global float *restrict x, /* [count] */
                          int share, int count) {
    const int first = get_global_id(0) * share, last = min(first + share, count);
#define AT(i, left)                                                                                          \
    store_out(load_ahead(dy + (i), left) * gelu_slope(load_ahead(x + (i), left)), dx + (i), left)
    FOR_VECTORS(first, last, AT);
#undef AT
}
