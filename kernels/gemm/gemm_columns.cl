/* The gradient of a bias where the items of a work-group share rows; built behind lib/group_rows.cl. */

/* Column sums of each group's rows, for partial_sums. Grid: groups of `steps` times their rows × vectors of
 * an item. */
kernel void gemm_bias_backward_columns(global float *restrict partial,  /* `at` floats, then [groups,N] */
                                       const global float *restrict dy, /* [M,N] */
                                       int partial_at, int steps, int M, int N) {
    local floatv columns[ROWS_GROUP];
    const int group = get_group_id(0), d = ROW_PLACE((int)get_group_id(1));
    const int first = group * steps * GROUP_ROWS, last = first + min(M - first, steps * GROUP_ROWS);
    const bool take = IN_ROW(d, N);
    floatv sum = 0.0f;
#pragma unroll 4
    for (int m = first + MY_ROW; m < last; m += GROUP_ROWS)
        sum += load_row(dy + m * N, d, take);
    sum = column_total(sum, columns);
    if (MY_ROW == 0 && take)
        store_whole(sum, partial + partial_at + group * N + d);
}
