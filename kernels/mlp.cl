/* A block's mlp whole: y = x + W₂·gelu(W₁·norm(x) + b₁) + b₂, and its gradients. A work-item takes BLOCK rows
 * at a time through all of it and keeps what lies between in private memory: in parts, each tensor between
 * goes to memory and back. For devices whose items are threads with a cache of their own; no barrier. Sums
 * are those of rms_norm and gemm, in their order. */

#ifndef D
#define D 64 /* width of a row, whole panels */
#endif
#ifndef F
#define F 128 /* width between, whole panels */
#endif
#ifndef NV
#define NV 2 /* vectors side by side in a tile; LANES wide, as gemm's */
#endif
#ifndef TM
#define TM 12 /* rows of a tile */
#endif
#ifndef TILES
#define TILES 8 /* tiles one below the other that an item takes at a time */
#endif
#ifndef PART
#define PART 512 /* rows that share a partial sum of a weight's gradient: gemm's PART_K */
#endif
#ifndef BIAS_PART
#define BIAS_PART 256 /* of a bias's: gemm's PART_ROWS */
#endif

#define PANEL (LANES * NV)
#define BLOCK (TILES * TM)
/* Rows of one tensor do not share the sets of a cache. */
#define LDD       (D + 16)
#define LDF       (F + 16)
#define AT(p)     (*(private floatv_near *)(p))
#define PANELS(n) ((n) / PANEL)
#define EACH_ROW  _Pragma("unroll") for (int i = 0; i < TM; i++)
#define EACH_VEC  _Pragma("unroll") for (int j = 0; j < NV; j++)

/* A tile += TM rows of a, `count` long, times a panel of b. */
ALWAYS_INLINE void add_rows(floatv tile[TM][NV], const float *a, int lda, const global float *b, int ldb,
                            int count) {
    for (int k = 0; k < count; k++) {
        floatv row[NV];
        EACH_VEC row[j] = load_whole(b + k * ldb + j * LANES);
        EACH_ROW {
            const floatv x = a[i * lda + k];
            EACH_VEC tile[i][j] += x * row[j];
        }
    }
}

/* c [M,width] of an outer product: (first ? 0 : c) + aᵀ·b over `rows` rows; H of its rows, from m on, and a
 * panel of columns. */
#define DEFINE_OUTER_(H)                                                                                     \
    ALWAYS_INLINE void outer_##H(global float *c, int width, const float *a, int lda, const float *b,        \
                                 int ldb, int rows, int first) {                                             \
        floatv tile[H][NV];                                                                                  \
        _Pragma("unroll") for (int i = 0; i < H; i++) EACH_VEC tile[i][j] =                                  \
            first ? (floatv)(0.0f) : load_whole(c + i * width + j * LANES);                                  \
        for (int k = 0; k < rows; k++) {                                                                     \
            floatv row[NV];                                                                                  \
            EACH_VEC row[j] = AT(b + k * ldb + j * LANES);                                                   \
            _Pragma("unroll") for (int i = 0; i < H; i++) {                                                  \
                const floatv x = a[k * lda + i];                                                             \
                EACH_VEC tile[i][j] += x * row[j];                                                           \
            }                                                                                                \
        }                                                                                                    \
        _Pragma("unroll") for (int i = 0; i < H; i++)                                                        \
            EACH_VEC store_whole(tile[i][j], c + i * width + j * LANES);                                     \
    }
#define DEFINE_OUTER(H) DEFINE_OUTER_(H)
#define OUTER_(H)       outer_##H
#define OUTER(H)        OUTER_(H)
DEFINE_OUTER(1)
#if TM > 4
DEFINE_OUTER(4)
#endif
#if TM > 1
DEFINE_OUTER(TM)
#endif

inline void outer_product(global float *c, int M, int N, const float *a, int lda, const float *b, int ldb,
                          int rows, int first) {
    for (int n = 0; n < N; n += PANEL) {
        int m = 0;
#define RUN(H)                                                                                               \
    for (; m + H <= M; m += H)                                                                               \
    OUTER(H)(c + m * N + n, N, a + m, lda, b + n, ldb, rows, first)
#if TM > 1
        RUN(TM);
#endif
#if TM > 4
        RUN(4);
#endif
        RUN(1);
    }
}

/* sums[part] += rows of a, part by part: rows m0 … of the tensor, BIAS_PART a part. */
inline void column_sums(global float *sums /* [parts,N] */, int N, const float *a, int lda, int m0,
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

/* Rows up to the next whole tile: zeros there, so that tiles need no end. */
inline void clear_rest(float *a, int lda, int width, int rows) {
    for (int r = rows; r < (rows + TM - 1) / TM * TM; r++)
        for (int n = 0; n < width; n += LANES)
            AT(a + r * lda + n) = 0.0f;
}

/* u = x·r·w, the rows' norms given. */
inline void scale_row(float *u, const global float *x, float r, const global float *w) {
    for (int d = 0; d < D; d += LANES)
        AT(u + d) = load_whole(x + d) * r * load_whole(w + d);
}

inline void norm_rows(float *u, global float *rstd, const global float *x, const global float *w, int rows,
                      float eps) {
    for (int i = 0; i < rows; i++) {
        floatv squares = 0.0f;
        for (int d = 0; d < D; d += LANES) {
            const floatv v = load_whole(x + i * D + d);
            squares += v * v;
        }
        rstd[i] = 1.0f / sqrt(sumv(squares) / D + eps);
        scale_row(u + i * LDD, x + i * D, rstd[i], w);
    }
    clear_rest(u, LDD, D, rows);
}

/* act = gelu(up) with up = u·W₁ᵀ + b₁, which is kept where anybody wants it. */
inline void up_rows(float *act, global float *up, const float *u, const global float *w1,
                    const global float *b1, int rows) {
    for (int p = 0; p < PANELS(F); p++)
        for (int m = 0; m < rows; m += TM) {
            floatv tile[TM][NV];
            EACH_ROW EACH_VEC tile[i][j] = load_whole(b1 + p * PANEL + j * LANES);
            add_rows(tile, u + m * LDD, LDD, w1 + p * PANEL * D, PANEL, D);
            EACH_ROW EACH_VEC {
                const int n = p * PANEL + j * LANES;
                if (up && m + i < rows)
                    store_whole(tile[i][j], up + (m + i) * F + n);
                AT(act + (m + i) * LDF + n) = gelu_value(tile[i][j]);
            }
        }
}

/* y = x + act·W₂ᵀ + b₂ */
inline void down_rows(global float *y, const global float *x, const float *act, const global float *w2,
                      const global float *b2, int rows) {
    for (int p = 0; p < PANELS(D); p++)
        for (int m = 0; m < rows; m += TM) {
            const int n = p * PANEL;
            floatv tile[TM][NV];
            EACH_ROW EACH_VEC tile[i][j] =
                load_whole(x + min(m + i, rows - 1) * D + n + j * LANES) + load_whole(b2 + n + j * LANES);
            add_rows(tile, act + m * LDF, LDF, w2 + p * PANEL * F, PANEL, F);
            EACH_ROW EACH_VEC if (m + i < rows) store_whole(tile[i][j], y + (m + i) * D + n + j * LANES);
        }
}

/* Grid: blocks of `rows` rows, at most BLOCK. */
kernel void mlp_forward(global float *y,                 /* [N,D] */
                        global float *restrict rstd,     /* [N] */
                        global float *up,                /* [N,F] or NULL */
                        const global float *x,           /* [N,D] */
                        const global float *restrict w,  /* [D], of the norm */
                        const global float *restrict w1, /* [F,D] as panels of gemm */
                        const global float *restrict b1, /* [F] */
                        const global float *restrict w2, /* [D,F] as panels of gemm */
                        const global float *restrict b2, /* [D] */
                        int rows, int N, float eps) {
    const int m0 = get_global_id(0) * rows, count = min(rows, N - m0);
    float u[BLOCK * LDD], act[BLOCK * LDF];
    if (count <= 0)
        return;
    norm_rows(u, rstd + m0, x + m0 * D, w, count, eps);
    up_rows(act, up ? up + m0 * F : 0, u, w1, b1, count);
    down_rows(y + m0 * D, x + m0 * D, act, w2, b2, count);
}

/* act = gelu(up), slope = gelu'(up) */
inline void gelu_rows(float *act, float *slope, const global float *up, int rows) {
    for (int r = 0; r < rows; r++)
        for (int n = 0; n < F; n += LANES) {
            const floatv x = load_whole(up + r * F + n);
            AT(act + r * LDF + n) = gelu_value(x);
            AT(slope + r * LDF + n) = gelu_slope(x);
        }
    clear_rest(act, LDF, F, rows);
    clear_rest(slope, LDF, F, rows);
}

/* c = a·b (· c) for private a and c and a b as it lies. */
inline void back_rows(float *c, int ldc, int width, const float *a, int lda, int K, const global float *b,
                      int rows, int times) {
    for (int n = 0; n < width; n += PANEL)
        for (int m = 0; m < rows; m += TM) {
            floatv tile[TM][NV];
            EACH_ROW EACH_VEC tile[i][j] = 0.0f;
            add_rows(tile, a + m * lda, lda, b + n, width, K);
            EACH_ROW EACH_VEC {
              private
                float *const to = c + (m + i) * ldc + n + j * LANES;
                AT(to) = times ? tile[i][j] * AT(to) : tile[i][j];
            }
        }
}

/* dx = dy + the norm's gradient from du; Σ du·x̂ to sums, `share` rows each. */
inline void norm_back_rows(global float *dx, global float *sums /* [N/share,D] */, const float *dy,
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

/* Grid: parts. Partial sums for part_sum begin at the floats given: dW₁ [parts,F,D], dW₂ [parts,D,F], db₁ and
 * db₂ of BIAS_PART rows, dw of `share` rows. */
kernel void mlp_backward(global float *dx, /* [N,D], may be dy */
                         global float *restrict partial, int at_w1, int at_w2, int at_b1, int at_b2, int at_w,
                         const global float *dy,            /* [N,D] */
                         const global float *restrict x,    /* [N,D] */
                         const global float *restrict rstd, /* [N] */
                         const global float *restrict up,   /* [N,F] */
                         const global float *restrict w,    /* [D], of the norm */
                         const global float *restrict w1,   /* [F,D] */
                         const global float *restrict w2,   /* [D,F] */
                         int share, int N) {
    const int part = get_global_id(0), end = min(N, (part + 1) * PART);
    float g[BLOCK * LDD], u[BLOCK * LDD], du[BLOCK * LDD], act[BLOCK * LDF], wide[BLOCK * LDF];
    global float *const dw1 = partial + at_w1 + part * F * D, *const dw2 = partial + at_w2 + part * F * D;
    for (int m0 = part * PART; m0 < end; m0 += BLOCK) {
        const int rows = min(BLOCK, end - m0), first = m0 == part * PART;
        for (int i = 0; i < rows; i++) {
            for (int d = 0; d < D; d += LANES)
                AT(g + i * LDD + d) = load_whole(dy + (m0 + i) * D + d);
            scale_row(u + i * LDD, x + (m0 + i) * D, rstd[m0 + i], w);
        }
        clear_rest(g, LDD, D, rows);
        gelu_rows(act, wide, up + m0 * F, rows);
        outer_product(dw2, D, F, g, LDD, act, LDF, rows, first);
        column_sums(partial + at_b2, D, g, LDD, m0, rows);
        back_rows(wide, LDF, F, g, LDD, D, w2, rows, 1);
        outer_product(dw1, F, D, wide, LDF, u, LDD, rows, first);
        column_sums(partial + at_b1, F, wide, LDF, m0, rows);
        back_rows(du, LDD, D, wide, LDF, F, w1, rows, 0);
        norm_back_rows(dx + m0 * D, partial + at_w, g, du, x + m0 * D, rstd + m0, w, m0, rows, share);
    }
}
