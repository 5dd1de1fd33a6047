/* The partial sums of each chunk of keys, combined in the order of chunks (the second half of split-K). A
 * file of its own: a work-item needs no more private memory than a row. */

/* Grid: R × H. */
kernel void flash_attention_join(global float *restrict o,             /* [R,H·DH] */
                                 global float *restrict lse,           /* [R,H] */
                                 const global float *restrict partial, /* [R,H,chunks,DH+2] */
                                 const global int *restrict rows,      /* [R] */
                                 const global int *restrict q_start,   /* [B+1] */
                                 const global int *restrict kv_start,  /* [B+1] */
                                 const global int *lengths,            /* [B] or NULL */
                                 const attention_sizes sizes) {
    const int r = get_global_id(0), h = get_global_id(1);
    if (r >= q_start[sizes.B] || h >= sizes.H)
        return;
    const int b = rows[r] / sizes.T, t = rows[r] - b * sizes.T, from = first_key(t, sizes.window);
    const int to = min(last_key(t, b, sizes.T, lengths), kv_start[b + 1] - kv_start[b] - 1);
    float sum[DH], weight = 0.0f, top = 0.0f;
    for (int j = 0; j < DV; j++)
        STORE_TILE((floatv)(0.0f), j, sum);
    for (int n = from / CHUNK; n * CHUNK <= to; n++) {
        const global float *chunk = partial + ((r * sizes.H + h) * sizes.chunks + n) * (DH + 2);
        fold_partial(sum, &weight, &top, chunk, chunk[DH], chunk[DH + 1]);
    }
    weight = row_weight(weight, from, to);
    row_store(o + (r * sizes.H + h) * DH, lse + r * sizes.H + h, sum, weight, top, log((floatv)(weight)).s0);
}
