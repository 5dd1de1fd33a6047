/* A token at a time: one position of each of some sequences through layers of the model, with what earlier
 * positions left in a state. This file: what the programs are made of, for one row.
 *
 * The state of a sequence, in each layer: the last RING rows of u, the normed input of the mixer, where
 * position t is row t modulo RING; where it has attention, keys and values of its first `projected`
 * positions, [capacity,KV]. A row that is not routed needs no key, so u waits in the ring until a row is
 * routed, or PENDING of them have come together: their products then read the weights once. */

#ifndef D
#define D 64 /* width */
#endif
#ifndef HEADS
#define HEADS 2
#endif
#ifndef KV_HEADS
#define KV_HEADS 2 /* heads of keys and values; HEADS / KV_HEADS neighbouring heads share one */
#endif
#ifndef K
#define K 4 /* taps */
#endif
#ifndef F
#define F 128 /* hidden width of the mlp; 0: none */
#endif
#ifndef V
#define V 192 /* vocabulary; 0: rows of x come in and go out, with no embedding and no head */
#endif
#ifndef HAS_CONV
#define HAS_CONV 1 /* the convolution track */
#endif
#ifndef HAS_ATTENTION
#define HAS_ATTENTION 1 /* the global track; alone, all rows take it */
#endif
#ifndef HAS_ROUTER
#define HAS_ROUTER 1
#endif
#ifndef MIXED
#define MIXED 0 /* 1: a layer may lack what HAS_… says, where the table has none for it */
#endif
#ifndef CODED
#define CODED 0 /* 1: a row of a second table, by a token's code, is added to its embedding */
#endif
#ifndef ADDED
#define ADDED 0 /* 1: a routed row has both tracks, 0: attention alone */
#endif
#ifndef TURNED
#define TURNED 0 /* 1: queries and keys are turned by their position (rope) */
#endif
#ifndef RING
#define RING 128 /* rows of u that are kept: a power of two, at least PENDING + K - 1 */
#endif
#ifndef PENDING
#define PENDING 64 /* rows of u that may wait for their keys and values */
#endif

/* Of a layer, by its row of the table. */
#define LAYER_HAS(at, which, built) ((built) && (!MIXED || (at)[which] >= 0))
#define CONVOLVES(at)               LAYER_HAS(at, AT_CONV, HAS_CONV)
#define ATTENDS(at)                 LAYER_HAS(at, AT_K, HAS_ATTENTION)
#define CHEAP(at, h)                (CONVOLVES(at) && (ADDED || !(h))) /* does a row take the convolution track? */
#define DH                          (D / HEADS)
#define KV                          (KV_HEADS * DH)
#define AT(p)                       (*(private floatv_near *)(p))
#define QUAD(p)                     (*(const global float4 *)(p)) /* at a multiple of 16 bytes */

/* Between launches of a step, one behind the other: x, q and s [rows,D], act [rows,F]. Where attention's
 * result is kept too, it is where s is. */
#define AT_QS(s)  ((s).rows * D)
#define AT_S(s)   (2 * (s).rows * D)
#define AT_ACT(s) (3 * (s).rows * D)

/* Of LANES vectors the sum of each. */
ALWAYS_INLINE floatv turned_sum(floatv *acc) {
#if LANES == 16
    transpose16(acc);
    UNROLL for (int n = 8; n > 0; n /= 2) UNROLL for (int i = 0; i < n; i++) acc[i] += acc[i + n];
    return acc[0];
#elif LANES == 1
    return acc[0];
#else
    float sums[LANES];
    UNROLL for (int i = 0; i < LANES; i++) sums[i] = sumv(acc[i]);
    return LOADV(sums);
#endif
}

/* Rows n, n + 1, ... of w, `pitch` floats apart, times x, both `width` long, whole vectors. _end: of `count`
 * rows, the last one standing for those behind it. */
#define DEFINE_DOT(name, space, more, row)                                                                   \
    ALWAYS_INLINE floatv name(const global float *w, int pitch, const space float *x, int width,             \
                              int n more) {                                                                  \
        floatv acc[LANES];                                                                                   \
        UNROLL for (int i = 0; i < LANES; i++) acc[i] = 0.0f;                                                \
        for (int k = 0; k < width; k += LANES) {                                                             \
            const floatv v = *(const space floatv_near *)(x + k);                                            \
            UNROLL for (int i = 0; i < LANES; i++) acc[i] += v * load_whole(w + (row)*pitch + k);            \
        }                                                                                                    \
        return turned_sum(acc);                                                                              \
    }
#define NO_COUNT
#define UP_TO_COUNT , int count
DEFINE_DOT(dot_rows, private, NO_COUNT, n + i)
DEFINE_DOT(dot_rows_end, private, UP_TO_COUNT, min(n + i, count - 1))
DEFINE_DOT(dot_rows_global, global, NO_COUNT, n + i)

/* One row of a step: where its layer's weights and its sequence's state begin. */
typedef struct decode_row {
    const global float *values; /* weights of all layers */
    const global int *at;       /* this layer's row of their table */
    global float *ring;         /* [RING,D] */
    global float *k, *v;        /* [capacity,KV] */
    const global uint *turns;   /* [2,DH/2]: upper, then lower 32 bits of turns a position */
    int t;                      /* position */
} decode_row;

#define WEIGHT(row, which) ((row)->values + (row)->at[which])

static inline float rstd_of(const float *x, float eps) {
    floatv squares = 0.0f;
    for (int d = 0; d < D; d += LANES)
        squares += AT(x + d) * AT(x + d);
    return 1.0f / sqrt(sumv(squares) / D + eps);
}

static inline void norm_of(float *u, const float *x, const global float *w, float eps) {
    const float rstd = rstd_of(x, eps);
    for (int d = 0; d < D; d += LANES)
        AT(u + d) = AT(x + d) * rstd * load_whole(w + d);
}

static inline void take_row(float *x, const global float *from) {
    for (int d = 0; d < D; d += LANES)
        AT(x + d) = load_whole(from + d);
}

/* What row r comes in with: its token's row of the embedding, and its code's; without those its row of x_in.
 */
static inline void first_row(float *x, const global float *x_in, const global float *values,
                             const global int *beside, const global int *steps, int r, int rows) {
    take_row(x, V > 0 ? values + beside[AT_EMBED] + steps[r] * D : x_in + r * D);
#if CODED
    for (int d = 0; d < D; d += LANES)
        AT(x + d) += load_whole(values + beside[AT_CODES] + steps[3 * rows + r] * D + d);
#endif
}

static inline void leave_row(const float *x, global float *to) {
    for (int d = 0; d < D; d += LANES)
        store_whole(AT(x + d), to + d);
}

/* The router's logit. */
static inline float logit_of(const float *u, const global float *w, const global float *bias) {
    floatv dots = 0.0f;
    for (int d = 0; d < D; d += LANES)
        dots += AT(u + d) * load_whole(w + d);
    return sumv(dots) + bias[0];
}

/* s = silu(bias + sum of taps[j] times u of position t - j). */
static inline void convolve(const decode_row *row, float *s, const float *u) {
    const global float *const w = WEIGHT(row, AT_CONV), *const b = WEIGHT(row, AT_CONV_BIAS);
    for (int d = 0; d < D; d += LANES) {
        floatv taps[K], e;
        load_rows_turned(taps, w + d * K, K, LANES);
        floatv z = load_whole(b + d) + taps[0] * AT(u + d);
        for (int j = 1; j < K && j <= row->t; j++)
            z += taps[j] * load_whole(row->ring + (row->t - j) % RING * D + d);
        AT(s + d) = z * sigmoidv(z, &e);
    }
}

/* u and the decision, which is given; the router's where that is 2; and s of a row that convolves. Gives
 * h. */
static inline int mixer_front(const decode_row *row, float *x, float *u, float *s, int given, float eps) {
    int h = !CONVOLVES(row->at);
    norm_of(u, x, WEIGHT(row, AT_NORM1), eps);
    leave_row(u, row->ring + row->t % RING * D);
#if HAS_ROUTER
    if (LAYER_HAS(row->at, AT_ROUTER, HAS_ROUTER)) {
        const float z = logit_of(u, WEIGHT(row, AT_ROUTER), WEIGHT(row, AT_ROUTER_BIAS));
        h = !(z < 0.0f);
        for (int d = 0; z != z && given > 1 && d < D; d += LANES)
            AT(x + d) += z; /* a gate that is no number makes the row none */
    }
#endif
#if HAS_CONV
    if (CONVOLVES(row->at) && ATTENDS(row->at))
        h = given > 1 ? h : given;
    if (CHEAP(row->at, h))
        convolve(row, s, u);
#endif
    return h;
}

/* Must the keys of positions `first` to t be made now? */
static inline int keys_are_due(int t, int h, int first) {
    return h || t + 1 - first >= PENDING;
}

/* The first position that a row at position t sees. */
static inline int first_seen(int t, int window) {
    return max(0, t + 1 - window);
}

/* What exponents are taken against, of scores up to `top`: no score at all counts as 0. */
static inline float base_of(float top) {
    return top == -INFINITY ? 0.0f : top;
}

/* x += w·y, of LANES of the D columns of x from n on; y is `width` long. */
ALWAYS_INLINE void add_product(float *x, const global float *w, const float *y, int width, int n) {
    AT(x + n) += dot_rows(w, width, y, width, n);
}

#if TURNED
/* The heads of z, in global memory or private, turned by `pos`; the pair of element i is i + DH/2. */
#define DEFINE_TURN(name, space)                                                                             \
    static inline void name(space float *z, int heads, uint pos, const global uint *turns) {                 \
        for (int i = 0; i < DH / 2; i += LANES) {                                                            \
            const int count = min(LANES, DH / 2 - i);                                                        \
            uint upper[LANES], lower[LANES];                                                                 \
            floatv sine, cosine;                                                                             \
            for (int l = 0; l < LANES; l++) {                                                                \
                upper[l] = turns[min(i + l, DH / 2 - 1)];                                                    \
                lower[l] = turns[DH / 2 + min(i + l, DH / 2 - 1)];                                           \
            }                                                                                                \
            sin_cos_turn(turns_at(pos, upper, lower), &sine, &cosine);                                       \
            for (int h = 0; h < heads; h++) {                                                                \
                float a[LANES], b[LANES];                                                                    \
                for (int l = 0; l < LANES; l++) {                                                            \
                    a[l] = z[h * DH + min(i + l, DH / 2 - 1)];                                               \
                    b[l] = z[h * DH + DH / 2 + min(i + l, DH / 2 - 1)];                                      \
                }                                                                                            \
                const floatv low = LOADV(a) * cosine - LOADV(b) * sine;                                      \
                const floatv high = LOADV(a) * sine + LOADV(b) * cosine;                                     \
                STOREV(low, a);                                                                              \
                STOREV(high, b);                                                                             \
                for (int l = 0; l < count; l++) {                                                            \
                    z[h * DH + i + l] = a[l];                                                                \
                    z[h * DH + DH / 2 + i + l] = b[l];                                                       \
                }                                                                                            \
            }                                                                                                \
        }                                                                                                    \
    }
DEFINE_TURN(turn_heads, private)
DEFINE_TURN(turn_heads_global, global)
#endif

/* Keys, or values, of positions `first` to t: LANES of their KV columns from n on. */
static inline void project(const decode_row *row, global float *to, const global float *w, int first, int n) {
    for (int m = first; m <= row->t; m++)
        store_whole(dot_rows_global(w, D, row->ring + m % RING * D, D, n), to + m * KV + n);
}

/* All columns of both, of the positions that wait. */
static inline void project_all(const decode_row *row, int first) {
    for (int n = 0; n < KV; n += LANES) {
        project(row, row->k, WEIGHT(row, AT_K), first, n);
        project(row, row->v, WEIGHT(row, AT_V), first, n);
    }
#if TURNED
    for (int m = first; m <= row->t; m++)
        turn_heads_global(row->k + m * KV, KV_HEADS, m, row->turns);
#endif
}
