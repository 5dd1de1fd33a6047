/* Masked attention for a list of query rows over dense keys, by blocks with an online softmax (Dao et al.,
 * 2022). A work-item owns TQ query rows of one head (or a chunk of keys, for the gradients); no barrier. Keys
 * are taken in blocks at fixed positions of their sequence, sums start anew at every CHUNK of them, and every
 * row is its own chain of operations: its bits depend neither on the rows beside it nor on whether one item
 * took all its chunks or each of them another.
 *
 * Rows of a sequence b: queries q_start[b] … q_start[b+1]−1, whose position is rows[r] − b·T, ascending; keys
 * kv_start[b] … kv_start[b+1]−1 at positions 0, 1, …  Packed tensors hold panels of 32 rows of one sequence
 * as [panel][H][DH][32]; sequence b's first panel is start[b]/32 + b. */

#ifndef TQ
#define TQ 12 /* query rows of a work-item */
#endif
#ifndef TK
#define TK 12 /* keys of a work-item in the pass for dk and dv */
#endif
#ifndef KB
#define KB 64 /* keys between two looks at the running maximum: a multiple of 32 */
#endif
#ifndef CHUNK
#define CHUNK 1024 /* keys after which sums start anew: a multiple of KB */
#endif
#ifndef DH
#define DH 32 /* width of a head: a multiple of VW */
#endif
#define NV (32 / VW)
#define DV (DH / VW)
#if DH % 32 == 0
#define COLS 32 /* columns accumulated in registers at a time */
#elif DH % 16 == 0
#define COLS 16
#else
#define COLS VW
#endif
#define CV      (COLS / VW)
#define IVEC    intv
#define LANE    LANE_NUMBERS
#define AS_UINT AS_UINTV
#define AS_VEC  AS_FLOATV
#define LOWEST                                                                                               \
    (-FLT_MAX)      /* stands for −∞ in a running maximum, below every score: differences are no NaN     \
                     */
#define MARGIN 8.0f /* the running maximum may lag by this: 2^8 does no harm, and it seldom moves */
#define LOG2E  1.44269504f
#define LN2    0.693147181f

/* 2^x for x < 126, exactly 0 from −128 down (so for a masked score), NaN for NaN: degree 6 on [−½, ½],
 * relative error 3e-9 before rounding. The integer part lands in the low bits, 128 more, and so makes a power
 * of two when they become the exponent's; the polynomial gives half of what is wanted. A product and no sum
 * of bits, which may take what a NaN carries to a number. */
static inline VEC exp2_of(VEC x) {
    const VEC clamped = AT_LEAST(x, (VEC)(-128.0f));
    const VEC shifted = clamped + 12583040.0f; /* 1.5·2^23 + 128 */
    const VEC f = clamped - (shifted - 12583040.0f);
    VEC y = 7.73072235e-5f;
    y = y * f + 6.70021409e-4f;
    y = y * f + 4.8090283395e-3f;
    y = y * f + 2.7751636135e-2f;
    y = y * f + 1.201132546e-1f;
    y = y * f + 3.4657360335e-1f;
    y = y * f + 0.5f;
    return y * AS_VEC(AS_UINT(shifted) << 23);
}

/* P of the backward passes: 2^(score − lse), which rounding alone takes past 1. */
static inline VEC probability(VEC x) {
    return exp2_of(AT_MOST(x, (VEC)(1.0f)));
}

static inline float largest(VEC v) {
    float tmp[VW];
    STORE_TILE(v, 0, tmp);
    UNROLL for (int n = VW / 2; n > 0; n /= 2) UNROLL for (int i = 0; i < n; i++) tmp[i] =
        AT_LEAST(tmp[i], tmp[i + n]);
    return tmp[0];
}

static inline int panel_base(const global int *start, int b) {
    return start[b] / 32 + b;
}

/* Last key a query at position t may see, −1 for none; the first is max(0, t − window + 1) with a window. */
static inline int last_key(int t, int b, int T, const global int *lengths) {
    return lengths && t >= min(lengths[b], T) ? -1 : t;
}

static inline int first_key(int t, int window) {
    return window > 0 ? max(0, t - window + 1) : 0;
}

/* turn(to, from, n, D): the first n of 32 rows at `from`, D apart, into a panel [DH][32], zeros behind them;
 * by blocks of 16 rows to 16 columns, where four perfect shuffles turn row·16 + column into column·16 + row.
 */
#if VW == 16
#define DEFINE_TURN(NAME, SPACE)                                                                             \
    ALWAYS_INLINE void NAME(SPACE float *to, const global float *from, int n, int D) {                       \
        for (int s = 0; s < 32; s += 16)                                                                     \
            for (int d = 0; d < DH; d += 16) {                                                               \
                float16 a[16];                                                                               \
                UNROLL for (int i = 0; i < 16; i++) a[i] =                                                   \
                    s + i < n ? vload16(0, from + (s + i) * D + d) : (float16)(0.0f);                        \
                transpose16(a);                                                                              \
                UNROLL for (int i = 0; i < 16; i++) PUT16(a[i], 0, to + (d + i) * 32 + s, SPACE);            \
            }                                                                                                \
    }
#else
#define DEFINE_TURN(NAME, SPACE)                                                                             \
    ALWAYS_INLINE void NAME(SPACE float *to, const global float *from, int n, int D) {                       \
        for (int s = 0; s < 32; s++)                                                                         \
            for (int d = 0; d < DH; d++)                                                                     \
                to[d * 32 + s] = s < n ? from[s * D + d] : 0.0f;                                             \
    }
#endif

/* A chunk's sum, weight and top of a row onto those of the chunks before it. fma, so that every kernel rounds
 * alike. */
#define DEFINE_FOLD(NAME, SPACE)                                                                             \
    static inline void NAME(float *sum, float *weight, float *top, const SPACE float *more,                  \
                            float more_weight, float more_top) {                                             \
        if (more_weight == 0.0f)                                                                             \
            return;                                                                                          \
        if (*weight == 0.0f) {                                                                               \
            *weight = more_weight;                                                                           \
            *top = more_top;                                                                                 \
            UNROLL for (int j = 0; j < DV; j++) STORE_TILE(LOAD(j, more), j, sum);                           \
            return;                                                                                          \
        }                                                                                                    \
        const float now = AT_LEAST(*top, more_top);                                                          \
        const VEC old = exp2_of((VEC)(*top - now)), fresh = exp2_of((VEC)(more_top - now));                  \
        *weight = fma(more_weight, fresh.s0, *weight * old.s0);                                              \
        *top = now;                                                                                          \
        UNROLL for (int j = 0; j < DV; j++)                                                                  \
            STORE_TILE(fma(LOAD(j, more), fresh, LOAD(j, sum) * old), j, sum);                               \
    }
DEFINE_FOLD(fold, private)
DEFINE_FOLD(fold_part, global)

/* The weight of a row that may see keys `first` to `last`. It sees itself, if any: where nothing weighs
 * anything all of its scores are −∞, and their softmax is no number. */
static inline float row_weight(float weight, int first, int last) {
    return weight == 0.0f && first <= last ? NAN : weight;
}

/* `weight` and its log; lse 0 where nothing is allowed. */
static inline void row_store(global float *o, global float *lse, const float *sum, float weight, float top,
                             float log_weight) {
    const float inverse = weight == 0.0f ? 0.0f : 1.0f / weight;
    *lse = weight == 0.0f ? 0.0f : fma(top, LN2, log_weight);
    UNROLL for (int j = 0; j < DV; j++) STORE(LOAD(j, sum) * inverse, j, o);
}
