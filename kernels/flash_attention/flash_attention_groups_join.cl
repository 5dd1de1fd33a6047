/* The partial sums of each chunk of keys, combined in the order of chunks (the second half of split-K). */

/* Grid: R x H x DH / 4. */
kernel void flash_attention_groups_join(global float *restrict o,             /* [R,H.DH] */
                                        global float *restrict lse,           /* [R,H] */
                                        const global float *restrict partial, /* [R,H,chunks,DH+2] */
                                        const global int *restrict rows,      /* [R] */
                                        const global int *restrict q_start,   /* [B+1] */
                                        const global int *restrict kv_start,  /* [B+1] */
                                        const global int *lengths,            /* [B] or NULL */
                                        const attention_sizes s) {
    const int n = get_global_id(0) % (DH / 4) * 4, at = get_global_id(0) / (DH / 4), row = at / s.H;
    if (row >= q_start[s.B])
        return;
    const int b = rows[row] / s.T, t = rows[row] - b * s.T, from = first_key(t, s.window);
    const int to = min(last_key(t, b, s.T, lengths), kv_start[b + 1] - kv_start[b] - 1);
    float4 sum = quad_zero();
    float all_weight = 0.0f, all_top = 0.0f;
    for (int c = from / CHUNK; c * CHUNK <= to; c++) {
        const global float *const chunk = partial + (at * s.chunks + c) * (DH + 2);
        const float2 by = row_fold(&all_weight, &all_top, chunk[DH], chunk[DH + 1]);
        sum = quad_fold(sum, vload4(0, chunk + n), by);
    }
    const float weight = row_weight(all_weight, from, to);
    *(global float4 *)(o + at * DH + n) = sum * (weight == 0.0f ? 0.0f : 1.0f / weight);
    if (n == 0)
        lse[at] = weight == 0.0f ? 0.0f : fma(all_top, LN2, log(weight));
}
