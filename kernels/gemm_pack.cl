/* Packing for gemm: B into panels, zero past N; built behind gemm.cl. */

#ifndef PACK_K
#define PACK_K 64 /* rows of a panel that a work-item packs: a multiple of 16 */
#endif

/* Grid: ⌈K / PACK_K⌉ × panels. */
kernel void gemm_pack(global float *restrict packed,  /* [panels,K,PANEL] */
                      const global float *restrict b, /* [N,K] when transposed, else [K,N] */
                      int N, int K, int transposed) {
    const int p = get_global_id(1), n0 = p * PANEL, left = N - n0;
    const int end = min(K, (int)(get_global_id(0) + 1) * PACK_K);
    int k = get_global_id(0) * PACK_K;
    if (k >= K || left <= 0)
        return;
    global float *to = packed + p * K * PANEL;
    const global float *from = transposed ? b + n0 * K : b + n0;
    if (!transposed && left >= PANEL) {
        for (; k < end; k++)
            for (int j = 0; j < NV; j++)
                STORE(LOAD(j, from + k * N), j, to + k * PANEL);
        return;
    }
#if VW == 16
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
