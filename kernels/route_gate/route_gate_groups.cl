/* The router's gate where the items of a work-group share a row; built behind lib/group_rows.cl. */

/* p = sigmoid(w·u + b), h = [w·u + b ≥ margin], 1 where that is NaN. Grid: groups of `steps` times their
 * rows. */
kernel void route_gate_forward_groups(global float *restrict p,       /* [N] */
                                      global uchar *restrict h,       /* [N] */
                                      const global float *restrict u, /* [N,D] */
                                      const global float *restrict w, /* [D] */
                                      const global float *restrict b, /* [1] */
                                      float margin, int steps /* ROW_STEPS at most */, int N, int D) {
    local float parts[ROW_PARTS_FLOATS];
    const int first = get_group_id(0) * steps * GROUP_ROWS, count = min(N - first, steps * GROUP_ROWS);
    const float bias = b[0];
#if ROW_EACH <= ROW_KEPT
    floatv weight[ROW_EACH];
    UNROLL for (int k = 0; k < ROW_EACH; k++) weight[k] = load_row(w, ROW_PLACE(k), IN_ROW(ROW_PLACE(k), D));
#endif
    for (int s = 0; s * GROUP_ROWS < count; s++) {
        const int i = s * GROUP_ROWS + MY_ROW;
        const global float *const row = u + (first + min(i, count - 1)) * D;
        floatv dots = 0.0f;
#if ROW_EACH <= ROW_KEPT
        UNROLL for (int k = 0; k < ROW_EACH; k++) dots +=
            load_row(row, ROW_PLACE(k), i < count && IN_ROW(ROW_PLACE(k), D)) * weight[k];
#else
        for (int d = ROW_PLACE(0); i < count && d < D; d += ROW_ITEMS * LANES)
            dots += load_whole(row + d) * load_whole(w + d);
#endif
        leave_row_part(sumv(dots), parts, s);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int i = get_local_id(0); i < count; i += get_local_size(0)) {
        const float z = row_parts_total(parts, i) + bias;
        p[first + i] = 1.0f / (1.0f + exp1(-z));
        h[first + i] = !(z < margin);
    }
}

/* dl = dp·max(p·(1 − p), least) + dp_const·p·(1 − p); du = add + dl·w; each group leaves Σ dl·u and, behind
 * those of all groups, Σ dl over its rows in partial, for partial_sums. Grid: groups of `steps` times their
 * rows × vectors of an item. */
kernel void route_gate_backward_groups(
    global float *du,                                        /* [N,D] */
    global float *restrict partial, int partial_at,          /* `at` floats, then [groups,D], then [groups] */
    const global float *restrict dp,                         /* [N] */
    float dp_const, float least, const global uchar *priced, /* [N]: 1 where dp_const is; NULL: everywhere */
    const global float *restrict p,                          /* [N] */
    const global float *restrict u,                          /* [N,D] */
    const global float *restrict w,                          /* [D] */
    const global float *add,                                 /* [N,D] or NULL; may be du */
    int steps, int N, int D) {
    local floatv columns[ROWS_GROUP];
    local float biases[ROWS_GROUP / ROW_ITEMS];
    const int group = get_group_id(0), d = ROW_PLACE((int)get_group_id(1));
    const int first = group * steps * GROUP_ROWS, last = first + min(N - first, steps * GROUP_ROWS);
    const bool take = IN_ROW(d, D);
    const floatv weight = load_row(w, d, take);
    floatv sum = 0.0f;
    float bias = 0.0f;
    for (int n = first + MY_ROW; n < last; n += GROUP_ROWS) {
        const float slope = p[n] * (1.0f - p[n]), price = priced && !priced[n] ? 0.0f : dp_const;
        const float dl = dp[n] * AT_LEAST(slope, least) + price * slope;
        const floatv plus = add ? load_row(add + n * D, d, take) : (floatv)(0.0f);
        sum += dl * load_row(u + n * D, d, take);
        bias += dl;
        if (take)
            store_whole(plus + dl * weight, du + n * D + d);
    }
    if (MY_ITEM == 0)
        biases[MY_ROW] = bias;
    sum = column_total(sum, columns);
    if (MY_ROW == 0 && take)
        store_whole(sum, partial + partial_at + group * D + d);
    if (get_local_id(0) > 0 || get_group_id(1) > 0)
        return;
    for (int i = 1; i < GROUP_ROWS; i++)
        bias += biases[i];
    partial[partial_at + (int)get_num_groups(0) * D + group] = bias;
}
