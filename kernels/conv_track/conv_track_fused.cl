/* The convolution track whole: u = norm(x), the router's p and h, c = W_c·silu(dwconv(u)); and its gradients.
 * A work-item takes positions of one sequence at a time through all of it and keeps what lies between in
 * private memory (fused_rows.cl). Sums are those of rms_norm, route_gate, causal_conv and gemm, in their
 * order. */

#ifndef K
#define K 4 /* taps */
#endif
#ifndef TILE
#define TILE 128 /* positions that share a partial sum of the taps' gradient: causal_conv's TILE */
#endif

#define HALO (K - 1)
/* Rows of a block: TILES tiles forward; a tile of causal_conv and its halo backward, in whole tiles. */
#define BLOCK      (TILES * TM)
#define BACK_BLOCK ((TILE + HALO + TM - 1) / TM * TM)

/* b + Σ_j taps[j]·u[-j], of LANES channels; the first `have` taps, where a sequence has no more: a tap that
 * is no number times nothing is none. */
ALWAYS_INLINE floatv dot_taps(const floatv *taps, const float *u, floatv z, int have) {
    if (have >= K) {
#pragma unroll
        for (int j = 0; j < K; j++)
            z += taps[j] * AT(u - j * LDD);
        return z;
    }
    for (int j = 0; j < have; j++)
        z += taps[j] * AT(u - j * LDD);
    return z;
}

/* p and h of rows of u, 16 at a time. */
static inline void gate_rows(global float *p, global uchar *h, const float *u, const global float *w, float b,
                             float margin, int rows) {
    for (int r = 0; r < rows; r += 16) {
        float logits[16], some[16];
        uchar flags[16];
        const int end = min(16, rows - r);
        for (int i = 0; i < 16; i++) {
            float16 dots = 0.0f;
            for (int d = 0; d < D; d += 16)
                dots += vload16(0, u + min(r + i, rows - 1) * LDD + d) * vload16(0, w + d);
            logits[i] = sum16(dots) + 0.0f + b;
        }
        const float16 z = vload16(0, logits);
        vstore16(1.0f / (1.0f + exp16(-z)), 0, some);
        vstore16(convert_uchar16(~(z < margin) & 1), 0, flags);
        for (int i = 0; i < end; i++) {
            p[r + i] = some[i];
            h[r + i] = flags[i];
        }
    }
}

/* s = silu(dwconv(u)); `before`: rows in front of u. */
static inline void convolve_rows(float *s, const float *u, const global float *w, const global float *b,
                                 int before, int rows) {
    for (int d = 0; d < D; d += LANES) {
        const floatv bias = load_whole(b + d);
        floatv taps[K];
        load_rows_turned(taps, w + d * K, K, LANES);
        for (int i = 0; i < rows; i++) {
            const floatv z = dot_taps(taps, u + i * LDD + d, bias, before + i + 1);
            floatv e;
            AT(s + i * LDD + d) = z * sigmoidv(z, &e);
        }
    }
    clear_rest(s, LDD, D, rows);
}

/* Grid: blocks of s.rows positions of a sequence. */
kernel void conv_track_forward(global float *c,                   /* [B,T,D] */
                               global float *restrict u_out,      /* [B,T,D] */
                               global float *restrict rstd,       /* [B,T] */
                               global float *restrict p,          /* [B,T]; NULL: no router */
                               global uchar *restrict h,          /* [B,T] or NULL */
                               const global float *x,             /* [B,T,D] */
                               const global float *restrict norm, /* [D] */
                               const global float *router,        /* [D] or NULL */
                               const global float *router_bias,   /* [1] or NULL */
                               const global float *restrict conv, /* [D,K] */
                               const global float *restrict bias, /* [D] */
                               const global float *restrict out,  /* [D,D] as panels of gemm */
                               const global float *add,           /* [B,T,D], added to c, or NULL */
                               const conv_track_sizes given) {
    const conv_track_sizes s = given; /* read before anything branches */
    const int blocks = (s.T + s.rows - 1) / s.rows, item = get_global_id(0), sequence = item / blocks;
    const int first = (item - sequence * blocks) * s.rows, count = min(s.rows, s.T - first);
    const int m0 = sequence * s.T + first, before = min(first, HALO);
    float reach[(HALO + BLOCK) * LDD], act[BLOCK * LDD];
  private
    float *const u = reach + HALO * LDD;
    if (sequence >= s.B)
        return;
    for (int r = 1; r <= before; r++) {
        const global float *row = x + (m0 - r) * D;
        scale_row(u - r * LDD, row, row_rstd(row, s.eps), norm);
    }
    norm_rows(u, rstd + m0, x + m0 * D, norm, count, s.eps);
    for (int i = 0; i < count; i++)
        for (int d = 0; d < D; d += LANES)
            store_whole(AT(u + i * LDD + d), u_out + (m0 + i) * D + d);
    if (p)
        gate_rows(p + m0, h + m0, u, router, router_bias[0], s.margin, count);
    convolve_rows(act, u, conv, bias, before, count);
    out_rows(c + m0 * D, add ? add + m0 * D : 0, 0, act, LDD, D, out, count);
}

/* s = silu(z) and slope = silu'(z) with z = dwconv(u) again. */
static inline void activation_rows(float *s, float *slope, const float *u, const global float *w,
                                   const global float *b, int before, int rows) {
    for (int d = 0; d < D; d += LANES) {
        const floatv bias = load_whole(b + d);
        floatv taps[K];
        load_rows_turned(taps, w + d * K, K, LANES);
        for (int i = 0; i < rows; i++) {
            const floatv z = dot_taps(taps, u + i * LDD + d, bias, before + i + 1);
            floatv e, held;
            const floatv sigmoid = sigmoidv_held(z, &e, &held);
            AT(s + i * LDD + d) = z * sigmoid;
            AT(slope + i * LDD + d) = sigmoid * (1.0f + held * (e * sigmoid));
        }
    }
    clear_rest(s, LDD, D, rows);
    clear_rest(slope, LDD, D, rows);
}

/* Σ dz[t]·u[t-j] and Σ dz[t] of a tile to sums. */
static inline void tap_sums(global float *sums /* dw [D,K], db [D] */, const float *dz, const float *u,
                            int before, int rows) {
    for (int d = 0; d < D; d += LANES) {
        floatv dtaps[K], dbias = 0.0f;
        for (int j = 0; j < K; j++)
            dtaps[j] = 0.0f;
        for (int i = 0; i < rows; i++) {
            const floatv g = AT(dz + i * LDD + d);
#pragma unroll
            for (int j = 0; j < K; j++)
                if (j <= before + i)
                    dtaps[j] += g * AT(u + (i - j) * LDD + d);
            dbias += g;
        }
        for (int j = 0; j < K; j++) {
            float lanes[LANES];
            STOREV(dtaps[j], lanes);
            for (int l = 0; l < LANES; l++)
                sums[(d + l) * K + j] = lanes[l];
        }
        store_whole(dbias, sums + K * D + d);
    }
}

/* du[t] = Σ_j w[j]·dz[t+j]; dz has `end` rows. */
static inline void spread_rows(global float *du, const float *dz, const global float *w, int rows, int end) {
    for (int d = 0; d < D; d += LANES) {
        floatv taps[K];
        load_rows_turned(taps, w + d * K, K, LANES);
        for (int i = 0; i < rows; i++) {
            floatv sum = 0.0f;
#pragma unroll
            for (int j = 0; j < K; j++)
                if (i + j < end)
                    sum += taps[j] * AT(dz + (i + j) * LDD + d);
            store_whole(sum, du + i * D + d);
        }
    }
}

/* Grid: parts. Partial sums for partial_sums begin at s.at_…: of W_c [parts,D,D], of taps and bias
 * for every tile of a sequence [tiles,(K+1)·D]. No tile is cut by a part's end. */
kernel void conv_track_backward(global float *restrict du,                                       /* [B,T,D] */
                                global float *restrict partial, const global float *restrict dc, /* [B,T,D] */
                                const global float *restrict u_in,                               /* [B,T,D] */
                                const global float *restrict conv,                               /* [D,K] */
                                const global float *restrict bias,                               /* [D] */
                                const global float *restrict out,                                /* [D,D] */
                                const conv_track_sizes given) {
    const conv_track_sizes s = given; /* read before anything branches */
    const int part = get_global_id(0), end = min(s.B * s.T, (part + 1) * PART),
              tiles = (s.T + TILE - 1) / TILE;
    float g[BACK_BLOCK * LDD], act[BACK_BLOCK * LDD], dz[(BACK_BLOCK + HALO) * LDD];
    float reach[(HALO + BACK_BLOCK) * LDD];
  private
    float *const u = reach + HALO * LDD;
    for (int m0 = part * PART, rows; m0 < end; m0 += rows) {
        const int sequence = m0 / s.T, t = m0 - sequence * s.T, before = min(t, HALO);
        rows = min(TILE, s.T - t);
        const int ahead = min(HALO, s.T - t - rows), all_rows = rows + ahead;
        for (int i = -before; i < all_rows; i++)
            for (int d = 0; d < D; d += LANES) {
                AT(u + i * LDD + d) = load_whole(u_in + (m0 + i) * D + d);
                if (i >= 0)
                    AT(g + i * LDD + d) = load_whole(dc + (m0 + i) * D + d);
            }
        clear_rest(g, LDD, D, all_rows);
        const outer_tile to_out = {.c = partial + s.at_out + part * D * D,
                                   .width = D,
                                   .a = g,
                                   .lda = LDD,
                                   .b = act,
                                   .ldb = LDD,
                                   .rows = rows,
                                   .first = m0 == part * PART};
        activation_rows(act, dz, u, conv, bias, before, all_rows);
        outer_product(&to_out, D);
        back_rows(dz, LDD, D, g, LDD, D, out, all_rows, 1);
        tap_sums(partial + s.at_taps + (sequence * tiles + t / TILE) * (K + 1) * D, dz, u, before, rows);
        spread_rows(du + m0 * D, dz, conv, rows, all_rows);
    }
}
