/* Backward to keys and values, variant groups: a work-group has a tile of keys and of their values in local
 * memory and walks over the listed queries that see any of them, in order, by blocks. With P = exp(S - lse)
 * and dS = P.(do.v' - delta).scale:  dv = P'.do,  dk = dS'.q. */

/* A block of queries, in local memory: the keys that each may see (none past the list's end) and its segment;
 * then lse to base 2 and delta. */
typedef struct {
    local int *low, *high, *own; /* [TB] each */
    local float *lse2, *shift;
    local const int *key_own; /* segments of the tile's keys, by slot */
} query_block;

static inline bool is_pair(int key, int low, int high, int own, int key_own) {
    return key >= low && key <= high && own == key_own;
}
#define PAIR_SEEN                                                                                            \
    is_pair(g->first_t + ROW_OF(slot), pairs->low[d], pairs->high[d], pairs->own[d], pairs->key_own[slot])
DEFINE_MULTIPLY_SEEN(keys_multiply_seen, const query_block *, PAIR_SEEN)

/* Here a group's rows are keys: first and end count rows of k, first_t is the position of the first. What
 * streams are rows of q: `count` of them, base floats in front of the first, in the first of the heads that
 * read these keys. */
ALWAYS_INLINE void key_view_of(group_view *to, const attention_lists *l, const attention_sizes *s) {
    const int item = get_local_id(0), b = get_group_id(0) / s->tiles, h = get_group_id(1);
    const int first_t = get_group_id(0) % s->tiles * TILE_ROWS, keys = l->kv_start[b + 1] - l->kv_start[b];
    const int last = min(keys, first_t + TILE_ROWS) - 1, window = s->window;
    group_view g = {.first = l->kv_start[b] + first_t, .end = l->kv_start[b] + last + 1};
    *to = g;
    if (first_t >= keys)
        return;
    /* positions from here on see none of the keys */
    const int unseen = window > 0 && window <= s->T - last - 1 ? last + window : s->T;
    const int begin = row_at(l->rows, l->q_start[b], l->q_start[b + 1], b * s->T + first_t);
    g.D = s->H / SHARE * DH;
    g.other_D = s->H * DH;
    g.window = window;
    g.first_t = first_t;
    g.last_t = last;
    g.base = begin * g.other_D + h * SHARE * DH;
    g.from = begin;
    g.count = row_at(l->rows, begin, l->q_start[b + 1], b * s->T + unseen) - begin;
    g.seg = l->segments ? l->segments + b * s->T : l->segments;
    g.masks = l->segments || l->lengths || window > 0;
    g.slot = item % TILE_ROWS;
    g.part = item / TILE_ROWS;
    g.across = tile_across(item, ACROSS);
    g.down = tile_down(item, ACROSS);
    *to = g;
}

/* An item a query: TB is at most ITEMS. */
ALWAYS_INLINE void queries_begin(const query_block *p, const group_view *g, const attention_lists *l,
                                 const attention_sizes *s, const global float *lse, const global float *delta,
                                 int h, int block) {
    const int item = get_local_id(0), b = get_group_id(0) / s->tiles, listed = block + item < g->count,
              row = g->from + (listed ? block + item : 0), t = l->rows[row] - b * s->T;
    if (item >= TB)
        return;
    p->low[item] = first_key(t, s->window);
    p->high[item] = listed ? last_key(t, b, s->T, l->lengths) : -1;
    p->own[item] = g->seg ? g->seg[t] : 0;
    p->lse2[item] = lse[row * s->H + h] * LOG2E;
    p->shift[item] = delta[row * s->H + h];
}

/* acc: scores to P; dp: do.v' to dS / scale. Both 0 where masked. */
ALWAYS_INLINE void to_weights(float4 acc[TM][TN / 4], float4 dp[TM][TN / 4], const query_block *p,
                              const group_view *g, bool edge) {
    UNROLL for (int j = 0; j < TN / 4; j++) {
        const int d = tile_own(g->across, 4 * j, TN, TB);
        const float4 lse2 = vload4(0, p->lse2 + d), shift = vload4(0, p->shift + d);
        UNROLL for (int i = 0; i < TM; i++) {
            float4 v = acc[i][j] - lse2, w;
            v = quad_probability(v);
            w = v * (dp[i][j] - shift);
            if (edge) {
                const int key = g->first_t + tile_own(g->down, i, TM, TILE_ROWS),
                          own = p->key_own[SLOT(i, g->down)];
#define MASK(c, n)                                                                                           \
    if (!is_pair(key, p->low[d + n], p->high[d + n], p->own[d + n], own))                                    \
        v.s##c = w.s##c = 0.0f;
                MASK(0, 0)
                MASK(1, 1)
                MASK(2, 2)
                MASK(3, 3)
#undef MASK
            }
            acc[i][j] = v;
            dp[i][j] = w;
        }
    }
}

ALWAYS_INLINE void keys_put(float4 sums[TM][ON / 4], global float *to, const group_view *g, float scale) {
    UNROLL for (int i = 0; i < TM; i++) {
        const int m = g->first + tile_own(g->down, i, TM, TILE_ROWS);
        UNROLL for (int j = 0; j < ON / 4; j++) {
            const int n = tile_own(g->across, 4 * j, ON, WIDE);
            if (m < g->end && n < DH)
                *(global float4 *)(to + m * g->D + (int)get_group_id(1) * DH + n) = sums[i][j] * scale;
        }
    }
}

/* sums += weights (in local memory) . x of the block's queries, by pieces over the queries. */
#define MULTIPLY_SUMS(sums, x)                                                                               \
    do {                                                                                                     \
        sum_piece_fetch_part(next, sum_places, (x) + block * g.other_D, DH, g.count - block);                \
        for (int d = 0; d < TB; d += DP, turn ^= 1) {                                                        \
            sum_piece_put(pieces + turn * PIECE, next);                                                      \
            barrier(CLK_LOCAL_MEM_FENCE);                                                                    \
            if (d + DP < TB)                                                                                 \
                sum_piece_fetch_part(next, sum_places, (x) + (block + d + DP) * g.other_D, DH,               \
                                     g.count - block - d - DP);                                              \
            if (edge)                                                                                        \
                keys_multiply_seen(sums, scores, pieces + turn * PIECE, &p, d, block, &g);                   \
            else                                                                                             \
                rows_multiply(sums, scores, pieces + turn * PIECE, d, g.down, g.across);                     \
        }                                                                                                    \
    } while (0)

/* Grid: groups of ITEMS; B . tiles (of TILE_ROWS keys) x HKV. */
kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void flash_attention_groups_dkv(
    global float *restrict dk,          /* [Rkv,HKV.DH] */
    global float *restrict dv,          /* [Rkv,HKV.DH] */
    const global float *restrict delta, /* [R,H] */
    const global float *restrict dout,  /* [R,H.DH] */
    const global float *restrict q,     /* [R,H.DH] */
    const global float *restrict k,     /* [Rkv,HKV.DH] */
    const global float *restrict v,     /* [Rkv,HKV.DH] */
    const global float *restrict lse,   /* [R,H] */
    LIST_ARGUMENTS, const attention_sizes given) {
    LOCAL_TILE(keys, TILE_FLOATS(TILE_ROWS, DEEP));
    LOCAL_TILE(values, TILE_FLOATS(TILE_ROWS, DEEP));
    LOCAL_TILE(scores, TILE_ROWS * SCORE_LD);
    LOCAL_TILE(pieces, 2 * PIECE);
    local float lse2[TB], shift[TB];
    local int low[TB], high[TB], own[TB], key_own[TILE_ROWS];
    const attention_sizes s = given; /* read before anything branches */
    const attention_lists lists = LISTS;
    const query_block p = {low, high, own, lse2, shift, key_own};
    group_view g;
    key_view_of(&g, &lists, &s);
    if (g.first >= g.end) /* a whole group leaves */
        return;
    float4 dk_sums[TM][ON / 4], dv_sums[TM][ON / 4], acc[TM][TN / 4], dp[TM][TN / 4], next[NEXT];
    uint places[side_piece_QUADS], sum_places[sum_piece_QUADS];
    if (g.part == 0)
        key_own[g.slot] = g.seg ? g.seg[min(g.first_t + ROW_OF(g.slot), g.last_t)] : 0;
    ROWS_BRING(keys, k + g.first * g.D + (int)get_group_id(1) * DH, s.scale * LOG2E);
    ROWS_BRING(values, v + g.first * g.D + (int)get_group_id(1) * DH, 1.0f);
    TN_ZERO(dk_sums, TM, ON);
    TN_ZERO(dv_sums, TM, ON);
    sum_piece_places(sum_places, g.other_D, DH);
    for (int reader = 0; reader < SHARE; reader++) {
        const int h = (int)get_group_id(1) * SHARE + reader, base = g.base + reader * DH;
        for (int block = 0, turn = 0; block < g.count; block += TB) {
            barrier(CLK_LOCAL_MEM_FENCE); /* the block before has been read */
            queries_begin(&p, &g, &lists, &s, lse, delta, h, block);
            /* Does each query of the block see each key of the tile? */
            const bool edge = g.masks || block + TB > g.count ||
                              lists.rows[g.from + block] % s.T < g.first_t + TILE_ROWS - 1;
            side_piece_places(places, g.other_D, g.count - block);
            MULTIPLY_SIDE(acc, keys, q + base);
            MULTIPLY_SIDE(dp, values, dout + base);
            to_weights(acc, dp, &p, &g, edge);
            scores_put(scores, acc, g.down, g.across);
            MULTIPLY_SUMS(dv_sums, dout + base);
            barrier(CLK_LOCAL_MEM_FENCE); /* P has been read */
            scores_put(scores, dp, g.down, g.across);
            MULTIPLY_SUMS(dk_sums, q + base);
        }
    }
    barrier(CLK_LOCAL_MEM_FENCE); /* for PoCL 3.1, as in flash_attention_groups.cl: chunk_end */
    keys_put(dk_sums, dk, &g, s.scale);
    keys_put(dv_sums, dv, &g, 1.0f);
}
