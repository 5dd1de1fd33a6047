/* The ceilings a device really has: multiply-adds in registers, copying and reading of memory, an empty
 * launch. LANES: floats in a vector (16 for a CPU's registers, 4 for a GPU). ROUNDS: steps of the loop
 * unrolled by hand. */
/* CHUNKED 1: an item owns neighbouring vectors (CPU); 0: items take turns, so that a group reads whole lines
 * (GPU). */
#ifndef CHUNKED
#define CHUNKED 1
#endif

/* Twelve independent chains: as many as hide the latency of two fused units of latency 4 and still fit in
 * registers. */
#define EACH(STEP)                                                                                           \
    STEP(0) STEP(1) STEP(2) STEP(3) STEP(4) STEP(5) STEP(6) STEP(7) STEP(8) STEP(9) STEP(10) STEP(11)
#define DECLARE(i) floatv v##i = (floatv)(x + i);
/* Written so that the compiler may fuse it: fma() is a slow function where there is no such instruction. */
#define ADVANCE(i) v##i = v##i * a + b;
#define ADD(i)     sum += v##i;

/* out[item] = Σ over 12 chains i and LANES lanes of f^rounds(x + i), f(v) = a·v + b, x = item mod 8. */
kernel void roofline_mad(global float *restrict out, /* [items] */
                         float scale, float shift, int rounds, int items) {
    const int item = get_global_id(0);
    const float x = (float)(item & 7);
    const floatv a = (floatv)(scale), b = (floatv)(shift);
    if (item >= items)
        return;
    EACH(DECLARE)
    for (int r = 0; r < rounds; r++) {
        EACH(ADVANCE)
    }
    floatv sum = (floatv)(0.0f);
    EACH(ADD)
    out[item] = sumv(sum);
}

/* The vectors of one item: begin, begin + stride, … below end. */
#if CHUNKED
#define SHARE(n, items, item)                                                                                \
    const int begin = (int)((long)n * item / items), end = (int)((long)n * (item + 1) / items), stride = 1
#else
#define SHARE(n, items, item) const int begin = item, end = n, stride = items
#endif

/* to = from, n vectors. */
kernel void roofline_copy(global floatv *restrict to,         /* [n] vectors */
                          const global floatv *restrict from, /* [n] vectors */
                          int n, int items) {
    const int item = get_global_id(0);
    SHARE(n, items, item);
    if (item >= items)
        return;
    for (int i = begin; i < end; i += stride)
        to[i] = from[i];
}

/* A function, because some compilers halve 16 lanes where no function says that it takes them whole. */
static inline void put_past_caches(floatv v, global floatv *p) {
    STREAM_STORE(v, p);
}

/* The same past the caches, where the compiler has such stores, and an item's share in four runs at once: a
 * CPU's prefetcher starts anew at every page, and four runs are seldom all at a page's start. */
kernel void roofline_stream(global floatv *restrict to,         /* [n] vectors */
                            const global floatv *restrict from, /* [n] vectors */
                            int n, int items) {
    const int item = get_global_id(0);
    SHARE(n, items, item);
    const int run = (end - begin) / (4 * stride) * stride;
    if (item >= items)
        return;
    for (int i = begin; i < begin + run; i += stride) {
        put_past_caches(from[i], to + i);
        put_past_caches(from[i + run], to + i + run);
        put_past_caches(from[i + 2 * run], to + i + 2 * run);
        put_past_caches(from[i + 3 * run], to + i + 3 * run);
    }
    for (int i = begin + 4 * run; i < end; i += stride)
        put_past_caches(from[i], to + i);
}

/* A working set gone through `rounds` times in one launch, so that no launch is in the time: what a cache of
 * its size can do at best. Copied, or two arrays added into a third; what is written differs from round to
 * round. */
kernel void roofline_recopy(global floatv *restrict to,         /* [n] vectors */
                            const global floatv *restrict from, /* [n] vectors */
                            int n, int items, int rounds) {
    const int item = get_global_id(0);
    SHARE(n, items, item);
    for (int r = 0; item < items && r < rounds; r++)
        for (int i = begin; i < end; i += stride)
            to[i] = from[i] + (float)r;
}

kernel void roofline_readd(global floatv *restrict to,         /* [n] vectors */
                           const global floatv *restrict from, /* [2,n] vectors */
                           int n, int items, int rounds) {
    const int item = get_global_id(0);
    SHARE(n, items, item);
    for (int r = 0; item < items && r < rounds; r++)
        for (int i = begin; i < end; i += stride)
            to[i] = from[i] + from[i + n] * (float)r;
}

/* out[item] = sum of the item's share of n vectors, in four runs at once, once for each round. */
kernel void roofline_read(global float *restrict out,         /* [items] */
                          const global floatv *restrict from, /* [n] vectors */
                          int n, int items, int rounds) {
    const int item = get_global_id(0);
    SHARE(n, items, item);
    const int run = (end - begin) / (4 * stride) * stride;
    floatv a = (floatv)(0.0f), b = (floatv)(0.0f), c = (floatv)(0.0f), d = (floatv)(0.0f);
    for (int r = 0; item < items && r < rounds; r++) {
        for (int i = begin; i < begin + run; i += stride) {
            a += from[i];
            b += from[i + run];
            c += from[i + 2 * run];
            d += from[i + 3 * run];
        }
        for (int i = begin + 4 * run; i < end; i += stride)
            a += from[i];
    }
    if (item < items)
        out[item] = sumv(a + b + c + d);
}

/* Every value of [n] vectors read and written: the caches hold this and nothing else afterwards. */
kernel void roofline_touch(global floatv *restrict values, /* [n] vectors */
                           int n, int items) {
    const int item = get_global_id(0);
    SHARE(n, items, item);
    for (int i = begin; item < items && i < end; i += stride)
        values[i] = values[i] + 1.0f;
}

kernel void roofline_empty(global float *restrict out /* [1] */) {
    if (get_global_id(0) > 0)
        out[0] = 0.0f;
}
