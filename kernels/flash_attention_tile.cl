/* Tiles of query rows: which keys each row sees, its scores against a panel of keys, and sums over keys;
 * built behind flash_attention.cl.
 *
 * What a row does not see changes no bit of its result, whatever it is. Its score becomes −∞ or its weight 0,
 * and 0 times a number adds nothing; but 0 times a NaN is NaN. So who takes rows of x into a sum looks
 * whether they are finite, and gathers pair by pair where they are not. */

/* out[H][32] = Σ_d tile[·][d] · panel[d][0..31], rows of out `ld` apart */
#define DEFINE_SCORES(NAME, H, SPACE)                                                                        \
    ALWAYS_INLINE void NAME(float *out, int ld, const float *tile, const SPACE float *panel) {               \
        VEC acc[H][NV];                                                                                      \
        UNROLL for (int i = 0; i < H; i++) UNROLL for (int j = 0; j < NV; j++) acc[i][j] = 0.0f;             \
        for (int d = 0; d < DH; d++) {                                                                       \
            VEC row[NV];                                                                                     \
            UNROLL for (int j = 0; j < NV; j++) row[j] = LOAD(d * NV + j, panel);                            \
            UNROLL for (int i = 0; i < H; i++) UNROLL for (int j = 0; j < NV; j++) acc[i][j] +=              \
                tile[i * DH + d] * row[j];                                                                   \
        }                                                                                                    \
        UNROLL for (int i = 0; i < H; i++) UNROLL for (int j = 0; j < NV; j++)                               \
            STORE_TILE(acc[i][j], j, out + i * ld);                                                          \
    }

/* sum[H][DH] += Σ_{s<count} p[·][s] · x[s][0..DH-1], rows of p `ld`, of x D apart */
#define DEFINE_GATHER(NAME, H, SPACE)                                                                        \
    ALWAYS_INLINE void NAME(float *sum, const float *p, int pi, int ps, int count, const SPACE float *x,     \
                            int D) {                                                                         \
        for (int c = 0; c < DH; c += COLS) {                                                                 \
            VEC acc[H][CV];                                                                                  \
            UNROLL for (int i = 0; i < H; i++) UNROLL for (int j = 0; j < CV; j++) acc[i][j] =               \
                LOAD(j, sum + i * DH + c);                                                                   \
            for (int s = 0; s < count; s++) {                                                                \
                VEC row[CV];                                                                                 \
                UNROLL for (int j = 0; j < CV; j++) row[j] = LOAD(j, x + s * D + c);                         \
                UNROLL for (int i = 0; i < H; i++) UNROLL for (int j = 0; j < CV; j++) acc[i][j] +=          \
                    p[i * pi + s * ps] * row[j];                                                             \
            }                                                                                                \
            UNROLL for (int i = 0; i < H; i++) UNROLL for (int j = 0; j < CV; j++)                           \
                STORE_TILE(acc[i][j], j, sum + i * DH + c);                                                  \
        }                                                                                                    \
    }

/* Marks a pair that does not see each other: it adds nothing as a weight, and no weight that is one has these
 * bits. */
#define HIDDEN     (-0.0f)
#define IS_SEEN(p) (as_uint(p) != 0x80000000u)

/* sum[h][DH] as above of the pairs that see each other, which `mark` says, for x that may hold what is no
 * number: the same bits where it does not. */
#define DEFINE_GATHER_SEEN(NAME, SPACE)                                                                      \
    static inline void NAME(float *sum, int h, const float *p, const float *mark, int pi, int ps, int count, \
                            const SPACE float *x, int D) {                                                   \
        for (int i = 0; i < h; i++)                                                                          \
            for (int s = 0; s < count; s++)                                                                  \
                for (int j = 0; j < DV && IS_SEEN(mark[i * pi + s * ps]); j++)                               \
                    STORE_TILE(LOAD(j, sum + i * DH) + p[i * pi + s * ps] * LOAD(j, x + s * D), j,           \
                               sum + i * DH);                                                                \
    }

/* The largest of |x| by its bits: a compiler may take 0 times anything for 0. */
#define UVEC         uintv
#define MAGNITUDE(v) (AS_UINT(v) & 0x7fffffffu)
static inline bool are_all_finite(UVEC most) {
    return !any(most >= (UVEC)(0x7f800000u));
}

/* First of rows[first … end − 1], ascending, whose number is `row` or later; `end` where none is. */
static inline int row_at(const global int *rows, int first, int end, int row) {
    while (first < end) {
        const int middle = (first + end) / 2;
        if (rows[middle] < row)
            first = middle + 1;
        else
            end = middle;
    }
    return first;
}

typedef struct {
    int b, first, count, keys;      /* sequence; first row; rows of this tile, 0: nothing to do; keys */
    int low[TQ], high[TQ], own[TQ]; /* of each row: keys it may see, segment */
    int from, to, all_from, all_to; /* keys that some row may see; that all may, but for segments */
    int lowest_own, highest_own;
} tile_rows;

static inline tile_rows tile_of(int tile, int tiles, int B, int T, int window, const global int *rows,
                                const global int *q_start, const global int *kv_start,
                                const global int *segments, const global int *lengths) {
    tile_rows r;
    r.b = tile / tiles;
    r.count = 0;
    if (r.b >= B)
        return r;
    r.first = q_start[r.b] + tile % tiles * TQ;
    r.count = clamp(q_start[r.b + 1] - r.first, 0, TQ);
    r.keys = kv_start[r.b + 1] - kv_start[r.b];
    r.from = r.lowest_own = r.all_to = INT_MAX;
    r.all_from = 0;
    r.to = -1;
    r.highest_own = INT_MIN;
    for (int i = 0; i < TQ; i++) {
        r.low[i] = r.own[i] = 0;
        r.high[i] = -1;
        if (i >= r.count)
            continue;
        const int row = rows[r.first + i], t = row - r.b * T;
        r.low[i] = first_key(t, window);
        r.high[i] = min(last_key(t, r.b, T, lengths), r.keys - 1);
        r.all_from = max(r.all_from, r.low[i]);
        r.all_to = min(r.all_to, r.high[i]);
        if (r.high[i] < r.low[i])
            continue;
        r.from = min(r.from, r.low[i]);
        r.to = max(r.to, r.high[i]);
        r.own[i] = segments ? segments[row] : 0;
        r.lowest_own = min(r.lowest_own, r.own[i]);
        r.highest_own = max(r.highest_own, r.own[i]);
    }
    return r;
}

/* Segments of positions s … s + VW − 1; past T any. */
static inline IVEC segments_at(const global int *seg, int s, int T) {
    if (s + VW <= T)
        return LOAD(0, seg + s);
    int part[VW];
    for (int l = 0; l < VW; l++)
        part[l] = seg[min(s + l, T - 1)];
    return LOAD(0, part);
}

/* Is there a segment among positions s0 … s0 + n − 1 that a row of the tile may belong to? */
static inline int segments_meet(const tile_rows *r, const global int *seg, int s0, int n, int T) {
    IVEC hit = 0;
    for (int s = 0; s < n; s += VW) {
        const IVEC at = segments_at(seg, s0 + s, T);
        hit |= (at >= r->lowest_own) & (at <= r->highest_own);
    }
    return any(hit);
}

/* Do all rows of the tile see all n keys from s0 on? */
static inline bool all_seen(const tile_rows *r, int s0, int n, const global int *seg) {
    return s0 >= r->all_from && s0 + n - 1 <= r->all_to && !seg;
}

/* Lanes of the VW keys from `at` on that row i of the tile does not see. `of`: their segments, as the row's
 * own where there are none. */
static inline IVEC hidden_lanes(const tile_rows *r, int i, IVEC at, IVEC of) {
    return (at < r->low[i]) | (at > r->high[i]) | (of != r->own[i]);
}

/* What rows have of the 32 keys from s0 that they do not see becomes `value`; so does `more` 0, where it is
 * not NULL. */
static inline void mask_panel(float *p, float *more, float value, int ld, int s0, const tile_rows *r,
                              const global int *seg, int T) {
    if (all_seen(r, s0, 32, seg))
        return;
    for (int j = 0; j < NV; j++) {
        const IVEC at = s0 + j * VW + LANE, of = seg ? segments_at(seg, s0 + j * VW, T) : 0;
        for (int i = 0; i < TQ; i++) {
            const IVEC hide = hidden_lanes(r, i, at, of);
            STORE_TILE(select(LOAD(j, p + i * ld), (VEC)(value), hide), j, p + i * ld);
            if (more)
                STORE_TILE(select(LOAD(j, more + i * ld), (VEC)(0.0f), hide), j, more + i * ld);
        }
    }
}

/* tile[TQ][DH]: the tile's rows of x, times `scale`; zero where the tile has no row. Are they finite? */
static inline bool tile_load(float *tile, const global float *x, int first, int count, int D, float scale) {
    UVEC most = 0;
    for (int i = 0; i < TQ; i++)
        for (int j = 0; j < DV; j++) {
            const VEC v = i < count ? LOAD(j, x + (first + i) * D) * scale : (VEC)(0.0f);
            most = max(most, MAGNITUDE(v));
            STORE_TILE(v, j, tile + i * DH);
        }
    return are_all_finite(most);
}
