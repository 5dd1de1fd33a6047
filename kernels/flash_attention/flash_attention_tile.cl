/* Tiles of query rows, shared by the programs in which a work-item owns tiles: which keys each row sees,
 * scores against a panel of keys, weighted sums over keys.
 *
 * A key that a row does not see must change no bit of its result, whatever it holds. Its score becomes −∞, or
 * its weight 0, which adds nothing, unless the value is infinite or NaN. So whoever sums rows first checks
 * that they are finite, and otherwise sums the visible pairs one by one. */

/* Register tile: out[H][32] = Σ_d tile[·][d] · panel[d][0..31], rows of out `ld` apart. */
#define DEFINE_SCORES(NAME, H, SPACE)                                                                        \
    ALWAYS_INLINE void NAME(float *out, int ld, const float *tile, const SPACE float *panel) {               \
        floatv acc[H][NV];                                                                                   \
        UNROLL for (int i = 0; i < H; i++) UNROLL for (int j = 0; j < NV; j++) acc[i][j] = 0.0f;             \
        for (int d = 0; d < DH; d++) {                                                                       \
            floatv row[NV];                                                                                  \
            UNROLL for (int j = 0; j < NV; j++) row[j] = LOAD(d * NV + j, panel);                            \
            UNROLL for (int i = 0; i < H; i++) UNROLL for (int j = 0; j < NV; j++) acc[i][j] +=              \
                tile[i * DH + d] * row[j];                                                                   \
        }                                                                                                    \
        UNROLL for (int i = 0; i < H; i++) UNROLL for (int j = 0; j < NV; j++)                               \
            STORE_TILE(acc[i][j], j, out + i * ld);                                                          \
    }

/* Register tile: sum[H][DH] += Σ_{s<count} p[·][s] · x[s][0..DH−1]; p's rows pi apart, its columns ps; x's
 * rows D apart. */
#define DEFINE_GATHER(NAME, H, SPACE)                                                                        \
    ALWAYS_INLINE void NAME(float *sum, const float *p, int pi, int ps, int count, const SPACE float *x,     \
                            int D) {                                                                         \
        for (int c = 0; c < DH; c += COLS) {                                                                 \
            floatv acc[H][CV];                                                                               \
            UNROLL for (int i = 0; i < H; i++) UNROLL for (int j = 0; j < CV; j++) acc[i][j] =               \
                LOAD(j, sum + i * DH + c);                                                                   \
            for (int s = 0; s < count; s++) {                                                                \
                floatv row[CV];                                                                              \
                UNROLL for (int j = 0; j < CV; j++) row[j] = LOAD(j, x + s * D + c);                         \
                UNROLL for (int i = 0; i < H; i++) UNROLL for (int j = 0; j < CV; j++) acc[i][j] +=          \
                    p[i * pi + s * ps] * row[j];                                                             \
            }                                                                                                \
            UNROLL for (int i = 0; i < H; i++) UNROLL for (int j = 0; j < CV; j++)                           \
                STORE_TILE(acc[i][j], j, sum + i * DH + c);                                                  \
        }                                                                                                    \
    }

/* The weight of a pair that is masked: adds nothing, and is told from a true weight of 0 by its sign bit. */
#define HIDDEN     (-0.0f)
#define IS_SEEN(p) (as_uint(p) != 0x80000000u)

/* The same sum over visible pairs alone, as `mark` has them, for x that may hold infinities and NaN; the same
 * bits where it does not. */
#define DEFINE_GATHER_SEEN(NAME, SPACE)                                                                      \
    static inline void NAME(float *sum, int h, const float *p, const float *mark, int pi, int ps, int count, \
                            const SPACE float *x, int D) {                                                   \
        for (int i = 0; i < h; i++)                                                                          \
            for (int s = 0; s < count; s++)                                                                  \
                for (int j = 0; j < DV && IS_SEEN(mark[i * pi + s * ps]); j++)                               \
                    STORE_TILE(LOAD(j, sum + i * DH) + p[i * pi + s * ps] * LOAD(j, x + s * D), j,           \
                               sum + i * DH);                                                                \
    }

/* |x| as bits, for the finiteness check: comparing bits, because a compiler may take x·0 for 0. */
#define MAGNITUDE(v) (AS_UINTV(v) & 0x7fffffffu)
static inline bool are_all_finite(uintv most) {
    return !any(most >= (uintv)(0x7f800000u));
}

typedef struct {
    int b, first, count, keys;      /* sequence; first row; rows, 0: nothing to do; keys of the sequence */
    int low[TQ], high[TQ], own[TQ]; /* by row: first and last key that it may see, segment */
    int from, to;                   /* keys outside of which no row sees any */
    int all_from, all_to;           /* keys that every row sees, segments aside */
    int lowest_own, highest_own;    /* of the rows' segments */
} tile_rows;

/* Tile `tile` of all sequences' tiles, s->tiles of each. */
static inline tile_rows tile_of(int tile, const attention_lists *l, const attention_sizes *s) {
    tile_rows r;
    r.b = tile / s->tiles;
    r.count = 0;
    if (r.b >= s->B)
        return r;
    r.first = l->q_start[r.b] + tile % s->tiles * TQ;
    r.count = clamp(l->q_start[r.b + 1] - r.first, 0, TQ);
    r.keys = l->kv_start[r.b + 1] - l->kv_start[r.b];
    r.from = r.lowest_own = r.all_to = INT_MAX;
    r.all_from = 0;
    r.to = -1;
    r.highest_own = INT_MIN;
    for (int i = 0; i < TQ; i++) {
        r.low[i] = r.own[i] = 0;
        r.high[i] = -1;
        if (i >= r.count)
            continue;
        const int row = l->rows[r.first + i], t = row - r.b * s->T;
        r.low[i] = first_key(t, s->window);
        r.high[i] = min(last_key(t, r.b, s->T, l->lengths), r.keys - 1);
        r.all_from = max(r.all_from, r.low[i]);
        r.all_to = min(r.all_to, r.high[i]);
        if (r.high[i] < r.low[i])
            continue;
        r.from = min(r.from, r.low[i]);
        r.to = max(r.to, r.high[i]);
        r.own[i] = l->segments ? l->segments[row] : 0;
        r.lowest_own = min(r.lowest_own, r.own[i]);
        r.highest_own = max(r.highest_own, r.own[i]);
    }
    return r;
}

/* Segments of positions s … s + LANES − 1; past T, that of the last. */
static inline intv segments_at(const global int *seg, int s, int T) {
    if (s + LANES <= T)
        return LOAD(0, seg + s);
    int part[LANES];
    for (int l = 0; l < LANES; l++)
        part[l] = seg[min(s + l, T - 1)];
    return LOAD(0, part);
}

/* Whether any of the n positions from s0 on may share a segment with a row of the tile; false lets the block
 * be skipped. */
static inline int segments_meet(const tile_rows *r, const global int *seg, int s0, int n, int T) {
    intv hit = 0;
    for (int s = 0; s < n; s += LANES) {
        const intv at = segments_at(seg, s0 + s, T);
        hit |= (at >= r->lowest_own) & (at <= r->highest_own);
    }
    return any(hit);
}

/* Whether every row of the tile sees all n keys from s0 on. */
static inline bool all_seen(const tile_rows *r, int s0, int n, const global int *seg) {
    return s0 >= r->all_from && s0 + n - 1 <= r->all_to && !seg;
}

/* Masked lanes of row i against the keys at positions `at`, whose segments are `of` (0, as the rows' own,
 * where there are none). */
static inline intv hidden_lanes(const tile_rows *r, int i, intv at, intv of) {
    return (at < r->low[i]) | (at > r->high[i]) | (of != r->own[i]);
}

/* Masks a tile's p[TQ][32] against the 32 keys from s0 on: `value` where a key is not seen. `more`, where not
 * NULL, becomes 0 there. */
static inline void mask_panel(float *p, float *more, float value, int ld, int s0, const tile_rows *r,
                              const global int *seg, int T) {
    if (all_seen(r, s0, 32, seg))
        return;
    for (int j = 0; j < NV; j++) {
        const intv at = s0 + j * LANES + LANE_NUMBERS, of = seg ? segments_at(seg, s0 + j * LANES, T) : 0;
        for (int i = 0; i < TQ; i++) {
            const intv hide = hidden_lanes(r, i, at, of);
            STORE_TILE(select(LOAD(j, p + i * ld), (floatv)(value), hide), j, p + i * ld);
            if (more)
                STORE_TILE(select(LOAD(j, more + i * ld), (floatv)(0.0f), hide), j, more + i * ld);
        }
    }
}

/* tile[TQ][DH] = `count` rows of x from `first` on, times `scale`, padded with zeros; true when all are
 * finite. */
static inline bool tile_load(float *tile, const global float *x, int first, int count, int D, float scale) {
    uintv most = 0;
    for (int i = 0; i < TQ; i++)
        for (int j = 0; j < DV; j++) {
            const floatv v = i < count ? LOAD(j, x + (first + i) * D) * scale : (floatv)(0.0f);
            most = max(most, MAGNITUDE(v));
            STORE_TILE(v, j, tile + i * DH);
        }
    return are_all_finite(most);
}
