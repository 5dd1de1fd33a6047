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

/* A tile += TM rows of a, `count` long, times a panel of b. */
ALWAYS_INLINE void add_rows(floatv tile[TM][NV], const float *a, int lda, const global float *b, int ldb,
                            int count) {
    for (int k = 0; k < count; k++) {
        floatv row[NV];
        UNROLL for (int j = 0; j < NV; j++) row[j] = load_whole(b + k * ldb + j * LANES);
        UNROLL for (int i = 0; i < TM; i++) {
            const floatv x = a[i * lda + k];
            UNROLL for (int j = 0; j < NV; j++) tile[i][j] += x * row[j];
        }
    }
}

/* Rows of c and a panel of its columns: (first ? 0 : c) + aᵀ·b over `rows` rows of a and b. */
typedef struct outer_tile {
    global float *c;    /* [M,width] */
    const float *a, *b; /* rows of M and of width, lda and ldb floats apart */
    int width, lda, ldb;
    int rows, first;
} outer_tile;

/* outer_H: H rows of c. Not a function of H: compilers keep the sums in registers only where H is a constant
 * from the start. */
#define DEFINE_OUTER_(H)                                                                                     \
    ALWAYS_INLINE void outer_##H(const outer_tile *t) {                                                      \
        floatv acc[H][NV];                                                                                   \
        UNROLL for (int i = 0; i < H; i++) UNROLL for (int j = 0; j < NV; j++) acc[i][j] =                   \
            t->first ? (floatv)(0.0f) : load_whole(t->c + i * t->width + j * LANES);                         \
        for (int k = 0; k < t->rows; k++) {                                                                  \
            floatv row[NV];                                                                                  \
            UNROLL for (int j = 0; j < NV; j++) row[j] = AT(t->b + k * t->ldb + j * LANES);                  \
            UNROLL for (int i = 0; i < H; i++) {                                                             \
                const floatv x = t->a[k * t->lda + i];                                                       \
                UNROLL for (int j = 0; j < NV; j++) acc[i][j] += x * row[j];                                 \
            }                                                                                                \
        }                                                                                                    \
        UNROLL for (int i = 0; i < H; i++) UNROLL for (int j = 0; j < NV; j++)                               \
            store_whole(acc[i][j], t->c + i * t->width + j * LANES);                                         \
    }
#define DEFINE_OUTER(H) DEFINE_OUTER_(H)
#define OUTER(H)        TN_GLUE(outer_, H)
DEFINE_OUTER(1)
#if TM > 4
DEFINE_OUTER(4)
#endif
#if TM > 1
DEFINE_OUTER(TM)
#endif

/* All M rows of c and all its columns, by tiles of TM rows, then of 4, then of 1. */
static inline void outer_product(const outer_tile *top, int M) {
    for (int n = 0; n < top->width; n += PANEL) {
        outer_tile tile;
        int m = 0;
#define TILES_OF(H)                                                                                          \
    for (; m + H <= M; m += H) {                                                                             \
        tile = *top;                                                                                         \
        tile.c += m * tile.width + n;                                                                        \
        tile.a += m;                                                                                         \
        tile.b += n;                                                                                         \
        OUTER(H)(&tile);                                                                                     \
    }
        TILES_OF(TM)
#if TM > 4
        TILES_OF(4)
#endif
#if TM > 1
        TILES_OF(1)
#endif
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
            UNROLL for (int i = 0; i < TM; i++) UNROLL for (int j = 0; j < NV; j++) {
                const int column = n + j * LANES;
                floatv v = add ? load_whole(add + min(m + i, rows - 1) * D + column) : (floatv)(0.0f);
                if (bias)
                    v += load_whole(bias + column);
                tile[i][j] = v;
            }
            add_rows(tile, a + m * lda, lda, b + n * count, PANEL, count);
            UNROLL for (int i = 0; i < TM; i++) UNROLL for (int j = 0; j < NV; j++) if (m + i < rows)
                store_whole(tile[i][j], y + (m + i) * D + n + j * LANES);
        }
}

/* c = a·b (· c) for private a and c and a b as it lies. */
static inline void back_rows(float *c, int ldc, int width, const float *a, int lda, int count,
                             const global float *b, int rows, int times) {
    for (int n = 0; n < width; n += PANEL)
        for (int m = 0; m < rows; m += TM) {
            floatv tile[TM][NV];
            UNROLL for (int i = 0; i < TM; i++) UNROLL for (int j = 0; j < NV; j++) tile[i][j] = 0.0f;
            add_rows(tile, a + m * lda, lda, b + n, width, count);
            UNROLL for (int i = 0; i < TM; i++) UNROLL for (int j = 0; j < NV; j++) {
              private
                float *const to = c + (m + i) * ldc + n + j * LANES;
                AT(to) = times ? tile[i][j] * AT(to) : tile[i][j];
            }
        }
}
