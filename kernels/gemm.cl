/* C = A·B, A·Bᵀ or Aᵀ·B (+ bias) (+ add). A work-item owns tiles of TM rows × one panel of VW·NV columns in
 * registers; no barrier. Each element is one chain of multiply-adds over k in ascending order, whatever the
 * tile: the bits of a row do not depend on M. */

#ifndef VW
#define VW 16 /* lanes of a vector */
#endif
#ifndef NV
#define NV 2 /* vectors side by side in a tile */
#endif
#ifndef TM
#define TM 12 /* rows of a tile */
#endif
#ifndef TILES
#define TILES 8 /* tiles a work-item does one below the other, so that its panel of B stays in the cache */
#endif
#ifndef A_ROWS
#define A_ROWS 1 /* 1: A is [M,K]; 0: A is [K,M] */
#endif

#define PANEL       (VW * NV)
#define JOIN_(a, b) a##b
#define JOIN(a, b)  JOIN_(a, b)
#define VEC         JOIN(float, VW)
#define LOAD        JOIN(vload, VW)
#if VW == 16
#define STORE(v, j, p) PUT16(v, j, p, global)
#else
#define STORE(v, j, p) JOIN(vstore, VW)(v, j, p)
#endif

#if A_ROWS
#define A_AT(i, k) a[(i)*lda + (k)]
#else
#define A_AT(i, k) a[(k)*lda + (i)]
#endif

/* c += bias and add, then stored; columns past N are left alone. */
ALWAYS_INLINE void row_store(const VEC *acc, global float *c, const global float *bias,
                             const global float *add, int left) {
    if (left >= PANEL) {
#pragma unroll
        for (int j = 0; j < NV; j++) {
            VEC v = acc[j];
            if (bias)
                v += LOAD(j, bias);
            if (add)
                v += LOAD(j, add);
            STORE(v, j, c);
        }
        return;
    }
    float tmp[PANEL];
#pragma unroll
    for (int j = 0; j < NV; j++)
        JOIN(vstore, VW)(acc[j], j, tmp);
    for (int n = 0; n < left; n++) {
        float v = tmp[n];
        if (bias)
            v += bias[n];
        if (add)
            v += add[n];
        c[n] = v;
    }
}

#define DEFINE_TILE_(H)                                                                                      \
    ALWAYS_INLINE void tile_##H(global float *c, const global float *a, int lda, const global float *b,      \
                                int ldb, const global float *bias, const global float *add, int k0, int k1,  \
                                int N, int left) {                                                           \
        VEC acc[H][NV];                                                                                      \
        _Pragma("unroll") for (int i = 0; i < H; i++) _Pragma("unroll") for (int j = 0; j < NV; j++)         \
            acc[i][j] = 0.0f;                                                                                \
        for (int k = k0; k < k1; k++) {                                                                      \
            VEC row[NV];                                                                                     \
            _Pragma("unroll") for (int j = 0; j < NV; j++) row[j] = LOAD(j, b + k * ldb);                    \
            _Pragma("unroll") for (int i = 0; i < H; i++) {                                                  \
                const VEC x = A_AT(i, k);                                                                    \
                _Pragma("unroll") for (int j = 0; j < NV; j++) acc[i][j] += x * row[j];                      \
            }                                                                                                \
        }                                                                                                    \
        _Pragma("unroll") for (int i = 0; i < H; i++)                                                        \
            row_store(acc[i], c + i * N, bias, add ? add + i * N : add, left);                               \
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

/* Grid: blocks of TM·TILES rows × panels of columns × parts of k. With several parts C is [parts,M,N], added
 * up by gemm_reduce, and bias and add are left to it. */
kernel void gemm_tiles(
    global float *c,                /* [M,N], or [parts,M,N] */
    const global float *a,          /* [M,K], or [K,M] with A_ROWS = 0 */
    const global float *restrict b, /* panels: element (k,n) at (n / PANEL)·panel + k·ldb + n % PANEL */
    const global float *bias,       /* [N] or NULL */
    const global float *add,        /* [M,N] or NULL; may be c */
    int M, int N, int K, int panel, int ldb, int part) {
    const int m0 = get_global_id(0) * (TM * TILES);
    const int p = get_global_id(1);
    const int z = get_global_id(2);
    const int n0 = p * PANEL;
    const int k0 = z * part, k1 = min(K, k0 + part);
    const int m1 = min(M, m0 + TM * TILES);
    const int lda = A_ROWS ? K : M;
    if (m0 >= M || n0 >= N || k0 >= k1)
        return;
    const int left = N - n0;
    global float *to = c + z * M * N + n0;
    const global float *panel_b = b + p * panel;
    const global float *panel_bias = bias ? bias + n0 : bias;
    int m = m0;
#define RUN(H)                                                                                               \
    for (; m + H <= m1; m += H)                                                                              \
        TILE(H)                                                                                              \
    (to + m * N, a + (A_ROWS ? m * lda : m), lda, panel_b, ldb, panel_bias, add ? add + m * N + n0 : add,    \
     k0, k1, N, left)
#if TM > 1
    RUN(TM);
#endif
#if TM > 4
    RUN(4);
#endif
    RUN(1);
}

/* B into panels, zero past N. Grid: k × panels. */
kernel void gemm_pack(global float *restrict packed,  /* [panels,K,PANEL] */
                      const global float *restrict b, /* [N,K] when transposed, else [K,N] */
                      int N, int K, int transposed) {
    const int k = get_global_id(0);
    const int p = get_global_id(1);
    const int n0 = p * PANEL;
    if (k >= K || n0 >= N)
        return;
    global float *to = packed + (p * K + k) * PANEL;
    const int full = min(PANEL, N - n0);
    for (int n = 0; n < full; n++)
        to[n] = transposed ? b[(n0 + n) * K + k] : b[k * N + n0 + n];
    for (int n = full; n < PANEL; n++)
        to[n] = 0.0f;
}

/* c = Σ over parts, in order (+ bias) (+ add). Grid: elements / 16. */
kernel void gemm_reduce(global float *c,                      /* [M,N] */
                        const global float *restrict partial, /* [parts,M,N] */
                        const global float *bias,             /* [N] or NULL */
                        const global float *add,              /* [M,N] or NULL; may be c */
                        int parts, int M, int N) {
    const int count = M * N;
    const int first = get_global_id(0) * 16;
    if (first >= count)
        return;
    if (first + 16 <= count) {
        float16 sum = vload16(0, partial + first);
        for (int z = 1; z < parts; z++)
            sum += vload16(0, partial + z * count + first);
        float tmp[16];
        vstore16(sum, 0, tmp);
        for (int i = 0; i < 16; i++) {
            if (bias)
                tmp[i] += bias[(first + i) % N];
            if (add)
                tmp[i] += add[first + i];
        }
        vstore16(vload16(0, tmp), 0, c + first);
        return;
    }
    for (int i = first; i < count; i++) {
        float sum = partial[i];
        for (int z = 1; z < parts; z++)
            sum += partial[z * count + i];
        if (bias)
            sum += bias[i % N];
        c[i] = add ? sum + add[i] : sum;
    }
}

/* Column sums of a part of the rows, for gemm_reduce. Grid: column groups of 16 × parts. */
kernel void gemm_bias_backward(global float *restrict partial,  /* [parts,N] */
                               const global float *restrict dy, /* [M,N] */
                               int M, int N, int part) {
    const int n0 = get_global_id(0) * 16;
    const int z = get_global_id(1);
    const int m0 = z * part, m1 = min(M, m0 + part);
    if (n0 >= N || m0 >= M)
        return;
    if (n0 + 16 <= N) {
        float16 sum = 0.0f;
        for (int m = m0; m < m1; m++)
            sum += vload16(0, dy + m * N + n0);
        vstore16(sum, 0, partial + z * N + n0);
        return;
    }
    for (int n = n0; n < N; n++) {
        float sum = 0.0f;
        for (int m = m0; m < m1; m++)
            sum += dy[m * N + n];
        partial[z * N + n] = sum;
    }
}

/* c += bias, for the back end that cannot. Grid: elements. */
kernel void gemm_bias(global float *c, const global float *restrict bias, int M, int N) {
    const int i = get_global_id(0);
    if (i < M * N)
        c[i] += bias[i % N];
}
