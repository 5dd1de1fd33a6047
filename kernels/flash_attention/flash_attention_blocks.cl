/* What the kernels of variant groups share. A work-group of 64 items, 8 down by 8 across, has TILE_ROWS
 * = 8.TM rows of one sequence and head; the other side streams by blocks of TB, which come to local memory in
 * pieces, DP of the sum deep, two of them in turn: while one is multiplied, the next is on its way to
 * registers. */

#if LANES != 4
#error "LANES is 4 in kernels of work-groups"
#endif

#ifndef TM
#define TM 4 /* rows of an item */
#endif
#ifndef TB
#define TB 64 /* keys of a block; 32 or 64 */
#endif
#ifndef DP
#define DP 16 /* of the sum, in a piece */
#endif

#define ITEMS     64
#define ACROSS    8
#define TILE_ROWS (8 * TM)
#define TN        (TB / ACROSS)
#define DEEP      ((DH + DP - 1) / DP * DP) /* a head's width, whole pieces */
#define WIDE      ((DH + 31) / 32 * 32)     /* the same, whole quads for all items across */
#define ON        (WIDE / ACROSS)           /* columns of an item in tiles of rows by head's width */
#define SCORE_LD  (TB + 4)

/* Scores lie in local memory as [TILE_ROWS][SCORE_LD], an item's row i in slot 8.i + down: the slots of items
 * that run together are neighbours, which no two of a bank's words are. */
#define SLOT(i, down) ((i)*8 + (down))
#define ROW_OF(slot)  tile_own((slot) % 8, (slot) / 8, TM, TILE_ROWS)

static inline float4 quad_exp2(float4 v) {
    return (float4)(exp2(v.s0), exp2(v.s1), exp2(v.s2), exp2(v.s3));
}

/* P of the backward passes, at most 2: 2^(score - lse) is at most 1 but for rounding. */
static inline float4 quad_probability(float4 v) {
    return quad_exp2(
        (float4)(AT_MOST(v.s0, 1.0f), AT_MOST(v.s1, 1.0f), AT_MOST(v.s2, 1.0f), AT_MOST(v.s3, 1.0f)));
}

static inline bool quad_is_finite(float4 v) {
    const uint4 bits = as_uint4(v) & 0x7fffffffu;
    return max(max(bits.s0, bits.s1), max(bits.s2, bits.s3)) < 0x7f800000u;
}

/* In place of what a chunk's sums, or those before it, are to be multiplied by. */
#define SKIP  (-1.0f) /* there is nothing of the chunk */
#define FIRST (-2.0f) /* there is nothing before it */

/* Which keys a row may see. */
typedef struct {
    int low, high, own; /* first and last, its segment */
} row_sight;

/* [3][TILE_ROWS] in local memory. */
#define SIGHT(sights, slot)                                                                                  \
    ((row_sight){(sights)[slot], (sights)[TILE_ROWS + (slot)], (sights)[2 * TILE_ROWS + (slot)]})

static inline bool is_seen(row_sight r, int key, const global int *seg) {
    return key >= r.low && key <= r.high && (!seg || seg[key] == r.own);
}

#define FIRST_AGAIN (3 * TILE_ROWS)
#define SIGHTS      (3 * TILE_ROWS + 1)

/* Where a group stands, then an item's own place in it. */
typedef struct {
    int first, end, count; /* its rows of the list, none: nothing to do; keys of the sequence */
    int first_t, last_t;   /* positions of the first row and of the last */
    int from, to;          /* the keys that any of its rows may see, of this chunk */
    int D, window;         /* floats of a row of the tile's tensors, all heads */
    int other_D, base;     /* the same of what streams; floats in front of what the group reads of it */
    const global int *seg; /* of the sequence, or NULL */
    bool masks;            /* is anything hidden but by position? */
    int slot, part;        /* the row that the item sees to, and which of the row's items it is */
    int across, down;
} group_view;

/* one: first key of the only chunk that the group takes; -1: it takes all. Groups in a row have tiles of a
 * sequence from its end: those that see most come first, and what runs last is short. */
ALWAYS_INLINE void view_of(group_view *to, const attention_lists *l, const attention_sizes *s, int one) {
    const int item = get_local_id(0), b = get_group_id(0) / s->tiles, h = get_group_id(1);
    const int first = l->q_start[b] + (s->tiles - 1 - (int)get_group_id(0) % s->tiles) * TILE_ROWS;
    const int end = min(l->q_start[b + 1], first + TILE_ROWS), kv = l->kv_start[b];
    to->first = first;
    to->end = end;
    to->count = l->kv_start[b + 1] - kv;
    if (first >= end)
        return;
    to->D = s->H * DH;
    to->other_D = s->H / SHARE * DH;
    to->window = s->window;
    to->base = kv * to->other_D + h / SHARE * DH;
    to->first_t = l->rows[first] - b * s->T; /* rows ascend */
    to->last_t = l->rows[end - 1] - b * s->T;
    to->from = max(one, first_key(to->first_t, s->window));
    to->to = min(one < 0 ? to->last_t : min(one + CHUNK - 1, to->last_t), to->count - 1);
    to->seg = l->segments ? l->segments + b * s->T : l->segments;
    to->masks = l->segments || l->lengths;
    to->slot = item % TILE_ROWS;
    to->part = item / TILE_ROWS;
    to->across = tile_across(item, ACROSS);
    to->down = tile_down(item, ACROSS);
}

ALWAYS_INLINE void sights_begin(local int *sights, const group_view *g, const attention_lists *l,
                                const attention_sizes *s) {
    const int b = get_group_id(0) / s->tiles, row = g->first + ROW_OF(g->slot), listed = row < g->end,
              t = listed ? l->rows[row] - b * s->T : 0;
    if (get_local_id(0) == 0)
        sights[FIRST_AGAIN] = g->first;
    if (g->part > 0)
        return;
    sights[g->slot] = first_key(t, s->window);
    sights[TILE_ROWS + g->slot] = listed ? min(last_key(t, b, s->T, l->lengths), g->count - 1) : -1;
    sights[2 * TILE_ROWS + g->slot] = g->seg ? g->seg[t] : 0;
}

/* May a row of the tile not see a key of the block? */
static inline bool is_edge(const group_view *g, int block) {
    return g->masks || block + TB - 1 > min(g->first_t, g->count - 1) ||
           (g->window > 0 && block < first_key(g->last_t, g->window));
}

/* The tile's rows, from p on, to local memory, times a factor. */
TN_TILE(own_rows, TILE_ROWS, DEEP, ITEMS, 1, 1)
#define ROWS_BRING(to, p, factor)                                                                            \
    do {                                                                                                     \
        float4 own_quads[own_rows_QUADS];                                                                    \
        uint own_places[own_rows_QUADS];                                                                     \
        own_rows_places(own_places, g.D, g.end - g.first);                                                   \
        own_rows_fetch_part(own_quads, own_places, p, g.end - g.first, DH);                                  \
        UNROLL for (int j = 0; j < own_rows_QUADS; j++) own_quads[j] *= factor;                              \
        own_rows_put(to, own_quads);                                                                         \
    } while (0)

/* What streams, by pieces: those of a product's other side, over a head's width, and those of a sum's rows.
 * `next` holds the one that is on its way. */
TN_TILE(side_piece, TB, DP, ITEMS, 1, 1)
TN_TILE(sum_piece, WIDE, DP, ITEMS, 0, 1)
TN_MULTIPLY(pairs, TM, TN, DP, TILE_ROWS, TB)
#define NEXT  ((int)side_piece_QUADS > (int)sum_piece_QUADS ? (int)side_piece_QUADS : (int)sum_piece_QUADS)
#define PIECE TILE_FLOATS((TB > WIDE ? TB : WIDE), DP)

/* For the backward passes: acc = tile . x' of the block's rows of x. */
#define MULTIPLY_SIDE(acc, tile, x)                                                                          \
    do {                                                                                                     \
        TN_ZERO(acc, TM, TN);                                                                                \
        side_piece_fetch_part(next, places, (x) + block * g.other_D, g.count - block, DH);                   \
        for (int d = 0; d < DEEP; d += DP, turn ^= 1) {                                                      \
            side_piece_put(pieces + turn * PIECE, next);                                                     \
            barrier(CLK_LOCAL_MEM_FENCE);                                                                    \
            if (d + DP < DEEP)                                                                               \
                side_piece_fetch_part(next, places, (x) + block * g.other_D + d + DP, g.count - block,       \
                                      DH - d - DP);                                                          \
            pairs_multiply(acc, (tile) + d * (TILE_ROWS + 4), pieces + turn * PIECE, g.down, g.across);      \
        }                                                                                                    \
    } while (0)

/* Registers to scores, rows as quads of keys. */
ALWAYS_INLINE void scores_put(local float *to, float4 acc[TM][TN / 4], int down, int across) {
    UNROLL for (int i = 0; i < TM; i++) UNROLL for (int j = 0; j < TN / 4; j++) *
        (local float4 *)(to + SLOT(i, down) * SCORE_LD + tile_own(across, 4 * j, TN, TB)) = acc[i][j];
}

/* acc[TM][ON / 4] += Σ over the DP of a piece of scores . rows of the piece [DP][WIDE + 4], in order; `from`
 * is the first of them within the block. */
ALWAYS_INLINE void rows_multiply(float4 acc[TM][ON / 4], const local float *scores, const local float *piece,
                                 int from, int down, int across) {
    _Pragma("unroll 1") for (int d = 0; d < DP; d += 4) { /* as UNROLL_FOUR */
        float4 x[TM];
        UNROLL for (int i = 0; i < TM; i++) x[i] =
            *(const local float4 *)(scores + SLOT(i, down) * SCORE_LD + from + d);
#define ONE_OF_FOUR(c)                                                                                       \
    UNROLL for (int j = 0; j < ON / 4; j++) {                                                                \
        const float4 y =                                                                                     \
            *(const local float4 *)(piece + (d + 0x##c) * (WIDE + 4) + tile_own(across, 4 * j, ON, WIDE));   \
        UNROLL for (int i = 0; i < TM; i++) acc[i][j] += x[i].s##c * y;                                      \
    }
        ONE_OF_FOUR(0)
        ONE_OF_FOUR(1)
        ONE_OF_FOUR(2)
        ONE_OF_FOUR(3)
#undef ONE_OF_FOUR
    }
}

/* Defines the same for where some pairs are masked: their score is 0, but what lies there may be NaN or
 * infinite, and 0 of that is no 0. SEEN says of a pair whether it is seen, by `slot` of the row and `d` of
 * the block, from `pairs`. */
#define DEFINE_MULTIPLY_SEEN(NAME, PAIRS, SEEN)                                                              \
    ALWAYS_INLINE void NAME(float4 acc[TM][ON / 4], const local float *scores, const local float *piece,     \
                            PAIRS pairs, int from, int block, const group_view *g) {                         \
        for (int p = 0; p < DP; p++)                                                                         \
            UNROLL for (int j = 0; j < ON / 4; j++) {                                                        \
                const float4 y =                                                                             \
                    *(const local float4 *)(piece + p * (WIDE + 4) + tile_own(g->across, 4 * j, ON, WIDE));  \
                const bool finite = quad_is_finite(y);                                                       \
                UNROLL for (int i = 0; i < TM; i++) {                                                        \
                    const int slot = SLOT(i, g->down), d = from + p;                                         \
                    if (finite || (SEEN))                                                                    \
                        acc[i][j] += scores[slot * SCORE_LD + d] * y;                                        \
                }                                                                                            \
            }                                                                                                \
    }
DEFINE_MULTIPLY_SEEN(rows_multiply_seen, const local int *, is_seen(SIGHT(pairs, slot), block + d, g->seg))

/* A row's chunk joins those before it: what their sums and the chunk's are to be multiplied by. */
static inline float2 row_fold(float *all_weight, float *all_top, float weight, float top) {
    if (weight == 0.0f)
        return (float2)(1.0f, SKIP);
    if (*all_weight == 0.0f) {
        *all_weight = weight;
        *all_top = top;
        return (float2)(FIRST, 1.0f);
    }
    const float now = AT_LEAST(*all_top, top), old = exp2(*all_top - now), fresh = exp2(top - now);
    *all_weight = fma(weight, fresh, *all_weight * old);
    *all_top = now;
    return (float2)(old, fresh);
}

static inline float4 quad_fold(float4 before, float4 sum, float2 by) {
    return by.s1 == SKIP ? before : by.s0 == FIRST ? sum : fma(sum, (float4)(by.s1), before * by.s0);
}
