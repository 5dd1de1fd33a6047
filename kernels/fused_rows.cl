/* For ops that take a block of rows through several steps by one work-item and keep what lies between in its
 * private memory: products of such rows with panels of weights, and their norm. For devices whose items are
 * threads with a cache of their own; no barrier. Sums are those of rms_norm and gemm, in their order. */

#ifndef D
#define D 64 /* width of a row, whole panels */
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

#define PANEL (LANES * NV)
/* Rows of one tensor do not share the sets of a cache. */
#define LDD       (D + 16)
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

static inline void outer_product(global float *c, int M, int N, const float *a, int lda, const float *b,
                                 int ldb, int rows, int first) {
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

/* Rows up to the next whole tile: zeros there, so that tiles need no end. */
static inline void clear_rest(float *a, int lda, int width, int rows) {
    for (int r = rows; r < (rows + TM - 1) / TM * TM; r++)
        for (int n = 0; n < width; n += LANES)
            AT(a + r * lda + n) = 0.0f;
}

/* u = x·r·w, the rows' norms given. */
static inline void scale_row(float *u, const global float *x, float r, const global float *w) {
    for (int d = 0; d < D; d += LANES)
        AT(u + d) = load_whole(x + d) * r * load_whole(w + d);
}

static inline float row_rstd(const global float *x, float eps) {
    floatv squares = 0.0f;
    for (int d = 0; d < D; d += LANES) {
        const floatv v = load_whole(x + d);
        squares += v * v;
    }
    return 1.0f / sqrt(sumv(squares) / D + eps);
}

static inline void norm_rows(float *u, global float *rstd, const global float *x, const global float *w,
                             int rows, float eps) {
    for (int i = 0; i < rows; i++) {
        rstd[i] = row_rstd(x + i * D, eps);
        scale_row(u + i * LDD, x + i * D, rstd[i], w);
    }
    clear_rest(u, LDD, D, rows);
}

/* y = (add +) (bias +) a·bᵀ, rows of D; b [D,count] as panels. add may be y. */
static inline void out_rows(global float *y, const global float *add, const global float *bias,
                            const float *a, int lda, int count, const global float *b, int rows) {
    for (int n = 0; n < D; n += PANEL)
        for (int m = 0; m < rows; m += TM) {
            floatv tile[TM][NV];
            EACH_ROW EACH_VEC {
                const int column = n + j * LANES;
                floatv v = add ? load_whole(add + min(m + i, rows - 1) * D + column) : (floatv)(0.0f);
                if (bias)
                    v += load_whole(bias + column);
                tile[i][j] = v;
            }
            add_rows(tile, a + m * lda, lda, b + n * count, PANEL, count);
            EACH_ROW EACH_VEC if (m + i < rows) store_whole(tile[i][j], y + (m + i) * D + n + j * LANES);
        }
}

/* c = a·b (· c) for private a and c and a b as it lies. */
static inline void back_rows(float *c, int ldc, int width, const float *a, int lda, int count,
                             const global float *b, int rows, int times) {
    for (int n = 0; n < width; n += PANEL)
        for (int m = 0; m < rows; m += TM) {
            floatv tile[TM][NV];
            EACH_ROW EACH_VEC tile[i][j] = 0.0f;
            add_rows(tile, a + m * lda, lda, b + n, width, count);
            EACH_ROW EACH_VEC {
              private
                float *const to = c + (m + i) * ldc + n + j * LANES;
                AT(to) = times ? tile[i][j] * AT(to) : tile[i][j];
            }
        }
}
