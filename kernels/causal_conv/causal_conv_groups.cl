/* causal_conv by work-groups of ACROSS × (GROUP / ACROSS) items; built behind causal_conv.cl. Neighbouring
 * items have neighbouring channels, and each walks TILE positions: what it needs next of u is loaded before
 * what it has is used. The rows of items side by side are one run of addresses. */

#ifndef ACROSS
#define ACROSS 16 /* work-items side by side on a row */
#endif
#ifndef GROUP
#define GROUP 256 /* work-items of a work-group: a multiple of ACROSS */
#endif

#define TILES (GROUP / ACROSS)

/* The taps of LANES channels lie one behind the other, K of each. */
ALWAYS_INLINE void load_taps(floatv *taps, const global float *w) {
#if LANES == 4
    float flat[4 * K];
    UNROLL for (int j = 0; j < K; j++) {
        const floatv four = load_whole(w + 4 * j);
        flat[4 * j] = four.s0, flat[4 * j + 1] = four.s1;
        flat[4 * j + 2] = four.s2, flat[4 * j + 3] = four.s3;
    }
    UNROLL for (int j = 0; j < K; j++) taps[j] =
        (floatv)(flat[j], flat[K + j], flat[2 * K + j], flat[3 * K + j]);
#else
    load_rows_turned(taps, w, K, LANES);
#endif
}

ALWAYS_INLINE void store_taps(global float *w, const floatv *taps) {
#if LANES == 4
    float flat[4 * K];
    UNROLL for (int j = 0; j < K; j++) {
        flat[j] = taps[j].s0, flat[K + j] = taps[j].s1;
        flat[2 * K + j] = taps[j].s2, flat[3 * K + j] = taps[j].s3;
    }
    UNROLL for (int j = 0; j < K; j++)
        store_whole((floatv)(flat[4 * j], flat[4 * j + 1], flat[4 * j + 2], flat[4 * j + 3]), w + 4 * j);
#else
    UNROLL for (int j = 0; j < K; j++) {
        float lanes[LANES];
        STOREV(taps[j], lanes);
        UNROLL for (int l = 0; l < LANES; l++) w[l * K + j] = lanes[l];
    }
#endif
}

/* The K - 1 positions before `t`; zeros before the start. */
ALWAYS_INLINE void load_before(floatv *ring, const global float *u, int t, int D) {
    ring[K - 1] = 0.0f;
    UNROLL for (int j = 0; j < K - 1; j++) ring[j] = t > j ? load_whole(u + (t - 1 - j) * D) : (floatv)(0.0f);
}

/* Grid: vectors of a row × tiles of all sequences. */
kernel void causal_conv_forward_groups(global float *restrict y,       /* [B,T,D] */
                                       const global float *restrict u, /* [B,T,D] */
                                       const global float *restrict w, /* [D,K], column j multiplies u[t-j] */
                                       const global float *restrict b, /* [D] */
                                       int B, int T, int D) {
    const int d = get_global_id(0) * LANES, tiles = (T + TILE - 1) / TILE;
    const int item = get_global_id(1), sequence = item / tiles, first = (item - sequence * tiles) * TILE;
    const int last = min(first + TILE, T);
    if (d >= D || sequence >= B)
        return;
    const int at = sequence * T * D + d;
    const floatv bias = load_whole(b + d);
    floatv taps[K], ring[K], next = load_whole(u + at + first * D);
    load_taps(taps, w + d * K);
    load_before(ring, u + at, first, D);
    for (int t = first; t < last; t++) {
        push(ring, next);
        next = load_whole(u + at + min(t + 1, last - 1) * D);
        put_activation(dot_taps(taps, ring, bias, t + 1), y + at + t * D, LANES);
    }
}

/* What an item of the backward pass holds while it walks its positions. */
typedef struct walk {
    floatv taps[K], dtaps[K], bias, dbias;
    floatv ring[K], slopes[K]; /* of position t - j: u and dz */
} walk;

/* dz of position t, which is `u` and `dy` there. */
ALWAYS_INLINE floatv slope_at(walk *k, floatv u, floatv dy, int t) {
    push(k->ring, u);
    return dy * activation_slope(dot_taps(k->taps, k->ring, k->bias, t + 1));
}

/* The gradient of position t - K + 1, whose dz and those behind it are there. */
ALWAYS_INLINE floatv gradient_at(const walk *k, floatv sum, int t, int T) {
    UNROLL for (int j = 0; j < K; j++) if (t - K + 1 + j < T) sum += k->taps[j] * k->slopes[K - 1 - j];
    return sum;
}

/* Positions `first` to `last` of a sequence. At `add` is what the gradient is added to. */
ALWAYS_INLINE void walk_tile(walk *k, global float *du, const global float *dy, const global float *u,
                             const global float *add, int has_add, int first, int last, int T, int D) {
    floatv next = load_whole(u + first * D);
    int out = first - K + 1;
    load_before(k->ring, u, first, D);
    UNROLL for (int j = 0; j < K; j++) k->slopes[j] = 0.0f;
    for (int t = first; t < last + K - 1; t++, out++) {
        const floatv now = next, slope = load_whole(dy + min(t, T - 1) * D);
        floatv sum = 0.0f;
        next = load_whole(u + min(t + 1, T - 1) * D);
        if (has_add && out >= first)
            sum = load_whole(add + out * D);
        floatv dz = slope_at(k, now, slope, t);
        dz = t < T ? dz : (floatv)(0.0f);
        if (t < last) {
            add_taps(k->dtaps, k->ring, dz, t + 1);
            k->dbias += dz;
        }
        push(k->slopes, dz);
        if (out >= first)
            store_whole(gradient_at(k, sum, t, T), du + out * D);
    }
}

/* The sum over the tiles of a work-group, in a fixed order; for the items of its first tile. */
ALWAYS_INLINE floatv sum_tiles(local floatv (*sums)[ACROSS], floatv v) {
    const int x = get_local_id(0), y = get_local_id(1);
    barrier(CLK_LOCAL_MEM_FENCE);
    sums[y][x] = v;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int n = TILES / 2; n > 0; n /= 2) {
        if (y < n)
            sums[y][x] += sums[y + n][x];
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    return sums[0][x];
}

/* du[t] = add[t] + Σ_j w[j]·dz[t+j] with dz = dy·silu'(z), z computed again, also that of the K - 1 positions
 * after a tile. Σ dz[t]·u[t-j] and Σ dz[t] over the tiles of a work-group go to partial, for partial_sums. */
kernel __attribute__((reqd_work_group_size(ACROSS, TILES, 1))) void causal_conv_backward_groups(
    global float *du,                /* [B,T,D] */
    global float *restrict partial,  /* `at` floats, then [work-groups]: dw [D,K], db [D] */
    const global float *restrict dy, /* [B,T,D] */
    const global float *restrict u,  /* [B,T,D] */
    const global float *restrict w,  /* [D,K] */
    const global float *restrict b,  /* [D] */
    const global float *add,         /* [B,T,D], may be du; not read when has_add = 0 */
    int has_add, int partial_at, int B, int T, int D) {
    const int d = get_global_id(0) * LANES, tiles = (T + TILE - 1) / TILE;
    const int item = get_global_id(1), sequence = item / tiles, first = (item - sequence * tiles) * TILE;
    local floatv sums[TILES][ACROSS] __attribute__((aligned(16)));
    walk k;
    k.dbias = 0.0f;
    UNROLL for (int j = 0; j < K; j++) k.dtaps[j] = 0.0f;
    if (d < D && sequence < B) {
        const int at = sequence * T * D + d;
        k.bias = load_whole(b + d);
        load_taps(k.taps, w + d * K);
        walk_tile(&k, du + at, dy + at, u + at, add + at, has_add, first, min(first + TILE, T), T, D);
    }
    UNROLL for (int j = 0; j < K; j++) k.dtaps[j] = sum_tiles(sums, k.dtaps[j]);
    k.dbias = sum_tiles(sums, k.dbias);
    if (get_local_id(1) > 0 || d >= D)
        return;
    global float *to = partial + partial_at + get_group_id(1) * (K + 1) * D;
    store_taps(to + d * K, k.dtaps);
    store_whole(k.dbias, to + K * D + d);
}
