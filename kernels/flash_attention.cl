/* Masked attention for a list of query rows over dense keys, by blocks with an online softmax (Dao et al.,
 * 2022). A work-item owns TQ query rows of one head (or a chunk of keys, for the gradients); no barrier. Keys
 * are taken in blocks at fixed positions of their sequence, sums start anew at every CHUNK of them, and every
 * row is its own chain of operations: its bits depend neither on the rows beside it nor on whether one item
 * took all its chunks or each of them another.
 *
 * Rows of a sequence b: queries q_start[b] … q_start[b+1]−1, whose position is rows[r] − b·T, ascending; keys
 * kv_start[b] … kv_start[b+1]−1 at positions 0, 1, …  Packed tensors hold panels of 32 rows of one sequence
 * as [panel][H][DH][32]; sequence b's first panel is start[b]/32 + b. */

#ifndef VW
#define VW 16 /* lanes of a vector */
#endif
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
#define CV          (COLS / VW)
#define JOIN_(a, b) a##b
#define JOIN(a, b)  JOIN_(a, b)
#define VEC         JOIN(float, VW)
#define IVEC        JOIN(int, VW)
#define LOAD        JOIN(vload, VW)
#if VW == 16
#define STORE(v, j, p)      PUT16(v, j, p, global)
#define STORE_TILE(v, j, p) PUT16(v, j, p, private)
#define LANE                (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
#else
#define STORE(v, j, p)      JOIN(vstore, VW)(v, j, p)
#define STORE_TILE(v, j, p) JOIN(vstore, VW)(v, j, p)
#if VW == 8
#define LANE (int8)(0, 1, 2, 3, 4, 5, 6, 7)
#else
#define LANE (int4)(0, 1, 2, 3)
#endif
#endif
#define AS_UINT JOIN(as_uint, VW)
#define AS_VEC  JOIN(as_float, VW)
#define UNROLL  _Pragma("unroll")
#define LOWEST  (-1e30f) /* stands for −∞ in a running maximum: differences stay numbers */
#define MARGIN  8.0f     /* the running maximum may lag by this: 2^8 does no harm, and it seldom moves */
#define LOG2E   1.44269504f
#define LN2     0.693147181f

/* 2^x for x < 126, exactly 0 from −127 down (so for a masked score), where the exponent's bits come out 0:
 * degree 6 on [−½, ½], relative error 3e-9 before rounding. */
static inline VEC exp2_of(VEC x) {
    const VEC clamped = AT_LEAST(x, (VEC)(-127.0f));
    const VEC shifted = clamped + 12582912.0f; /* 1.5·2^23: the integer part lands in the low bits */
    const VEC f = clamped - (shifted - 12582912.0f);
    VEC y = 1.546144470e-4f;
    y = y * f + 1.340042818e-3f;
    y = y * f + 9.618056679e-3f;
    y = y * f + 5.550327227e-2f;
    y = y * f + 2.402265092e-1f;
    y = y * f + 6.931472067e-1f;
    y = y * f + 1.0f;
    return AS_VEC(AS_UINT(y) + (AS_UINT(shifted) << 23));
}

static inline float largest(VEC v) {
    float tmp[VW];
    STORE_TILE(v, 0, tmp);
    UNROLL for (int n = VW / 2; n > 0; n /= 2) UNROLL for (int i = 0; i < n; i++) tmp[i] =
        AT_LEAST(tmp[i], tmp[i + n]);
    return tmp[0];
}

static inline float total(VEC v) {
    float tmp[VW];
    STORE_TILE(v, 0, tmp);
    UNROLL for (int n = VW / 2; n > 0; n /= 2) UNROLL for (int i = 0; i < n; i++) tmp[i] += tmp[i + n];
    return tmp[0];
}

/* out[H][32] = Σ_d tile[·][d] · panel[d][0..31], rows of out `ld` apart */
#define DEFINE_SCORES(NAME, H, SPACE)                                                                        \
    ALWAYS_INLINE void NAME(float *out, int ld, const float *tile, const SPACE float *panel) {               \
        VEC acc[H][NV];                                                                                      \
        UNROLL for (int i = 0; i < H; i++) UNROLL for (int j = 0; j < NV; j++) acc[i][j] = 0.0f;             \
        for (int d = 0; d < DH; d++) {                                                                       \
            VEC row[NV];                                                                                     \
            UNROLL for (int j = 0; j < NV; j++) row[j] = LOAD(d * NV + j, panel);                            \
            UNROLL for (int i = 0; i < H; i++) UNROLL for (int j = 0; j < NV; j++) acc[i][j] +=              \
                tile[i * DH + d] * row[j];                                                                   \
        }                                                                                                    \
        UNROLL for (int i = 0; i < H; i++) UNROLL for (int j = 0; j < NV; j++)                               \
            STORE_TILE(acc[i][j], j, out + i * ld);                                                          \
    }

/* sum[H][DH] += Σ_{s<count} p[·][s] · x[s][0..DH-1], rows of p `ld`, of x D apart */
#define DEFINE_GATHER(NAME, H, SPACE)                                                                        \
    ALWAYS_INLINE void NAME(float *sum, const float *p, int pi, int ps, int count, const SPACE float *x,     \
                            int D) {                                                                         \
        for (int c = 0; c < DH; c += COLS) {                                                                 \
            VEC acc[H][CV];                                                                                  \
            UNROLL for (int i = 0; i < H; i++) UNROLL for (int j = 0; j < CV; j++) acc[i][j] =               \
                LOAD(j, sum + i * DH + c);                                                                   \
            for (int s = 0; s < count; s++) {                                                                \
                VEC row[CV];                                                                                 \
                UNROLL for (int j = 0; j < CV; j++) row[j] = LOAD(j, x + s * D + c);                         \
                UNROLL for (int i = 0; i < H; i++) UNROLL for (int j = 0; j < CV; j++) acc[i][j] +=          \
                    p[i * pi + s * ps] * row[j];                                                             \
            }                                                                                                \
            UNROLL for (int i = 0; i < H; i++) UNROLL for (int j = 0; j < CV; j++)                           \
                STORE_TILE(acc[i][j], j, sum + i * DH + c);                                                  \
        }                                                                                                    \
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

/* First of rows[first … end − 1], ascending, whose number is `row` or later; `end` where none is. */
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

typedef struct {
    int b, first, count, keys;      /* sequence; first row; rows of this tile, 0: nothing to do; keys */
    int low[TQ], high[TQ], own[TQ]; /* of each row: keys it may see, segment */
    int from, to, all_from, all_to; /* keys that some row may see; that all may, but for segments */
    int lowest_own, highest_own;
} tile_rows;

static inline tile_rows tile_of(int tile, int tiles, int B, int T, int window, const global int *rows,
                                const global int *q_start, const global int *kv_start,
                                const global int *segments, const global int *lengths) {
    tile_rows r;
    r.b = tile / tiles;
    r.count = 0;
    if (r.b >= B)
        return r;
    r.first = q_start[r.b] + tile % tiles * TQ;
    r.count = clamp(q_start[r.b + 1] - r.first, 0, TQ);
    r.keys = kv_start[r.b + 1] - kv_start[r.b];
    r.from = r.lowest_own = r.all_to = INT_MAX;
    r.all_from = 0;
    r.to = -1;
    r.highest_own = INT_MIN;
    for (int i = 0; i < TQ; i++) {
        r.low[i] = r.own[i] = 0;
        r.high[i] = -1;
        if (i >= r.count)
            continue;
        const int row = rows[r.first + i], t = row - r.b * T;
        r.low[i] = first_key(t, window);
        r.high[i] = min(last_key(t, r.b, T, lengths), r.keys - 1);
        r.all_from = max(r.all_from, r.low[i]);
        r.all_to = min(r.all_to, r.high[i]);
        if (r.high[i] < r.low[i])
            continue;
        r.from = min(r.from, r.low[i]);
        r.to = max(r.to, r.high[i]);
        r.own[i] = segments ? segments[row] : 0;
        r.lowest_own = min(r.lowest_own, r.own[i]);
        r.highest_own = max(r.highest_own, r.own[i]);
    }
    return r;
}

/* Segments of positions s … s + VW − 1; past T any. */
static inline IVEC segments_at(const global int *seg, int s, int T) {
    if (s + VW <= T)
        return LOAD(0, seg + s);
    int part[VW];
    for (int l = 0; l < VW; l++)
        part[l] = seg[min(s + l, T - 1)];
    return LOAD(0, part);
}

/* Is there a segment among positions s0 … s0 + n − 1 that a row of the tile may belong to? */
static inline int segments_meet(const tile_rows *r, const global int *seg, int s0, int n, int T) {
    IVEC hit = 0;
    for (int s = 0; s < n; s += VW) {
        const IVEC at = segments_at(seg, s0 + s, T);
        hit |= (at >= r->lowest_own) & (at <= r->highest_own);
    }
    return any(hit);
}

/* Scores of the 32 keys from s0 that a row may not see become −∞. */
static inline void mask_panel(float *p, int ld, int s0, const tile_rows *r, const global int *seg, int T) {
    if (s0 >= r->all_from && s0 + 31 <= r->all_to && !seg)
        return;
    for (int j = 0; j < NV; j++) {
        const IVEC at = s0 + j * VW + LANE, of = seg ? segments_at(seg, s0 + j * VW, T) : 0;
        for (int i = 0; i < TQ; i++) {
            const IVEC hide = (at < r->low[i]) | (at > r->high[i]) | (of != r->own[i]);
            STORE_TILE(select(LOAD(j, p + i * ld), (VEC)(-INFINITY), hide), j, p + i * ld);
        }
    }
}

/* tile[TQ][DH]: the tile's rows of x, times `scale`; zero where the tile has no row. */
static inline void tile_load(float *tile, const global float *x, int first, int count, int D, float scale) {
    for (int i = 0; i < TQ; i++)
        for (int j = 0; j < DV; j++)
            STORE_TILE(i < count ? LOAD(j, x + (first + i) * D) * scale : (VEC)(0.0f), j, tile + i * DH);
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

/* `weight` and its log; lse 0 where nothing is allowed. */
static inline void row_store(global float *o, global float *lse, const float *sum, float weight, float top,
                             float log_weight) {
    const float inverse = weight == 0.0f ? 0.0f : 1.0f / weight;
    *lse = weight == 0.0f ? 0.0f : fma(top, LN2, log_weight);
    UNROLL for (int j = 0; j < DV; j++) STORE(LOAD(j, sum) * inverse, j, o);
}
