/* grad_clip where `items` work-items each sum a run of `share` vectors, and one the sums; built behind
 * grad_clip.cl. */

kernel void grad_clip_squares(global float *restrict partial, /* [items] */
                              const global float *restrict g, /* [n] */
                              int items, int share, int n) {
    const int item = get_global_id(0), first = item * share * LANES;
    if (item < items)
        partial[item] = sum_squares(g, first, LANES, min(first + share * LANES, n));
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
    put_scale(scale, norm, sumv(sums), max_norm);
}
