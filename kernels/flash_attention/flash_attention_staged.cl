/* Forward, variant groups: a work-item owns one query row; its work-group stages blocks of keys and values in
 * local memory, which all of its rows use. Barriers stand in uniform control flow: every work-item of a group
 * passes all of them. */

#if DH > 64
#define STAGE 16 /* keys of a block in local memory; with their values, at most 16 KiB */
#else
#define STAGE 32
#endif

typedef struct {
    float q[DH] /* times scale·log₂e */, sum[DH], top, weight; /* as in flash_attention_forward.cl */
    int low, high, own; /* first and last key that it may see, segment */
} query_state;

/* to[STAGE][DH] = the first n rows at x, D apart, padded with zeros. */
ALWAYS_INLINE void stage(local float *to, const global float *x, int n, int D) {
    for (int i = get_local_id(0); i < STAGE * DH; i += get_local_size(0)) {
        const int s = i / DH, d = i % DH;
        to[i] = s < n ? x[s * D + d] : 0.0f;
    }
}

/* p[STAGE]: scores of the keys from s0 on, −∞ where masked; bit s of `seen`: key s0 + s is not. Returns the
 * maximum. */
ALWAYS_INLINE float stage_scores(float *p, uint *seen, const query_state *c, const local float *keys, int s0,
                                 const global int *seg) {
    float top = -INFINITY;
    *seen = 0;
    for (int s = 0; s < STAGE; s += 4) {
        float a[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        UNROLL for (int d = 0; d < DH; d += 4) UNROLL for (int l = 0; l < 4; l++)
            UNROLL for (int i = 0; i < 4; i++) a[l] += c->q[d + i] * keys[(s + l) * DH + d + i];
        UNROLL for (int l = 0; l < 4; l++) {
            const int at = s0 + s + l;
            const bool hide = at < c->low || at > c->high || (seg && seg[at] != c->own);
            p[s + l] = hide ? -INFINITY : a[l];
            *seen |= hide ? 0u : 1u << (s + l);
            top = AT_LEAST(top, p[s + l]);
        }
    }
    return top;
}

ALWAYS_INLINE void attend_stage(query_state *c, const local float *keys, const local float *values, int s0,
                                const global int *seg) {
    float p[STAGE];
    uint seen;
    const float now = stage_scores(p, &seen, c, keys, s0, seg);
    if (now > c->top + MARGIN) {
        const floatv shrink = exp2_of((floatv)(c->top - now));
        c->top = now;
        c->weight *= shrink.s0;
        UNROLL for (int j = 0; j < DV; j++) STORE_TILE(LOAD(j, c->sum) * shrink, j, c->sum);
    }
    for (int j = 0; j < STAGE / LANES; j++) {
        const floatv e = exp2_of(LOAD(j, p) - c->top);
        c->weight += total(e);
        STORE_TILE(e, j, p);
    }
    for (int s = 0; s < STAGE; s++)
        if (seen & 1u << s) /* a masked value may be NaN, and 0·NaN is NaN */
            UNROLL for (int j = 0; j < DV; j++)
                STORE_TILE(LOAD(j, c->sum) + p[s] * LOAD(j, values + s * DH), j, c->sum);
}

/* Grid: B · groups of a sequence × H, × chunks when sizes.chunks is not 0 (split-K): then a group takes one
 * chunk of keys and leaves partial sums for flash_attention_join. sizes.tiles: groups of a sequence. */
kernel void flash_attention_staged(global float *restrict o,       /* [R,H·DH] */
                                   global float *restrict lse,     /* [R,H] */
                                   global float *restrict partial, /* [R,H,chunks,DH+2] or NULL */
                                   const global float *restrict q, /* [R,H·DH] */
                                   const global float *restrict k, /* [Rkv,H·DH] */
                                   const global float *restrict v, /* [Rkv,H·DH] */
                                   LIST_ARGUMENTS, const attention_sizes sizes) {
    local float keys[STAGE * DH], values[STAGE * DH];
    const int b = get_group_id(0) / sizes.tiles, h = get_global_id(1), size = get_local_size(0);
    const int H = sizes.H, T = sizes.T, window = sizes.window, chunks = sizes.chunks, D = H * DH;
    if (b >= sizes.B || h >= H) /* a whole group leaves */
        return;
    const int first = q_start[b] + get_group_id(0) % sizes.tiles * size,
              end = min(q_start[b + 1], first + size);
    if (first >= end)
        return;
    const int row = first + (int)get_local_id(0), listed = row < end, count = kv_start[b + 1] - kv_start[b];
    const int t = listed ? rows[row] - b * T : 0, base = kv_start[b] * D + h * DH;
    /* of the whole group: rows ascend */
    const int from = first_key(rows[first] - b * T, window), to = min(rows[end - 1] - b * T, count - 1);
    query_state c;
    float all_sum[DH], all_top = 0.0f, all_weight = 0.0f;
    c.low = first_key(t, window);
    c.high = listed ? min(last_key(t, b, T, lengths), count - 1) : -1;
    c.own = segments ? segments[b * T + t] : 0;
    UNROLL for (int j = 0; j < DV; j++) {
        STORE_TILE(listed ? LOAD(j, q + row * D + h * DH) * (sizes.scale * LOG2E) : (floatv)(0.0f), j, c.q);
        STORE_TILE((floatv)(0.0f), j, all_sum);
    }
    const int one = get_global_id(2) * CHUNK;
    for (int begin = chunks ? max(one, from / CHUNK * CHUNK) : from / CHUNK * CHUNK;
         begin <= (chunks ? min(one, to) : to); begin += CHUNK) {
        c.top = LOWEST;
        c.weight = 0.0f;
        UNROLL for (int j = 0; j < DV; j++) STORE_TILE((floatv)(0.0f), j, c.sum);
        for (int s0 = max(from / STAGE * STAGE, begin); s0 <= min(to, begin + CHUNK - 1); s0 += STAGE) {
            barrier(CLK_LOCAL_MEM_FENCE);
            stage(keys, k + base + s0 * D, count - s0, D);
            stage(values, v + base + s0 * D, count - s0, D);
            barrier(CLK_LOCAL_MEM_FENCE);
            if (s0 <= c.high && s0 + STAGE > c.low)
                attend_stage(&c, keys, values, s0, segments ? segments + b * T : segments);
        }
        if (!chunks)
            fold(all_sum, &all_weight, &all_top, c.sum, c.weight, c.top);
    }
    if (!listed)
        return;
    if (!chunks) {
        all_weight = row_weight(all_weight, c.low, c.high);
        row_store(o + row * D + h * DH, lse + row * H + h, all_sum, all_weight, all_top,
                  log((floatv)(all_weight)).s0);
    } else if (one <= to && one + CHUNK > from) {
        partial_store(partial + ((row * H + h) * chunks + one / CHUNK) * (DH + 2), c.sum, c.weight, c.top);
    }
}
