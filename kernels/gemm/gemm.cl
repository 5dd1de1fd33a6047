/* What the files of gemm share: panels of VW·NV columns. */

#ifndef NV
#define NV 2 /* vectors side by side in a tile */
#endif

#define PANEL (VW * NV)

/* Vector j of a panel of which `left` columns exist. */
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
