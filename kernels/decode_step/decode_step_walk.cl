/* A work-item walks through layers with a row of its own, all of whose weights it reads: for models that fit
 * a compute unit's cache, or for as many rows as there are units. */

#ifndef SPLIT
#define SPLIT 0 /* 1: attention is a launch of its own, between two of these: decode_step_attend */
#endif

/* u, the decision and the cheap track of a layer; what waits for its keys, if it must wait no longer; the
 * query. Gives h. */
static inline int walk_before(const decode_row *row, float *x, float *q, global int *projected, int place,
                              int given, float eps) {
    float u[D], s[D];
    const int h = mixer_front(row, x, u, s, given, eps);
#if HAS_CONV
    for (int n = 0; CHEAP(row->at, h) && n < D; n += LANES)
        add_product(x, WEIGHT(row, AT_CONV_OUT), s, D, n);
#endif
#if HAS_ATTENTION
    if (!ATTENDS(row->at))
        return h;
    const int first = min(projected[place], row->t), due = keys_are_due(row->t, h, first);
    if (due)
        project_all(row, first);
    projected[place] = due ? row->t + 1 : first;
    for (int n = 0; h && n < D; n += LANES)
        AT(q + n) = dot_rows(WEIGHT(row, AT_Q), D, u, D, n);
#if TURNED
    if (h)
        turn_heads(q, HEADS, row->t, row->turns);
#endif
#endif
    return h;
}

#if HAS_ATTENTION
/* The sums over all keys, of chunks that are made here or lie in `partial`. */
static inline void walk_attend(const decode_row *row, float *sum, const float *q, const global float *partial,
                               const decode_step_sizes *s) {
    const int first = first_seen(row->t, s->window);
    sums_clear(sum);
    for (int c = first / CHUNK; c * CHUNK <= row->t; c++) {
#if SPLIT
        fold_global(sum, partial + c * PART_FLOATS);
#else
        float sums[PART_FLOATS];
        attend(sums, q, row->k, row->v, max(first, c * CHUNK), min(row->t + 1, (c + 1) * CHUNK), s->scale);
        fold(sum, sums);
#endif
    }
}
#endif

#if F > 0
static inline void walk_mlp(const decode_row *row, float *x, float eps) {
    float u[D], act[F];
    norm_of(u, x, WEIGHT(row, AT_NORM2), eps);
    for (int n = 0; n < F; n += LANES)
        AT(act + n) =
            gelu_value(dot_rows(WEIGHT(row, AT_UP), D, u, D, n) + load_whole(WEIGHT(row, AT_UP_BIAS) + n));
    for (int n = 0; n < D; n += LANES) {
        add_product(x, WEIGHT(row, AT_DOWN), act, F, n);
        AT(x + n) += load_whole(WEIGHT(row, AT_DOWN_BIAS) + n);
    }
}
#endif

/* The rest of a layer: attention where the row takes it, and the mlp. */
static inline void walk_after(const decode_row *row, float *x, float *q, int routed,
                              const global float *partial, const decode_step_sizes *s) {
#if HAS_ATTENTION
    if (routed) {
        float sum[PART_FLOATS];
        walk_attend(row, sum, q, partial, s);
        divide(q, sum);
        for (int n = 0; n < D; n += LANES)
            add_product(x, WEIGHT(row, AT_O), q, D, n);
    }
#endif
#if F > 0
    walk_mlp(row, x, s->eps);
#endif
}

#if V > 0
static inline void walk_head(global float *logits, const float *x, const global float *values,
                             const global int *at, float eps) {
    float u[D];
    norm_of(u, x, values + at[AT_NORM], eps);
    for (int n = 0; n < V; n += LANES)
        store_part(V % LANES ? dot_rows_end(values + at[AT_HEAD], D, u, D, n, V)
                             : dot_rows(values + at[AT_HEAD], D, u, D, n),
                   logits + n, V - n);
}
#endif

/* Grid: rows. */
kernel void decode_step_walk(global float *logits,  /* [count,rows,V]; V = 0: x of the last layer [..,D] */
                             global uchar *routes,  /* [count,layers,rows] */
                             global float *ring,    /* [layers,slots,RING,D] */
                             global float *keys,    /* [caches,slots,capacity,KV] or NULL */
                             global float *cached,  /* values, likewise */
                             global int *projected, /* [layers,slots] or NULL */
                             global float *work,    /* between launches: x and q, [2,rows,D] */
                             const global float *partial,       /* [rows,chunks,PART_FLOATS], with SPLIT */
                             const global float *restrict x_in, /* [rows,D], V = 0 alone */
                             const global int *steps,   /* [count,4,rows]: token, position, slot, code */
                             const global uchar *given, /* [count,layers,rows]: h, or 2; NULL: the router's */
                             const global float *restrict values, /* weights */
                             const global int *restrict table,    /* where they are */
                             const global uint *restrict turns,   /* [2,DH/2] or NULL */
                             const decode_step_sizes sizes) {
    const decode_step_sizes s = sizes; /* read before anything branches */
    const int r = get_global_id(0);
    const global int *const beside = table + s.layers * TABLE_COLUMNS;
    float x[D], q[D];
    if (r >= s.rows)
        return;
    steps += s.of_step * 4 * s.rows;
    routes += s.of_step * s.layers * s.rows;
    given += given ? s.of_step * s.layers * s.rows : 0;
    logits += s.of_step * s.rows * (V > 0 ? V : D);
    const int t = steps[s.rows + r], slot = steps[2 * s.rows + r];
    if (s.from > 0)
        take_row(x, work + r * D);
    else
        first_row(x, x_in, values, beside, steps, r, s.rows);
    for (int part = s.from; part < s.to; part++) {
        const int layer = part / 2, place = layer * s.slots + slot;
        const global int *const at = table + layer * TABLE_COLUMNS;
        const int cache = keys ? (at[AT_CACHE] * s.slots + slot) * s.capacity * KV : 0;
        global uchar *const h = routes + layer * s.rows + r;
        const decode_row row = {.values = values,
                                .at = at,
                                .ring = ring + place * RING * D,
                                .k = keys ? keys + cache : 0,
                                .v = keys ? cached + cache : 0,
                                .turns = turns,
                                .t = t};
        if (part % 2 == 0)
            *h = walk_before(&row, x, q, projected, place, given ? given[layer * s.rows + r] : 2, s.eps);
        else
            walk_after(&row, x, q, *h, partial ? partial + r * s.chunks * PART_FLOATS : 0, &s);
    }
    if (s.to < 2 * s.layers) {
        leave_row(x, work + r * D);
        leave_row(q, work + (s.rows + r) * D);
        return;
    }
#if V > 0
    walk_head(logits + r * V, x, values, beside, s.eps);
#else
    leave_row(x, logits + r * D);
#endif
}
