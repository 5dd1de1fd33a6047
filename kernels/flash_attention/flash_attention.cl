/* Masked attention of listed query rows over dense keys, by blocks with an online softmax (Dao et al., 2022).
 * What all kernels of the op share: sizes, lists of rows, 2^x, the sums of a chunk of keys.
 *
 * Keys are taken in blocks at fixed positions of their sequence; every CHUNK of them has partial sums of its
 * own, which are combined in the order of chunks. A row is a chain of operations that no other row enters. So
 * its bits depend neither on which rows share its tile nor on whether one work-item took all chunks or each
 * chunk had its own (split-K).
 *
 * Rows of sequence b: queries q_start[b] … q_start[b+1]−1, ascending, at positions rows[r] − b·T; keys and
 * values kv_start[b] … kv_start[b+1]−1 at positions 0, 1, …  Packed tensors hold panels of 32 rows of one
 * sequence as [panel][its heads][DH][32]; the first panel of sequence b is start[b]/32 + b. SHARE query heads
 * in a row read the same head of keys and values, of which there are HKV = H/SHARE. */

#if LANES == 1
#error "LANES is 4, 8 or 16"
#endif

#ifndef TQ
#define TQ 12 /* query rows of a tile */
#endif
#ifndef TK
#define TK 12 /* keys of a tile where dk and dv have a pass of their own */
#endif
#ifndef KB
#define KB 64 /* keys of a block, after which the running maximum is checked: a multiple of 32 */
#endif
#ifndef CHUNK
#define CHUNK 1024 /* keys that share partial sums: a multiple of KB */
#endif
#ifndef DH
#define DH 32 /* width of a head: a multiple of LANES */
#endif
#ifndef SHARE
#define SHARE 1 /* query heads that read one head of keys and values */
#endif
#define NV (32 / LANES)
#define DV (DH / LANES)
#if DH % 32 == 0
#define COLS 32 /* columns accumulated in registers at a time */
#elif DH % 16 == 0
#define COLS 16
#else
#define COLS LANES
#endif
#define CV (COLS / LANES)
/* A running maximum before any score: finite, so that no difference is ∞ − ∞. */
#define LOWEST (-FLT_MAX)
/* The running maximum is raised, and sums are rescaled, only once a score exceeds it by more than this:
 * exponentials stay below 2^MARGIN, and rescaling is rare. */
#define MARGIN 8.0f
#define LOG2E  1.44269504f
#define LN2    0.693147181f

/* By value, for every kernel; the host's tn_flash_attention_sizes. */
typedef struct {
    int B, T, R, H;      /* sequences, positions of each, listed query rows, query heads */
    int window;          /* keys that a query sees, its own included; 0: all up to its own */
    int tiles, per_item; /* tiles (work-groups, for staged) that the longest list of a sequence takes; tiles
                            of a work-item */
    int chunks, chunk;   /* chunks of keys of a sequence, 0: not split; keys of a chunk, backward */
    int head, heads;     /* first query head of this launch, query heads: multiples of SHARE */
    int whole;           /* backward: a work-item takes all chunks of its head, in order */
    float scale;         /* of the scores */
} attention_sizes;
typedef char attention_sizes_as_the_host_has_them[sizeof(attention_sizes) == 13 * 4 ? 1 : -1];

/* The lists: which positions ask, which sequence has which rows, and what hides keys from queries. */
typedef struct {
    const global int *rows, *q_start, *kv_start; /* [R], [B+1], [B+1] */
    const global int *segments, *lengths;        /* [B,T], [B]; NULL where absent */
} attention_lists;
#define LIST_ARGUMENTS                                                                                       \
    const global int *restrict rows, const global int *restrict q_start,                                     \
        const global int *restrict kv_start, const global int *segments, const global int *lengths
#define LISTS                                                                                                \
    { rows, q_start, kv_start, segments, lengths }

/* 2^x for x < 126; exactly 0 for x ≤ −128, so for a masked score; NaN for NaN. x = n + f with |f| ≤ ½; 2^f by
 * a polynomial of degree 6 (relative error 3e-9 before rounding), halved, so that n + 128 as exponent bits
 * gives 2·2^n. The two are multiplied: adding the exponent to the bits of 2^f could make a number of a NaN.
 */
static inline floatv exp2_of(floatv x) {
    const floatv clamped = AT_LEAST(x, (floatv)(-128.0f));
    const floatv shifted = clamped + 12583040.0f; /* 1.5·2^23 + 128 */
    const floatv f = clamped - (shifted - 12583040.0f);
    floatv y = 7.73072235e-5f;
    y = y * f + 6.70021409e-4f;
    y = y * f + 4.8090283395e-3f;
    y = y * f + 2.7751636135e-2f;
    y = y * f + 1.201132546e-1f;
    y = y * f + 3.4657360335e-1f;
    y = y * f + 0.5f;
    return y * AS_FLOATV(AS_UINTV(shifted) << 23);
}

/* P of the backward passes: 2^(score − lse), at most 1 but for rounding. */
static inline floatv probability(floatv x) {
    return exp2_of(AT_MOST(x, (floatv)(1.0f)));
}

static inline float largest(floatv v) {
    float tmp[LANES];
    STORE_TILE(v, 0, tmp);
    UNROLL for (int n = LANES / 2; n > 0; n /= 2) UNROLL for (int i = 0; i < n; i++) tmp[i] =
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

/* Binary search: the first of the ascending rows[first … end − 1] that is `row` or later; `end` when none is.
 */
static inline int row_at(const global int *rows, int first, int end, int row) {
    while (first < end) {
        const int middle = (first + end) / 2;
        if (rows[middle] < row)
            first = middle + 1;
        else
            end = middle;
    }
    return first;
}

/* turn(to, from, n, D): n ≤ 32 rows at `from`, D apart, transposed into a panel [DH][32], padded with zeros;
 * by blocks of 16×16 in registers. */
#if LANES == 16
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

/* Combines a chunk's partial sums of a row (Σ weight·value, Σ weight, maximum) with those of the chunks
 * before it. fma, so that every kernel rounds alike. */
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
        const floatv old = exp2_of((floatv)(*top - now)), fresh = exp2_of((floatv)(more_top - now));         \
        *weight = fma(more_weight, fresh.s0, *weight * old.s0);                                              \
        *top = now;                                                                                          \
        UNROLL for (int j = 0; j < DV; j++)                                                                  \
            STORE_TILE(fma(LOAD(j, more), fresh, LOAD(j, sum) * old), j, sum);                               \
    }
DEFINE_FOLD(fold, private)
DEFINE_FOLD(fold_partial, global)

/* The weight of a row that may see keys `first` to `last`. One that sees any key sees its own: a weight of 0
 * then means that all scores are −∞, and their softmax is NaN. */
static inline float row_weight(float weight, int first, int last) {
    return weight == 0.0f && first <= last ? NAN : weight;
}

/* One row of o, and its lse; both 0 where the mask leaves no key. */
static inline void row_store(global float *o, global float *lse, const float *sum, float weight, float top,
                             float log_weight) {
    const float inverse = weight == 0.0f ? 0.0f : 1.0f / weight;
    *lse = weight == 0.0f ? 0.0f : fma(top, LN2, log_weight);
    UNROLL for (int j = 0; j < DV; j++) STORE(LOAD(j, sum) * inverse, j, o);
}

/* Partial sums of one chunk of a row, [DH+2], for flash_attention_join. */
static inline void partial_store(global float *to, const float *sum, float weight, float top) {
    for (int j = 0; j < DV; j++)
        STORE(LOAD(j, sum), j, to);
    to[DH] = weight;
    to[DH + 1] = top;
}
