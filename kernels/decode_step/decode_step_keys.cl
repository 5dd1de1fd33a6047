/* Attention of one query over a sequence's keys, a chunk of them at a time. */

#ifndef CHUNK
#define CHUNK                                                                                                \
    1024 /* keys that are summed before they are added to those of the chunks before: whole vectors */
#endif

/* Sums of a chunk of keys: of each head the largest score and the weight of sum, then the values' sum. */
#define PART_FLOATS (2 * HEADS + D)

/* Sums over keys: e^(score - top) of each head, and of those times the values. */
static inline void sums_clear(float *sums) {
    for (int h = 0; h < HEADS; h++) {
        sums[h] = -INFINITY;
        sums[HEADS + h] = 0.0f;
    }
    for (int d = 0; d < D; d++)
        sums[2 * HEADS + d] = 0.0f;
}

/* What exponents are taken against: no score at all counts as 0. */
static inline float base_of(float top) {
    return top == -INFINITY ? 0.0f : top;
}

/* e^(score - top) of LANES keys of head h, zeros past `left` of them; how much the sums so far shrink. */
ALWAYS_INLINE floatv weigh(float *sums, floatv scores, int h, int left, float *shrink) {
    float lanes[LANES], top = sums[h];
    STOREV(scores, lanes);
    for (int l = 0; l < LANES; l++)
        top = AT_LEAST(lanes[l], top);
    const floatv p = expv(scores - base_of(top));
    *shrink = exp1(sums[h] - base_of(top));
    sums[h] = top;
    STOREV(p, lanes);
    for (int l = left; l < LANES; l++)
        lanes[l] = 0.0f;
    const floatv kept = LOADV(lanes);
    sums[HEADS + h] = sums[HEADS + h] * *shrink + sumv(kept);
    return kept;
}

/* Keys `from` to `to` - 1 of a sequence, one at least. */
static inline void attend(float *sums, const float *q, const global float *k, const global float *v, int from,
                          int to, float scale) {
    sums_clear(sums);
    for (int j = from; j < to; j += LANES) {
        float p[HEADS * LANES], shrink[HEADS];
        for (int h = 0; h < HEADS; h++) {
            const global float *const keys = k + h / (HEADS / KV_HEADS) * DH;
            const floatv scores = j + LANES <= to ? dot_rows(keys, KV, q + h * DH, DH, j)
                                                  : dot_rows_end(keys, KV, q + h * DH, DH, j, to);
            AT(p + h * LANES) = weigh(sums, scores * scale, h, to - j, shrink + h);
        }
        for (int d = 0; d < D; d += LANES) {
            const int h = d / DH;
            const global float *const rows = v + h / (HEADS / KV_HEADS) * DH + d % DH;
            floatv sum = AT(sums + 2 * HEADS + d) * shrink[h];
            if (j + LANES <= to) {
                UNROLL for (int i = 0; i < LANES; i++) sum +=
                    p[h * LANES + i] * load_whole(rows + (j + i) * KV);
            } else
                for (int i = 0; j + i < to; i++)
                    sum += p[h * LANES + i] * load_whole(rows + (j + i) * KV);
            AT(sums + 2 * HEADS + d) = sum;
        }
    }
}

/* The sums of one more chunk. */
#define DEFINE_FOLD(name, space)                                                                             \
    static inline void name(float *sum, const space float *sums) {                                           \
        for (int h = 0; h < HEADS; h++) {                                                                    \
            const float top = AT_LEAST(sums[h], sum[h]), base = base_of(top);                                \
            const float before = exp1(sum[h] - base), by = exp1(sums[h] - base);                             \
            sum[h] = top;                                                                                    \
            sum[HEADS + h] = sum[HEADS + h] * before + sums[HEADS + h] * by;                                 \
            for (int d = 0; d < DH; d += LANES) {                                                            \
                const int at = 2 * HEADS + h * DH + d;                                                       \
                AT(sum + at) = AT(sum + at) * before + *(const space floatv_near *)(sums + at) * by;         \
            }                                                                                                \
        }                                                                                                    \
    }
DEFINE_FOLD(fold, private)
DEFINE_FOLD(fold_global, global)

/* The values' sums over their weights; `sum` may be what a comes from. */
static inline void divide(float *a, const float *sum) {
    for (int h = 0; h < HEADS; h++)
        for (int d = 0; d < DH; d += LANES)
            AT(a + h * DH + d) = AT(sum + 2 * HEADS + h * DH + d) / sum[HEADS + h];
}
