/* The router: p = sigmoid(w·u + b), h = [w·u + b ≥ margin], with margin 0: p ≥ ½. A work-item owns ROWS
 * rows; no barrier.
 */

#ifndef ROWS
#define ROWS 16 /* rows a work-item owns */
#endif

kernel void route_gate_forward(global float *restrict p,       /* [N] */
                               global uchar *restrict h,       /* [N] */
                               const global float *restrict u, /* [N,D] */
                               const global float *restrict w, /* [D] */
                               const global float *restrict b, /* [1] */
                               float margin, int N, int D) {
    const int first = get_global_id(0) * ROWS, last = min(N, first + ROWS);
    for (int n = first; n < last; n++) {
        const global float *row = u + n * D;
        float16 dots = 0.0f;
        float tail = 0.0f;
        int d = 0;
        for (; d + 16 <= D; d += 16)
            dots += vload16(0, row + d) * vload16(0, w + d);
        for (; d < D; d++)
            tail += row[d] * w[d];
        const float logit = sum16(dots) + tail + b[0];
        p[n] = 1.0f / (1.0f + exp(-logit));
        h[n] = logit >= margin ? 1 : 0;
    }
}

/* dl = (dp + dp_const)·p·(1 − p); du = add + dl·w; each item leaves Σ
 * dl·u and, behind it, Σ dl over its rows in partial. */
kernel void route_gate_backward(global float *du,                               /* [N,D] */
                                global float *restrict partial,                 /* [items,D+1] */
                                const global float *restrict dp,                /* [N] */
                                float dp_const, const global float *restrict p, /* [N] */
                                const global float *restrict u,                 /* [N,D] */
                                const global float *restrict w,                 /* [D] */
                                const global float *add,                        /* [N,D] or NULL; may be du */
                                int N, int D) {
    const int item = get_global_id(0), first = item * ROWS, last = min(N, first + ROWS);
    if (first >= N)
        return;
    global float *sums = partial + item * (D + 1);
    float bias = 0.0f;
    for (int d = 0; d < D; d++)
        sums[d] = 0.0f;
    for (int n = first; n < last; n++) {
        const float dl = (dp[n] + dp_const) * p[n] * (1.0f - p[n]);
        const int at = n * D;
        bias += dl;
        int d = 0;
        for (; d + 16 <= D; d += 16) {
            vstore16(vload16(0, sums + d) + dl * vload16(0, u + at + d), 0, sums + d);
            const float16 v = dl * vload16(0, w + d);
            vstore16(add ? vload16(0, add + at + d) + v : v, 0, du + at + d);
        }
        for (; d < D; d++) {
            sums[d] += dl * u[at + d];
            du[at + d] = add ? add[at + d] + dl * w[d] : dl * w[d];
        }
    }
    sums[D] = bias;
}

/* dw[d] = Σ over items, in order; item D of a row is the bias. Grid: D + 1. */
kernel void route_gate_weight(global float *restrict dw, /* [D] */
                              global float *restrict db, /* [1] */
                              const global float *restrict partial /* [items,D+1] */, int items, int D) {
    const int d = get_global_id(0);
    if (d > D)
        return;
    float sum = 0.0f;
    for (int i = 0; i < items; i++)
        sum += partial[i * (D + 1) + d];
    if (d < D)
        dw[d] = sum;
    else
        db[0] = sum;
}
