/* Norm of the whole gradient and the factor that brings it down to max_norm. Σ g² in two stages of fixed
 * order: `items` work-items each sum a share, one work-item sums the shares. The share is a run of neighbours
 * on a CPU and every items-th vector on a GPU; how many items there are depends on n alone. */

#ifndef STRIDED
#define STRIDED 0 /* 1: item i takes vectors i, i + items, …; 0: a run of `share` vectors */
#endif

kernel void grad_clip_squares(global float *restrict partial, /* [items] */
                              const global float *restrict g, /* [n] */
                              int items, int share, int n) {
    const int item = get_global_id(0);
    if (item >= items)
        return;
#if STRIDED
    const int first = item * LANES, stride = items * LANES, last = n;
#else
    const int first = item * share * LANES, stride = LANES, last = min(first + share * LANES, n);
#endif
    floatv squares = 0.0f;
    for (int i = first; i < last; i += stride) {
        const floatv v = load_part(g + i, last - i);
        squares += v * v;
    }
    partial[item] = sumv(squares);
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
