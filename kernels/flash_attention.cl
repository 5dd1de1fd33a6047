/* Masked attention for a list of query rows over dense keys, by blocks with an online softmax (Dao et al.,
 * 2022). A work-item owns TQ query rows (or TK keys, for dk and dv) of one head; no barrier. Keys are taken
 * in blocks at fixed positions of their sequence and every row is its own chain of operations, so its bits do
 * not depend on the rows beside it.
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
#ifndef DH
#define DH 32 /* width of a head: a multiple of VW */
#endif

#define NV (32 / VW)
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
#else
#define STORE(v, j, p)      JOIN(vstore, VW)(v, j, p)
#define STORE_TILE(v, j, p) JOIN(vstore, VW)(v, j, p)
#endif
#define AS_INT JOIN(as_int, VW)
#define AS_VEC JOIN(as_float, VW)
#define UNROLL _Pragma("unroll")
#define LOWEST (-1e30f) /* stands for −∞ in a running maximum: differences stay numbers */
#define LOG2E  1.44269504f
#define LN2    0.693147181f

/* 2^x for x ≤ 1, exactly 0 below −125 (so for a masked score): degree 6 on [−½, ½], relative error 3e-9
 * before rounding. */
inline VEC exp2_of(VEC x) {
    const VEC clamped = max(x, (VEC)(-125.0f));
    const VEC shifted = clamped + 12582912.0f; /* 1.5·2^23: the integer part lands in the low bits */
    const VEC f = clamped - (shifted - 12582912.0f);
    VEC y = 1.546144470e-4f;
    y = y * f + 1.340042818e-3f;
    y = y * f + 9.618056679e-3f;
    y = y * f + 5.550327227e-2f;
    y = y * f + 2.402265092e-1f;
    y = y * f + 6.931472067e-1f;
    y = y * f + 1.0f;
    y = AS_VEC(AS_INT(y) + (AS_INT(shifted) << 23));
    return select(y, (VEC)(0.0f), x < -125.0f);
}

inline float largest(VEC v) {
    float tmp[VW], top;
    STORE_TILE(v, 0, tmp);
    top = tmp[0];
    for (int i = 1; i < VW; i++)
        top = max(top, tmp[i]);
    return top;
}

inline float total(VEC v) {
    float tmp[VW], sum = 0.0f;
    STORE_TILE(v, 0, tmp);
    for (int i = 0; i < VW; i++)
        sum += tmp[i];
    return sum;
}

/* out[H][32] = Σ_d tile[d][·] · panel[d][0..31] */
#define DEFINE_SCORES(NAME, H)                                                                               \
    ALWAYS_INLINE void NAME(float *out, int ld, const float *tile, const global float *panel) {              \
        VEC acc[H][NV];                                                                                      \
        UNROLL for (int i = 0; i < H; i++) UNROLL for (int j = 0; j < NV; j++) acc[i][j] = 0.0f;             \
        for (int d = 0; d < DH; d++) {                                                                       \
            VEC row[NV];                                                                                     \
            UNROLL for (int j = 0; j < NV; j++) row[j] = LOAD(d * NV + j, panel);                            \
            UNROLL for (int i = 0; i < H; i++) UNROLL for (int j = 0; j < NV; j++) acc[i][j] +=              \
                tile[d * H + i] * row[j];                                                                    \
        }                                                                                                    \
        UNROLL for (int i = 0; i < H; i++) UNROLL for (int j = 0; j < NV; j++)                               \
            STORE_TILE(acc[i][j], j, out + i * ld);                                                          \
    }

/* acc[H][DH] = acc · scale[H] + Σ_{s<count} p[·][s] · x[s][0..DH-1], x rows D apart */
#define DEFINE_GATHER(NAME, H)                                                                               \
    ALWAYS_INLINE void NAME(float *sum, const float *scale, const float *p, int ld, int count,               \
                            const global float *x, int D) {                                                  \
        for (int c = 0; c < DH; c += COLS) {                                                                 \
            VEC acc[H][CV];                                                                                  \
            UNROLL for (int i = 0; i < H; i++) UNROLL for (int j = 0; j < CV; j++) acc[i][j] =               \
                LOAD(j, sum + i * DH + c) * scale[i];                                                        \
            for (int s = 0; s < count; s++) {                                                                \
                VEC row[CV];                                                                                 \
                UNROLL for (int j = 0; j < CV; j++) row[j] = LOAD(j, x + s * D + c);                         \
                UNROLL for (int i = 0; i < H; i++) UNROLL for (int j = 0; j < CV; j++) acc[i][j] +=          \
                    p[i * ld + s] * row[j];                                                                  \
            }                                                                                                \
            UNROLL for (int i = 0; i < H; i++) UNROLL for (int j = 0; j < CV; j++)                           \
                STORE_TILE(acc[i][j], j, sum + i * DH + c);                                                  \
        }                                                                                                    \
    }

DEFINE_SCORES(scores_q, TQ)
DEFINE_GATHER(gather_q, TQ)
#if TK == TQ
#define scores_k scores_q
#define gather_k gather_q
#else
DEFINE_SCORES(scores_k, TK)
DEFINE_GATHER(gather_k, TK)
#endif

inline int panel_base(const global int *start, int b) {
    return start[b] / 32 + b;
}

/* Last key a query at position t may see, −1 for none; the first is max(0, t − window + 1) with a window. */
inline int last_key(int t, int b, int T, const global int *lengths) {
    return lengths && t >= min(lengths[b], T) ? -1 : t;
}

inline int first_key(int t, int window) {
    return window > 0 ? max(0, t - window + 1) : 0;
}

/* Scores past the mask become −∞. `s0`: position of lane 0. */
inline void mask_scores(float *scores, int s0, int low, int high, const global int *segments, int t, int T) {
    if (s0 >= low && s0 + 31 <= high && !segments)
        return;
    for (int l = 0; l < 32; l++) {
        const int s = s0 + l;
        if (s < low || s > high || (segments && segments[s] != segments[t]))
            scores[l] = -INFINITY;
    }
}

typedef struct {
    int b, first, count; /* sequence; first row of the list; rows of this tile, 0: nothing to do */
    int t[TQ], low[TQ], high[TQ];
    int from, to; /* keys that some row of the tile may see */
} tile_rows;

inline tile_rows tile_of(int tile, int tiles, int B, int T, int window, const global int *rows,
                         const global int *q_start, const global int *kv_start, const global int *lengths) {
    tile_rows r;
    r.b = tile / tiles;
    r.count = 0;
    if (r.b >= B)
        return r;
    r.first = q_start[r.b] + tile % tiles * TQ;
    r.count = clamp(q_start[r.b + 1] - r.first, 0, TQ);
    r.from = INT_MAX;
    r.to = -1;
    const int keys = kv_start[r.b + 1] - kv_start[r.b];
    for (int i = 0; i < TQ; i++) {
        r.t[i] = i < r.count ? rows[r.first + i] - r.b * T : 0;
        r.low[i] = first_key(r.t[i], window);
        r.high[i] = i < r.count ? min(last_key(r.t[i], r.b, T, lengths), keys - 1) : -1;
        if (r.high[i] >= r.low[i]) {
            r.from = min(r.from, r.low[i]);
            r.to = max(r.to, r.high[i]);
        }
    }
    return r;
}

/* The tile's rows of x as [DH][TQ], times `scale`; zero where the tile has no row. */
inline void tile_load(float *tile, const global float *x, int first, int count, int D, float scale) {
    for (int i = 0; i < TQ; i++)
        for (int d = 0; d < DH; d++)
            tile[d * TQ + i] = i < count ? x[(first + i) * D + d] * scale : 0.0f;
}

/* Grid: B · tiles (of TQ rows) × H. A row with nothing to attend to gives o = 0 and lse = 0. */
kernel void flash_attention_forward(global float *restrict o,        /* [R,H·DH] */
                                    global float *restrict lse,      /* [R,H] natural log of Σ exp(score) */
                                    const global float *restrict q,  /* [R,H·DH] */
                                    const global float *restrict kp, /* packed keys */
                                    const global float *restrict v,  /* [Rkv,H·DH] */
                                    const global int *restrict rows, /* [R] */
                                    const global int *restrict q_start,  /* [B+1] */
                                    const global int *restrict kv_start, /* [B+1] */
                                    const global int *segments,          /* [B,T] or NULL */
                                    const global int *lengths,           /* [B] or NULL */
                                    int B, int T, int tiles, int H, int window, float scale) {
    const int h = get_global_id(1), D = H * DH;
    const tile_rows r = tile_of(get_global_id(0), tiles, B, T, window, rows, q_start, kv_start, lengths);
    if (h >= H || r.count == 0)
        return;
    float tile[DH * TQ], p[TQ * KB], sum[TQ * DH], top[TQ], shrink[TQ];
    VEC weight[TQ];
    tile_load(tile, q + h * DH, r.first, r.count, D, scale * LOG2E);
    for (int i = 0; i < TQ; i++) {
        top[i] = LOWEST;
        weight[i] = 0.0f;
        for (int d = 0; d < DH; d++)
            sum[i * DH + d] = 0.0f;
    }
    const global float *panel = kp + (panel_base(kv_start, r.b) * H + h) * DH * 32;
    const global float *values = v + kv_start[r.b] * D + h * DH;
    const global int *seg = segments ? segments + r.b * T : segments;
    for (int s0 = r.to < 0 ? 1 : r.from / KB * KB; s0 <= r.to; s0 += KB) {
        for (int s = 0; s < KB; s += 32) {
            if (s0 + s <= r.to)
                scores_q(p + s, KB, tile, panel + (s0 + s) * D);
            for (int i = 0; i < TQ; i++)
                mask_scores(p + i * KB + s, s0 + s, r.low[i], r.high[i], seg, r.t[i], T);
        }
        for (int i = 0; i < TQ; i++) {
            VEC high = LOAD(0, p + i * KB);
            for (int j = 1; j < KB / VW; j++)
                high = max(high, LOAD(j, p + i * KB));
            const float now = max(top[i], largest(high));
            const VEC change = top[i] - now;
            shrink[i] = exp2_of(change).s0;
            weight[i] *= shrink[i];
            top[i] = now;
            for (int j = 0; j < KB / VW; j++) {
                const VEC e = exp2_of(LOAD(j, p + i * KB) - now);
                weight[i] += e;
                STORE_TILE(e, j, p + i * KB);
            }
        }
        gather_q(sum, shrink, p, KB, min(KB, r.to - s0 + 1), values + s0 * D, D);
    }
    for (int i = 0; i < r.count; i++) {
        const float w = total(weight[i]), inverse = w > 0.0f ? 1.0f / w : 0.0f;
        lse[(r.first + i) * H + h] = w > 0.0f ? top[i] * LN2 + log(w) : 0.0f;
        for (int j = 0; j < DH / VW; j++)
            STORE(LOAD(j, sum + i * DH) * inverse, j, o + (r.first + i) * D + h * DH);
    }
}
