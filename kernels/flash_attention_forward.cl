/* The forward pass of flash_attention; built behind flash_attention_tile.cl, whose helpers it uses. An item
 * turns a block of keys once for all of its tiles of queries. */

#ifndef TILES
#define TILES 16 /* tiles of TQ rows that an item may have */
#endif

#define TQ_UP ((TQ + VW - 1) / VW * VW)

DEFINE_SCORES(scores_q, TQ, private)
DEFINE_GATHER(gather_q, TQ, private)
DEFINE_GATHER_SEEN(gather_seen, private)
DEFINE_TURN(turn, private)

/* A tile of queries; what the present chunk of keys comes to for each row: Σ 2^(score − top)·value, top,
 * Σ 2^(score − top); the same of all chunks so far. */
typedef struct {
    tile_rows rows;
    float q[TQ * DH], sum[TQ * DH], top[TQ];
    VEC weight[TQ];
    float all_sum[TQ * DH], all_top[TQ], all_weight[TQ_UP];
} tile_state;

/* Lifts the tops that fell behind the block of scores p[TQ][KB]. A row's own scores alone decide. */
ALWAYS_INLINE void lift_tops(tile_state *c, const float *p, int vectors) {
    VEC high[TQ];
    IVEC over = 0;
    for (int i = 0; i < TQ; i++) {
        high[i] = LOAD(0, p + i * KB);
        for (int j = 1; j < vectors; j++) {
            const VEC more = LOAD(j, p + i * KB);
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
        const VEC shrink = exp2_of((VEC)(c->top[i] - now));
        c->top[i] = now;
        c->weight[i] *= shrink;
        for (int j = 0; j < DV; j++)
            STORE_TILE(LOAD(j, c->sum + i * DH) * shrink, j, c->sum + i * DH);
    }
}

/* Block of `count` keys from s0 on: `panels` hold it turned, `finite`: all values are. */
ALWAYS_INLINE void attend_block(tile_state *c, const float *panels, const float *values, bool finite, int s0,
                                int count, const global int *seg, int T) {
    float p[TQ * KB];
    const int vectors = (count + 31) / 32 * NV;
    for (int s = 0; s < count; s += 32) {
        scores_q(p + s, KB, c->q, panels + s * DH);
        mask_panel(p + s, 0, -INFINITY, KB, s0 + s, &c->rows, seg, T);
    }
    lift_tops(c, p, vectors);
    for (int i = 0; i < TQ; i++)
        for (int j = 0; j < vectors; j++) {
            const VEC e = exp2_of(LOAD(j, p + i * KB) - c->top[i]);
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
        STORE_TILE((VEC)(0.0f), j, c->sum);
}

/* n rows of values, side by side. Are they finite? */
static inline bool copy_values(float *block, const global float *values, int n, int D) {
    UVEC most = 0;
    for (int s = 0; s < n; s++)
        UNROLL for (int j = 0; j < DV; j++) {
            const VEC v = LOAD(j, values + s * D);
            most = max(most, MAGNITUDE(v));
            STORE_TILE(v, j, block + s * DH);
        }
    return are_all_finite(most);
}

/* The keys of the chunk at `first` for an item's tiles. `keys`, `values`: of this sequence and head. */
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

#define TILE_ARGUMENTS                                                                                       \
    const global float *restrict q /* [R,H·DH] */, const global float *restrict k /* [Rkv,H·DH] */,          \
        const global float *restrict v /* [Rkv,H·DH] */, const global int *restrict rows /* [R] */,          \
        const global int *restrict q_start /* [B+1] */, const global int *restrict kv_start /* [B+1] */,     \
        const global int *segments /* [B,T] or NULL */, const global int *lengths /* [B] or NULL */, int B,  \
        int T, int tiles, int per_item, int H, int window, float scale
#define ITEM_TILES(states, item)                                                                             \
    item_tiles(states, item, q, rows, q_start, kv_start, segments, lengths, B, T, tiles, per_item, H,        \
               get_global_id(1), window, scale)

/* Fills the item's tiles of one sequence and says how many there are. */
static inline int item_tiles(tile_state *states, int item, const global float *q, const global int *rows,
                             const global int *q_start, const global int *kv_start,
                             const global int *segments, const global int *lengths, int B, int T, int tiles,
                             int per_item, int H, int h, int window, float scale) {
    const int items = (tiles + per_item - 1) / per_item, b = item / items, D = H * DH;
    int n = 0;
    if (h >= H)
        return 0;
    for (int i = item % items * per_item; n < per_item && i < tiles; i++, n++) {
        tile_state *c = &states[n];
        c->rows = tile_of(b * tiles + i, tiles, B, T, window, rows, q_start, kv_start, segments, lengths);
        if (c->rows.count == 0)
            break;
        tile_load(c->q, q + h * DH, c->rows.first, c->rows.count, D, scale * LOG2E);
    }
    return n;
}

/* Grid: B · items (of per_item tiles of TQ rows) × H. A row with nothing to attend to gives o = 0 and lse =
 * 0. */
kernel void flash_attention_forward(global float *restrict o,   /* [R,H·DH] */
                                    global float *restrict lse, /* [R,H] natural log of Σ exp(score) */
                                    TILE_ARGUMENTS) {
    tile_state states[TILES];
    const int n = ITEM_TILES(states, get_global_id(0)), h = get_global_id(1), D = H * DH;
    if (n == 0)
        return;
    const int b = states[0].rows.b;
    int from = INT_MAX, to = -1;
    for (int i = 0; i < n; i++) {
        from = min(from, states[i].rows.from);
        to = max(to, states[i].rows.to);
        for (int j = 0; j < TQ_UP; j++)
            states[i].all_weight[j] = 0.0f;
        for (int j = 0; j < TQ; j++)
            states[i].all_top[j] = 0.0f;
        for (int j = 0; j < TQ * DV; j++)
            STORE_TILE((VEC)(0.0f), j, states[i].all_sum);
    }
    for (int s0 = to < 0 ? 1 : from / CHUNK * CHUNK; s0 <= to; s0 += CHUNK) {
        attend_chunk(states, n, s0, k + kv_start[b] * D + h * DH, v + kv_start[b] * D + h * DH, D,
                     segments ? segments + b * T : segments, T);
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
        for (int j = 0; j < TQ_UP / VW; j++)
            STORE_TILE(log(LOAD(j, c->all_weight)), j, logs);
        for (int j = 0; j < c->rows.count; j++) {
            const int at = c->rows.first + j;
            row_store(o + at * D + h * DH, lse + at * H + h, c->all_sum + j * DH, c->all_weight[j],
                      c->all_top[j], logs[j]);
        }
    }
}

/* Few rows: an item a chunk of keys, its sums to `parts`. Grid: B · items × H × chunks, the last chunk first:
 * fewer rows see it, and a run-time that deals out half of what is left at a time should end with the long
 * items. */
kernel void flash_attention_split(global float *restrict parts, /* [R,H,chunks,DH+2] sum, weight, top */
                                  int chunks, TILE_ARGUMENTS) {
    tile_state states[TILES];
    const int n = ITEM_TILES(states, get_global_id(0)), h = get_global_id(1), D = H * DH;
    const int chunk = chunks - 1 - (int)get_global_id(2);
    if (n == 0 || chunk < 0)
        return;
    const int b = states[0].rows.b;
    attend_chunk(states, n, chunk * CHUNK, k + kv_start[b] * D + h * DH, v + kv_start[b] * D + h * DH, D,
                 segments ? segments + b * T : segments, T);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < states[i].rows.count; j++) {
            const tile_state *c = &states[i];
            global float *to = parts + (((c->rows.first + j) * H + h) * chunks + chunk) * (DH + 2);
            for (int d = 0; d < DV; d++)
                STORE(LOAD(d, c->sum + j * DH), d, to);
            to[DH] = total(c->weight[j]);
            to[DH + 1] = c->top[j];
        }
}

/* Grid: R × H. */
kernel void flash_attention_join(global float *restrict o, global float *restrict lse,
                                 const global float *restrict parts, const global int *restrict rows,
                                 const global int *restrict kv_start, const global int *lengths, int R, int T,
                                 int H, int window, int chunks) {
    const int r = get_global_id(0), h = get_global_id(1);
    if (r >= R || h >= H)
        return;
    const int b = rows[r] / T, t = rows[r] - b * T;
    const int to = min(last_key(t, b, T, lengths), kv_start[b + 1] - kv_start[b] - 1);
    float sum[DH], weight = 0.0f, top = 0.0f;
    for (int j = 0; j < DV; j++)
        STORE_TILE((VEC)(0.0f), j, sum);
    for (int n = first_key(t, window) / CHUNK; n * CHUNK <= to; n++) {
        const global float *part = parts + ((r * H + h) * chunks + n) * (DH + 2);
        fold_part(sum, &weight, &top, part, part[DH], part[DH + 1]);
    }
    weight = row_weight(weight, first_key(t, window), to);
    row_store(o + (r * H + h) * DH, lse + r * H + h, sum, weight, top, log((VEC)(weight)).s0);
}
