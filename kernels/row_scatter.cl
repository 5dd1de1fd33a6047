/* Rows of a list put into a tensor, and their gradients taken out of it. A work-item owns `share` rows, whole
 * or a vector of each. Grid: vectors of a row, or 1 × items. */

/* y[rows[r]] = x[r], other rows left alone; rows are distinct. */
kernel void row_scatter_forward(global float *restrict y,        /* [N,D] */
                                const global float *restrict x,  /* [R,D] */
                                const global int *restrict rows, /* [R] */
                                const global int *count /* [1] or NULL */, int share, int R, int D) {
    const int first = get_global_id(1) * share, last = min(rows_counted(count, R), first + share);
    for (int r = first; r < last; r++) {
        global float *to = y + rows[r] * D;
        for (int d = get_global_id(0) * LANES; d < D; d += get_global_size(0) * LANES)
            store_out(load_ahead(x + r * D + d, LEFT(d, D)), to + d, LEFT(d, D));
    }
}

/* dx[r] = dy[rows[r]]. */
kernel void row_scatter_backward(global float *restrict dx,       /* [R,D] */
                                 const global float *restrict dy, /* [N,D] */
                                 const global int *restrict rows, /* [R] */
                                 const global int *count /* [1] or NULL */, int share, int R, int D) {
    const int first = get_global_id(1) * share, last = min(rows_counted(count, R), first + share),
              soon = SOON(D);
    for (int r = first; r < last; r++) {
        const global float *from = dy + rows[r] * D, *next = dy + rows[min(r + soon, last - 1)] * D;
        for (int d = get_global_id(0) * LANES; d < D; d += get_global_size(0) * LANES) {
            ask_for(next, d);
            store_out(load_part(from + d, LEFT(d, D)), dx + r * D + d, LEFT(d, D));
        }
    }
}
