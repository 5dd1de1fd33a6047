/* Depthwise causal convolution with K taps and a bias: z[t] = b + Σ_j w[j]·u[t-j], zero before the start of a
 * sequence; y = z, or silu(z) = z/(1+e^-z). What the variants share: a work-item owns TILE positions of one
 * sequence and LANES channels; taps, and what the last K positions held, stay in registers, so every element
 * is read once. */

#ifndef K
#define K 4 /* taps */
#endif
#ifndef SILU
#define SILU 1 /* y = silu(z) instead of z */
#endif
#ifndef TILE
#define TILE 128 /* positions a work-item owns */
#endif

/* Moves the ring on by one position; ring[j] then holds what position t-j had. */
static inline void push(floatv *ring, floatv v) {
#pragma unroll
    for (int j = K - 1; j > 0; j--)
        ring[j] = ring[j - 1];
    ring[0] = v;
}

/* The first `have` taps, where a sequence has no more: a tap that is no number times nothing is none. */
static inline floatv dot_taps(const floatv *taps, const floatv *ring, floatv z, int have) {
    if (have >= K) {
#pragma unroll
        for (int j = 0; j < K; j++)
            z += taps[j] * ring[j];
        return z;
    }
#pragma unroll
    for (int j = 0; j < K; j++)
        if (j < have)
            z += taps[j] * ring[j];
    return z;
}

/* What dz gives the gradients of those taps. */
static inline void add_taps(floatv *dtaps, const floatv *ring, floatv dz, int have) {
#pragma unroll
    for (int j = 0; j < K; j++)
        if (j < have)
            dtaps[j] += dz * ring[j];
}

/* Fills the ring with what lies before position t, so that push(u[t]) makes it whole. */
static inline void warm_up(floatv *ring, const global float *u, int t, int left, int D) {
    for (int j = 0; j < K; j++)
        ring[j] = 0.0f;
    for (int s = max(t - K + 1, 0); s < t; s++)
        push(ring, load_part(u + s * D, left));
}

static inline void put_activation(floatv z, global float *y, int left) {
#if SILU
    floatv e;
    store_out(z * sigmoidv(z, &e), y, left);
#else
    store_out(z, y, left);
#endif
}

/* silu'(z) = s·(1 + z·(1 - s)); past |z| = 85 it is 0 or 1, and z is held there for the product's sake. */
static inline floatv activation_slope(floatv z) {
#if SILU
    floatv e, held;
    const floatv s = sigmoidv_held(z, &e, &held);
    return s * (1.0f + held * (e * s));
#else
    return 1.0f;
#endif
}
