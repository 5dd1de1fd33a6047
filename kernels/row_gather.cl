/* Rows of a list out of a tensor, and their gradients back into it. A work-item owns `share` rows, whole or a
 * vector of each. Grid: vectors of a row, or 1 × items. */

/* y[r] = x[rows[r]]. */
kernel void row_gather_forward(global float *restrict y,        /* [R,D] */
                               const global float *restrict x,  /* [N,D] */
                               const global int *restrict rows, /* [R] */
                               const global int *count /* [1] or NULL */, int share, int R, int D) {
    const int first = get_global_id(1) * share, last = min(rows_counted(count, R), first + share),
              soon = SOON(D);
    for (int r = first; r < last; r++) {
        const global float *from = x + rows[r] * D, *next = x + rows[min(r + soon, last - 1)] * D;
        for (int d = get_global_id(0) * LANES; d < D; d += get_global_size(0) * LANES) {
            ask_for(next, d);
            store_out(load_part(from + d, LEFT(d, D)), y + r * D + d, LEFT(d, D));
        }
    }
}

/* dx[rows[r]] += dy[r]; rows are distinct. */
kernel void row_gather_backward(global float *restrict dx,       /* [N,D] */
                                const global float *restrict dy, /* [R,D] */
                                const global int *restrict rows, /* [R] */
                                const global int *count /* [1] or NULL */, int share, int R, int D) {
    const int first = get_global_id(1) * share, last = min(rows_counted(count, R), first + share),
              soon = SOON(D);
    for (int r = first; r < last; r++) {
        global float *to = dx + rows[r] * D, *next = dx + rows[min(r + soon, last - 1)] * D;
        for (int d = get_global_id(0) * LANES; d < D; d += get_global_size(0) * LANES) {
            ask_for(next, d);
            store_part(load_part(to + d, LEFT(d, D)) + load_ahead(dy + r * D + d, LEFT(d, D)), to + d,
                       LEFT(d, D));
        }
    }
}
