/* A block's mlp forward, variant fused_groups: y = x + W₂·gelu(W₁·norm(x) + b₁) + b₂. A work-group takes BM
 * rows through all of it, an item TM x 4 of a product's tile. Normed rows stay in local memory, k-major, and
 * so do BD of the F values between at a time: what makes them and what takes them are the same product, of BD
 * columns, with its sums in registers. Weights stream through two tiles, BK deep: while one is multiplied the
 * next is on its way, across the products too, so that a step takes one barrier. Sums are those of
 * rms_norm_groups and gemm_groups, in their order. Built behind tile.cl. */

#if LANES != 4
#error "LANES is 4 in kernels of work-groups"
#endif

#ifndef BD
#define BD 64 /* columns of a product's tile: D at most, and of the F between as many at a time */
#endif
#ifndef BM
#define BM 32 /* rows of a work-group */
#endif
#ifndef BK
#define BK 16 /* depth of a step */
#endif
#ifndef TM
#define TM 4 /* rows of an item: 4 or 8 */
#endif

#define ACROSS (BD / 4)
#define ITEMS  (BM / TM * ACROSS)
#define LDM    (BM + 4) /* of what lies k-major: rows side by side */

/* The norm: each row by so many items, TM quads each; two neighbours take 32 bytes of it. */
#define NORM_ITEMS (ITEMS / BM)
#define NORM_LD    (BM % 32 ? BM : BM + 16) /* sums of quads: two neighbours' lie half the banks apart */

TN_TILE(weights, BD, BK, ITEMS, 1, 1)
TN_MULTIPLY(rows, TM, 4, BK, BM, BD)

/* A step's weights: k of BD rows at p, `rows` of them there, K long; zeros behind. */
ALWAYS_INLINE void weights_bring(float4 *next, const global float *p, int rows, int k, int K) {
    uint places[weights_QUADS];
    weights_places(places, K, rows);
    weights_fetch_part(next, places, p + k, rows, K - k);
}

/* u [BD][LDM] = the normed rows from m0 on, zeros past D and N; parts: BD / 4 * NORM_LD floats. */
ALWAYS_INLINE void norm_rows(local float *u, local float *parts, global float *rstd, global float *u_out,
                             const global float *x, const global float *w, int m0, int N, int D, float eps) {
    const int item = get_local_id(0), m = item / 2 % BM, first = item / (2 * BM) * 2 + item % 2, n = m0 + m;
    float4 v[TM];
    UNROLL for (int j = 0; j < TM; j++) {
        const int d = 4 * (first + j * NORM_ITEMS);
        v[j] = n < N && d < D ? *(const global float4 *)(x + n * D + d) : quad_zero();
        parts[d / 4 * NORM_LD + m] = sum4(v[j] * v[j]);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    float4 sum = quad_zero();
    UNROLL for (int i = 0; i < BD / 4; i += 4) {
        const local float *const four = parts + i * NORM_LD + m;
        sum += (float4)(four[0], four[NORM_LD], four[2 * NORM_LD], four[3 * NORM_LD]);
    }
    const float r = 1.0f / sqrt(sum4(sum) / D + eps);
    if (first == 0 && n < N)
        rstd[n] = r;
    UNROLL for (int j = 0; j < TM; j++) {
        const int d = 4 * (first + j * NORM_ITEMS);
        local float *const to = u + d * LDM + m;
        v[j] = d < D ? v[j] * r * *(const global float4 *)(w + d) : quad_zero();
        to[0] = v[j].s0;
        to[LDM] = v[j].s1;
        to[2 * LDM] = v[j].s2;
        to[3 * LDM] = v[j].s3;
        if (u_out && n < N && d < D)
            *(global float4 *)(u_out + n * D + d) = v[j];
    }
}

/* act [BD][LDM] = gelu(sums + b1) at columns f … of F, zeros past them; up_out, act_out: [N,F] or NULL. Two
 * rows at a time, and then the next move to where they were: unrolled, compilers work on all rows at once and
 * run out of registers. */
ALWAYS_INLINE void gelu_rows(local float *act, float4 sums[TM][1], global float *up_out,
                             global float *act_out, const global float *b1, int m0, int N, int f, int F,
                             int down, int across) {
    const float4 bias = f < F ? *(const global float4 *)(b1 + f) : quad_zero();
    _Pragma("unroll 1") for (int i = 0; i < TM; i += 2) {
        const int n = m0 + tile_own(down, i, TM, BM);
        float4 value[2];
        UNROLL for (int j = 0; j < 2; j++) {
            const int there = n + j < N && f < F;
            const float4 v = sums[j][0] + bias;
            value[j] = gelu_value(v);
            if (up_out && there)
                *(global float4 *)(up_out + (n + j) * F + f) = v;
            if (act_out && there)
                *(global float4 *)(act_out + (n + j) * F + f) = value[j];
        }
        UNROLL for (int j = 0; j < TM; j++) sums[j][0] = j + 2 < TM ? sums[j + 2][0] : value[j + 2 - TM];
    }
    UNROLL for (int i = 0; i < TM; i += 4) {
        local float *const to = act + 4 * across * LDM + tile_own(down, i, TM, BM);
        const float4 none = quad_zero(), a = f < F ? sums[i][0] : none, b = f < F ? sums[i + 1][0] : none,
                     c = f < F ? sums[i + 2][0] : none, d = f < F ? sums[i + 3][0] : none;
        *(local float4 *)to = (float4)(a.s0, b.s0, c.s0, d.s0);
        *(local float4 *)(to + LDM) = (float4)(a.s1, b.s1, c.s1, d.s1);
        *(local float4 *)(to + 2 * LDM) = (float4)(a.s2, b.s2, c.s2, d.s2);
        *(local float4 *)(to + 3 * LDM) = (float4)(a.s3, b.s3, c.s3, d.s3);
    }
}

/* D and F are multiples of 4, D is BD at most. Grid: groups of ITEMS, tiles of rows. */
kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void mlp_forward_groups(
    global float *y,        /* [N,D] */
    global float *rstd,     /* [N] */
    global float *up,       /* [N,F] or NULL: what gelu is taken of */
    global float *u,        /* [N,D] or NULL: the normed rows */
    global float *act,      /* [N,F] or NULL: gelu's values */
    const global float *x,  /* [N,D] */
    const global float *w,  /* [D], of the norm */
    const global float *w1, /* [F,D] */
    const global float *b1, /* [F] */
    const global float *w2, /* [D,F] */
    const global float *b2, /* [D] */
    int N, int D, int F, float eps) {
    LOCAL_TILE(u_rows, BD * LDM);
    LOCAL_TILE(act_rows, BD * LDM);
    LOCAL_TILE(tiles, 2 * TILE_FLOATS(BD, BK));
    const int m0 = get_group_id(0) * BM, item = get_local_id(0);
    const int across = tile_across(item, ACROSS), down = tile_down(item, ACROSS), d = 4 * across;
    float4 sums[TM][1], out[TM][1], next[weights_QUADS];
    int turn = 0;
    weights_bring(next, w1, F, 0, D);
    norm_rows(u_rows, act_rows, rstd, u, x, w, m0, N, D, eps);
    TN_ZERO(out, TM, 4);
    for (int f0 = 0; f0 < F; f0 += BD) {
        const int f1 = min(F, f0 + BD);
        TN_ZERO(sums, TM, 4);
        for (int k = 0; k < D; k += BK, turn ^= 1) {
            local float *const now = tiles + turn * TILE_FLOATS(BD, BK);
            weights_put(now, next);
            barrier(CLK_LOCAL_MEM_FENCE);
            if (k + BK < D)
                weights_bring(next, w1 + f0 * D, F - f0, k + BK, D);
            else
                weights_bring(next, w2, D, f0, F);
            rows_multiply(sums, u_rows + k * LDM, now, down, across);
        }
        gelu_rows(act_rows, sums, up, act, b1, m0, N, f0 + d, F, down, across);
        for (int f = f0; f < f1; f += BK, turn ^= 1) {
            local float *const now = tiles + turn * TILE_FLOATS(BD, BK);
            weights_put(now, next);
            barrier(CLK_LOCAL_MEM_FENCE);
            if (f + BK < f1)
                weights_bring(next, w2, D, f + BK, F);
            else if (f1 < F)
                weights_bring(next, w1 + f1 * D, F - f1, 0, D);
            rows_multiply(out, act_rows + (f - f0) * LDM, now, down, across);
        }
    }
    /* for PoCL 3.1, as in flash_attention_groups.cl: chunk_end */
    barrier(CLK_LOCAL_MEM_FENCE);
    if (d >= D)
        return;
    const float4 bias = *(const global float4 *)(b2 + d);
    UNROLL for (int i = 0; i < TM; i++) {
        const int n = m0 + tile_own(down, i, TM, BM);
        if (n < N)
            *(global float4 *)(y + n * D + d) = out[i][0] + bias + *(const global float4 *)(x + n * D + d);
    }
}
