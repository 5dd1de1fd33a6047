/* RMSNorm over rows: y = x · rstd · w with rstd = 1/√(mean x² + ε). A work-item owns `share` rows; no
 * barrier.
 */

kernel void rms_norm_forward(global float *restrict y,       /* [N,D] */
                             global float *restrict rstd,    /* [N] */
                             const global float *restrict x, /* [N,D] */
                             const global float *restrict w, /* [D] */
                             int share, int N, int D, float eps) {
    const int first = get_global_id(0) * share, last = min(first + share, N);
    for (int n = first; n < last; n++) {
        const global float *row = x + n * D;
        floatv squares = 0.0f;
        for (int d = 0; d < D; d += LANES) {
            const floatv v = load_ahead(row + d, LEFT(d, D));
            squares += v * v;
        }
        const float r = 1.0f / sqrt(sumv(squares) / D + eps);
        rstd[n] = r;
        for (int d = 0; d < D; d += LANES)
            store_out(load_part(row + d, LEFT(d, D)) * r * load_part(w + d, LEFT(d, D)), y + n * D + d,
                      LEFT(d, D));
    }
}

/* dx = add + rstd · (w·dy − x̂ · mean(w·dy·x̂)) with x̂ = x · rstd; each item also leaves Σ dy·x̂ over its rows
 * in partial, for partial_sums. */
kernel void rms_norm_backward(
    global float *dx,                  /* [N,D] */
    global float *restrict partial,    /* `at` floats, then [items,D] */
    const global float *dy,            /* [N,D] */
    const global float *restrict x,    /* [N,D] */
    const global float *restrict w,    /* [D] */
    const global float *restrict rstd, /* [N] */
    const global float *add,           /* [N,D], may be dx itself; not read when has_add = 0 */
    int has_add, int partial_at, int share, int N, int D) {
    const int item = get_global_id(0), first = item * share, last = min(first + share, N);
    global float *sums = partial + partial_at + item * D;
    if (first >= N)
        return;
    for (int d = 0; d < D; d++)
        sums[d] = 0.0f;
    for (int n = first; n < last; n++) {
        const int at = n * D;
        const float r = rstd[n];
        floatv dots = 0.0f;
        for (int d = 0; d < D; d += LANES) {
            const int left = LEFT(d, D);
            const floatv g = load_ahead(dy + at + d, left), hat = load_ahead(x + at + d, left) * r;
            dots += g * load_part(w + d, left) * hat;
            store_part(load_part(sums + d, left) + g * hat, sums + d, left);
        }
        const float mean = sumv(dots) / D;
        for (int d = 0; d < D; d += LANES) {
            const int left = LEFT(d, D);
            const floatv hat = load_part(x + at + d, left) * r;
            floatv v = r * (load_part(w + d, left) * load_part(dy + at + d, left) - hat * mean);
            if (has_add)
                v += load_ahead(add + at + d, left);
            store_out(v, dx + at + d, left);
        }
    }
}
