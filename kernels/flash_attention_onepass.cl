/* Gradients of flash_attention in one pass over the keys, for wide vectors; built behind
 * flash_attention_tile.cl.
 * With P = exp(S − lse) and δ = Σ_d do·o:  dv = Pᵀ·do,  dS = P·(do·vᵀ − δ)·scale,  dq = dS·k,  dk = dSᵀ·q.
 *
 * An item has a chunk of keys (or all chunks, one after the other). It turns KW of them at a time and takes
 * the queries that see them by groups of tiles. What a chunk adds to dq stands in `parts` until the chunks
 * are summed in their order, by the item or by flash_attention_sum, so that bits are the same. */

#ifndef KW
#define KW 64 /* keys of a block: a multiple of 32 */
#endif
#ifndef GROUP
#define GROUP 4 /* tiles of queries between two looks at dk and dv */
#endif
#define KEY_TILE 8 /* keys whose sums stay in registers */

DEFINE_SCORES(scores_q, TQ, private)
DEFINE_GATHER(gather_q, TQ, private)
DEFINE_GATHER(gather_k, KEY_TILE, private)
DEFINE_GATHER_SEEN(gather_seen, private)
DEFINE_TURN(turn, private)

typedef struct {
    float k_turned[KW * DH], v_turned[KW * DH], k[KW * DH] /* times scale */, dk[KW * DH], dv[KW * DH];
    int first, count; /* position of the first, keys */
    bool finite;      /* k */
} key_block;

typedef struct {
    float q[GROUP * TQ * DH] /* times scale·log₂e */, d[GROUP * TQ * DH], p[GROUP * TQ * KW],
        ds[GROUP * TQ * KW];
} query_group;

/* δ of each row. Grid: R / 16. */
kernel void flash_attention_delta(global float *restrict delta,      /* [R,H] */
                                  const global float *restrict dout, /* [R,H·DH] */
                                  const global float *restrict o /* [R,H·DH] */, int R, int H) {
    const int first = get_global_id(0) * 16;
    for (int i = first * H; i < min(R, first + 16) * H; i++) {
        VEC dots = 0.0f;
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
    UVEC most = 0;
    for (int s = 0; s < b->count; s++)
        for (int j = 0; j < DV; j++) {
            const VEC x = LOAD(j, k + (b->first + s) * D) * scale;
            most = max(most, MAGNITUDE(x));
            STORE_TILE(x, j, b->k + s * DH);
        }
    b->finite = are_all_finite(most);
    for (int j = 0; j < KW * DV; j++) {
        STORE_TILE((VEC)(0.0f), j, b->dk);
        STORE_TILE((VEC)(0.0f), j, b->dv);
    }
}

static inline void block_store(const key_block *b, global float *dk, global float *dv, int D) {
    for (int s = 0; s < b->count; s++)
        for (int j = 0; j < DV; j++) {
            STORE(LOAD(j, b->dk + s * DH) * LN2, j, dk + (b->first + s) * D);
            STORE(LOAD(j, b->dv + s * DH), j, dv + (b->first + s) * D);
        }
}

/* P and dS [TQ][KW] of one tile, HIDDEN and 0 for pairs that do not see each other; returns how many of the
 * block's keys it may see. `lse`, `delta`: of this head. */
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
            const VEC e = probability(LOAD(j, p + i * KW) - lse2);
            STORE_TILE(e, j, p + i * KW);
            STORE_TILE(e * (LOAD(j, ds + i * KW) - shift), j, ds + i * KW);
        }
        for (int j = vectors; j < KW / VW; j++) {
            STORE_TILE((VEC)(HIDDEN), j, p + i * KW);
            STORE_TILE((VEC)(0.0f), j, ds + i * KW);
        }
    }
    for (int s = 0; s < count; s += 32) /* last: a row's own lse may be no number */
        mask_panel(p + s, ds + s, HIDDEN, KW, b->first + s, r, seg, T);
    return count;
}

/* dq of one tile += dS·k over the block's first `count` keys; `fresh`: from zero. `dq`: of this head, rows D
 * apart. */
ALWAYS_INLINE void tile_dq(global float *dq, const float *p, const float *ds, const key_block *b,
                           const tile_rows *r, int count, bool fresh, int D) {
    float sum[TQ * DH];
    if (count == 0 && !fresh)
        return;
    for (int i = 0; i < TQ; i++)
        for (int j = 0; j < DV; j++)
            STORE_TILE(fresh || i >= r->count ? (VEC)(0.0f) : LOAD(j, dq + (r->first + i) * D), j,
                       sum + i * DH);
    if (b->finite)
        gather_q(sum, ds, KW, 1, count, b->k, DH);
    else
        gather_seen(sum, TQ, ds, p, KW, 1, count, b->k, DH);
    for (int i = 0; i < r->count; i++)
        for (int j = 0; j < DV; j++)
            STORE(LOAD(j, sum + i * DH), j, dq + (r->first + i) * D);
}

/* dq += a chunk's part, for the rows that see keys from `from` to `to`: in the order of chunks. */
static inline void chunk_add(global float *dq, int D, const global float *part, int part_D,
                             const global int *rows, int first, int end, int start, int from, int window) {
    for (int r = first; r < end; r++)
        for (int j = 0; j < DV; j++) {
            const VEC more = LOAD(j, part + r * part_D);
            const bool fresh = first_key(rows[r] - start, window) >= from;
            STORE(fresh ? more : LOAD(j, dq + r * D) + more, j, dq + r * D);
        }
}

/* What a tile of queries is made from; `q`, `dout`, `lse`, `delta`: from this head on. */
typedef struct {
    const global float *q, *dout, *lse, *delta;
    const global int *rows, *q_start, *kv_start, *segments, *lengths;
    int b, B, T, tiles, H, window;
    float scale;
} query_rows;

/* The tiles from t0 on, a group at most, against one block of keys. `dq`: of this chunk, rows dq_D apart. */
ALWAYS_INLINE void group_add(query_group *g, key_block *block, const query_rows *w, int t0, bool fresh,
                             global float *dq, int dq_D) {
    const global int *seg = w->segments ? w->segments + w->b * w->T : w->segments;
    const int listed = w->q_start[w->b + 1] - w->q_start[w->b];
    int count = 0, width = 0;
    bool finite = true;
    for (int i = 0; i < GROUP && (t0 + i) * TQ < listed; i++) {
        float *q = g->q + i * TQ * DH, *d = g->d + i * TQ * DH;
        float *p = g->p + i * TQ * KW, *ds = g->ds + i * TQ * KW;
        const tile_rows r = tile_of(w->b * w->tiles + t0 + i, w->tiles, w->B, w->T, w->window, w->rows,
                                    w->q_start, w->kv_start, w->segments, w->lengths);
        finite &= tile_load(q, w->q, r.first, r.count, w->H * DH, w->scale * LOG2E);
        finite &= tile_load(d, w->dout, r.first, r.count, w->H * DH, 1.0f);
        const int seen = tile_scores(p, ds, q, d, block, &r, w->lse, w->delta, w->H, seg, w->T);
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

/* Grid: B · chunks × heads; or B × heads, an item all chunks, when `whole`. Few queries see late chunks, and
 * run-times hand out much at first: those come first. Heads are h0 … h0 + heads − 1. */
kernel void flash_attention_backward(
    global float *restrict dk, global float *restrict dv /* [Rkv,H·DH] */,
    global float *dq /* [R,H·DH], written when whole */,
    global float *parts /* [chunks, or 1 when whole][R,heads·DH]; dq where there is but one chunk */,
    const global float *restrict delta /* [R,H] */, const global float *restrict dout /* [R,H·DH] */,
    const global float *restrict q /* [R,H·DH] */, const global float *restrict k,
    const global float *restrict v /* [Rkv,H·DH] */, const global float *restrict lse /* [R,H] */,
    const global int *restrict rows, const global int *restrict q_start, const global int *restrict kv_start,
    const global int *segments, const global int *lengths, int B, int T, int R, int tiles, int H, int window,
    int h0, int heads, int chunk, int chunks, int whole, float scale) {
    const int id = get_global_id(0), b = whole ? id : id / chunks, at = get_global_id(1), h = h0 + at;
    if (b >= B || at >= heads)
        return;
    const int D = H * DH, part_D = heads * DH, q0 = q_start[b], q1 = q_start[b + 1],
              base = kv_start[b] * D + h * DH;
    const int keys = kv_start[b + 1] - kv_start[b], own = chunks - 1 - id % chunks;
    const query_rows w = {q + h * DH, dout + h * DH, lse + h, delta + h, rows, q_start, kv_start,
                          segments,   lengths,       b,       B,         T,    tiles,   H,
                          window,     scale};
    key_block block;
    query_group g;
    for (int c = whole ? 0 : own; c < (whole ? chunks : own + 1); c++) {
        global float *part = parts + (whole ? 0 : c * R * part_D) + at * DH;
        const int from = c * chunk, end = min(keys, from + chunk);
        const int last = window > 0 && window <= T - from - chunk
                             ? row_at(rows, q0, q1, b * T + from + chunk - 1 + window)
                             : q1;
        for (block.first = from; block.first < end; block.first += KW) {
            block.count = min(KW, end - block.first);
            block_load(&block, k + base, v + base, D, scale);
            const int begin = row_at(rows, q0, q1, b * T + block.first) - q0;
            for (int t0 = begin / TQ; t0 * TQ < last - q0; t0 += GROUP)
                group_add(&g, &block, &w, t0, block.first == from, part, part_D);
            block_store(&block, dk + base, dv + base, D);
        }
        if (whole && chunks > 1 && from < end)
            chunk_add(dq + h * DH, D, part, part_D, rows, row_at(rows, q0, q1, b * T + from), last, b * T,
                      from, window);
    }
}

/* dq = its parts, in the order of chunks. Grid: R / 16. */
kernel void flash_attention_sum(global float *restrict dq,          /* [R,H·DH] */
                                const global float *restrict parts, /* [chunks,R,heads·DH] */
                                const global int *restrict rows, int T, int R, int H, int window, int h0,
                                int heads, int chunk) {
    const int first = get_global_id(0) * 16, D = H * DH, part_D = heads * DH;
    for (int r = first; r < min(R, first + 16); r++) {
        const int t = rows[r] % T, from = first_key(t, window) / chunk;
        for (int j = 0; j < part_D / VW; j++) {
            VEC sum = LOAD(j, parts + (from * R + r) * part_D);
            for (int c = from + 1; c <= t / chunk; c++)
                sum += LOAD(j, parts + (c * R + r) * part_D);
            STORE(sum, j, dq + r * D + h0 * DH);
        }
    }
}
