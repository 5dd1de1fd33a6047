/* What the files of gemm share: panels of LANES·NV columns. */

#if LANES == 1
#error "LANES is 4, 8 or 16"
#endif

#ifndef NV
#define NV 2 /* vectors side by side in a tile */
#endif

#define PANEL (LANES * NV)

/* Vector j of a panel of which `left` columns exist. */
ALWAYS_INLINE floatv load_columns(const global float *p, int j, int left) {
    if (left >= PANEL)
        return LOAD(j, p);
    float tmp[LANES];
    for (int n = 0; n < LANES; n++)
        tmp[n] = j * LANES + n < left ? p[j * LANES + n] : 0.0f;
    return LOAD(0, tmp);
}

ALWAYS_INLINE void store_columns(floatv v, global float *p, int j, int left) {
    if (left >= PANEL) {
        STORE(v, j, p);
        return;
    }
    float tmp[LANES];
    TN_GLUE(vstore, LANES)(v, 0, tmp);
    for (int n = 0; n < LANES && j * LANES + n < left; n++)
        p[j * LANES + n] = tmp[n];
}
