/* Forward, variant threads: a work-item owns up to TILES tiles of query rows of one head. It transposes a
 * block of keys and copies the block's values once for all of them. No barrier. */

#ifndef TILES
#define TILES 16 /* tiles of TQ rows that a work-item may own */
#endif

#define TQ_UP ((TQ + LANES - 1) / LANES * LANES)

DEFINE_SCORES(scores_q, TQ, private)
DEFINE_GATHER(gather_q, TQ, private)
DEFINE_GATHER_SEEN(gather_seen, private)
DEFINE_TURN(turn, private)

/* A tile of queries. For each row, over the present chunk of keys: sum = Σ 2^(score − top)·value, its running
 * maximum top, weight = Σ 2^(score − top), by lanes; all_…: the same over all chunks before. */
typedef struct {
    tile_rows rows;
    float q[TQ * DH], sum[TQ * DH], top[TQ];
    floatv weight[TQ];
    float all_sum[TQ * DH], all_top[TQ], all_weight[TQ_UP];
} tile_state;

/* Raises the running maxima that the block of scores p[TQ][KB] exceeds by MARGIN, and rescales their rows. A
 * row's own scores alone decide. */
ALWAYS_INLINE void raise_tops(tile_state *c, const float *p, int vectors) {
    floatv high[TQ];
    intv over = 0;
    for (int i = 0; i < TQ; i++) {
        high[i] = LOAD(0, p + i * KB);
        for (int j = 1; j < vectors; j++) {
            const floatv more = LOAD(j, p + i * KB);
            high[i] = AT_LEAST(high[i], more);
        }
        over |= high[i] > c->top[i] + MARGIN;
    }
    if (!any(over))
        return;
    for (int i = 0; i < TQ; i++) {
        const float now = largest(high[i]);
        if (!(now > c->top[i] + MARGIN))
            continue;
        const floatv shrink = exp2_of((floatv)(c->top[i] - now));
        c->top[i] = now;
        c->weight[i] *= shrink;
        for (int j = 0; j < DV; j++)
            STORE_TILE(LOAD(j, c->sum + i * DH) * shrink, j, c->sum + i * DH);
    }
}

/* One tile against the block of `count` keys from s0 on: keys transposed in `panels`; `finite`: all of
 * `values` are. */
ALWAYS_INLINE void attend_block(tile_state *c, const float *panels, const float *values, bool finite, int s0,
                                int count, const global int *seg, int T) {
    float p[TQ * KB];
    const int vectors = (count + 31) / 32 * NV;
    for (int s = 0; s < count; s += 32) {
        scores_q(p + s, KB, c->q, panels + s * DH);
        mask_panel(p + s, 0, -INFINITY, KB, s0 + s, &c->rows, seg, T);
    }
    raise_tops(c, p, vectors);
    for (int i = 0; i < TQ; i++)
        for (int j = 0; j < vectors; j++) {
            const floatv e = exp2_of(LOAD(j, p + i * KB) - c->top[i]);
            c->weight[i] += e;
            STORE_TILE(e, j, p + i * KB);
        }
    if (finite || all_seen(&c->rows, s0, count, seg)) {
        gather_q(c->sum, p, KB, 1, count, values, DH);
        return;
    }
    for (int s = 0; s < count; s += 32)
        mask_panel(p + s, 0, HIDDEN, KB, s0 + s, &c->rows, seg, T);
    gather_seen(c->sum, TQ, p, p, KB, 1, count, values, DH);
}

static inline void chunk_begin(tile_state *c) {
    for (int i = 0; i < TQ; i++) {
        c->top[i] = LOWEST;
        c->weight[i] = 0.0f;
    }
    for (int j = 0; j < TQ * DV; j++)
        STORE_TILE((floatv)(0.0f), j, c->sum);
}

/* block[n][DH] = n rows of values, D apart; true when all are finite. */
static inline bool copy_values(float *block, const global float *values, int n, int D) {
    uintv most = 0;
    for (int s = 0; s < n; s++)
        UNROLL for (int j = 0; j < DV; j++) {
            const floatv v = LOAD(j, values + s * D);
            most = max(most, MAGNITUDE(v));
            STORE_TILE(v, j, block + s * DH);
        }
    return are_all_finite(most);
}

/* The work-item's n tiles against the chunk of keys that begins at `first`. `keys`, `values`: of this
 * sequence and head. */
ALWAYS_INLINE void attend_chunk(tile_state *tiles, int n, int first, const global float *keys,
                                const global float *values, int D, const global int *seg, int T) {
    float panels[DH * KB], block[KB * DH];
    const int end = min(first + CHUNK, tiles[0].rows.keys);
    for (int i = 0; i < n; i++)
        chunk_begin(&tiles[i]);
    for (int s0 = first; s0 < end; s0 += KB) {
        bool turned = false, finite = true;
        for (int i = 0; i < n; i++) {
            const tile_rows *r = &tiles[i].rows;
            const int count = min(KB, min(end, r->to + 1) - s0);
            if (count <= 0 || s0 + count <= r->from || (seg && !segments_meet(r, seg, s0, count, T)))
                continue;
            for (int s = 0; s < min(KB, end - s0) && !turned; s += 32)
                turn(panels + s * DH, keys + (s0 + s) * D, min(32, end - s0 - s), D);
            if (!turned)
                finite = copy_values(block, values + s0 * D, min(KB, end - s0), D);
            turned = true;
            attend_block(&tiles[i], panels, block, finite, s0, count, seg, T);
        }
    }
}

/* Fills the tiles of work-item `item`, all of one sequence; returns how many there are. */
static inline int item_tiles(tile_state *states, int item, int h, const global float *q,
                             const attention_lists *l, const attention_sizes *s) {
    const int items = (s->tiles + s->per_item - 1) / s->per_item, b = item / items, D = s->H * DH;
    int n = 0;
    if (h >= s->H)
        return 0;
    for (int i = item % items * s->per_item; n < s->per_item && i < s->tiles; i++, n++) {
        tile_state *c = &states[n];
        c->rows = tile_of(b * s->tiles + i, l, s);
        if (c->rows.count == 0)
            break;
        tile_load(c->q, q + h * DH, c->rows.first, c->rows.count, D, s->scale * LOG2E);
    }
    return n;
}

/* Grid: B · items of a sequence × H. A row that sees no key gives o = 0 and lse = 0. */
kernel void flash_attention_forward(global float *restrict o,       /* [R,H·DH] */
                                    global float *restrict lse,     /* [R,H] natural log of Σ exp(score) */
                                    const global float *restrict q, /* [R,H·DH] */
                                    const global float *restrict k, /* [Rkv,HKV·DH] */
                                    const global float *restrict v, /* [Rkv,HKV·DH] */
                                    LIST_ARGUMENTS, const attention_sizes sizes) {
    tile_state states[TILES];
    const attention_lists lists = LISTS;
    const int h = get_global_id(1), n = item_tiles(states, get_global_id(0), h, q, &lists, &sizes),
              D = sizes.H * DH, D_kv = sizes.H / SHARE * DH;
    if (n == 0)
        return;
    const int b = states[0].rows.b, base = kv_start[b] * D_kv + h / SHARE * DH;
    int from = INT_MAX, to = -1;
    for (int i = 0; i < n; i++) {
        from = min(from, states[i].rows.from);
        to = max(to, states[i].rows.to);
        for (int j = 0; j < TQ_UP; j++)
            states[i].all_weight[j] = 0.0f;
        for (int j = 0; j < TQ; j++)
            states[i].all_top[j] = 0.0f;
        for (int j = 0; j < TQ * DV; j++)
            STORE_TILE((floatv)(0.0f), j, states[i].all_sum);
    }
    for (int s0 = to < 0 ? 1 : from / CHUNK * CHUNK; s0 <= to; s0 += CHUNK) {
        attend_chunk(states, n, s0, k + base, v + base, D_kv, segments ? segments + b * sizes.T : segments,
                     sizes.T);
        for (int i = 0; i < n; i++)
            for (int j = 0; j < TQ; j++)
                fold(states[i].all_sum + j * DH, &states[i].all_weight[j], &states[i].all_top[j],
                     states[i].sum + j * DH, total(states[i].weight[j]), states[i].top[j]);
    }
    for (int i = 0; i < n; i++) {
        tile_state *c = &states[i];
        float logs[TQ_UP];
        for (int j = 0; j < TQ; j++)
            c->all_weight[j] = row_weight(c->all_weight[j], c->rows.low[j], c->rows.high[j]);
        for (int j = 0; j < TQ_UP / LANES; j++)
            STORE_TILE(log(LOAD(j, c->all_weight)), j, logs);
        for (int j = 0; j < c->rows.count; j++) {
            const int at = c->rows.first + j;
            row_store(o + at * D + h * DH, lse + at * sizes.H + h, c->all_sum + j * DH, c->all_weight[j],
                      c->all_top[j], logs[j]);
        }
    }
}

/* Split-K, for few rows: a work-item takes one chunk of keys and leaves partial sums, which
 * flash_attention_join combines. Grid: B · items of a sequence × H × chunks, last chunk first: fewer rows see
 * a late chunk, so long work-items come last, when a run-time that hands out half of what is left at a time
 * hands out little. */
kernel void flash_attention_split(global float *restrict partial, /* [R,H,chunks,DH+2] sum, weight, top */
                                  const global float *restrict q, /* [R,H·DH] */
                                  const global float *restrict k, /* [Rkv,HKV·DH] */
                                  const global float *restrict v, /* [Rkv,HKV·DH] */
                                  LIST_ARGUMENTS, const attention_sizes sizes) {
    tile_state states[TILES];
    const attention_lists lists = LISTS;
    const int h = get_global_id(1), n = item_tiles(states, get_global_id(0), h, q, &lists, &sizes),
              D_kv = sizes.H / SHARE * DH;
    const int chunk = sizes.chunks - 1 - (int)get_global_id(2);
    if (n == 0 || chunk < 0)
        return;
    const int b = states[0].rows.b, base = kv_start[b] * D_kv + h / SHARE * DH;
    attend_chunk(states, n, chunk * CHUNK, k + base, v + base, D_kv,
                 segments ? segments + b * sizes.T : segments, sizes.T);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < states[i].rows.count; j++) {
            const tile_state *c = &states[i];
            const int row = (c->rows.first + j) * sizes.H + h;
            partial_store(partial + (row * sizes.chunks + chunk) * (DH + 2), c->sum + j * DH,
                          total(c->weight[j]), c->top[j]);
        }
}
