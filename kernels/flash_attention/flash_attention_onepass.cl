/* Backward, variant onepass: all gradients in one pass over the keys, for vectors of 16 lanes.
 * With P = exp(S − lse) and δ = Σ_d do·o:  dv = Pᵀ·do,  dS = P·(do·vᵀ − δ)·scale,  dq = dS·k,  dk = dSᵀ·q.
 *
 * A work-item owns a chunk of keys of one head, or all chunks in order. It transposes KW keys at a time and
 * takes the queries that see them, by groups of tiles, of each of the query heads that read them. Every chunk
 * has a partial sum of dq; they are added in the order of chunks, by the work-item or by flash_attention_sum,
 * with the same bits. */

#ifndef KW
#define KW 64 /* keys of a block: a multiple of 32 */
#endif
#ifndef GROUP
#define GROUP 4 /* tiles of queries whose P and dS are kept before dk and dv are updated */
#endif
#define KEY_TILE 8 /* keys of a register tile of dk or dv */

DEFINE_SCORES(scores_q, TQ, private)
DEFINE_GATHER(gather_q, TQ, private)
DEFINE_GATHER(gather_k, KEY_TILE, private)
DEFINE_GATHER_SEEN(gather_seen, private)
DEFINE_TURN(turn, private)

typedef struct {
    float k_turned[KW * DH], v_turned[KW * DH]; /* panels [DH][32] */
    float k[KW * DH] /* times scale */, dk[KW * DH], dv[KW * DH];
    int first, count; /* position of the first key, keys */
    bool finite;      /* all of k is */
} key_block;

typedef struct {
    float q[GROUP * TQ * DH] /* times scale·log₂e */, d[GROUP * TQ * DH], p[GROUP * TQ * KW],
        ds[GROUP * TQ * KW];
} query_group;

/* δ of each row. Grid: R / 16. */
kernel void flash_attention_delta(global float *restrict delta,      /* [R,H] */
                                  const global float *restrict dout, /* [R,H·DH] */
                                  const global float *restrict o,    /* [R,H·DH] */
                                  const global int *restrict q_start /* [B+1] */, int B, int H) {
    const int first = get_global_id(0) * 16;
    for (int i = first * H; i < min(q_start[B], first + 16) * H; i++) {
        floatv dots = 0.0f;
        for (int j = 0; j < DV; j++)
            dots += LOAD(j, dout + i * DH) * LOAD(j, o + i * DH);
        delta[i] = total(dots);
    }
}

/* `k`, `v`: first of the sequence's and head's rows, D apart. */
static inline void block_load(key_block *b, const global float *k, const global float *v, int D,
                              float scale) {
    for (int s = 0; s < b->count; s += 32) {
        turn(b->k_turned + s * DH, k + (b->first + s) * D, min(32, b->count - s), D);
        turn(b->v_turned + s * DH, v + (b->first + s) * D, min(32, b->count - s), D);
    }
    uintv most = 0;
    for (int s = 0; s < b->count; s++)
        for (int j = 0; j < DV; j++) {
            const floatv x = LOAD(j, k + (b->first + s) * D) * scale;
            most = max(most, MAGNITUDE(x));
            STORE_TILE(x, j, b->k + s * DH);
        }
    b->finite = are_all_finite(most);
    for (int j = 0; j < KW * DV; j++) {
        STORE_TILE((floatv)(0.0f), j, b->dk);
        STORE_TILE((floatv)(0.0f), j, b->dv);
    }
}

static inline void block_store(const key_block *b, global float *dk, global float *dv, int D) {
    for (int s = 0; s < b->count; s++)
        for (int j = 0; j < DV; j++) {
            STORE(LOAD(j, b->dk + s * DH) * LN2, j, dk + (b->first + s) * D);
            STORE(LOAD(j, b->dv + s * DH), j, dv + (b->first + s) * D);
        }
}

/* P and dS [TQ][KW] of one tile, HIDDEN and 0 for masked pairs; returns how many of the block's keys it may
 * see, counted from the first. `lse`, `delta`: of this head. */
ALWAYS_INLINE int tile_scores(float *p, float *ds, const float *q, const float *d, const key_block *b,
                              const tile_rows *r, const global float *lse, const global float *delta, int H,
                              const global int *seg, int T) {
    int count = min(b->count, r->to + 1 - b->first);
    if (count < 0 || r->from >= b->first + b->count || (seg && !segments_meet(r, seg, b->first, count, T)))
        count = 0;
    for (int s = 0; s < count; s += 32) {
        scores_q(p + s, KW, q, b->k_turned + s * DH);
        scores_q(ds + s, KW, d, b->v_turned + s * DH);
    }
    const int vectors = (count + 31) / 32 * NV;
    for (int i = 0; i < TQ; i++) {
        const int row = r->first + min(i, r->count - 1);
        const float lse2 = lse[row * H] * LOG2E, shift = delta[row * H];
        for (int j = 0; j < vectors; j++) {
            const floatv e = probability(LOAD(j, p + i * KW) - lse2);
            STORE_TILE(e, j, p + i * KW);
            STORE_TILE(e * (LOAD(j, ds + i * KW) - shift), j, ds + i * KW);
        }
        for (int j = vectors; j < KW / LANES; j++) {
            STORE_TILE((floatv)(HIDDEN), j, p + i * KW);
            STORE_TILE((floatv)(0.0f), j, ds + i * KW);
        }
    }
    for (int s = 0; s < count; s += 32) /* last: a row's own lse may be NaN */
        mask_panel(p + s, ds + s, HIDDEN, KW, b->first + s, r, seg, T);
    return count;
}

/* dq of one tile += dS·k over the block's first `count` keys; `fresh`: starts from zero. `dq`: of this head,
 * rows D apart. */
ALWAYS_INLINE void tile_dq(global float *dq, const float *p, const float *ds, const key_block *b,
                           const tile_rows *r, int count, bool fresh, int D) {
    float sum[TQ * DH];
    if (count == 0 && !fresh)
        return;
    for (int i = 0; i < TQ; i++)
        for (int j = 0; j < DV; j++)
            STORE_TILE(fresh || i >= r->count ? (floatv)(0.0f) : LOAD(j, dq + (r->first + i) * D), j,
                       sum + i * DH);
    if (b->finite)
        gather_q(sum, ds, KW, 1, count, b->k, DH);
    else
        gather_seen(sum, TQ, ds, p, KW, 1, count, b->k, DH);
    for (int i = 0; i < r->count; i++)
        for (int j = 0; j < DV; j++)
            STORE(LOAD(j, sum + i * DH), j, dq + (r->first + i) * D);
}

/* dq of rows `first` to end − 1 += the partial sum of the chunk that begins at key `from`; a row's first
 * chunk is stored. `start`: position 0 of the sequence in `rows`. */
static inline void chunk_add(global float *dq, int D, const global float *partial, int partial_D,
                             const global int *rows, int first, int end, int start, int from, int window) {
    for (int r = first; r < end; r++)
        for (int j = 0; j < DV; j++) {
            const floatv more = LOAD(j, partial + r * partial_D);
            const bool fresh = first_key(rows[r] - start, window) >= from;
            STORE(fresh ? more : LOAD(j, dq + r * D) + more, j, dq + r * D);
        }
}

/* What tiles of queries are loaded from: one sequence, one head. */
typedef struct {
    const global float *q, *dout, *lse, *delta;
    const attention_lists *lists;
    const attention_sizes *sizes;
    int b;
} query_source;

/* Up to GROUP tiles of queries, from t0 on, against one block of keys. `dq`: of this chunk, rows dq_D apart.
 */
ALWAYS_INLINE void group_add(query_group *g, key_block *block, const query_source *w, int t0, bool fresh,
                             global float *dq, int dq_D) {
    const attention_lists *l = w->lists;
    const int H = w->sizes->H, T = w->sizes->T, listed = l->q_start[w->b + 1] - l->q_start[w->b];
    const global int *seg = l->segments ? l->segments + w->b * T : l->segments;
    int count = 0, width = 0;
    bool finite = true;
    for (int i = 0; i < GROUP && (t0 + i) * TQ < listed; i++) {
        float *q = g->q + i * TQ * DH, *d = g->d + i * TQ * DH;
        float *p = g->p + i * TQ * KW, *ds = g->ds + i * TQ * KW;
        const tile_rows r = tile_of(w->b * w->sizes->tiles + t0 + i, l, w->sizes);
        finite &= tile_load(q, w->q, r.first, r.count, H * DH, w->sizes->scale * LOG2E);
        finite &= tile_load(d, w->dout, r.first, r.count, H * DH, 1.0f);
        const int seen = tile_scores(p, ds, q, d, block, &r, w->lse, w->delta, H, seg, T);
        tile_dq(dq, p, ds, block, &r, seen, fresh, dq_D);
        count += r.count;
        width = max(width, seen);
    }
    for (int s = 0; s < width && !finite; s += KEY_TILE) {
        gather_seen(block->dv + s * DH, KEY_TILE, g->p + s, g->p + s, 1, KW, count, g->d, DH);
        gather_seen(block->dk + s * DH, KEY_TILE, g->ds + s, g->p + s, 1, KW, count, g->q, DH);
    }
    for (int s = 0; s < width && finite; s += KEY_TILE) {
        gather_k(block->dv + s * DH, g->p + s, 1, KW, count, g->d, DH);
        gather_k(block->dk + s * DH, g->ds + s, 1, KW, count, g->q, DH);
    }
}

/* Grid: B · chunks × heads/SHARE, or B × heads/SHARE with sizes.whole. Late chunks are seen by few queries;
 * they come last, since run-times hand out many work-items first and few in the end. */
kernel void flash_attention_backward(global float *restrict dk, /* [Rkv,HKV·DH] */
                                     global float *restrict dv, /* [Rkv,HKV·DH] */
                                     global float *dq,          /* [R,H·DH], written with sizes.whole */
                                     global float *partial, /* [chunks, or 1 with sizes.whole][R,heads·DH]; dq
                                                               itself where there is but one chunk */
                                     const global float *restrict delta, /* [R,H] */
                                     const global float *restrict dout,  /* [R,H·DH] */
                                     const global float *restrict q,     /* [R,H·DH] */
                                     const global float *restrict k,     /* [Rkv,HKV·DH] */
                                     const global float *restrict v,     /* [Rkv,HKV·DH] */
                                     const global float *restrict lse,   /* [R,H] */
                                     LIST_ARGUMENTS, const attention_sizes sizes) {
    const int id = get_global_id(0), b = sizes.whole ? id : id / sizes.chunks,
              at = (int)get_global_id(1) * SHARE, h = sizes.head + at;
    if (b >= sizes.B || at >= sizes.heads)
        return;
    const attention_lists lists = LISTS;
    const int D = sizes.H * DH, D_kv = sizes.H / SHARE * DH, partial_D = sizes.heads * DH,
              base = kv_start[b] * D_kv + h / SHARE * DH;
    const int q0 = q_start[b], q1 = q_start[b + 1], keys = kv_start[b + 1] - kv_start[b];
    const int own = sizes.chunks - 1 - id % sizes.chunks;
    key_block block;
    query_group g;
    for (int c = sizes.whole ? 0 : own; c < (sizes.whole ? sizes.chunks : own + 1); c++) {
        global float *sums = partial + (sizes.whole ? 0 : c * sizes.R * partial_D) + at * DH;
        const int from = c * sizes.chunk, end = min(keys, from + sizes.chunk);
        /* queries from here on see nothing of the chunk */
        const int last = sizes.window > 0 && sizes.window <= sizes.T - from - sizes.chunk
                             ? row_at(rows, q0, q1, b * sizes.T + from + sizes.chunk - 1 + sizes.window)
                             : q1;
        for (block.first = from; block.first < end; block.first += KW) {
            block.count = min(KW, end - block.first);
            block_load(&block, k + base, v + base, D_kv, sizes.scale);
            const int begin = row_at(rows, q0, q1, b * sizes.T + block.first) - q0;
            for (int i = 0; i < SHARE; i++) {
                const int own_h = h + i;
                const query_source w = {
                    q + own_h * DH, dout + own_h * DH, lse + own_h, delta + own_h, &lists, &sizes, b};
                for (int t0 = begin / TQ; t0 * TQ < last - q0; t0 += GROUP)
                    group_add(&g, &block, &w, t0, block.first == from, sums + i * DH, partial_D);
            }
            block_store(&block, dk + base, dv + base, D_kv);
        }
        if (sizes.whole && sizes.chunks > 1 && from < end)
            for (int i = 0; i < SHARE; i++)
                chunk_add(dq + (h + i) * DH, D, sums + i * DH, partial_D, rows,
                          row_at(rows, q0, q1, b * sizes.T + from), last, b * sizes.T, from, sizes.window);
    }
}

/* dq = its partial sums, added in the order of chunks. Grid: R / 16. */
kernel void flash_attention_sum(global float *restrict dq,            /* [R,H·DH] */
                                const global float *restrict partial, /* [chunks,R,heads·DH] */
                                const global int *restrict rows,      /* [R] */
                                const global int *restrict q_start,   /* [B+1] */
                                const attention_sizes sizes) {
    const int first = get_global_id(0) * 16, D = sizes.H * DH, partial_D = sizes.heads * DH;
    for (int r = first; r < min(q_start[sizes.B], first + 16); r++) {
        const int t = rows[r] % sizes.T, from = first_key(t, sizes.window) / sizes.chunk;
        for (int j = 0; j < partial_D / LANES; j++) {
            floatv sum = LOAD(j, partial + (from * sizes.R + r) * partial_D);
            for (int c = from + 1; c <= t / sizes.chunk; c++)
                sum += LOAD(j, partial + (c * sizes.R + r) * partial_D);
            STORE(sum, j, dq + r * D + sizes.head * DH);
        }
    }
}
