/* Rows of a list out of a tensor, and their gradients back into it. A work-item moves 16 columns of ROWS
 * rows. */

#ifndef ROWS
#define ROWS 16 /* rows a work-item moves */
#endif

/* y[r] = x[rows[r]]. Grid: R / ROWS × D / 16. */
kernel void row_gather_forward(global float *restrict y,       /* [R,D] */
                               const global float *restrict x, /* [N,D] */
                               const global int *restrict rows /* [R] */, int R, int D) {
    const int d0 = get_global_id(1) * 16, first = get_global_id(0) * ROWS, last = min(R, first + ROWS);
    if (d0 >= D)
        return;
    for (int r = first; r < last; r++) {
        const int from = rows[r] * D + d0, to = r * D + d0;
        if (d0 + 16 <= D)
            vstore16(vload16(0, x + from), 0, y + to);
        else
            for (int d = 0; d < D - d0; d++)
                y[to + d] = x[from + d];
    }
}

/* dx[rows[r]] += dy[r]; rows are distinct. Grid: as above. */
kernel void row_gather_backward(global float *restrict dx,       /* [N,D] */
                                const global float *restrict dy, /* [R,D] */
                                const global int *restrict rows /* [R] */, int R, int D) {
    const int d0 = get_global_id(1) * 16, first = get_global_id(0) * ROWS, last = min(R, first + ROWS);
    if (d0 >= D)
        return;
    for (int r = first; r < last; r++) {
        const int to = rows[r] * D + d0, from = r * D + d0;
        if (d0 + 16 <= D)
            vstore16(vload16(0, dx + to) + vload16(0, dy + from), 0, dx + to);
        else
            for (int d = 0; d < D - d0; d++)
                dx[to + d] += dy[from + d];
    }
}
