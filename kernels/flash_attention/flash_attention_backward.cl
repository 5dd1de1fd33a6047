/* Backward, variant threads: from the saved log-sums (Dao et al., 2022), in two passes: dq by tiles of
 * queries over packed keys, then dk and dv by tiles of keys over packed queries. Scores are computed twice,
 * but a work-item holds one tile only. With P = exp(S − lse) and δ = Σ_d do·o:  dv = Pᵀ·do,  dS = P·(do·vᵀ −
 * δ)·scale,  dq = dS·k,  dk = dSᵀ·q. */

DEFINE_SCORES(scores_q, TQ, global)
DEFINE_GATHER(gather_q, TQ, global)
DEFINE_GATHER_SEEN(gather_seen, global)
#if TK == TQ
#define scores_k scores_q
#define gather_k gather_q
#else
DEFINE_SCORES(scores_k, TK, global)
DEFINE_GATHER(gather_k, TK, global)
#endif

/* Whether n rows of a head, D apart, are finite. */
static inline bool are_finite(const global float *x, int n, int D) {
    uintv most = 0;
    for (int s = 0; s < n; s++)
        UNROLL for (int j = 0; j < DV; j++) most = max(most, MAGNITUDE(LOAD(j, x + s * D)));
    return are_all_finite(most);
}

/* dq, and δ for the pass over keys. Grid: B · tiles (of TQ queries) × H. */
kernel void flash_attention_backward_q(global float *restrict dq,         /* [R,H·DH] */
                                       global float *restrict delta,      /* [R,H] */
                                       const global float *restrict dout, /* [R,H·DH] */
                                       const global float *restrict q,    /* [R,H·DH] */
                                       const global float *restrict kp,   /* packed keys */
                                       const global float *restrict vp,   /* packed values */
                                       const global float *restrict k,    /* [Rkv,HKV·DH] */
                                       const global float *restrict o,    /* [R,H·DH] */
                                       const global float *restrict lse,  /* [R,H] */
                                       LIST_ARGUMENTS, const attention_sizes sizes) {
    const int h = get_global_id(1), H = sizes.H, D = H * DH, D_kv = H / SHARE * DH;
    const attention_lists lists = LISTS;
    const tile_rows r = tile_of(get_global_id(0), &lists, &sizes);
    if (h >= H || r.count == 0)
        return;
    float q_tile[DH * TQ], do_tile[DH * TQ], p[TQ * 32], dp[TQ * 32], sum[TQ * DH], lse2[TQ], shift[TQ];
    tile_load(q_tile, q + h * DH, r.first, r.count, D, sizes.scale * LOG2E);
    tile_load(do_tile, dout + h * DH, r.first, r.count, D, 1.0f);
    for (int i = 0; i < TQ; i++) {
        shift[i] = lse2[i] = 0.0f;
        for (int d = 0; d < DH; d++)
            sum[i * DH + d] = 0.0f;
        if (i >= r.count)
            continue;
        const int at = (r.first + i) * D + h * DH;
        floatv dots = 0.0f;
        for (int j = 0; j < DH / LANES; j++)
            dots += LOAD(j, dout + at) * LOAD(j, o + at);
        shift[i] = total(dots);
        delta[(r.first + i) * H + h] = shift[i];
        lse2[i] = lse[(r.first + i) * H + h] * LOG2E;
    }
    const int base = panel_base(kv_start, r.b) * (H / SHARE) + h / SHARE;
    const global float *keys = k + kv_start[r.b] * D_kv + h / SHARE * DH;
    const global int *seg = segments ? segments + r.b * sizes.T : segments;
    for (int s0 = r.to < 0 ? 1 : r.from / 32 * 32; s0 <= r.to; s0 += 32) {
        scores_q(p, 32, q_tile, kp + base * DH * 32 + s0 * D_kv);
        scores_q(dp, 32, do_tile, vp + base * DH * 32 + s0 * D_kv);
        for (int i = 0; i < TQ; i++)
            UNROLL for (int j = 0; j < NV; j++) {
                const floatv e = probability(LOAD(j, p + i * 32) - lse2[i]);
                STORE_TILE(e, j, p + i * 32);
                STORE_TILE(e * (LOAD(j, dp + i * 32) - shift[i]), j, dp + i * 32);
            }
        mask_panel(p, dp, HIDDEN, 32, s0, &r, seg, sizes.T);
        const int count = min(32, r.to - s0 + 1);
        if (all_seen(&r, s0, count, seg) || are_finite(keys + s0 * D_kv, count, D_kv))
            gather_q(sum, dp, 32, 1, count, keys + s0 * D_kv, D_kv);
        else
            gather_seen(sum, TQ, dp, p, 32, 1, count, keys + s0 * D_kv, D_kv);
    }
    for (int i = 0; i < r.count; i++)
        for (int j = 0; j < DH / LANES; j++)
            STORE(LOAD(j, sum + i * DH) * sizes.scale, j, dq + (r.first + i) * D + h * DH);
}

/* Masks p and dp [TK][32] of one panel of queries: HIDDEN and 0. t[32]: the last key that each query may see,
 * −1 past the end of the list. */
static inline void mask_queries(float *p, float *dp, const int *t, int s0, int keys, int window,
                                const global int *seg) {
    for (int l = 0; l < 32; l++)
        for (int i = 0; i < TK; i++) {
            const int s = s0 + i;
            if (s >= keys || s > t[l] || s < first_key(t[l], window) || (seg && seg[s] != seg[t[l]])) {
                p[i * 32 + l] = HIDDEN;
                dp[i * 32 + l] = 0.0f;
            }
        }
}

/* sum[TK][DH] += Σ over n queries of w·x. `edge`: some pairs are masked, as `p` has them. */
ALWAYS_INLINE void keys_gather(float *sum, const float *w, const float *p, const global float *x, int n,
                               int D, bool edge) {
    if (edge && !are_finite(x, n, D))
        gather_seen(sum, TK, w, p, 32, 1, n, x, D);
    else
        gather_k(sum, w, 32, 1, n, x, D);
}

/* tile[TK][DH] = factor · the first `count` rows at x, D apart, padded with zeros. */
static inline void keys_load(float *tile, const global float *x, int D, int count, float factor) {
    for (int i = 0; i < TK; i++)
        for (int j = 0; j < DV; j++)
            STORE_TILE(i < count ? LOAD(j, x + i * D) * factor : (floatv)(0.0f), j, tile + i * DH);
}

/* The n queries of one panel: the last key that each may see (−1 past the end), its lse to base 2, its δ. */
static inline void panel_rows(int *t, float *lse2, float *shift, const global int *rows,
                              const global float *lse, const global float *delta, int n, int b, int T, int H,
                              const global int *lengths) {
    for (int l = 0; l < 32; l++) {
        const int r = min(l, n - 1);
        t[l] = l < n ? last_key(rows[r] - b * T, b, T, lengths) : -1;
        lse2[l] = lse[r * H] * LOG2E;
        shift[l] = delta[r * H];
    }
}

/* dk and dv, summed over the query heads that read a head in their order. Grid: B · tiles (of TK keys) × HKV.
 */
kernel void flash_attention_backward_kv(global float *restrict dk,          /* [Rkv,HKV·DH] */
                                        global float *restrict dv,          /* [Rkv,HKV·DH] */
                                        const global float *restrict delta, /* [R,H] */
                                        const global float *restrict dout,  /* [R,H·DH] */
                                        const global float *restrict dop,   /* packed dout */
                                        const global float *restrict q,     /* [R,H·DH] */
                                        const global float *restrict qp,    /* packed queries */
                                        const global float *restrict k,     /* [Rkv,HKV·DH] */
                                        const global float *restrict v,     /* [Rkv,HKV·DH] */
                                        const global float *restrict lse,   /* [R,H] */
                                        LIST_ARGUMENTS, const attention_sizes sizes) {
    const int h_kv = get_global_id(1), H = sizes.H, T = sizes.T, window = sizes.window, D = H * DH,
              D_kv = H / SHARE * DH;
    const int b = get_global_id(0) / sizes.tiles, s0 = get_global_id(0) % sizes.tiles * TK;
    const int keys = b < sizes.B ? kv_start[b + 1] - kv_start[b] : 0;
    const int count = clamp(keys - s0, 0, TK);
    if (h_kv >= H / SHARE || count == 0)
        return;
    const int first = kv_start[b] + s0;
    float k_tile[DH * TK], v_tile[DH * TK], p[TK * 32], dp[TK * 32], dk_sum[TK * DH], dv_sum[TK * DH];
    for (int i = 0; i < TK * DH; i++)
        dk_sum[i] = dv_sum[i] = 0.0f;
    keys_load(k_tile, k + first * D_kv + h_kv * DH, D_kv, count, sizes.scale * LOG2E);
    keys_load(v_tile, v + first * D_kv + h_kv * DH, D_kv, count, 1.0f);
    const int q0 = q_start[b];
    const int begin = row_at(rows, q0, q_start[b + 1], b * T + s0) - q0;
    /* positions from here on see none of the keys */
    const int seen = window > 0 && window <= T - s0 - count ? s0 + count - 1 + window : T;
    const int end = row_at(rows, q0, q_start[b + 1], b * T + seen) - q0;
    const global int *seg = segments ? segments + b * T : segments;
    for (int h = h_kv * SHARE; h < (h_kv + 1) * SHARE; h++) {
        const int base = panel_base(q_start, b) * H + h;
        for (int i0 = begin / 32 * 32; i0 < end; i0 += 32) {
            int t[32];
            float lse2[32], shift[32];
            const int n = min(32, end - i0);
            panel_rows(t, lse2, shift, rows + q0 + i0, lse + (q0 + i0) * H + h, delta + (q0 + i0) * H + h, n,
                       b, T, H, lengths);
            scores_k(p, 32, k_tile, qp + base * DH * 32 + i0 * D);
            scores_k(dp, 32, v_tile, dop + base * DH * 32 + i0 * D);
            const bool edge = count < TK || n < 32 || window > 0 || segments || lengths || t[0] < s0 + TK - 1;
            for (int i = 0; i < TK; i++)
                UNROLL for (int j = 0; j < NV; j++) {
                    const floatv e = probability(LOAD(j, p + i * 32) - LOAD(j, lse2));
                    STORE_TILE(e, j, p + i * 32);
                    STORE_TILE(e * (LOAD(j, dp + i * 32) - LOAD(j, shift)), j, dp + i * 32);
                }
            if (edge)
                mask_queries(p, dp, t, s0, keys, window, seg);
            keys_gather(dv_sum, p, p, dout + (q0 + i0) * D + h * DH, n, D, edge);
            keys_gather(dk_sum, dp, p, q + (q0 + i0) * D + h * DH, n, D, edge);
        }
    }
    for (int i = 0; i < count; i++)
        for (int j = 0; j < DH / LANES; j++) {
            STORE(LOAD(j, dk_sum + i * DH) * sizes.scale, j, dk + (first + i) * D_kv + h_kv * DH);
            STORE(LOAD(j, dv_sum + i * DH), j, dv + (first + i) * D_kv + h_kv * DH);
        }
}
