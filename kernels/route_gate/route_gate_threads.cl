/* The router: p = sigmoid(w·u + b), h = [w·u + b ≥ margin], with margin 0: p ≥ ½, and 1 where it is NaN. A
 * work-item owns ROWS rows; no barrier.
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
    for (int n0 = first; n0 < last; n0 += 16) {
        float logits[16];
        const int rows = min(16, last - n0);
        for (int i = 0; i < rows; i++) {
            const global float *row = u + (n0 + i) * D;
            float16 dots = 0.0f;
            float tail = 0.0f;
            int d = 0;
            for (; d + 16 <= D; d += 16)
                dots += vload16(0, row + d) * vload16(0, w + d);
            for (; d < D; d++)
                tail += row[d] * w[d];
            logits[i] = sum16(dots) + tail + b[0];
        }
        for (int i = rows; i < 16; i++)
            logits[i] = 0.0f;
        /* One sigmoid for 16 rows. */
        const float16 z = vload16(0, logits), gates = 1.0f / (1.0f + exp16(-z));
        const uchar16 routed = convert_uchar16(~(z < margin) & 1);
        if (rows == 16) {
            vstore16(gates, 0, p + n0);
            vstore16(routed, 0, h + n0);
            continue;
        }
        float some[16];
        uchar flags[16];
        vstore16(gates, 0, some);
        vstore16(routed, 0, flags);
        for (int i = 0; i < rows; i++) {
            p[n0 + i] = some[i];
            h[n0 + i] = flags[i];
        }
    }
}

/* dl = dp·max(p·(1 − p), least) + dp_const·p·(1 − p); du = add + dl·w; each item leaves Σ
 * dl·u and, behind it, Σ dl over its rows in partial, for partial_sums. */
kernel void route_gate_backward(global float *du, /* [N,D] */
                                global float *restrict partial,
                                int partial_at,                  /* `at` floats, then [items,D+1] */
                                const global float *restrict dp, /* [N] */
                                float dp_const, float least,
                                const global uchar *priced, /* [N]: 1 where dp_const is; NULL: everywhere */
                                const global float *restrict p, /* [N] */
                                const global float *restrict u, /* [N,D] */
                                const global float *restrict w, /* [D] */
                                const global float *add,        /* [N,D] or NULL; may be du */
                                int N, int D) {
    const int item = get_global_id(0), first = item * ROWS, last = min(N, first + ROWS);
    if (first >= N)
        return;
    global float *sums = partial + partial_at + item * (D + 1);
    float bias = 0.0f;
    for (int d = 0; d < D; d++)
        sums[d] = 0.0f;
    for (int n = first; n < last; n++) {
        const float slope = p[n] * (1.0f - p[n]), price = priced && !priced[n] ? 0.0f : dp_const;
        const float dl = dp[n] * AT_LEAST(slope, least) + price * slope;
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
