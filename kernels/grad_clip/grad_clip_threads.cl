/* Norm of the whole gradient and the factor that brings it down to max_norm. Σ g² in two stages of fixed
 * order: `items` work-items each sum a share, one work-item sums the shares. The share is a run of `share`
 * vectors, or every items-th vector, so that neighbouring items read neighbours; how many items there are
 * depends on n alone. */

static inline float sum_squares(const global float *g, int first, int stride, int last) {
    floatv squares = 0.0f;
    for (int i = first; i < last; i += stride) {
        const floatv v = load_part(g + i, last - i);
        squares += v * v;
    }
    return sumv(squares);
}

kernel void grad_clip_squares(global float *restrict partial, /* [items] */
                              const global float *restrict g, /* [n] */
                              int items, int share, int n) {
    const int item = get_global_id(0), first = item * share * LANES;
    if (item < items)
        partial[item] = sum_squares(g, first, LANES, min(first + share * LANES, n));
}

kernel void grad_clip_squares_groups(global float *restrict partial, /* [items] */
                                     const global float *restrict g, /* [n] */
                                     int items, int n) {
    const int item = get_global_id(0);
    if (item < items)
        partial[item] = sum_squares(g, item * LANES, items * LANES, n);
}

kernel void grad_clip_scale(global float *restrict scale,         /* [1] */
                            global float *restrict norm,          /* [1] */
                            const global float *restrict partial, /* [items] */
                            int items, float max_norm) {
    if (get_global_id(0) > 0)
        return;
    floatv sums = 0.0f;
    for (int i = 0; i < items; i += LANES)
        sums += load_part(partial + i, items - i);
    const float total = sqrt(sumv(sums));
    norm[0] = total;
    /* A norm that is no number, or infinite, must not pass for a small one: the scale says so. */
    scale[0] = total <= FLT_MAX ? (total > max_norm ? max_norm / total : 1.0f) : NAN;
}
