/* The keys of rows that are routed, chunks of them side by side. */

/* Grid: items that share a row's chunks x rows. As many whatever the context: one more that finds nothing to
 * do would make a token's time grow with it. */
kernel void decode_step_attend(global float *restrict partial,      /* [rows,chunks,PART_FLOATS] */
                               const global float *restrict work,   /* x and q, [2,rows,D] */
                               const global float *restrict keys,   /* [caches,slots,capacity,KV] */
                               const global float *restrict values, /* likewise */
                               const global uchar *routes,          /* [count,layers,rows] */
                               const global int *restrict table,
                               const global int *steps, /* [count,4,rows]: token, position, slot, code */
                               const decode_step_sizes sizes) {
    const decode_step_sizes s = sizes; /* read before anything branches */
    const int r = get_global_id(1), layer = s.from / 2;
    steps += s.of_step * 4 * s.rows;
    routes += s.of_step * s.layers * s.rows;
    if (r >= s.rows || !routes[layer * s.rows + r])
        return;
    const int t = steps[s.rows + r], first = first_seen(t, s.window);
    const int at =
        (table[layer * TABLE_COLUMNS + AT_CACHE] * s.slots + steps[2 * s.rows + r]) * s.capacity * KV;
    float q[D], sums[PART_FLOATS];
    take_row(q, work + (s.rows + r) * D);
    for (int c = first / CHUNK + get_global_id(0); c * CHUNK <= t; c += get_global_size(0)) {
        global float *const to = partial + (r * s.chunks + c) * PART_FLOATS;
        attend(sums, q, keys + at, values + at, max(first, c * CHUNK), min(t + 1, (c + 1) * CHUNK), s.scale);
        for (int h = 0; h < 2 * HEADS; h++)
            to[h] = sums[h];
        for (int d = 0; d < D; d += LANES)
            store_whole(AT(sums + 2 * HEADS + d), to + 2 * HEADS + d);
    }
}
