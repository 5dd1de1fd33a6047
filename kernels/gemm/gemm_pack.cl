/* Packing for gemm: B into panels, zero past N; built behind gemm.cl. */

#ifndef PACK_K
#define PACK_K 64 /* rows of a panel that a work-item packs: a multiple of 16 */
#endif

/* Rows k … end − 1 of the panel from column n0 on. */
static inline void pack_rows(global float *to, const global float *b, int N, int K, int transposed, int n0,
                             int k, int end) {
    const int left = N - n0;
    const global float *from = transposed ? b + n0 * K : b + n0;
    if (!transposed && left >= PANEL) {
        for (; k < end; k++)
            for (int j = 0; j < NV; j++)
                STORE(LOAD(j, from + k * N), j, to + k * PANEL);
        return;
    }
#if LANES == 16
    if (left >= PANEL)
        for (; k + 16 <= end; k += 16)
            for (int j = 0; j < NV; j++) {
                float16 block[16];
                for (int n = 0; n < 16; n++)
                    block[n] = vload16(0, from + (j * 16 + n) * K + k);
                transpose16(block);
                for (int i = 0; i < 16; i++)
                    STORE(block[i], j, to + (k + i) * PANEL);
            }
#endif
    for (; k < end; k++)
        for (int n = 0; n < PANEL; n++)
            to[k * PANEL + n] = n >= left ? 0.0f : transposed ? from[n * K + k] : from[k * N + n];
}

/* Grid: ⌈K / PACK_K⌉ × panels. */
kernel void gemm_pack(global float *restrict packed,  /* [panels,K,PANEL] */
                      const global float *restrict b, /* [N,K] when transposed, else [K,N] */
                      const global int *count,        /* [1] or NULL: of K rows those that there are */
                      int N, int K, int transposed) {
    const int p = get_global_id(1), k = get_global_id(0) * PACK_K, end = rows_counted(count, K);
    if (k < end && p * PANEL < N)
        pack_rows(packed + p * K * PANEL, b, N, K, transposed, p * PANEL, k, min(end, k + PACK_K));
}

/* Many matrices [N,K] of one buffer, transposed, at once. Grid: their blocks, one after the other. */
kernel void gemm_pack_all(global float *restrict packed, const global float *restrict from,
                          const global int *restrict table, /* [count,5] place in packed, in from; N, K; end
                                                               of its blocks */
                          int count) {
    int block = get_global_id(0), i = 0;
    while (i < count && block >= table[i * 5 + 4])
        i++;
    if (i == count)
        return;
    if (i > 0)
        block -= table[i * 5 - 1];
    const global int *row = table + i * 5;
    const int N = row[2], K = row[3], steps = (K + PACK_K - 1) / PACK_K;
    const int p = block / steps, k = block % steps * PACK_K;
    pack_rows(packed + row[0] + p * K * PANEL, from + row[1], N, K, 1, p * PANEL, k, min(K, k + PACK_K));
}
