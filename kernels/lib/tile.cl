/* Tiles that a work-group shares: global to local memory, and the outer-product micro-kernel over two of
 * them. Behind lib/tile_index.cl. Quads, not wider vectors: what a GPU
 * moves in one access. Sizes are macros' arguments, since not every compiler sees a function's as constants.
 */

#if LANES == 4

/* A few rounds, and not a tile's whole depth: compilers would bring all of it to registers first. */
#define UNROLL_FOUR _Pragma("unroll 4")

/* Local memory that is read by quads. */
#define LOCAL_TILE(name, floats) local float name[floats] __attribute__((aligned(16)))

#define TILE_FLOATS(WIDE, DEEP) ((DEEP) * ((WIDE) + 4))

static inline float4 quad_zero(void) {
    return (float4)(0.0f);
}

/* Four floats of a row from p on, the first `left` of them; QUADS: rows are whole aligned quads. */
#define TN_LOAD_QUAD(QUADS, p, left)                                                                         \
    ((QUADS) ? ((left) > 0 ? *(const global float4 *)(p) : quad_zero()) : load_few(p, left))
static inline float4 load_few(const global float *p, int left) {
    float4 v = quad_zero();
    if (left > 0)
        v.s0 = p[0];
    if (left > 1)
        v.s1 = p[1];
    if (left > 2)
        v.s2 = p[2];
    if (left > 3)
        v.s3 = p[3];
    return v;
}

/* The same with the last of them again past `left` (1 or more). */
static inline float4 load_four(const global float *p, int left) {
    return (float4)(p[0], p[min(1, left - 1)], p[min(2, left - 1)], p[min(3, left - 1)]);
}

#define TN_STORE_QUAD(QUADS, v, p, left)                                                                     \
    do {                                                                                                     \
        if (QUADS) {                                                                                         \
            if ((left) > 0)                                                                                  \
                *(global float4 *)(p) = v;                                                                   \
        } else {                                                                                             \
            store_few(v, p, left);                                                                           \
        }                                                                                                    \
    } while (0)
static inline void store_few(float4 v, global float *p, int left) {
    if (left > 0)
        p[0] = v.s0;
    if (left > 1)
        p[1] = v.s1;
    if (left > 2)
        p[2] = v.s2;
    if (left > 3)
        p[3] = v.s3;
}

/* Defines how a group of ITEMS brings a tile of WIDE x DEEP to local memory:
 *   name_places(places, ld, w_left)        where this item's name_QUADS quads stand in the source
 *   name_fetch(quads, places, p, w_left)   global to registers, a tile of full depth
 *   name_fetch_part(..., d_left)           the same with zeros past d_left
 *   name_put(tile, quads)                  registers to local memory, TILE_FLOATS(WIDE, DEEP)
 * TURNED 0: element (w, d) is p[d * ld + w]; 1: p[w * ld + d]. QUADS 1: p, ld and what is left along the
 * source's rows are whole quads, aligned. Past w_left (1 or more) stands some element before it, for sums
 * that nobody takes: it costs no test. Places are unsigned, as those past the depth, never read, may wrap. */
#define TN_TILE(name, WIDE, DEEP, ITEMS, TURNED, QUADS)                                                      \
    enum { name##_TOTAL = (WIDE) * (DEEP) / 4, name##_QUADS = (name##_TOTAL + (ITEMS)-1) / (ITEMS) };        \
    ALWAYS_INLINE int name##_quad(int j) {                                                                   \
        const int i = (int)get_local_id(0) + j * (ITEMS);                                                    \
        return name##_TOTAL % (ITEMS) == 0 ? i : min(i, name##_TOTAL - 1);                                   \
    }                                                                                                        \
    ALWAYS_INLINE int name##_w(int j) {                                                                      \
        return (TURNED) ? tile_turned_w(name##_quad(j), WIDE) : tile_along_w(name##_quad(j), WIDE);          \
    }                                                                                                        \
    ALWAYS_INLINE int name##_d(int j) {                                                                      \
        return (TURNED) ? tile_turned_d(name##_quad(j), WIDE) : tile_along_d(name##_quad(j), WIDE);          \
    }                                                                                                        \
    ALWAYS_INLINE void name##_places(uint *places, int ld, int w_left) {                                     \
        UNROLL for (int j = 0; j < name##_QUADS; j++) {                                                      \
            const uint w = min(name##_w(j), w_left - ((QUADS) && !(TURNED) ? 4 : 1)), d = name##_d(j);       \
            places[j] = (TURNED) ? w * (uint)ld + d : d * (uint)ld + w;                                      \
        }                                                                                                    \
    }                                                                                                        \
    ALWAYS_INLINE void name##_fetch(float4 *quads, const uint *places, const global float *p, int w_left) {  \
        UNROLL for (int j = 0; j < name##_QUADS; j++) {                                                      \
            const global float *const from = p + places[j];                                                  \
            if (QUADS)                                                                                       \
                quads[j] = *(const global float4 *)from;                                                     \
            else                                                                                             \
                quads[j] = load_four(from, (TURNED) ? 4 : w_left - min(name##_w(j), w_left - 1));            \
        }                                                                                                    \
    }                                                                                                        \
    ALWAYS_INLINE void name##_fetch_part(float4 *quads, const uint *places, const global float *p,           \
                                         int w_left, int d_left) {                                           \
        UNROLL for (int j = 0; j < name##_QUADS; j++) {                                                      \
            const int left = d_left - name##_d(j);                                                           \
            quads[j] = quad_zero();                                                                          \
            if (left > 0 && (QUADS))                                                                         \
                quads[j] = *(const global float4 *)(p + places[j]);                                          \
            else if (left > 0)                                                                               \
                quads[j] = (TURNED) ? load_few(p + places[j], left)                                          \
                                    : load_four(p + places[j], w_left - min(name##_w(j), w_left - 1));       \
        }                                                                                                    \
    }                                                                                                        \
    ALWAYS_INLINE void name##_put(local float *tile, const float4 *quads) {                                  \
        UNROLL for (int j = 0; j < name##_QUADS; j++) {                                                      \
            local float *const to = tile + name##_d(j) * ((WIDE) + 4) + name##_w(j);                         \
            if ((int)get_local_id(0) + j * (ITEMS) >= name##_TOTAL)                                          \
                continue;                                                                                    \
            if (TURNED) {                                                                                    \
                to[0] = quads[j].s0;                                                                         \
                to[(WIDE) + 4] = quads[j].s1;                                                                \
                to[2 * ((WIDE) + 4)] = quads[j].s2;                                                          \
                to[3 * ((WIDE) + 4)] = quads[j].s3;                                                          \
            } else {                                                                                         \
                *(local float4 *)to = quads[j];                                                              \
            }                                                                                                \
        }                                                                                                    \
    }

#define TN_ZERO(acc, TM, TN)                                                                                 \
    UNROLL for (int i = 0; i < (TM); i++) UNROLL for (int j = 0; j < (TN) / 4; j++) acc[i][j] = quad_zero()

/* What an item owns of one row of a tile of WIDE, EACH floats at `place`, into float to[EACH]. */
#define TN_OWN(to, row, place, EACH, WIDE)                                                                   \
    do {                                                                                                     \
        if ((EACH) >= 4) {                                                                                   \
            UNROLL for (int own = 0; own < (EACH); own += 4) {                                               \
                const float4 quad = *(const local float4 *)((row) + tile_own(place, own, EACH, WIDE));       \
                (to)[own] = quad.s0;                                                                         \
                (to)[own + 1] = quad.s1;                                                                     \
                (to)[own + 2] = quad.s2;                                                                     \
                (to)[own + 3] = quad.s3;                                                                     \
            }                                                                                                \
        } else {                                                                                             \
            UNROLL for (int own = 0; own < (EACH); own++)(to)[own] =                                         \
                (row)[tile_own(place, own, EACH, WIDE)];                                                     \
        }                                                                                                    \
    } while (0)

/* Defines name_multiply(acc, a, b, down, across): acc[TM][TN / 4] += Σ over DEPTH of column · row of two
 * tiles a [DEPTH][A_WIDE] and b [DEPTH][B_WIDE] in local memory. Every element is one chain of multiply-adds
 * in order of depth, whatever the tile. */
#define TN_MULTIPLY(name, TM, TN, DEPTH, A_WIDE, B_WIDE)                                                     \
    ALWAYS_INLINE void name##_multiply(float4 acc[TM][(TN) / 4], const local float *a, const local float *b, \
                                       int down, int across) {                                               \
        UNROLL_FOUR for (int d = 0; d < (DEPTH); d++) {                                                      \
            float x[TM];                                                                                     \
            TN_OWN(x, a + d * ((A_WIDE) + 4), down, TM, A_WIDE);                                             \
            UNROLL for (int j = 0; j < (TN) / 4; j++) {                                                      \
                const float4 y =                                                                             \
                    *(const local float4 *)(b + d * ((B_WIDE) + 4) + tile_own(across, 4 * j, TN, B_WIDE));   \
                UNROLL for (int i = 0; i < (TM); i++) acc[i][j] += x[i] * y;                                 \
            }                                                                                                \
        }                                                                                                    \
    }
#endif
