/* Products of attention's weights (DeepSeek-AI: DeepSeek-V2, 2024, section 2.1, "absorbed"): with M_h =
 * W_kʰᵀ·W_qʰ and C_h = W_oʰ·W_vʰ,  q·k = (M_h·u_t)·u_s  and  o = Σ_h C_h·Σ_s p·u_s,  so that keys and values
 * are the rows u themselves. D = H·Dh, a multiple of LANES; head h owns rows h·Dh … (h+1)·Dh−1 of wq, wk, wv
 * and the same columns of wo. */

/* The register tile of a work-item. */
#define ROWS 4
#define COLS 4 /* vectors */

/* One register tile: to[r][c] = Σ_{j<n} a[r·ar + j·aj] · b[j·bj + c], rows from `row` on, below `end`,
 * columns from `column` on, below D; to's rows `ld` apart. */
static inline void product(global float *to, int ld, const global float *a, int ar, int aj,
                           const global float *b, int bj, int n, int row, int end, int column, int D) {
    floatv sum[ROWS][COLS];
    UNROLL for (int r = 0; r < ROWS; r++) UNROLL for (int c = 0; c < COLS; c++) sum[r][c] = 0.0f;
    for (int j = 0; j < n; j++) {
        floatv x[COLS];
        UNROLL for (int c = 0; c < COLS; c++) x[c] = LOAD(0, b + j * bj + min(column + c * LANES, D - LANES));
        UNROLL for (int r = 0; r < ROWS; r++) {
            const float w = a[min(row + r, end - 1) * ar + j * aj];
            UNROLL for (int c = 0; c < COLS; c++) sum[r][c] += w * x[c];
        }
    }
    UNROLL for (int r = 0; r < ROWS; r++)
        UNROLL for (int c = 0; c < COLS; c++) if (row + r < end && column + c * LANES < D)
            STORE(sum[r][c], 0, to + (row + r) * ld + column + c * LANES);
}

/* Grid: D / ROWS × 2·H × D / (COLS·LANES). */
kernel void attention_absorb_forward(global float *restrict mq /* [H·D,D] M */,
                                     global float *restrict mo /* [D,H·D] C */,
                                     const global float *restrict wq, const global float *restrict wk,
                                     const global float *restrict wv,
                                     const global float *restrict wo /* [D,D] each */, int H, int Dh) {
    const int D = H * Dh, row = get_global_id(0) * ROWS, block = get_global_id(1);
    const int column = get_global_id(2) * COLS * LANES, h = block % H;
    if (row >= D || block >= 2 * H || column >= D)
        return;
    if (block < H)
        product(mq + h * D * D, D, wk + h * Dh * D, 1, D, wq + h * Dh * D, D, Dh, row, D, column, D);
    else
        product(mo + h * D, H * D, wo + h * Dh, D, 1, wv + h * Dh * D, D, Dh, row, D, column, D);
}

/* dW_q = W_k·dM, dW_v = W_oᵀ·dC. Grid: Dh / ROWS × 2·H × D / (COLS·LANES). */
kernel void attention_absorb_backward(global float *restrict dwq, global float *restrict dwv,
                                      const global float *restrict dmq, const global float *restrict dmo,
                                      const global float *restrict wk, const global float *restrict wo, int H,
                                      int Dh) {
    const int D = H * Dh, row = get_global_id(0) * ROWS, block = get_global_id(1);
    const int column = get_global_id(2) * COLS * LANES, h = block % H;
    if (row >= Dh || block >= 2 * H || column >= D)
        return;
    if (block < H)
        product(dwq + h * Dh * D, D, wk + h * Dh * D, D, 1, dmq + h * D * D, D, D, row, Dh, column, D);
    else
        product(dwv + h * Dh * D, D, wo + h * Dh, 1, D, dmo + h * D, H * D, D, row, Dh, column, D);
}

/* dW_k = W_q·dMᵀ, dW_o = dC·W_vᵀ: products of rows with rows. Grid: D (row h·Dh + j of W_q or W_v) × 2. */
kernel void attention_absorb_transposed(global float *restrict dwk, global float *restrict dwo,
                                        const global float *restrict dmq, const global float *restrict dmo,
                                        const global float *restrict wq, const global float *restrict wv,
                                        int H, int Dh) {
    const int D = H * Dh, own = get_global_id(0), h = own / Dh, output = get_global_id(1);
    if (own >= D || output >= 2)
        return;
    const global float *w = (output ? wv : wq) + own * D;
    const global float *d = output ? dmo + h * D : dmq + h * D * D;
    const int dj = output ? H * D : D;
    for (int i = 0; i < D; i++) {
        floatv sum = 0.0f;
        for (int c = 0; c < D; c += LANES)
            sum += LOAD(0, w + c) * LOAD(0, d + i * dj + c);
        if (output)
            dwo[i * D + own] = total(sum);
        else
            dwk[own * D + i] = total(sum);
    }
}

/* A listed position once for each of its H queries. Grid: R. */
kernel void attention_absorb_rows(global int *restrict to /* [R·H] */,
                                  const global int *restrict rows /* [R] */, int R, int H) {
    const int r = get_global_id(0);
    if (r >= R)
        return;
    for (int h = 0; h < H; h++)
        to[r * H + h] = rows[r];
}
