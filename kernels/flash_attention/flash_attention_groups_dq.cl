/* Backward to the queries, variant groups: a work-group has a tile of query rows and of their dout in local
 * memory and walks over the keys by blocks. With P = exp(S - lse) and delta = sum of do.o:
 * dS = P.(do.v' - delta).scale,  dq = dS.k. */

/* Of each row, by slot: lse to base 2, delta. */
ALWAYS_INLINE void rows_begin(local float *rows_lse, local float *rows_delta, const group_view *g,
                              global float *delta, const global float *dout, const global float *o,
                              const global float *lse, int H) {
    const int row = g->first + ROW_OF(g->slot), h = get_group_id(1);
    if (g->part > 0)
        return;
    rows_lse[g->slot] = rows_delta[g->slot] = 0.0f;
    if (row >= g->end)
        return;
    const global float4 *const a = (const global float4 *)(dout + row * g->D + h * DH),
                               *const b = (const global float4 *)(o + row * g->D + h * DH);
    float4 dots = quad_zero();
    for (int d = 0; d < DH / 4; d++)
        dots += a[d] * b[d];
    rows_delta[g->slot] = sum4(dots);
    rows_lse[g->slot] = lse[row * H + h] * LOG2E;
    delta[row * H + h] = sum4(dots);
}

/* acc: scores to dS / scale, given do.v' in `dp`; 0 where masked. */
ALWAYS_INLINE void to_gradients(float4 acc[TM][TN / 4], float4 dp[TM][TN / 4], const local float *rows_lse,
                                const local float *rows_delta, const local int *sights, const group_view *g,
                                int block, bool edge) {
    UNROLL for (int i = 0; i < TM; i++) {
        const int slot = SLOT(i, g->down);
        const float lse2 = rows_lse[slot], shift = rows_delta[slot];
        UNROLL for (int j = 0; j < TN / 4; j++) {
            const int key = block + tile_own(g->across, 4 * j, TN, TB);
            float4 v = acc[i][j] - lse2;
            v = quad_probability(v);
            v *= dp[i][j] - shift;
            if (edge) {
                const row_sight r = SIGHT(sights, slot);
                v.s0 = is_seen(r, key, g->seg) ? v.s0 : 0.0f;
                v.s1 = is_seen(r, key + 1, g->seg) ? v.s1 : 0.0f;
                v.s2 = is_seen(r, key + 2, g->seg) ? v.s2 : 0.0f;
                v.s3 = is_seen(r, key + 3, g->seg) ? v.s3 : 0.0f;
            }
            acc[i][j] = v;
        }
    }
}

/* Sums of a chunk to dq, or to partial where each chunk has its own group. scale: 1 but for the last, so that
 * both ways round alike. */
ALWAYS_INLINE void gradients_put(float4 sums[TM][ON / 4], global float *dq, const group_view *g, int begin,
                                 float scale, bool alone) {
    UNROLL for (int i = 0; i < TM; i++) {
        const int m = begin + tile_own(g->down, i, TM, TILE_ROWS);
        UNROLL for (int j = 0; j < ON / 4; j++) {
            const int n = tile_own(g->across, 4 * j, ON, WIDE);
            if (m < g->end && n < DH) {
                global float4 *const to = (global float4 *)(dq + m * g->D + (int)get_group_id(1) * DH + n);
                *to = (alone ? sums[i][j] : *to + sums[i][j]) * scale;
            }
            sums[i][j] = quad_zero();
        }
    }
}

/* Grid: groups of ITEMS; B . tiles x H x chunks (1 where sizes.chunks is 0: then a group takes all of them,
 * in order, and dq holds the sums between them). */
kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void flash_attention_groups_dq(
    global float *dq,                  /* [R,H.DH] */
    global float *restrict partial,    /* [chunks,R,H.DH] or NULL */
    global float *restrict delta,      /* [R,H] */
    const global float *restrict dout, /* [R,H.DH] */
    const global float *restrict q,    /* [R,H.DH] */
    const global float *restrict k,    /* [Rkv,HKV.DH] */
    const global float *restrict v,    /* [Rkv,HKV.DH] */
    const global float *restrict o,    /* [R,H.DH] */
    const global float *restrict lse,  /* [R,H] */
    LIST_ARGUMENTS, const attention_sizes given) {
    LOCAL_TILE(queries, TILE_FLOATS(TILE_ROWS, DEEP));
    LOCAL_TILE(douts, TILE_FLOATS(TILE_ROWS, DEEP));
    LOCAL_TILE(scores, TILE_ROWS * SCORE_LD);
    LOCAL_TILE(pieces, 2 * PIECE);
    local float rows_lse[TILE_ROWS], rows_delta[TILE_ROWS];
    local int sights[SIGHTS];
    const attention_sizes s = given; /* read before anything branches */
    const attention_lists lists = LISTS;
    const int h = get_group_id(1), chunk = get_group_id(2);
    group_view g;
    view_of(&g, &lists, &s, s.chunks ? chunk * CHUNK : -1);
    if (g.first >= g.end) /* a whole group leaves */
        return;
    float4 sums[TM][ON / 4], acc[TM][TN / 4], dp[TM][TN / 4], next[NEXT];
    uint places[side_piece_QUADS], sum_places[sum_piece_QUADS];
    sights_begin(sights, &g, &lists, &s);
    rows_begin(rows_lse, rows_delta, &g, delta, dout, o, lse, s.H);
    ROWS_BRING(queries, q + g.first * g.D + h * DH, s.scale * LOG2E);
    ROWS_BRING(douts, dout + g.first * g.D + h * DH, 1.0f);
    TN_ZERO(sums, TM, ON);
    sum_piece_places(sum_places, g.other_D, DH);
    for (int block = g.from / TB * TB, turn = 0; block <= g.to; block += TB) {
        const bool edge = is_edge(&g, block);
        side_piece_places(places, g.other_D, g.count - block);
        MULTIPLY_SIDE(acc, queries, k + g.base);
        MULTIPLY_SIDE(dp, douts, v + g.base);
        sum_piece_fetch_part(next, sum_places, k + g.base + block * g.other_D, DH, g.count - block);
        to_gradients(acc, dp, rows_lse, rows_delta, sights, &g, block, edge);
        scores_put(scores, acc, g.down, g.across);
        for (int d = 0; d < TB; d += DP, turn ^= 1) {
            sum_piece_put(pieces + turn * PIECE, next);
            barrier(CLK_LOCAL_MEM_FENCE);
            if (d + DP < TB)
                sum_piece_fetch_part(next, sum_places, k + g.base + (block + d + DP) * g.other_D, DH,
                                     g.count - block - d - DP);
            if (edge)
                rows_multiply_seen(sums, scores, pieces + turn * PIECE, sights, d, block, &g);
            else
                rows_multiply(sums, scores, pieces + turn * PIECE, d, g.down, g.across);
        }
        if ((block + TB) % CHUNK == 0 || block + TB > g.to)
            gradients_put(sums, s.chunks ? partial + chunk * s.R * g.D : dq, &g, sights[FIRST_AGAIN],
                          s.chunks || block + TB <= g.to ? 1.0f : s.scale,
                          s.chunks || block - block % CHUNK <= g.from);
        barrier(CLK_LOCAL_MEM_FENCE); /* for PoCL 3.1, as in flash_attention_groups.cl: chunk_end */
    }
}

/* The sums of each chunk of keys, in order of chunks. Grid: R x H x DH / 4. */
kernel void flash_attention_groups_dq_join(global float *restrict dq, const global float *restrict partial,
                                           const global int *restrict rows,     /* [R] */
                                           const global int *restrict q_start,  /* [B+1] */
                                           const global int *restrict kv_start, /* [B+1] */
                                           const attention_sizes s) {
    const int n = get_global_id(0) % (DH / 4) * 4, at = get_global_id(0) / (DH / 4), row = at / s.H;
    if (row >= q_start[s.B])
        return;
    const int b = rows[row] / s.T, t = rows[row] - b * s.T, from = first_key(t, s.window);
    const int to = min(t, kv_start[b + 1] - kv_start[b] - 1);
    float4 sum = quad_zero();
    for (int c = from / CHUNK; c * CHUNK <= to; c++) {
        const float4 more = *(const global float4 *)(partial + (c * s.R * s.H + at) * DH + n);
        sum = c == from / CHUNK ? more : sum + more;
    }
    *(global float4 *)(dq + at * DH + n) = sum * s.scale;
}
