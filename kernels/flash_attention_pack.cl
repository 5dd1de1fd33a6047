/* Packing for flash_attention: rows of a tensor into panels of 32, transposed; built behind
 * flash_attention.cl. */

#if VW == 16
/* By component, because Oclgrind 21.10 crashes on .even and .odd when it looks for uninitialised values. */
#define EVENS(v) v.s0, v.s2, v.s4, v.s6, v.s8, v.sa, v.sc, v.se
#define ODDS(v)  v.s1, v.s3, v.s5, v.s7, v.s9, v.sb, v.sd, v.sf

/* A block of 16 rows (D apart) as 16 columns (32 apart): four perfect shuffles turn row·16 + column into
 * column·16 + row. */
inline void transpose16(global float *to, const global float *from, int D) {
    float16 a[16], b[16];
    UNROLL for (int i = 0; i < 16; i++) a[i] = vload16(0, from + i * D);
    UNROLL for (int round = 0; round < 4; round++) {
        UNROLL for (int i = 0; i < 8; i++) {
            b[i] = (float16)(EVENS(a[2 * i]), EVENS(a[2 * i + 1]));
            b[i + 8] = (float16)(ODDS(a[2 * i]), ODDS(a[2 * i + 1]));
        }
        UNROLL for (int i = 0; i < 16; i++) a[i] = b[i];
    }
    UNROLL for (int i = 0; i < 16; i++) PUT16(a[i], 0, to + i * 32, global);
}
#endif

/* Rows → panels, zero past a sequence's end. Grid: panels (at most rows/32 + B) × H. */
kernel void flash_attention_pack(global float *restrict packed,
                                 const global float *restrict x /* [rows,H·DH] */,
                                 const global int *restrict start /* [B+1] */, int B, int H, int panels) {
    const int p = get_global_id(0), h = get_global_id(1), D = H * DH;
    if (p >= panels || h >= H)
        return;
    int b = 0, end = B; /* the last sequence whose first panel is not past p */
    while (end - b > 1) {
        const int middle = (b + end) / 2;
        if (panel_base(start, middle) <= p)
            b = middle;
        else
            end = middle;
    }
    const int r0 = start[b] + (p - panel_base(start, b)) * 32;
    const int count = clamp(start[b + 1] - r0, 0, 32);
    global float *to = packed + (p * H + h) * DH * 32;
    const global float *from = x + r0 * D + h * DH;
#if VW == 16
    if (count == 32) {
        for (int s = 0; s < 32; s += 16)
            for (int d = 0; d < DH; d += 16)
                transpose16(to + d * 32 + s, from + s * D + d, D);
        return;
    }
#endif
    for (int s = 0; s < 32; s++)
        for (int d = 0; d < DH; d++)
            to[d * 32 + s] = s < count ? from[s * D + d] : 0.0f;
}
