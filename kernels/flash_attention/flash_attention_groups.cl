/* Forward, variant groups: a work-group has a tile of query rows in local memory and walks over the keys by
 * blocks. Scores stay in registers until the block is whole; then every row has an item that masks it, raises
 * its maximum and makes weights of it, and the values are summed by these. Blocks, and what is done with a
 * row, do not depend on which rows share the tile. */

#define PARTS (ITEMS / TILE_ROWS) /* items that share a row's exponentials */

/* What is known of a row between blocks, in local memory: [STATES][TILE_ROWS], by slot. */
enum {
    TOP,     /* the maximum that this chunk's weights are relative to */
    WEIGHT,  /* their sum */
    ALL_TOP, /* both of the chunks before */
    ALL_WEIGHT,
    BY,       /* what the sums of the chunks before are to be multiplied by; within a chunk, the sums */
    BY_FRESH, /* what the chunk's are to be multiplied by */
    BY_LAST,  /* and then both */
    STATES
};

/* One row's scores of a block to weights, in place. `part`: which of the row's PARTS items this is; maxima:
 * of all items, where there are several a row. */
ALWAYS_INLINE void row_weigh(local float *row, local float *maxima, local float *state, row_sight sight,
                             int part, int block, bool edge, const global int *seg) {
    float now = -INFINITY, shrink = 1.0f, top = state[TOP * TILE_ROWS];
    for (int s = 4 * part; s < TB; s += 4 * PARTS) {
        float4 v = *(local float4 *)(row + s);
        if (edge) {
            v.s0 = is_seen(sight, block + s, seg) ? v.s0 : -INFINITY;
            v.s1 = is_seen(sight, block + s + 1, seg) ? v.s1 : -INFINITY;
            v.s2 = is_seen(sight, block + s + 2, seg) ? v.s2 : -INFINITY;
            v.s3 = is_seen(sight, block + s + 3, seg) ? v.s3 : -INFINITY;
            *(local float4 *)(row + s) = v;
        }
        now = AT_LEAST(v.s0, now);
        now = AT_LEAST(v.s1, now);
        now = AT_LEAST(v.s2, now);
        now = AT_LEAST(v.s3, now);
    }
#if PARTS > 1
    maxima[get_local_id(0)] = now;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int i = get_local_id(0) % TILE_ROWS; i < ITEMS; i += TILE_ROWS)
        now = AT_LEAST(maxima[i], now);
#endif
    if (now > top + MARGIN) {
        shrink = exp2(top - now);
        top = now;
    }
    float weight = state[WEIGHT * TILE_ROWS] * shrink;
    for (int s = 4 * part; s < TB; s += 4 * PARTS) {
        float4 v = *(local float4 *)(row + s) - top;
        v = quad_exp2(v);
        *(local float4 *)(row + s) = v;
#if PARTS == 1
        weight = (((weight + v.s0) + v.s1) + v.s2) + v.s3;
#endif
    }
#if PARTS > 1
    barrier(CLK_LOCAL_MEM_FENCE);
    if (part > 0)
        return;
    for (int s = 0; s < TB; s += 4) {
        const float4 v = *(local float4 *)(row + s);
        weight = (((weight + v.s0) + v.s1) + v.s2) + v.s3;
    }
#endif
    state[TOP * TILE_ROWS] = top;
    state[WEIGHT * TILE_ROWS] = weight;
    state[BY * TILE_ROWS] = shrink;
}

/* The end of a chunk: state's factors are those by which its sums join the chunks before, or become the
 * result, where it is the last. The row's log-sum goes to lse then. */
ALWAYS_INLINE void row_join(local float *state, row_sight sight, bool last, bool listed, global float *lse) {
    float all_weight = state[ALL_WEIGHT * TILE_ROWS], all_top = state[ALL_TOP * TILE_ROWS], by = 1.0f;
    const float2 fold = row_fold(&all_weight, &all_top, state[WEIGHT * TILE_ROWS], state[TOP * TILE_ROWS]);
    if (last) {
        const float weight = row_weight(all_weight, sight.low, sight.high);
        by = weight == 0.0f ? 0.0f : 1.0f / weight;
        if (listed)
            *lse = weight == 0.0f ? 0.0f : fma(all_top, LN2, log(weight));
    }
    state[ALL_WEIGHT * TILE_ROWS] = all_weight;
    state[ALL_TOP * TILE_ROWS] = all_top;
    state[BY * TILE_ROWS] = fold.s0;
    state[BY_FRESH * TILE_ROWS] = fold.s1;
    state[BY_LAST * TILE_ROWS] = by;
    state[TOP * TILE_ROWS] = LOWEST;
    state[WEIGHT * TILE_ROWS] = 0.0f;
}

/* What is known of the rows before the first block. */
ALWAYS_INLINE void states_begin(local float *states, local int *sights, const group_view *g,
                                const attention_lists *l, const attention_sizes *s) {
    sights_begin(sights, g, l, s);
    if (g->part > 0)
        return;
    states[TOP * TILE_ROWS + g->slot] = LOWEST;
    states[WEIGHT * TILE_ROWS + g->slot] = states[ALL_TOP * TILE_ROWS + g->slot] =
        states[ALL_WEIGHT * TILE_ROWS + g->slot] = 0.0f;
}

/* The maximum was raised: once a block, with its first piece of values. */
ALWAYS_INLINE void sums_scale(float4 sums[TM][ON / 4], const local float *by, int down, int d) {
    if (d > 0)
        return;
    UNROLL for (int i = 0; i < TM; i++) UNROLL for (int j = 0; j < ON / 4; j++) sums[i][j] *=
        by[SLOT(i, down)];
}

/* What a group writes. */
typedef struct {
    global float *o, *lse, *partial;
    int H, h, chunks, chunk; /* chunk: the one of this group, where chunks are split */
} group_results;

/* Sums of a chunk join those before it, which o holds. `begin`: the tile's first row, from local memory: else
 * compilers keep the addresses of all rows in registers from the kernel's start. */
ALWAYS_INLINE void sums_join(float4 sums[TM][ON / 4], const local float *states, const group_results *to,
                             const group_view *g, int begin, bool alone) {
    UNROLL for (int i = 0; i < TM; i++) {
        const int m = begin + tile_own(g->down, i, TM, TILE_ROWS), at = SLOT(i, g->down);
        const float2 by = (float2)(states[BY * TILE_ROWS + at], states[BY_FRESH * TILE_ROWS + at]);
        UNROLL for (int j = 0; j < ON / 4; j++) {
            const int n = tile_own(g->across, 4 * j, ON, WIDE);
            if (m < g->end && n < DH) {
                global float4 *const o = (global float4 *)(to->o + m * g->D + to->h * DH + n);
                *o = quad_fold(alone ? quad_zero() : *o, sums[i][j], by) * states[BY_LAST * TILE_ROWS + at];
            }
            sums[i][j] = quad_zero();
        }
    }
}

/* Sums of the one chunk that this group has, for flash_attention_groups_join. */
ALWAYS_INLINE void sums_leave(float4 sums[TM][ON / 4], const local float *states, const group_results *to,
                              const group_view *g, int begin) {
    const int row = begin + ROW_OF(g->slot);
    UNROLL for (int i = 0; i < TM; i++) {
        const int m = begin + tile_own(g->down, i, TM, TILE_ROWS);
        UNROLL for (int j = 0; j < ON / 4; j++) {
            const int n = tile_own(g->across, 4 * j, ON, WIDE);
            if (m < g->end && n < DH)
                vstore4(sums[i][j], 0,
                        to->partial + ((m * to->H + to->h) * to->chunks + to->chunk) * (DH + 2) + n);
        }
    }
    if (row < g->end && g->part == 0) {
        global float *const last =
            to->partial + ((row * to->H + to->h) * to->chunks + to->chunk) * (DH + 2) + DH;
        last[0] = states[WEIGHT * TILE_ROWS + g->slot];
        last[1] = states[TOP * TILE_ROWS + g->slot];
    }
}

/* The end of a chunk, or of the keys, which end with `block`. */
ALWAYS_INLINE void chunk_end(float4 sums[TM][ON / 4], local float *states, const local int *sights,
                             const group_results *to, const group_view *g, int block) {
    barrier(CLK_LOCAL_MEM_FENCE); /* factors have been read */
    if (g->part == 0 && !to->chunks) {
        const int row = sights[FIRST_AGAIN] + ROW_OF(g->slot);
        row_join(states + g->slot, SIGHT(sights, g->slot), block + TB > g->to, row < g->end,
                 to->lse + row * to->H + to->h);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (to->chunks)
        sums_leave(sums, states, to, g, sights[FIRST_AGAIN]);
    else
        sums_join(sums, states, to, g, sights[FIRST_AGAIN], block - block % CHUNK <= g->from);
    /* PoCL 3.1 takes the first item's way for all where a branch ends behind the last barrier of another. */
    barrier(CLK_LOCAL_MEM_FENCE);
}

/* The piece of this block's keys that begins at d of the head's width; of its values, at key d. */
#if DH % DP == 0
#define FETCH_KEYS(d) side_piece_fetch(next, k_places, k + g.base + block * g.other_D + (d), g.count - block)
#else
#define FETCH_KEYS(d)                                                                                        \
    side_piece_fetch_part(next, k_places, k + g.base + block * g.other_D + (d), g.count - block, DH - (d))
#endif
#define FETCH_VALUES(d)                                                                                      \
    do {                                                                                                     \
        if (block + TB <= g.count)                                                                           \
            sum_piece_fetch(next, v_places, v + g.base + (block + (d)) * g.other_D, DH);                     \
        else                                                                                                 \
            sum_piece_fetch_part(next, v_places, v + g.base + (block + (d)) * g.other_D, DH,                 \
                                 g.count - block - (d));                                                     \
    } while (0)

/* Grid: groups of ITEMS; B . tiles x H x chunks (1 where sizes.chunks is 0: then a group takes all of them
 * and o holds the sums between them). sizes.tiles: tiles of TILE_ROWS rows that the longest list takes. */
kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void flash_attention_groups(
    global float *o,                /* [R,H.DH] */
    global float *restrict lse,     /* [R,H] */
    global float *restrict partial, /* [R,H,chunks,DH+2] or NULL */
    const global float *restrict q, /* [R,H.DH] */
    const global float *restrict k, /* [Rkv,HKV.DH] */
    const global float *restrict v, /* [Rkv,HKV.DH] */
    LIST_ARGUMENTS, const attention_sizes given) {
    LOCAL_TILE(queries, TILE_FLOATS(TILE_ROWS, DEEP));
    LOCAL_TILE(scores, TILE_ROWS * SCORE_LD);
    LOCAL_TILE(pieces, 2 * PIECE);
    local float states[STATES * TILE_ROWS], maxima[ITEMS];
    local int sights[SIGHTS];
    const attention_sizes s = given; /* read before anything branches */
    const attention_lists lists = LISTS;
    group_view g;
    view_of(&g, &lists, &s, s.chunks ? get_group_id(2) * CHUNK : -1);
    if (g.first >= g.end) /* a whole group leaves */
        return;
    const group_results to = {o, lse, partial, s.H, get_group_id(1), s.chunks, get_group_id(2)};
    float4 sums[TM][ON / 4], acc[TM][TN / 4], next[NEXT];
    uint k_places[side_piece_QUADS], v_places[sum_piece_QUADS];
    states_begin(states, sights, &g, &lists, &s);
    ROWS_BRING(queries, q + g.first * g.D + to.h * DH, s.scale * LOG2E);
    TN_ZERO(sums, TM, ON);
    sum_piece_places(v_places, g.other_D, DH);
    for (int block = g.from / TB * TB, turn = 0; block <= g.to; block += TB) {
        const bool edge = is_edge(&g, block);
        side_piece_places(k_places, g.other_D, g.count - block);
        FETCH_KEYS(0);
        TN_ZERO(acc, TM, TN);
        for (int d = 0; d < DEEP; d += DP, turn ^= 1) {
            side_piece_put(pieces + turn * PIECE, next);
            barrier(CLK_LOCAL_MEM_FENCE);
            if (d + DP < DEEP)
                FETCH_KEYS(d + DP);
            else
                FETCH_VALUES(0);
            pairs_multiply(acc, queries + d * (TILE_ROWS + 4), pieces + turn * PIECE, g.down, g.across);
        }
        scores_put(scores, acc, g.down, g.across);
        barrier(CLK_LOCAL_MEM_FENCE);
        row_weigh(scores + g.slot * SCORE_LD, maxima, states + g.slot, SIGHT(sights, g.slot), g.part, block,
                  edge, g.seg);
        for (int d = 0; d < TB; d += DP, turn ^= 1) {
            sum_piece_put(pieces + turn * PIECE, next);
            barrier(CLK_LOCAL_MEM_FENCE);
            if (d + DP < TB)
                FETCH_VALUES(d + DP);
            sums_scale(sums, states + BY * TILE_ROWS, g.down, d);
            if (edge)
                rows_multiply_seen(sums, scores, pieces + turn * PIECE, sights, d, block, &g);
            else
                rows_multiply(sums, scores, pieces + turn * PIECE, d, g.down, g.across);
        }
        if ((block + TB) % CHUNK == 0 || block + TB > g.to)
            chunk_end(sums, states, sights, &to, &g, block);
    }
}
