/* Attention of one query over a sequence's keys, a chunk of them at a time. */

#ifndef CHUNK
#define CHUNK 1024 /* keys that are summed before they join those of the chunks before: whole vectors */
#endif

#ifndef KEYS
#define KEYS 128 /* keys between two looks at the largest score: whole vectors, CHUNK at most */
#endif

#ifndef ASK
#define ASK 0 /* rows ahead that a CPU's caches are asked for; 0: none */
#endif

/* Vectors of a row of values that stay in registers. */
#define SPAN (D % (8 * LANES) == 0 ? 8 : D % (4 * LANES) == 0 ? 4 : D % (2 * LANES) == 0 ? 2 : 1)

/* Sums of a chunk of keys: of each head the largest score and the weight of all, then the values' sum. */
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

/* Asks for `count` rows, ASK behind the one at p. */
ALWAYS_INLINE void ask_for_rows(const global float *p, int count) {
#if ASK
    for (int i = 0; i < count * KV; i += 16)
        AHEAD(p, 4 * (size_t)(ASK * KV + i));
#endif
}

/* Scores of `count` keys of head h become e^(score - top), with zeros up to a whole vector; gives by how much
 * the sums so far shrink. */
static inline float weigh(float *sums, float *p, int h, int count) {
    float top = sums[h], lanes[LANES];
    floatv tops = top, weight = 0.0f;
    for (int j = count; j % LANES > 0; j++)
        p[j] = p[count - 1];
    for (int j = 0; j < count; j += LANES)
        tops = AT_LEAST(AT(p + j), tops);
    STOREV(tops, lanes);
    for (int l = 0; l < LANES; l++)
        top = AT_LEAST(lanes[l], top);
    for (int j = 0; j < count; j += LANES)
        AT(p + j) = expv(AT(p + j) - base_of(top));
    for (int j = count; j % LANES > 0; j++)
        p[j] = 0.0f;
    for (int j = 0; j < count; j += LANES)
        weight += AT(p + j);
    const float shrink = exp1(sums[h] - base_of(top));
    sums[h] = top;
    sums[HEADS + h] = sums[HEADS + h] * shrink + sumv(weight);
    return shrink;
}

/* Columns d ... of the sums of values: shrunk, and the values of `count` rows at v times their weights. SPAN
 * vectors stay in registers, so rows are read as they lie. */
ALWAYS_INLINE void add_values(float *sums, const float *shrink, const float *p, const global float *v, int d,
                              int count) {
    floatv acc[SPAN];
    UNROLL for (int i = 0; i < SPAN; i++) acc[i] =
        AT(sums + 2 * HEADS + d + i * LANES) * shrink[(d + i * LANES) / DH];
    for (int j = 0; j < count; j++) {
        if (d == 0)
            ask_for_rows(v + j * KV, 1);
        UNROLL for (int i = 0; i < SPAN; i++) {
            const int h = (d + i * LANES) / DH;
            acc[i] +=
                p[h * KEYS + j] * load_whole(v + j * KV + h / (HEADS / KV_HEADS) * DH + (d + i * LANES) % DH);
        }
    }
    UNROLL for (int i = 0; i < SPAN; i++) AT(sums + 2 * HEADS + d + i * LANES) = acc[i];
}

/* Keys `from` to `to` - 1 of a sequence, one at least, KEYS of them at a time: all their keys, then all their
 * values, so that memory is read in long runs. */
static inline void attend(float *sums, const float *q, const global float *k, const global float *v, int from,
                          int to, float scale) {
    sums_clear(sums);
    for (int j0 = from; j0 < to; j0 += KEYS) {
        float p[HEADS * KEYS], shrink[HEADS];
        const int count = min(KEYS, to - j0);
        for (int j = 0; j < count; j += LANES) {
            ask_for_rows(k + (j0 + j) * KV, LANES);
            for (int h = 0; h < HEADS; h++) {
                const global float *const keys = k + h / (HEADS / KV_HEADS) * DH;
                AT(p + h * KEYS + j) =
                    scale * (j + LANES <= count ? dot_rows(keys, KV, q + h * DH, DH, j0 + j)
                                                : dot_rows_end(keys, KV, q + h * DH, DH, j0 + j, to));
            }
        }
        for (int h = 0; h < HEADS; h++)
            shrink[h] = weigh(sums, p + h * KEYS, h, count);
        for (int d = 0; d < D; d += SPAN * LANES)
            add_values(sums, shrink, p, v + j0 * KV, d, count);
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
