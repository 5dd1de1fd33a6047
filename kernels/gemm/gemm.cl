/* C = A·B, A·Bᵀ or Aᵀ·B (+ bias) (+ add). A work-item owns blocks of TM rows × one panel of VW·NV columns in
 * registers; no barrier. Each element is one chain of multiply-adds over k in ascending order, whatever the
 * blocking: k goes in blocks of KC and the sums rest in C between them. The bits of a row do not depend on M.
 */

#ifndef NV
#define NV 2 /* vectors side by side in a tile */
#endif
#ifndef TM
#define TM 12 /* rows of a tile */
#endif
#ifndef TILES
#define TILES                                                                                                \
    8 /* tiles a work-item does one below the other at most, with the same panel of B in the cache */
#endif
#ifndef COPY_A
#define COPY_A                                                                                               \
    1 /* 1: an item copies its rows of A side by side first, KC of k at a time; 0: reads them in place */
#endif
#ifndef KC
#define KC 512 /* k of a block with COPY_A */
#endif
#ifndef ASK
#define ASK 0 /* rows of A ahead of which the copy asks for its lines: their pages are not one run */
#endif
#ifndef ACT
#define ACT 0 /* 1: act = gelu(C), and C too unless act is C; 2: C times the slope of gelu at act */
#endif
#ifndef A_ROWS
#define A_ROWS 1 /* 1: A is [M,K]; 0: A is [K,M] */
#endif

#define PANEL (VW * NV)

/* Strides of the copied rows are constants, so that a tile needs one address and not TM of them; 16 more than
 * KC, so that rows do not share the sets of the cache. */
#define COPY_LD  (KC + 16)
#define TM_UP    ((TM + VW - 1) / VW * VW)
#define TILE_LD  (KC * TM + VW)
#define VEC_NEAR floatv_near
#if COPY_A
#define A_SPACE    private
#define A_AT(i, k) (A_ROWS ? a[(i)*COPY_LD + (k)] : a[(k)*TM + (i)])
#else
#define A_SPACE    global
#define A_AT(i, k) (A_ROWS ? a[(i)*lda + (k)] : a[(k)*lda + (i)])
#endif

ALWAYS_INLINE VEC load_columns(const global float *p, int j, int left) {
    if (left >= PANEL)
        return LOAD(j, p);
    float tmp[VW];
    for (int n = 0; n < VW; n++)
        tmp[n] = j * VW + n < left ? p[j * VW + n] : 0.0f;
    return LOAD(0, tmp);
}

ALWAYS_INLINE void store_columns(VEC v, global float *p, int j, int left) {
    if (left >= PANEL) {
        STORE(v, j, p);
        return;
    }
    float tmp[VW];
    JOIN(vstore, VW)(v, 0, tmp);
    for (int n = 0; n < VW && j * VW + n < left; n++)
        p[j * VW + n] = tmp[n];
}

/* A vector of sums to C; `last`: they are whole. */
ALWAYS_INLINE void put(VEC v, global float *c, global float *act, int j, int left, int last) {
#if ACT == 2
    if (last)
        v *= gelu_slope(load_columns(act, j, left));
#endif
#if ACT == 1
    if (last)
        store_columns(gelu_value(v), act, j, left);
    if (last && act == c)
        return;
#endif
    store_columns(v, c, j, left);
}

/* `left`: columns of the panel that exist. first: this block of k begins the sum, at bias and add; they go in
 * front because C, where sums rest, may be `add` itself. */
#define DEFINE_TILE_(H)                                                                                      \
    ALWAYS_INLINE void tile_##H(global float *c, int N, const A_SPACE float *a, int lda,                     \
                                const global float *b, int ldb, int count, const global float *bias,         \
                                const global float *add, int left, int first, global float *act, int last) { \
        VEC acc[H][NV];                                                                                      \
        const global float *const from = first ? add : c;                                                    \
        _Pragma("unroll") for (int i = 0; i < H; i++) _Pragma("unroll") for (int j = 0; j < NV; j++)         \
            acc[i][j] = from ? load_columns(from + i * N, j, left) : (VEC)(0.0f);                            \
        if (first && bias)                                                                                   \
            _Pragma("unroll") for (int j = 0; j < NV; j++) {                                                 \
                const VEC x = load_columns(bias, j, left);                                                   \
                _Pragma("unroll") for (int i = 0; i < H; i++) acc[i][j] += x;                                \
            }                                                                                                \
        for (int k = 0; k < count; k++) {                                                                    \
            VEC row[NV];                                                                                     \
            _Pragma("unroll") for (int j = 0; j < NV; j++) row[j] = LOAD(j, b + k * ldb);                    \
            _Pragma("unroll") for (int i = 0; i < H; i++) {                                                  \
                const VEC x = A_AT(i, k);                                                                    \
                _Pragma("unroll") for (int j = 0; j < NV; j++) acc[i][j] += x * row[j];                      \
            }                                                                                                \
        }                                                                                                    \
        _Pragma("unroll") for (int i = 0; i < H; i++) _Pragma("unroll") for (int j = 0; j < NV; j++)         \
            put(acc[i][j], c + i * N, ACT ? act + i * N : act, j, left, last);                               \
    }

#define DEFINE_TILE(H) DEFINE_TILE_(H)
#define TILE(H)        JOIN(tile_, H)
DEFINE_TILE(1)
#if TM > 4
DEFINE_TILE(4)
#endif
#if TM > 1
DEFINE_TILE(TM)
#endif

/* A may lie in up to three tensors: side by side along k, or along m where A is transposed. */
static inline const global float *source_of(const global float *a, const global float *a1,
                                            const global float *a2, int i) {
    return i == 0 ? a : i == 1 ? a1 : a2;
}

#if COPY_A
#if A_ROWS
/* Rows of A [m0, m0 + rows) × k of [k0, k0 + count) as [tiles·TM][COPY_LD]. */
static inline void copy_rows(float *to, const global float *a, int lda, int m0, int rows, int k0, int count) {
    for (int i = 0; i < rows; i++) {
        const global float *from = a + (m0 + i) * lda + k0;
        int k = 0;
        for (; k + VW <= count; k += VW) {
#if ASK
            AHEAD(from, 4 * (size_t)(lda + k));
#endif
            JOIN(vstore, VW)(LOAD(0, from + k), 0, to + i * COPY_LD + k);
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
        for (float *tile = to + i / TM * TILE_LD + k * TM; i + TM_UP <= i0 + rows; i += TM, tile += TILE_LD)
#pragma unroll
            for (int n = 0; n < TM_UP; n += VW)
                *(private VEC_NEAR *)(tile + n) = *(const global VEC_NEAR *)(from + (i - i0) + n);
        for (; i < i0 + rows; i++)
            to[i / TM * TILE_LD + k * TM + i % TM] = from[i - i0];
    }
}
#endif
#endif

/* In gemm_tiles: A of the tile at row m. */
#if COPY_A
#define A_TILE (block + (A_ROWS ? (m - m0) * COPY_LD : (m - m0) / TM * TILE_LD + (m - m0) % TM))
#elif A_ROWS
#define A_TILE (from + m * a_width + ka)
#else
#define A_TILE (source_of(a, a1, a2, m / a_width) + k * a_width + m % a_width)
#endif

/* Grid: blocks of `rows` rows (a multiple of TM, at most TM·TILES) × groups of `group` panels × parts of k.
 * With several parts C is c_at floats and then [parts,M,N], for partial_sums; bias and add go to the first.
 */
kernel void gemm_tiles(
    global float *c, global float *c1, global float *c2, /* [M,c_width] each, or c is [parts,M,N] */
    const global float *a, const global float *a1,
    const global float *a2,         /* [M,a_width] each, or [K,a_width] with A_ROWS = 0 */
    const global float *restrict b, /* panels: element (k,n) at (n / PANEL)·panel + k·ldb + n % PANEL */
    const global float *bias,       /* [N] or NULL */
    const global float *add,        /* [M,N] or NULL; may be c */
    global float *act,              /* [M,N] with ACT, one part and one C */
    int M, int N, int K, int panel, int ldb, int part, int rows, int group, int c_width, int a_width,
    int c_at) {
    const int m0 = get_global_id(0) * rows, p0 = get_global_id(1) * group, z = get_global_id(2);
    const int k0 = z * part, k1 = min(K, k0 + part);
    const int m1 = min(M, m0 + rows), p1 = min((N + PANEL - 1) / PANEL, p0 + group);
    if (m0 >= M || p0 >= p1 || k0 >= k1)
        return;
    const int steps = COPY_A ? KC : k1 - k0;
#if COPY_A
    float block[TILES * TM * COPY_LD];
#endif
    for (int k = k0, count; k < k1; k += count) {
        const int first = k == k0;
        count = min(steps, k1 - k);
#if A_ROWS
        const int ka = k % a_width;
        count = min(count, a_width - ka);
        const global float *const from = source_of(a, a1, a2, k / a_width);
#endif
#if COPY_A && A_ROWS
        copy_rows(block, from, a_width, m0, m1 - m0, ka, count);
#elif COPY_A
        for (int m = m0; m < m1; m = min(m1, (m / a_width + 1) * a_width))
            copy_columns(block, source_of(a, a1, a2, m / a_width), a_width, m % a_width, m - m0,
                         min(m1 - m, a_width - m % a_width), k, count);
#endif
        for (int p = p0; p < p1; p++) {
            const int n = p * PANEL, column = n % c_width, left = c_width - column;
            global float *const to = (n < c_width       ? c
                                      : n < 2 * c_width ? c1
                                                        : c2) +
                                     c_at + z * M * N + column;
            int m = m0;
#define RUN(H)                                                                                               \
    for (; m + H <= m1; m += H)                                                                              \
        TILE(H)                                                                                              \
    (to + m * c_width, c_width, A_TILE, a_width, b + p * panel + k * ldb, ldb, count,                        \
     bias && z == 0 ? bias + n : 0, add && z == 0 ? add + m * N + n : 0, left, first,                        \
     act ? act + m * N + n : act, k + count == k1)
#if TM > 1
            RUN(TM);
#endif
#if TM > 4
            RUN(4);
#endif
            RUN(1);
        }
    }
}

/* Column sums of a part of the rows, for partial_sums. Grid: column groups of 16 × parts. */
kernel void gemm_bias_backward(global float *restrict partial,  /* `at` floats, then [parts,N] */
                               const global float *restrict dy, /* [M,N] */
                               int partial_at, int M, int N, int part) {
    const int n0 = get_global_id(0) * 16;
    const int z = get_global_id(1);
    const int m0 = z * part, m1 = min(M, m0 + part);
    global float *const to = partial + partial_at + z * N;
    if (n0 >= N || m0 >= M)
        return;
    if (n0 + 16 <= N) {
        float16 sum = 0.0f;
        for (int m = m0; m < m1; m++)
            sum += vload16(0, dy + m * N + n0);
        vstore16(sum, 0, to + n0);
        return;
    }
    for (int n = n0; n < N; n++) {
        float sum = 0.0f;
        for (int m = m0; m < m1; m++)
            sum += dy[m * N + n];
        to[n] = sum;
    }
}

/* c += bias, for the back end that cannot. Grid: elements. */
kernel void gemm_bias(global float *c, const global float *restrict bias, int M, int N) {
    const int i = get_global_id(0);
    if (i < M * N)
        c[i] += bias[i % N];
}
