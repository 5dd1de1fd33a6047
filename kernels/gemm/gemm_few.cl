/* C = A·B or A·Bᵀ (+ bias) (+ add) for few rows: B, which counts for nearly all that is read, is read once,
 * as it lies. A work-item owns all ROWS rows of a panel of columns. Each element is one chain of
 * multiply-adds over k in ascending order: the bits of gemm_tiles. */

#ifndef ROWS
#define ROWS 1 /* of A and C */
#endif
#ifndef B_ROWS
#define B_ROWS 1 /* 1: B is [K,N]; 0: B is [N,K], and LANES and NV are 16 and 1 */
#endif
#ifndef ACT
#define ACT 0 /* 1: act = gelu(C), and C too unless act is C; 2: C times the slope of gelu at act */
#endif

/* The products of column k of A with a row of B. */
#define ADD_PRODUCTS(k, row)                                                                                 \
    UNROLL for (int m = 0; m < ROWS; m++) {                                                                  \
        const floatv x = a[m * K + (k)];                                                                     \
        UNROLL for (int j = 0; j < NV; j++) acc[m][j] += x * (row)[j];                                       \
    }

#if B_ROWS
ALWAYS_INLINE void multiply(floatv acc[ROWS][NV], const global float *a, const global float *b, int N, int K,
                            int left) {
    floatv row[NV];
    if (left >= PANEL) {
        for (int k = 0; k < K; k++) {
            UNROLL for (int j = 0; j < NV; j++) row[j] = LOAD(j, b + k * N);
            ADD_PRODUCTS(k, row)
        }
        return;
    }
    for (int k = 0; k < K; k++) {
        UNROLL for (int j = 0; j < NV; j++) row[j] = load_columns(b + k * N, j, left);
        ADD_PRODUCTS(k, row)
    }
}
#else
/* b stands at row n of B for column n; blocks of 16 × 16 are turned in registers. Past the last row of B the
 * last one is read again, for columns that are not stored. */
ALWAYS_INLINE void multiply(floatv acc[ROWS][NV], const global float *a, const global float *b, int N, int K,
                            int left) {
    float16 block[16];
    int k = 0;
    for (; k + 16 <= K; k += 16) {
        UNROLL for (int n = 0; n < 16; n++) block[n] = vload16(0, b + min(n, left - 1) * K + k);
        transpose16(block);
        UNROLL for (int i = 0; i < 16; i++) ADD_PRODUCTS(k + i, block + i)
    }
    for (; k < K; k++) {
        float tmp[16];
        for (int n = 0; n < 16; n++)
            tmp[n] = b[min(n, left - 1) * K + k];
        block[0] = vload16(0, tmp);
        ADD_PRODUCTS(k, block)
    }
}
#endif

/* Grid: panels. */
kernel void gemm_few(global float *c,                /* [ROWS,N] */
                     const global float *restrict a, /* [ROWS,K] */
                     const global float *restrict b, /* [K,N] or [N,K] */
                     const global float *bias,       /* [N] or NULL */
                     const global float *add,        /* [ROWS,N] or NULL; may be c */
                     global float *act,              /* [ROWS,N] with ACT */
                     int N, int K) {
    const int n = get_global_id(0) * PANEL, left = N - n;
    floatv acc[ROWS][NV];
    if (left <= 0)
        return;
    UNROLL for (int m = 0; m < ROWS; m++) UNROLL for (int j = 0; j < NV; j++) {
        acc[m][j] = add ? load_columns(add + m * N + n, j, left) : (floatv)(0.0f);
        if (bias)
            acc[m][j] += load_columns(bias + n, j, left);
    }
    multiply(acc, a, B_ROWS ? b + n : b + n * K, N, K, left);
    UNROLL for (int m = 0; m < ROWS; m++) UNROLL for (int j = 0; j < NV; j++) {
        const int at = m * N + n;
        floatv v = acc[m][j];
#if ACT == 2
        v *= gelu_slope(load_columns(act + at, j, left));
#elif ACT == 1
        store_columns(gelu_value(v), act + at, j, left);
        if (act != c)
#endif
        store_columns(v, c + at, j, left);
    }
}
