/* A block's mlp whole: y = x + W₂·gelu(W₁·norm(x) + b₁) + b₂, and its gradients. A work-item takes BLOCK rows
 * at a time through all of it and keeps what lies between in private memory: in parts, each tensor between
 * goes to memory and back (fused_rows.cl). Sums are those of rms_norm and gemm, in their order. */

#ifndef F
#define F 128 /* width between, whole panels */
#endif
#ifndef BIAS_PART
#define BIAS_PART 256 /* rows that share a partial sum of a bias's gradient: gemm's PART_ROWS */
#endif

#define BLOCK (TILES * TM)
#define LDF   (F + 16)

/* sums[part] += rows of a, part by part: rows m0 … of the tensor, BIAS_PART a part. */
static inline void column_sums(global float *sums /* [parts,N] */, int N, const float *a, int lda, int m0,
                               int rows) {
    for (int n = 0; n < N; n += LANES)
        for (int r = 0, end; r < rows; r = end) {
            const int part = (m0 + r) / BIAS_PART;
            global float *const to = sums + part * N + n;
            floatv sum = (m0 + r) % BIAS_PART == 0 ? (floatv)(0.0f) : load_whole(to);
            end = min(rows, (part + 1) * BIAS_PART - m0);
            for (int i = r; i < end; i++)
                sum += AT(a + i * lda + n);
            store_whole(sum, to);
        }
}

/* act = gelu(up) with up = u·W₁ᵀ + b₁, which is kept where anybody wants it. */
static inline void up_rows(float *act, global float *up, const float *u, const global float *w1,
                           const global float *b1, int rows) {
    for (int p = 0; p < PANELS(F); p++)
        for (int m = 0; m < rows; m += TM) {
            floatv tile[TM][NV];
            UNROLL for (int i = 0; i < TM; i++) UNROLL for (int j = 0; j < NV; j++) tile[i][j] =
                load_whole(b1 + p * PANEL + j * LANES);
            add_rows(tile, u + m * LDD, LDD, w1 + p * PANEL * D, PANEL, D);
            UNROLL for (int i = 0; i < TM; i++) UNROLL for (int j = 0; j < NV; j++) {
                const int n = p * PANEL + j * LANES;
                if (up && m + i < rows)
                    store_whole(tile[i][j], up + (m + i) * F + n);
                AT(act + (m + i) * LDF + n) = gelu_value(tile[i][j]);
            }
        }
}

/* Grid: blocks of s.rows rows. */
kernel void mlp_forward(global float *y,                 /* [N,D] */
                        global float *restrict rstd,     /* [N] */
                        global float *up,                /* [N,F] or NULL */
                        const global float *x,           /* [N,D] */
                        const global float *restrict w,  /* [D], of the norm */
                        const global float *restrict w1, /* [F,D] as panels of gemm */
                        const global float *restrict b1, /* [F] */
                        const global float *restrict w2, /* [D,F] as panels of gemm */
                        const global float *restrict b2, /* [D] */
                        const mlp_sizes given) {
    const mlp_sizes s = given; /* read before anything branches */
    const int m0 = get_global_id(0) * s.rows, count = min(s.rows, s.N - m0);
    float u[BLOCK * LDD], act[BLOCK * LDF];
    if (count <= 0)
        return;
    norm_rows(u, rstd + m0, x + m0 * D, w, count, s.eps);
    up_rows(act, up ? up + m0 * F : 0, u, w1, b1, count);
    out_rows(y + m0 * D, x + m0 * D, b2, act, LDF, F, w2, count);
}

/* act = gelu(up), slope = gelu'(up) */
static inline void gelu_rows(float *act, float *slope, const global float *up, int rows) {
    for (int r = 0; r < rows; r++)
        for (int n = 0; n < F; n += LANES) {
            const floatv x = load_whole(up + r * F + n);
            AT(act + r * LDF + n) = gelu_value(x);
            AT(slope + r * LDF + n) = gelu_slope(x);
        }
    clear_rest(act, LDF, F, rows);
    clear_rest(slope, LDF, F, rows);
}

/* dx = dy + the norm's gradient from du; Σ du·x̂ to sums, `share` rows each. */
static inline void norm_back_rows(global float *dx, global float *sums /* [N/share,D] */, const float *dy,
                                  const float *du, const global float *x, const global float *rstd,
                                  const global float *w, int m0, int rows, int share) {
    for (int i = 0; i < rows; i++) {
        const float r = rstd[i];
        const int first = (m0 + i) % share == 0;
        global float *const to = sums + (m0 + i) / share * D;
        floatv dots = 0.0f;
        for (int d = 0; d < D; d += LANES) {
            const floatv g = AT(du + i * LDD + d), hat = load_whole(x + i * D + d) * r;
            dots += g * load_whole(w + d) * hat;
            store_whole((first ? (floatv)(0.0f) : load_whole(to + d)) + g * hat, to + d);
        }
        const float mean = sumv(dots) / D;
        for (int d = 0; d < D; d += LANES) {
            const floatv hat = load_whole(x + i * D + d) * r;
            floatv v = r * (load_whole(w + d) * AT(du + i * LDD + d) - hat * mean);
            v += AT(dy + i * LDD + d);
            store_whole(v, dx + i * D + d);
        }
    }
}

/* Grid: parts. Partial sums for partial_sums begin at s.at_…: dW₁ [parts,F,D], dW₂ [parts,D,F], db₁ and db₂
 * of BIAS_PART rows, dw of s.share rows. */
kernel void mlp_backward(global float *dx,                                       /* [N,D], may be dy */
                         global float *restrict partial, const global float *dy, /* [N,D] */
                         const global float *restrict x,                         /* [N,D] */
                         const global float *restrict rstd,                      /* [N] */
                         const global float *restrict up,                        /* [N,F] */
                         const global float *restrict w,                         /* [D], of the norm */
                         const global float *restrict w1,                        /* [F,D] */
                         const global float *restrict w2,                        /* [D,F] */
                         const mlp_sizes given) {
    const mlp_sizes s = given; /* read before anything branches */
    const int part = get_global_id(0), end = min(s.N, (part + 1) * PART);
    float g[BLOCK * LDD], u[BLOCK * LDD], du[BLOCK * LDD], act[BLOCK * LDF], wide[BLOCK * LDF];
    global float *const dw1 = partial + s.at_w1 + part * F * D, *const dw2 = partial + s.at_w2 + part * F * D;
    for (int m0 = part * PART; m0 < end; m0 += BLOCK) {
        const int rows = min(BLOCK, end - m0), first = m0 == part * PART;
        const outer_tile to_w2 = {
            .c = dw2, .width = F, .a = g, .lda = LDD, .b = act, .ldb = LDF, .rows = rows, .first = first};
        const outer_tile to_w1 = {
            .c = dw1, .width = D, .a = wide, .lda = LDF, .b = u, .ldb = LDD, .rows = rows, .first = first};
        for (int i = 0; i < rows; i++) {
            for (int d = 0; d < D; d += LANES)
                AT(g + i * LDD + d) = load_whole(dy + (m0 + i) * D + d);
            scale_row(u + i * LDD, x + (m0 + i) * D, rstd[m0 + i], w);
        }
        clear_rest(g, LDD, D, rows);
        gelu_rows(act, wide, up + m0 * F, rows);
        outer_product(&to_w2, D);
        column_sums(partial + s.at_b2, D, g, LDD, m0, rows);
        back_rows(wide, LDF, F, g, LDD, D, w2, rows, 1);
        outer_product(&to_w1, F);
        column_sums(partial + s.at_b1, F, wide, LDF, m0, rows);
        back_rows(du, LDD, D, wide, LDF, F, w1, rows, 0);
        norm_back_rows(dx + m0 * D, partial + s.at_w, g, du, x + m0 * D, rstd + m0, w, m0, rows, s.share);
    }
}
