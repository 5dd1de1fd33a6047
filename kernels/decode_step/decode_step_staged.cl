/* The stages of a layer a launch each, their weights shared among work-items: for models whose weights are
 * more than an item should read alone. An item owns COLUMNS outputs of a product, of all rows. */

#ifndef COLUMNS
#define COLUMNS 32 /* of a product: whole vectors */
#endif

/* What row r of a step has of its sequence's state in this layer. */
static inline void row_make(decode_row *row, int r, global float *ring, global float *keys,
                            global float *cached, const global int *steps, const global float *values,
                            const global int *table, const global uint *turns, const decode_step_sizes *s) {
    const int layer = s->from / 2, place = layer * s->slots + steps[2 * s->rows + r];
    row->values = values;
    row->at = table + layer * TABLE_COLUMNS;
    row->ring = ring + place * RING * D;
    const int cache = !keys ? 0 : (row->at[AT_CACHE] * s->slots + steps[2 * s->rows + r]) * s->capacity * KV;
    row->k = keys ? keys + cache : 0;
    row->v = cached ? cached + cache : 0;
    row->turns = turns;
    row->t = steps[s->rows + r];
}

/* u and the decision of each row, and s of those that convolve. Grid: rows. */
kernel void decode_step_front(global float *work, global uchar *routes /* [count,layers,rows] */,
                              global float *ring,                /* [layers,slots,RING,D] */
                              const global float *restrict x_in, /* [rows,D], V = 0 alone */
                              const global int *steps,   /* [count,4,rows]: token, position, slot, code */
                              const global uchar *given, /* [count,layers,rows] or NULL */
                              const global float *restrict values, const global int *restrict table,
                              const decode_step_sizes sizes) {
    const decode_step_sizes s = sizes; /* read before anything branches */
    const int r = get_global_id(0), layer = s.from / 2, at = (s.of_step * s.layers + layer) * s.rows + r;
    const global int *const beside = table + s.layers * TABLE_COLUMNS;
    float x[D], u[D], y[D];
    decode_row row;
    if (r >= s.rows)
        return;
    steps += s.of_step * 4 * s.rows;
    row_make(&row, r, ring, 0, 0, steps, values, table, 0, &s);
    if (layer)
        take_row(x, work + r * D);
    else
        first_row(x, x_in, values, beside, steps, r, s.rows);
    const int h = mixer_front(&row, x, u, y, given ? given[at] : 2, s.eps);
    routes[at] = h;
    leave_row(x, work + r * D);
    if (CHEAP(row.at, h))
        leave_row(y, work + AT_S(s) + r * D);
}

/* Of the heads of queries, of keys and of values: one head of those rows that need it. */
ALWAYS_INLINE void project_head(const decode_row *row, global float *q, int head, int h, int projected) {
    const int first = min(projected, row->t), of_key = head - HEADS;
    if (head < HEADS) {
        for (int n = 0; h && n < DH; n += LANES)
            store_whole(
                dot_rows_global(WEIGHT(row, AT_Q) + head * DH * D, D, row->ring + row->t % RING * D, D, n),
                q + head * DH + n);
#if TURNED
        if (h)
            turn_heads_global(q + head * DH, 1, row->t, row->turns);
#endif
        return;
    }
    if (!keys_are_due(row->t, h, first))
        return;
    const int value = of_key >= KV_HEADS, column = (value ? of_key - KV_HEADS : of_key) * DH;
    for (int n = column; n < column + DH; n += LANES)
        project(row, value ? row->v : row->k, WEIGHT(row, value ? AT_V : AT_K), first, n);
#if TURNED
    for (int m = first; !value && m <= row->t; m++)
        turn_heads_global(row->k + m * KV + column, 1, m, row->turns);
#endif
}

/* Grid: blocks of COLUMNS of W_c, then heads of queries, keys and values. */
kernel void decode_step_tracks(global float *work, const global uchar *routes, global float *ring,
                               global float *keys, global float *cached, const global int *projected,
                               const global int *steps, const global float *restrict values,
                               const global int *restrict table, const global uint *restrict turns,
                               const decode_step_sizes sizes) {
    const decode_step_sizes s = sizes; /* read before anything branches */
    const int blocks = HAS_CONV ? (D + COLUMNS - 1) / COLUMNS : 0, block = get_global_id(0);
    if (block >= blocks + (HAS_ATTENTION ? HEADS + 2 * KV_HEADS : 0))
        return;
    steps += s.of_step * 4 * s.rows;
    routes += (s.of_step * s.layers + s.from / 2) * s.rows;
    for (int r = 0; r < s.rows; r++) {
        decode_row row;
        row_make(&row, r, ring, keys, cached, steps, values, table, turns, &s);
#if HAS_ATTENTION
        if (block >= blocks) {
            if (!ATTENDS(row.at))
                return;
            project_head(&row, work + AT_QS(s) + r * D, block - blocks, routes[r],
                         projected[s.from / 2 * s.slots + steps[2 * s.rows + r]]);
            continue;
        }
#endif
#if HAS_CONV
        const int end = min(D, (block + 1) * COLUMNS);
        for (int n = block * COLUMNS; CHEAP(row.at, routes[r]) && n < end; n += LANES)
            store_whole(load_whole(work + r * D + n) +
                            dot_rows_global(WEIGHT(&row, AT_CONV_OUT), D, work + AT_S(s) + r * D, D, n),
                        work + r * D + n);
#endif
    }
}

#if HAS_ATTENTION
/* x += W_o times attention, of rows that take it; how far keys have come. Grid: blocks of COLUMNS. */
kernel void decode_step_out(global float *work, const global uchar *routes,
                            const global float *restrict partial /* [rows,chunks,PART_FLOATS] */,
                            global int *projected, const global int *steps,
                            const global float *restrict values, const global int *restrict table,
                            const decode_step_sizes sizes) {
    const decode_step_sizes s = sizes; /* read before anything branches */
    const int block = get_global_id(0), layer = s.from / 2, end = min(D, (block + 1) * COLUMNS);
    if (block * COLUMNS >= D)
        return;
    steps += s.of_step * 4 * s.rows;
    routes += (s.of_step * s.layers + layer) * s.rows;
    for (int r = 0; r < s.rows; r++) {
        float sum[PART_FLOATS], a[D];
        decode_row row;
        row_make(&row, r, 0, 0, 0, steps, values, table, 0, &s);
        if (block == 0) {
            global int *const p = projected + layer * s.slots + steps[2 * s.rows + r];
            const int first = min(*p, row.t);
            *p = keys_are_due(row.t, routes[r], first) ? row.t + 1 : first;
        }
        if (!routes[r])
            continue;
        sums_clear(sum);
        for (int c = first_seen(row.t, s.window) / CHUNK; c * CHUNK <= row.t; c++)
            fold_global(sum, partial + (r * s.chunks + c) * PART_FLOATS);
        divide(a, sum);
        for (int n = block * COLUMNS; n < end; n += LANES)
            store_whole(load_whole(work + r * D + n) + dot_rows(WEIGHT(&row, AT_O), D, a, D, n),
                        work + r * D + n);
    }
}
#endif

#if F > 0
/* act = gelu(W1 times the norm of x + b1). Grid: blocks of COLUMNS of F. */
kernel void decode_step_up(global float *work, const global float *restrict values,
                           const global int *restrict table, const decode_step_sizes sizes) {
    const decode_step_sizes s = sizes; /* read before anything branches */
    const int first = get_global_id(0) * COLUMNS, end = min(F, first + COLUMNS);
    const global int *const at = table + s.from / 2 * TABLE_COLUMNS;
    for (int r = 0; first < F && r < s.rows; r++) {
        float x[D], u[D];
        take_row(x, work + r * D);
        norm_of(u, x, values + at[AT_NORM2], s.eps);
        for (int n = first; n < end; n += LANES)
            store_whole(gelu_value(dot_rows(values + at[AT_UP], D, u, D, n) +
                                   load_whole(values + at[AT_UP_BIAS] + n)),
                        work + AT_ACT(s) + r * F + n);
    }
}

/* x += W2 times act + b2. Grid: blocks of COLUMNS of D. */
kernel void decode_step_down(global float *work, const global float *restrict values,
                             const global int *restrict table, const decode_step_sizes sizes) {
    const decode_step_sizes s = sizes; /* read before anything branches */
    const int first = get_global_id(0) * COLUMNS, end = min(D, first + COLUMNS);
    const global int *const at = table + s.from / 2 * TABLE_COLUMNS;
    for (int r = 0; first < D && r < s.rows; r++)
        for (int n = first; n < end; n += LANES)
            store_whole(load_whole(work + r * D + n) +
                            dot_rows_global(values + at[AT_DOWN], F, work + AT_ACT(s) + r * F, F, n) +
                            load_whole(values + at[AT_DOWN_BIAS] + n),
                        work + r * D + n);
}
#endif

/* logits = W_h times the norm of x, or x itself where there is no head. Grid: blocks of COLUMNS. */
kernel void decode_step_head(global float *out, const global float *work, const global float *restrict values,
                             const global int *restrict table, const decode_step_sizes sizes) {
    const decode_step_sizes s = sizes; /* read before anything branches */
    const int width = V > 0 ? V : D, first = get_global_id(0) * COLUMNS, end = min(width, first + COLUMNS);
    const global int *const at = table + s.layers * TABLE_COLUMNS;
    for (int r = 0; first < width && r < s.rows; r++) {
        global float *const to = out + (s.of_step * s.rows + r) * width;
        float x[D];
        take_row(x, work + r * D);
#if V > 0
        float u[D];
        norm_of(u, x, values + at[AT_NORM], s.eps);
        for (int n = first; n < end; n += LANES)
            store_part(V % LANES ? dot_rows_end(values + at[AT_HEAD], D, u, D, n, V)
                                 : dot_rows(values + at[AT_HEAD], D, u, D, n),
                       to + n, V - n);
#else
        for (int n = first; n < end; n += LANES)
            store_whole(AT(x + n), to + n);
#endif
    }
}
