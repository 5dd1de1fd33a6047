/* C = A·B, A·Bᵀ or Aᵀ·B (+ bias) (+ add). A work-item owns blocks of TM rows × one panel of columns in
 * registers; no barrier. Each element is one chain of multiply-adds over k in ascending order, whatever the
 * blocking: k goes in blocks of KC and the sums rest in C between them. The bits of a row do not depend on M.
 */

#ifndef TM
#define TM 12 /* rows of a tile */
#endif
#ifndef TILES
#define TILES                                                                                                \
    8 /* tiles of a work-item, one below the other, at most: they share a panel of B in the cache            \
       */
#endif
#ifndef COPY_A
#define COPY_A                                                                                               \
    1 /* 1: an item copies its rows of A side by side first, KC of k at a time; 0: reads them in place */
#endif
#ifndef KC
#define KC 512 /* k of a block with COPY_A */
#endif
#ifndef ASK
#define ASK 0 /* prefetch distance of the copy, in rows of A; 0: off */
#endif
#ifndef ACT
#define ACT 0 /* 1: act = gelu(C), and C too unless act is C; 2: C times the slope of gelu at act */
#endif
#ifndef A_ROWS
#define A_ROWS 1 /* 1: A is [M,K]; 0: A is [K,M] */
#endif

/* Strides of the copied rows are constants, so that a tile needs one address and not TM of them; 16 more than
 * KC, so that rows do not share the sets of the cache. */
#define COPY_LD (KC + 16)
#define TM_UP   ((TM + LANES - 1) / LANES * LANES)
#define TILE_LD (KC * TM + LANES)
#if COPY_A
#define A_SPACE private
#else
#define A_SPACE global
#endif

/* A may lie in up to three tensors: side by side along k, or along m where A is transposed. */
static inline const global float *source_of(const global float *a, const global float *a1,
                                            const global float *a2, int i) {
    return i == 0 ? a : i == 1 ? a1 : a2;
}

/* Rows of a panel of C and what they are made of; pointers stand at the first row and at the first k. */
typedef struct gemm_tile {
    global float *c, *act;
    const A_SPACE float *a, *a1, *a2; /* a1, a2: where an A that is transposed is read in place */
    const global float *b;
    const global float *bias, *add; /* NULL but where a sum begins */
    int lda, ldb, ldc;
    int count;       /* of k */
    int left;        /* columns from here on */
    int first, last; /* does this block of k begin the sums, does it end them? */
} gemm_tile;

/* Element (i, k) of A. */
ALWAYS_INLINE float a_of(const gemm_tile *t, int i, int k) {
#if COPY_A
    return A_ROWS ? t->a[i * COPY_LD + k] : t->a[k * TM + i];
#else
    return A_ROWS ? t->a[i * t->lda + k] : t->a[k * t->lda + i];
#endif
}

/* A vector of sums to C. */
ALWAYS_INLINE void put(floatv v, const gemm_tile *t, int i, int j) {
#if ACT == 2
    if (t->last)
        v *= gelu_slope(load_columns(t->act + i * t->ldc, j, t->left));
#elif ACT == 1
    if (t->last)
        store_columns(gelu_value(v), t->act + i * t->ldc, j, t->left);
    if (t->last && t->act == t->c)
        return;
#endif
    store_columns(v, t->c + i * t->ldc, j, t->left);
}

/* multiply_H: a tile of H rows. Bias and add go in front of the sum, because C, where sums rest, may be `add`
 * itself. Not a function of H: compilers keep the sums in registers only where H is a constant from the
 * start. */
#define DEFINE_MULTIPLY_(H)                                                                                  \
    ALWAYS_INLINE void multiply_##H(const gemm_tile *t) {                                                    \
        floatv acc[H][NV];                                                                                   \
        const global float *const from = t->first ? t->add : t->c;                                           \
        UNROLL for (int i = 0; i < H; i++) UNROLL for (int j = 0; j < NV; j++) acc[i][j] =                   \
            from ? load_columns(from + i * t->ldc, j, t->left) : (floatv)(0.0f);                             \
        if (t->first && t->bias)                                                                             \
            UNROLL for (int j = 0; j < NV; j++) {                                                            \
                const floatv x = load_columns(t->bias, j, t->left);                                          \
                UNROLL for (int i = 0; i < H; i++) acc[i][j] += x;                                           \
            }                                                                                                \
        for (int k = 0; k < t->count; k++) {                                                                 \
            floatv row[NV];                                                                                  \
            UNROLL for (int j = 0; j < NV; j++) row[j] = LOAD(j, t->b + k * t->ldb);                         \
            UNROLL for (int i = 0; i < H; i++) {                                                             \
                const floatv x = a_of(t, i, k);                                                              \
                UNROLL for (int j = 0; j < NV; j++) acc[i][j] += x * row[j];                                 \
            }                                                                                                \
        }                                                                                                    \
        UNROLL for (int i = 0; i < H; i++) UNROLL for (int j = 0; j < NV; j++) put(acc[i][j], t, i, j);      \
    }
#define DEFINE_MULTIPLY(H) DEFINE_MULTIPLY_(H)
#define MULTIPLY(H)        TN_GLUE(multiply_, H)
DEFINE_MULTIPLY(1)
#if TM > 4
DEFINE_MULTIPLY(4)
#endif
#if TM > 1
DEFINE_MULTIPLY(TM)
#endif

/* The tile that begins m rows below `top`, whose first row is row m0 of C. */
ALWAYS_INLINE void tile_at(gemm_tile *t, const gemm_tile *top, int m0, int m) {
    *t = *top;
    t->c += m * t->ldc;
    if (t->act)
        t->act += m * t->ldc;
    if (t->add)
        t->add += m * t->ldc;
#if COPY_A
    t->a += A_ROWS ? m * COPY_LD : m / TM * TILE_LD + m % TM;
#elif A_ROWS
    t->a += m * t->lda;
#else
    t->a = source_of(t->a, t->a1, t->a2, (m0 + m) / t->lda) + (m0 + m) % t->lda;
#endif
}

/* `count` rows, by tiles of TM, then of 4, then of 1. */
ALWAYS_INLINE void panel_rows(const gemm_tile *top, int m0, int count) {
    gemm_tile tile;
    int m = 0;
#define TILES_OF(H)                                                                                          \
    for (; m + H <= count; m += H) {                                                                         \
        tile_at(&tile, top, m0, m);                                                                          \
        MULTIPLY(H)(&tile);                                                                                  \
    }
    TILES_OF(TM)
#if TM > 4
    TILES_OF(4)
#endif
#if TM > 1
    TILES_OF(1)
#endif
}

#if COPY_A
#if A_ROWS
/* Rows of A [m0, m0 + rows) × k of [k0, k0 + count) as [tiles·TM][COPY_LD]. */
static inline void copy_rows(float *to, const global float *a, int lda, int m0, int rows, int k0, int count) {
    for (int i = 0; i < rows; i++) {
        const global float *from = a + (m0 + i) * lda + k0;
        int k = 0;
        for (; k + LANES <= count; k += LANES) {
#if ASK
            AHEAD(from, 4 * (size_t)(lda + k));
#endif
            TN_GLUE(vstore, LANES)(LOAD(0, from + k), 0, to + i * COPY_LD + k);
        }
        for (; k < count; k++)
            to[i * COPY_LD + k] = from[k];
    }
}
#else
/* Columns i0 … i0 + rows − 1 of a block of a transposed A, from its column m0 on, as [tiles][TILE_LD], of
 * which [KC][TM] count. A tile's columns are copied by whole vectors: what they write past TM is the place of
 * the next k, which comes after, or the rest of TILE_LD. */
static inline void copy_columns(float *to, const global float *a, int lda, int m0, int i0, int rows, int k0,
                                int count) {
    for (int k = 0; k < count; k++) {
        const global float *from = a + (k0 + k) * lda + m0;
        int i = i0;
#if ASK
        for (int n = 0; n < rows; n += 16)
            AHEAD(from, 4 * (size_t)(ASK * lda + n));
#endif
        for (; i < i0 + rows && i % TM != 0; i++)
            to[i / TM * TILE_LD + k * TM + i % TM] = from[i - i0];
        for (float *tile = to + i / TM * TILE_LD + k * TM; i + TM_UP <= i0 + rows; i += TM, tile += TILE_LD) {
            UNROLL for (int n = 0; n < TM_UP; n += LANES) * (private floatv_near *)(tile + n) =
                *(const global floatv_near *)(from + (i - i0) + n);
        }
        for (; i < i0 + rows; i++)
            to[i / TM * TILE_LD + k * TM + i % TM] = from[i - i0];
    }
}
#endif

/* Rows m0 … m1 − 1 of A, `count` of k. */
ALWAYS_INLINE void copy_block(float *to, const global float *a, const global float *a1,
                              const global float *a2, const gemm_sizes *s, int m0, int m1, int k, int count) {
    const int width = s->a_width;
#if A_ROWS
    copy_rows(to, source_of(a, a1, a2, k / width), width, m0, m1 - m0, k % width, count);
#else
    for (int m = m0; m < m1; m = min(m1, (m / width + 1) * width))
        copy_columns(to, source_of(a, a1, a2, m / width), width, m % width, m - m0,
                     min(m1 - m, width - m % width), k, count);
#endif
}
#endif

/* Only what is counted: rows of C and A, or k where A is transposed. */
static inline void sizes_count(gemm_sizes *s, const global int *count) {
    if (A_ROWS)
        s->M = rows_counted(count, s->M);
    else
        s->K = rows_counted(count, s->K);
}

/* Grid: blocks of s.rows rows × groups of s.group panels × parts of k. With several parts C is s.c_at floats
 * and then [parts,M,N], for partial_sums; bias and add go to the first. */
kernel void gemm_tiles(
    global float *c, global float *c1, global float *c2, /* [M,c_width] each */
    const global float *a, const global float *a1,
    const global float *a2,         /* [M,a_width] each, or [K,a_width] with A_ROWS = 0 */
    const global float *restrict b, /* element (k,n) at n / PANEL * panel + k * ldb + n % PANEL */
    const global float *bias,       /* [N] or NULL */
    const global float *add,        /* [M,N] or NULL; may be c */
    global float *act,              /* [M,N] with ACT, one part and one C */
    const global int *row_count,    /* [1] or NULL: rows of A that there are, and of C with A_ROWS */
    const gemm_sizes given) {
    gemm_sizes s = given; /* read before anything branches */
    sizes_count(&s, row_count);
    const int m0 = get_global_id(0) * s.rows, p0 = get_global_id(1) * s.group, z = get_global_id(2);
    const int k0 = z * s.part, k1 = min(s.K, k0 + s.part);
    const int m1 = min(s.M, m0 + s.rows), p1 = min((s.N + PANEL - 1) / PANEL, p0 + s.group);
    if (m0 >= s.M || p0 >= p1 || k0 > k1 || (k0 == k1 && z > 0)) /* the first part is there: of zeros */
        return;
#if COPY_A
    float block[TILES * TM * COPY_LD];
#endif
    int k = k0, count;
    do {
        count = COPY_A ? min(KC, k1 - k) : k1 - k;
        count = A_ROWS ? min(count, s.a_width - k % s.a_width) : count;
#if COPY_A
        copy_block(block, a, a1, a2, &s, m0, m1, k, count);
#endif
        for (int p = p0; p < p1; p++) {
            const int n = p * PANEL, column = n % s.c_width;
            global float *const to = n < s.c_width ? c : n < 2 * s.c_width ? c1 : c2;
            const gemm_tile top = {
                .c = to + s.c_at + z * s.M * s.N + m0 * s.c_width + column,
                .act = act ? act + m0 * s.N + n : act,
#if COPY_A
                .a = block,
#elif A_ROWS
                .a = source_of(a, a1, a2, k / s.a_width) + m0 * s.a_width + k % s.a_width,
#else
                .a = a + k * s.a_width,
                .a1 = a1 + k * s.a_width,
                .a2 = a2 + k * s.a_width,
#endif
                .b = b + p * s.panel + k * s.ldb,
                .bias = bias && z == 0 ? bias + n : 0,
                .add = add && z == 0 ? add + m0 * s.N + n : 0,
                .lda = s.a_width,
                .ldb = s.ldb,
                .ldc = s.c_width,
                .count = count,
                .left = s.c_width - column,
                .first = k == k0,
                .last = k + count == k1
            };
            panel_rows(&top, m0, m1 - m0);
        }
        k += count;
    } while (k < k1);
}
