/* RMSNorm over rows: y = x · rstd · w with rstd = 1/√(mean x² + ε). A work-item owns ROWS rows; no barrier.
 */

#ifndef ROWS
#define ROWS 16 /* rows a work-item owns */
#endif

kernel void rms_norm_forward(global float *restrict y,       /* [N,D] */
                             global float *restrict rstd,    /* [N] */
                             const global float *restrict x, /* [N,D] */
                             const global float *restrict w, /* [D] */
                             int N, int D, float eps) {
    const int first = get_global_id(0) * ROWS;
    const int last = min(first + ROWS, N);
    for (int n = first; n < last; n++) {
        const global float *row = x + n * D;
        float16 squares = 0.0f;
        float tail = 0.0f;
        int d = 0;
        for (; d + 16 <= D; d += 16) {
            float16 v = vload16(0, row + d);
            squares += v * v;
        }
        for (; d < D; d++)
            tail += row[d] * row[d];
        const float r = 1.0f / sqrt((sum16(squares) + tail) / D + eps);
        rstd[n] = r;
        for (d = 0; d + 16 <= D; d += 16)
            vstore16(vload16(0, row + d) * r * vload16(0, w + d), 0, y + n * D + d);
        for (; d < D; d++)
            y[n * D + d] = row[d] * r * w[d];
    }
}

/* dx = add + rstd · (w·dy − x̂ · mean(w·dy·x̂)) with x̂ = x · rstd; each item also leaves Σ dy·x̂ over its rows
 * in partial, which rms_norm_weight adds up in order. */
kernel void rms_norm_backward(
    global float *restrict dx,         /* [N,D] */
    global float *restrict partial,    /* [items,D] */
    const global float *dy,            /* [N,D] */
    const global float *restrict x,    /* [N,D] */
    const global float *restrict w,    /* [D] */
    const global float *restrict rstd, /* [N] */
    const global float *add,           /* [N,D], may be dx itself; not read when has_add = 0 */
    int has_add, int N, int D) {
    const int item = get_global_id(0);
    const int first = item * ROWS;
    const int last = min(first + ROWS, N);
    global float *sums = partial + item * D;
    if (first >= N)
        return;
    for (int d = 0; d < D; d++)
        sums[d] = 0.0f;
    for (int n = first; n < last; n++) {
        const int at = n * D;
        const float r = rstd[n];
        float16 dots = 0.0f;
        float tail = 0.0f;
        int d = 0;
        for (; d + 16 <= D; d += 16) {
            const float16 g = vload16(0, dy + at + d), hat = vload16(0, x + at + d) * r;
            dots += g * vload16(0, w + d) * hat;
            vstore16(vload16(0, sums + d) + g * hat, 0, sums + d);
        }
        for (; d < D; d++) {
            const float g = dy[at + d], hat = x[at + d] * r;
            tail += g * w[d] * hat;
            sums[d] += g * hat;
        }
        const float mean = (sum16(dots) + tail) / D;
        for (d = 0; d + 16 <= D; d += 16) {
            const float16 hat = vload16(0, x + at + d) * r;
            float16 v = r * (vload16(0, w + d) * vload16(0, dy + at + d) - hat * mean);
            if (has_add)
                v += vload16(0, add + at + d);
            vstore16(v, 0, dx + at + d);
        }
        for (; d < D; d++) {
            const float v = r * (w[d] * dy[at + d] - x[at + d] * r * mean);
            dx[at + d] = has_add ? add[at + d] + v : v;
        }
    }
}

/* dw[d] = Σ over items of partial[item,d], in order. */
kernel void rms_norm_weight(global float *restrict dw,            /* [D] */
                            const global float *restrict partial, /* [items,D] */
                            int items, int D) {
    const int d = get_global_id(0);
    if (d >= D)
        return;
    float sum = 0.0f;
    for (int i = 0; i < items; i++)
        sum += partial[i * D + d];
    dw[d] = sum;
}
