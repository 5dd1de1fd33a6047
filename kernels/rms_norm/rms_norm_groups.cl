/* RMSNorm over rows where the items of a work-group share a row; built behind group_rows.cl. A row stays in
 * registers between its sum and its result where it has at most ROW_KEPT vectors an item; a wider one is read
 * again. */

/* y = x · rstd · w. Grid: groups of `steps` times their rows. */
kernel void rms_norm_forward_groups(global float *restrict y,       /* [N,D] */
                                    global float *restrict rstd,    /* [N] */
                                    const global float *restrict x, /* [N,D] */
                                    const global float *restrict w, /* [D] */
                                    int steps, int N, int D, float eps) {
    local float parts[2 * ROWS_GROUP] __attribute__((aligned(16)));
    const int first = get_group_id(0) * steps * GROUP_ROWS, last = first + min(N - first, steps * GROUP_ROWS);
    int turn = 0;
#if ROW_EACH <= ROW_KEPT
    floatv weight[ROW_EACH], v[ROW_EACH];
    UNROLL for (int k = 0; k < ROW_EACH; k++) weight[k] = load_row(w, ROW_PLACE(k), IN_ROW(ROW_PLACE(k), D));
#endif
    for (int begin = first; begin < last; begin += GROUP_ROWS, turn ^= ROWS_GROUP) {
        const int n = begin + MY_ROW;
        const global float *const row = x + min(n, last - 1) * D;
        floatv squares = 0.0f;
#if ROW_EACH <= ROW_KEPT
        UNROLL for (int k = 0; k < ROW_EACH; k++) {
            v[k] = load_row(row, ROW_PLACE(k), n < last && IN_ROW(ROW_PLACE(k), D));
            squares += v[k] * v[k];
        }
#else
        for (int d = ROW_PLACE(0); n < last && d < D; d += ROW_ITEMS * LANES) {
            const floatv some = load_whole(row + d);
            squares += some * some;
        }
#endif
        const float r = 1.0f / sqrt(row_total(sumv(squares), parts + turn) / D + eps);
        if (n >= last)
            continue;
        if (MY_ITEM == 0)
            rstd[n] = r;
#if ROW_EACH <= ROW_KEPT
        UNROLL for (int k = 0; k < ROW_EACH; k++) if (IN_ROW(ROW_PLACE(k), D))
            store_whole(v[k] * r * weight[k], y + n * D + ROW_PLACE(k));
#else
        for (int d = ROW_PLACE(0); d < D; d += ROW_ITEMS * LANES)
            store_whole(load_whole(row + d) * r * load_whole(w + d), y + n * D + d);
#endif
    }
}

#if ROW_EACH <= ROW_KEPT

/* dx = add + rstd · (w·dy − x̂ · mean(w·dy·x̂)) with x̂ = x · rstd; each group also leaves Σ dy·x̂ over its rows
 * in partial, for partial_sums. Grid: groups of `steps` times their rows. */
kernel void rms_norm_backward_groups(global float *dx,                  /* [N,D] */
                                     global float *restrict partial,    /* `at` floats, then [groups,D] */
                                     const global float *restrict dy,   /* [N,D] */
                                     const global float *restrict x,    /* [N,D] */
                                     const global float *restrict w,    /* [D] */
                                     const global float *restrict rstd, /* [N] */
                                     const global float *add,           /* [N,D] or NULL; may be dx */
                                     int partial_at, int steps, int N, int D) {
    local float parts[2 * ROWS_GROUP] __attribute__((aligned(16)));
    local floatv columns[ROWS_GROUP];
    const int first = get_group_id(0) * steps * GROUP_ROWS, last = first + min(N - first, steps * GROUP_ROWS);
    int turn = 0;
    floatv weight[ROW_EACH], sums[ROW_EACH], g[ROW_EACH], hat[ROW_EACH], plus[ROW_EACH];
    UNROLL for (int k = 0; k < ROW_EACH; k++) {
        weight[k] = load_row(w, ROW_PLACE(k), IN_ROW(ROW_PLACE(k), D));
        sums[k] = 0.0f;
    }
    for (int begin = first; begin < last; begin += GROUP_ROWS, turn ^= ROWS_GROUP) {
        const int n = begin + MY_ROW, at = min(n, last - 1) * D;
        const float r = n < last ? rstd[n] : 0.0f;
        floatv dots = 0.0f;
        UNROLL for (int k = 0; k < ROW_EACH; k++) {
            const bool take = n < last && IN_ROW(ROW_PLACE(k), D);
            g[k] = load_row(dy + at, ROW_PLACE(k), take);
            hat[k] = load_row(x + at, ROW_PLACE(k), take) * r;
            plus[k] = add ? load_row(add + at, ROW_PLACE(k), take) : (floatv)(0.0f);
        }
        UNROLL for (int k = 0; k < ROW_EACH; k++) {
            sums[k] += g[k] * hat[k];
            g[k] *= weight[k];
            dots += g[k] * hat[k];
        }
        const float mean = row_total(sumv(dots), parts + turn) / D;
        UNROLL for (int k = 0; k < ROW_EACH; k++) if (n < last && IN_ROW(ROW_PLACE(k), D))
            store_whole(r * (g[k] - hat[k] * mean) + plus[k], dx + at + ROW_PLACE(k));
    }
    UNROLL for (int k = 0; k < ROW_EACH; k++) {
        const floatv sum = column_total(sums[k], columns);
        if (MY_ROW == 0 && IN_ROW(ROW_PLACE(k), D))
            store_whole(sum, partial + partial_at + get_group_id(0) * D + ROW_PLACE(k));
    }
}

#else

/* The same for wide rows, a row at a time: the means of the group's rows first, then its columns, so that an
 * item sums a column's share of w's gradient in a register. */
kernel void rms_norm_backward_groups(global float *dx,                  /* [N,D] */
                                     global float *restrict partial,    /* `at` floats, then [groups,D] */
                                     const global float *restrict dy,   /* [N,D] */
                                     const global float *restrict x,    /* [N,D] */
                                     const global float *restrict w,    /* [D] */
                                     const global float *restrict rstd, /* [N] */
                                     const global float *add,           /* [N,D] or NULL; may be dx */
                                     int partial_at, int steps /* ROW_STEPS at most */, int N, int D) {
    local float parts[2 * ROWS_GROUP] __attribute__((aligned(16)));
    local float means[ROW_STEPS];
    const int first = get_group_id(0) * steps, last = first + min(N - first, steps);
    for (int n = first; n < last; n++) {
        const float r = rstd[n];
        floatv dots = 0.0f;
        for (int d = ROW_PLACE(0); d < D; d += ROW_ITEMS * LANES)
            dots += load_whole(dy + n * D + d) * load_whole(w + d) * (load_whole(x + n * D + d) * r);
        const float sum = row_total(sumv(dots), parts + (n - first) % 2 * ROWS_GROUP);
        if (MY_ITEM == 0)
            means[n - first] = sum / D;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int d = ROW_PLACE(0); d < D; d += ROW_ITEMS * LANES) {
        const floatv weight = load_whole(w + d);
        floatv sum = 0.0f;
        for (int n = first; n < last; n++) {
            const int at = n * D + d;
            const float r = rstd[n];
            const floatv g = load_whole(dy + at), hat = load_whole(x + at) * r;
            const floatv plus = add ? load_whole(add + at) : (floatv)(0.0f);
            sum += g * hat;
            store_whole(r * (g * weight - hat * means[n - first]) + plus, dx + at);
        }
        store_whole(sum, partial + partial_at + get_group_id(0) * D + d);
    }
}

#endif
