/* Attention of one query a row for work-groups. A group has a chunk of keys of a head: QUADS neighbouring
 * items have a key, a quad of it each, and PARTS keys are there at once, EACH of them one behind the other in
 * an item's registers. */

#ifndef GROUP
#define GROUP 128 /* items of a work-group: a power of two */
#endif
#ifndef CHUNK
#define CHUNK 256 /* keys that are summed before they are added to those of the chunks before */
#endif
#ifndef EACH
#define EACH 8 /* keys of an item between two barriers */
#endif

#define QUADS (DH / 4)
#define PARTS (GROUP / QUADS)
#define BLOCK (PARTS * EACH) /* keys between two barriers */
/* A key's parts lie a quad beside the other, with room between that keeps a run of 32 items in 32 banks. */
#define PITCH (PARTS + (QUADS < 32 ? 32 / QUADS : 1))

/* Scores of keys j0 ... of a head whose item's quad of the first key is at `keys`, one for each of BLOCK;
 * keys from `to` on are stood for by the last one before. */
ALWAYS_INLINE void block_scores(local float *scores, local float *parts, const global float *keys, float4 q,
                                int j0, int to) {
    const int id = get_local_id(0), quad = id % QUADS, part = id / QUADS;
    UNROLL for (int i = 0; i < EACH; i++) {
        const float product = dot(q, QUAD(keys + min(j0 + i * PARTS + part, to - 1) * KV));
        if (part < PARTS)
            parts[(i * QUADS + quad) * PITCH + part] = product;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int j = id; j < BLOCK; j += GROUP) {
        float score = 0.0f;
        UNROLL for (int l = 0; l < QUADS; l++) score += parts[(j / PARTS * QUADS + l) * PITCH + j % PARTS];
        scores[j] = score;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
}

/* Scores become weights, zeros from `count` on; what is summed so far shrinks to the new largest score. */
ALWAYS_INLINE void block_weights(local float *scores, int count, float *top, float *weight, float4 *sum) {
    float largest = *top;
    for (int j = 0; j < count; j++)
        largest = AT_LEAST(scores[j], largest);
    const float base = base_of(largest), shrink = exp1(*top - base);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int j = get_local_id(0); j < BLOCK; j += GROUP)
        scores[j] = j < count ? exp1(scores[j] - base) : 0.0f;
    barrier(CLK_LOCAL_MEM_FENCE);
    *weight *= shrink;
    for (int j = 0; j < count; j++)
        *weight += scores[j];
    *sum *= shrink;
    *top = largest;
}

/* The sums of keys `from` to `to` - 1 of a head by the group: to out. Nothing where `to` is no more. */
ALWAYS_INLINE void chunk_sums(global float *out /* [DH+4] */, local float *scores, local float *parts,
                              local float4 *sums, const global float *keys, const global float *values,
                              float4 q, int from, int to) {
    const int id = get_local_id(0), part = id / QUADS;
    float4 sum = 0.0f;
    float top = -INFINITY, weight = 0.0f;
    for (int j0 = from; j0 < to; j0 += BLOCK) {
        const int count = min(BLOCK, to - j0);
        block_scores(scores, parts, keys, q, j0, to);
        block_weights(scores, count, &top, &weight, &sum);
        UNROLL for (int i = 0; i < EACH; i++) {
            const int j = i * PARTS + part;
            if (j < count && part < PARTS)
                sum += scores[j] * QUAD(values + (j0 + j) * KV);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    sums[id] = sum;
    barrier(CLK_LOCAL_MEM_FENCE);
    if (id < QUADS) {
        for (int p = 1; p < PARTS; p++)
            sum += sums[p * QUADS + id];
        *(global float4 *)(out + id * 4) = sum;
    }
    if (id == 0) {
        out[DH] = weight;
        out[DH + 1] = top;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
}

/* Grid: groups that share a row's chunks x HEADS x rows, times GROUP. As many groups whatever the context. */
kernel void decode_step_groups_attend(global float *restrict partial, /* [rows,chunks,HEADS,DH+4]: the sum of
                                                                         values, weight, largest score */
                                      const global float *restrict work,
                                      const global float *restrict keys,   /* [caches,slots,capacity,KV] */
                                      const global float *restrict values, /* likewise */
                                      const global uchar *routes, const global int *steps,
                                      const global int *restrict table, const decode_step_sizes sizes) {
    local float parts[EACH * QUADS * PITCH], scores[BLOCK];
    local float4 sums[GROUP];
    const decode_step_sizes s = sizes; /* read before anything branches */
    const int head = get_group_id(1), r = get_group_id(2), layer = s.from / 2;
    const int quad = get_local_id(0) % QUADS;
    const global int *const now = steps + s.of_step * 4 * s.rows;
    /* No key for a row that is not routed. */
    const int end = routes[(s.of_step * s.layers + layer) * s.rows + r] ? now[s.rows + r] + 1 : 0;
    const int cache = (table[layer * TABLE_COLUMNS + AT_CACHE] * s.slots + now[2 * s.rows + r]) * s.capacity;
    const int at = cache * KV + head / (HEADS / KV_HEADS) * DH + quad * 4,
              first = first_seen(end - 1, s.window);
    const float4 q = QUAD(work + AT_QS(s) + r * D + head * DH + quad * 4) * s.scale;
    for (int c = first / CHUNK + get_group_id(0); c * CHUNK < end; c += get_num_groups(0)) {
        chunk_sums(partial + ((r * s.chunks + c) * HEADS + head) * (DH + 4), scores, parts, sums, keys + at,
                   values + at, q, max(first, c * CHUNK), min(end, (c + 1) * CHUNK));
        barrier(CLK_LOCAL_MEM_FENCE);
    }
}

/* Chunks of keys added up in their order, over their weight; and how far keys have come. Grid: rows x D / 4.
 */
kernel void decode_step_groups_join(global float *work,
                                    const global float *restrict partial, /* [rows,chunks,HEADS,DH+4] */
                                    global int *projected,                /* [layers,slots] */
                                    const global uchar *routes, const global int *steps,
                                    const decode_step_sizes sizes) {
    const decode_step_sizes s = sizes; /* read before anything branches */
    const int r = get_global_id(0) / (D / 4), d = get_global_id(0) % (D / 4) * 4, layer = s.from / 2;
    if (r >= s.rows)
        return;
    steps += s.of_step * 4 * s.rows;
    const int t = steps[s.rows + r], h = routes[(s.of_step * s.layers + layer) * s.rows + r];
    if (d == 0) {
        global int *const p = projected + layer * s.slots + steps[2 * s.rows + r];
        const int first = min(*p, t);
        *p = keys_are_due(t, h, first) ? t + 1 : first;
    }
    if (!h)
        return;
    float4 sum = 0.0f;
    float top = -INFINITY, weight = 0.0f;
    for (int c = first_seen(t, s.window) / CHUNK; c * CHUNK <= t; c++) {
        const global float *const chunk = partial + ((r * s.chunks + c) * HEADS + d / DH) * (DH + 4);
        const float of_chunk = chunk[DH + 1], largest = AT_LEAST(of_chunk, top);
        const float base = base_of(largest);
        const float before = exp1(top - base), by = exp1(of_chunk - base);
        sum = sum * before + QUAD(chunk + d % DH) * by;
        weight = weight * before + chunk[DH] * by;
        top = largest;
    }
    *(global float4 *)(work + AT_S(s) + r * D + d) = sum / weight;
}

#if TURNED
/* Queries of routed rows and keys that were made just now. Grid: pairs of a head x rows. */
kernel void decode_step_groups_turn(global float *work, global float *keys, const global int *projected,
                                    const global uchar *routes, const global int *steps,
                                    const global int *restrict table, const global uint *restrict turns,
                                    const decode_step_sizes sizes) {
    const decode_step_sizes s = sizes; /* read before anything branches */
    const int i = get_global_id(0), r = get_global_id(1), layer = s.from / 2;
    if (i >= DH / 2 || r >= s.rows)
        return;
    steps += s.of_step * 4 * s.rows;
    const int t = steps[s.rows + r], h = routes[(s.of_step * s.layers + layer) * s.rows + r];
    const int place = layer * s.slots + steps[2 * s.rows + r], first = min(projected[place], t);
    if (!keys_are_due(t, h, first))
        return;
    const int cache =
        (table[layer * TABLE_COLUMNS + AT_CACHE] * s.slots + steps[2 * s.rows + r]) * s.capacity;
    for (int m = first; m <= t; m++) {
        uint upper[LANES], lower[LANES];
        floatv sine, cosine;
        float sines[LANES], cosines[LANES];
        for (int l = 0; l < LANES; l++) {
            upper[l] = turns[i];
            lower[l] = turns[DH / 2 + i];
        }
        sin_cos_turn(turns_at(m, upper, lower), &sine, &cosine);
        STOREV(sine, sines);
        STOREV(cosine, cosines);
        for (int head = 0; head < KV_HEADS + (m == t && h ? HEADS : 0); head++) {
            global float *const z = head < KV_HEADS ? keys + (cache + m) * KV + head * DH + i
                                                    : work + AT_QS(s) + r * D + (head - KV_HEADS) * DH + i;
            const float a = z[0], b = z[DH / 2];
            z[0] = a * cosines[0] - b * sines[0];
            z[DH / 2] = a * sines[0] + b * cosines[0];
        }
    }
}
#endif
