/* Rows of a table by token, and the table's gradient as sums over the positions of each token, in order. A
 * work-item owns LANES columns of ROWS positions (forward) or of one token (backward). */

#ifndef ROWS
#define ROWS 16 /* positions a work-item of the forward pass owns */
#endif
#ifndef CODED
#define CODED 0 /* 1: a row of a second table is added, by the position's code */
#endif

kernel void embedding_forward(global float *restrict y,           /* [N,D] */
                              const global float *restrict table, /* [V,D] */
                              const global int *restrict tokens,  /* [N] */
                              const global float *restrict more,  /* [C,D], NULL where CODED is 0 */
                              const global int *restrict codes,   /* [N], so too */
                              int N, int D) {
    const int first = get_global_id(1) * ROWS, d = get_global_id(0) * LANES;
    const int last = min(first + ROWS, N), left = LEFT(d, D);
    if (d >= D)
        return;
    for (int n = first; n < last; n++) {
        floatv row = load_part(table + tokens[n] * D + d, left);
#if CODED
        row += load_part(more + codes[n] * D + d, left);
#endif
        store_part(row, y + n * D + d, left);
    }
}

kernel void embedding_backward(
    global float *restrict dtable,    /* [V,D] */
    const global float *restrict dy,  /* [N,D] */
    const global int *restrict order, /* [N], positions by token, ascending in each */
    const global int *restrict start, /* [V+1], first entry of each token in order */
    int V, int D) {
    const int v = get_global_id(1), d = get_global_id(0) * LANES, left = LEFT(d, D);
    if (v >= V || d >= D)
        return;
    floatv sum = 0.0f;
    const int last = start[v + 1];
    for (int i = start[v]; i < last; i++)
        sum += load_part(dy + order[i] * D + d, left);
    store_part(sum, dtable + v * D + d, left);
}
