/* causal_conv by items that share nothing; built behind causal_conv.cl. More taps than MOST are past the
 * registers: then positions are read where they lie, in a cache. No barrier. */

#ifndef SIDE
#define SIDE 1 /* vectors side by side that an item of the forward pass takes, of few taps and whole rows */
#endif

#define MOST 16

/* dot_taps of rows of u where they lie. */
static inline floatv dot_rows(const floatv *taps, const global float *u, floatv z, int t, int left, int D) {
    for (int j = 0; j <= min(K - 1, t); j++)
        z += taps[j] * load_part(u + (t - j) * D, left);
    return z;
}

/* Asks for one line of the tile behind this one at each of its positions. A work-item reads a vector of every
 * row, and the items beside it the others: each asks for its part of the tile in one run, which takes a
 * fraction of the pages that its own vectors lie in. */
static inline void ask_next(const global float *x, int sequence, int first, int t, int T, int D) {
    ask_for(x + (sequence * T + first) * D, TILE * D + ((int)get_global_id(0) * TILE + t - first) * LANES);
}

#if SIDE > 1
/* Grid: groups of SIDE vectors × tiles. Rows are read where they lie, as one run of lines each, which the
 * hardware's prefetching follows; those before are still in the first cache. */
kernel void causal_conv_forward_wide(global float *restrict y, const global float *restrict u,
                                     const global float *restrict w, const global float *restrict b, int B,
                                     int T, int D) {
    const int d = get_global_id(0) * (LANES * SIDE), tiles = (T + TILE - 1) / TILE;
    const int item = get_global_id(1), sequence = item / tiles, first = (item - sequence * tiles) * TILE;
    const int last = min(first + TILE, T);
    if (d >= D || sequence >= B)
        return;
    floatv taps[SIDE][K];
    for (int v = 0; v < SIDE; v++)
        load_rows_turned(taps[v], w + (d + v * LANES) * K, K, LANES);
    const global float *row = u + (sequence * T + first) * D + d;
    global float *to = y + (sequence * T + first) * D + d;
    for (int t = first; t < last; t++, row += D, to += D) {
#pragma unroll
        for (int v = 0; v < SIDE; v++) {
            ask_for(row + v * LANES, 256);
            floatv z = load_whole(b + d + v * LANES);
#pragma unroll
            for (int j = 0; j < K; j++)
                if (j <= t)
                    z += taps[v][j] * load_whole(row - j * D + v * LANES);
            put_activation(z, to + v * LANES, LANES);
        }
    }
}
#endif

kernel void causal_conv_forward(global float *restrict y,       /* [B,T,D] */
                                const global float *restrict u, /* [B,T,D] */
                                const global float *restrict w, /* [D,K], column j multiplies u[t-j] */
                                const global float *restrict b, /* [D] */
                                int B, int T, int D) {
    const int d = get_global_id(0) * LANES, left = LEFT(d, D);
    const int tiles = (T + TILE - 1) / TILE;
    const int item = get_global_id(1), sequence = item / tiles, first = (item - sequence * tiles) * TILE;
    const int last = min(first + TILE, T);
    if (d >= D || sequence >= B)
        return;
    const int at = sequence * T * D + d;
    const floatv bias = load_part(b + d, left);
    floatv taps[K];
    load_rows_turned(taps, w + d * K, K, D - d);
#if K <= MOST
    floatv ring[K];
    warm_up(ring, u + at, first, left, D);
#endif
    for (int t = first; t < last; t++) {
#if K <= MOST
        ask_next(u, sequence, first, t, T, D);
        push(ring, load_part(u + at + t * D, left));
        const floatv z = dot_taps(taps, ring, bias, t + 1);
#else
        const floatv z = dot_rows(taps, u + at, bias, t, left, D);
#endif
        put_activation(z, y + at + t * D, left);
    }
}

/* A tile's part of the gradients. */
static inline void put_sums(global float *sums /* dw [D,K], db [D] */, const floatv *dtaps, floatv dbias,
                            int d, int left, int D) {
    for (int j = 0; j < K; j++) {
        float lanes[LANES];
        STOREV(dtaps[j], lanes);
        for (int l = 0; l < min(left, LANES); l++)
            sums[(d + l) * K + j] = lanes[l];
    }
    store_part(dbias, sums + K * D + d, left);
}

#if K > MOST
/* causal_conv_backward where rows are read where they lie: dz of the tile and what follows is kept. */
static inline void backward_rows(global float *du, const global float *dy, const global float *u,
                                 const global float *add, int has_add, const floatv *taps, floatv *dtaps,
                                 floatv *dbias, floatv bias, int first, int last, int T, int left, int D) {
    floatv dzs[TILE + K - 1];
    for (int t = first; t < last + K - 1; t++) {
        floatv dz = 0.0f;
        if (t < T)
            dz = load_part(dy + t * D, left) * activation_slope(dot_rows(taps, u, bias, t, left, D));
        dzs[t - first] = dz;
        if (t >= last)
            continue;
        for (int j = 0; j <= min(K - 1, t); j++)
            dtaps[j] += dz * load_part(u + (t - j) * D, left);
        *dbias += dz;
    }
    for (int t = first; t < last; t++) {
        floatv sum = has_add ? load_part(add + t * D, left) : (floatv)(0.0f);
        for (int j = 0; j < K && t + j < T; j++)
            sum += taps[j] * dzs[t - first + j];
        store_out(sum, du + t * D, left);
    }
}
#endif

/* du[t] = add[t] + Σ_j w[j]·dz[t+j] with dz = dy·silu'(z), z computed again. dz of the K-1 positions after
 * the tile is computed here too. Σ dz[t]·u[t-j] and Σ dz[t] over the tile go to partial, for
 * partial_sums. */
kernel void causal_conv_backward(
    global float *du,                /* [B,T,D] */
    global float *restrict partial,  /* `at` floats, then [items]: dw [D,K], db [D] */
    const global float *restrict dy, /* [B,T,D] */
    const global float *restrict u,  /* [B,T,D] */
    const global float *restrict w,  /* [D,K] */
    const global float *restrict b,  /* [D] */
    const global float *add,         /* [B,T,D], may be du; not read when has_add = 0 */
    int has_add, int partial_at, int B, int T, int D) {
    const int d = get_global_id(0) * LANES, left = LEFT(d, D);
    const int tiles = (T + TILE - 1) / TILE, item = get_global_id(1);
    const int sequence = item / tiles, first = (item - sequence * tiles) * TILE;
    const int last = min(first + TILE, T);
    if (d >= D || sequence >= B)
        return;
    const int at = sequence * T * D + d;
    const floatv bias = load_part(b + d, left);
    floatv taps[K], dtaps[K], dbias = 0.0f;
    load_rows_turned(taps, w + d * K, K, D - d);
    for (int j = 0; j < K; j++)
        dtaps[j] = 0.0f;
#if K > MOST
    backward_rows(du + at, dy + at, u + at, add + at, has_add, taps, dtaps, &dbias, bias, first, last, T,
                  left, D);
#else
    floatv ring[K], slopes[K];
    warm_up(ring, u + at, first, left, D);
    for (int j = 0; j < K; j++)
        slopes[j] = 0.0f;
    for (int t = first; t < last + K - 1; t++) {
        floatv dz = 0.0f;
        if (t < T) {
            ask_next(u, sequence, first, t, T, D);
            ask_next(dy, sequence, first, t, T, D);
            if (has_add)
                ask_next(add, sequence, first, t, T, D);
            push(ring, load_part(u + at + t * D, left));
            dz = load_part(dy + at + t * D, left) * activation_slope(dot_taps(taps, ring, bias, t + 1));
        }
        if (t < last) {
            add_taps(dtaps, ring, dz, t + 1);
            dbias += dz;
        }
        push(slopes, dz); /* slopes[j] = dz[t-j]: position t-K+1 now has all it needs */
        if (t - K + 1 < first)
            continue;
        const int out = at + (t - K + 1) * D;
        floatv sum = has_add ? load_part(add + out, left) : (floatv)(0.0f);
#pragma unroll
        for (int j = 0; j < K; j++)
            if (t - K + 1 + j < T)
                sum += taps[j] * slopes[K - 1 - j];
        store_out(sum, du + out, left);
    }
#endif
    put_sums(partial + partial_at + item * (K + 1) * D, dtaps, dbias, d, left, D);
}
