/* The k largest p of each sequence, an earlier position winning a tie: radix select on the bits of p, which
 * order as unsigned numbers because p is not negative; a NaN of any bits is above every number. Four digits
 * of eight bits; after each the digit of the k-th largest value is known, and how many of the values that
 * share its digits so far are taken. A short sequence is one work-item's, from end to end; a long one is cut
 * into tiles: count and pick for each digit, then mark. Counts are a work-item's own, so there are no
 * atomics. */

#ifndef TILE
#define TILE 16384 /* positions that one work-item counts and marks */
#endif
#ifndef WAYS
#define WAYS                                                                                                 \
    4 /* tables a work-item counts in by turns, so that equal digits in a row do not wait for each other */
#endif

/* Unsigned: every NaN, of either sign, as the least of them. Both operands are of one type: Oclgrind 21.10
 * takes a scalar beside a vector for its first element alone. */
#define ORDER(bits)   min(bits, 0x7f800001u)
#define ORDER16(bits) min(bits, (uint16)(0x7f800001u))

/* counts[WAYS][256] of the digit at `shift`, among the values whose bits under `known` are `prefix`. */
static inline void count_digits(const global float *x, int n, uint known, uint prefix, int shift,
                                private int *counts) {
    int t = 0;
    for (int i = 0; i < WAYS * 256; i++)
        counts[i] = 0;
    for (; t + 16 <= n; t += 16) {
        const int16 shared = (ORDER16(as_uint16(vload16(0, x + t))) & known) == prefix;
        if (!any(shared))
            continue;
        for (int i = 0; i < 16; i++) {
            const uint bits = ORDER(as_uint(x[t + i]));
            counts[i % WAYS * 256 + ((bits >> shift) & 255u)] += (bits & known) == prefix ? 1 : 0;
        }
    }
    for (; t < n; t++) {
        const uint bits = ORDER(as_uint(x[t]));
        counts[(bits >> shift) & 255u] += (bits & known) == prefix ? 1 : 0;
    }
    for (int i = 256; i < WAYS * 256; i++)
        counts[i & 255] += counts[i];
}

/* Values above `least` and the first `ties` of those that are equal to it. */
static inline void mark(global uchar *m, const global float *x, int n, uint least, int ties) {
    int t = 0;
    for (; t + 16 <= n; t += 16) {
        const uint16 bits = ORDER16(as_uint16(vload16(0, x + t)));
        vstore16(convert_uchar16(bits > least) & (uchar16)(1), 0, m + t);
        if (ties == 0 || !any(bits == least))
            continue;
        for (int i = t; i < t + 16; i++)
            if (ties > 0 && ORDER(as_uint(x[i])) == least) {
                m[i] = 1;
                ties--;
            }
    }
    for (; t < n; t++) {
        const uint bits = ORDER(as_uint(x[t]));
        const int tie = bits == least && ties > 0;
        m[t] = bits > least || tie ? 1 : 0;
        ties -= tie;
    }
}

/* T ≤ TILE. Grid: B. */
kernel void route_capacity_short(global uchar *restrict mask, /* [B,T] */
                                 const global float *restrict p /* [B,T], each in 0..1 */, int B, int T,
                                 int k) {
    const int b = get_global_id(0);
    if (b >= B)
        return;
    uint prefix = 0;
    int need = k, counts[WAYS * 256];
    for (int shift = 24; shift >= 0; shift -= 8) {
        count_digits(p + b * T, T, shift == 24 ? 0u : 0xffffffffu << (shift + 8), prefix, shift, counts);
        int digit = 255;
        while (digit > 0 && counts[digit] < need)
            need -= counts[digit--];
        prefix |= (uint)digit << shift;
    }
    mark(mask + b * T, p + b * T, T, prefix, need);
}

/* Grid: tiles × B. */
kernel void route_capacity_count(global int *restrict counts,       /* [B,tiles,256] */
                                 const global uint *restrict found, /* [B,2] not read for the first digit */
                                 const global float *restrict p /* [B,T] */, int B, int T, int tiles,
                                 int shift) {
    const int tile = get_global_id(0), b = get_global_id(1), t0 = tile * TILE;
    if (tile >= tiles || b >= B)
        return;
    const bool first = shift == 24;
    int own[WAYS * 256];
    count_digits(p + b * T + t0, min(TILE, T - t0), first ? 0u : 0xffffffffu << (shift + 8),
                 first ? 0u : found[b * 2], shift, own);
    global int *row = counts + (b * tiles + tile) * 256;
    for (int i = 0; i < 256; i++)
        row[i] = own[i];
}

/* The next digit of each sequence's k-th largest value; behind the last one, how many ties each tile takes.
 * One work-group a sequence. */
kernel void route_capacity_pick(
    global uint *restrict found,       /* [B,2] digits so far, values still to be taken */
    global int *restrict take,         /* [B,tiles] written for the last digit */
    const global int *restrict counts, /* [B,tiles,256] */
    local int *restrict sums,          /* [256] */
    int B, int tiles, int k, int shift) {
    const int b = get_group_id(0), item = get_local_id(0), items = get_local_size(0);
    const global int *rows = counts + b * tiles * 256;
    for (int i = item; i < 256; i += items) {
        int sum = 0;
        for (int tile = 0; tile < tiles; tile++)
            sum += rows[tile * 256 + i];
        sums[i] = sum;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (item > 0)
        return;
    int need = shift == 24 ? k : (int)found[b * 2 + 1], digit = 255;
    while (digit > 0 && sums[digit] < need)
        need -= sums[digit--];
    found[b * 2] = (shift == 24 ? 0u : found[b * 2]) | (uint)digit << shift;
    found[b * 2 + 1] = (uint)need;
    for (int tile = 0; shift == 0 && tile < tiles; tile++) {
        const int ties = rows[tile * 256 + digit], taken = ties < need ? ties : need;
        take[b * tiles + tile] = taken;
        need -= taken;
    }
}

/* Grid: tiles × B. */
kernel void route_capacity_mark(global uchar *restrict mask,       /* [B,T] */
                                const global uint *restrict found, /* [B,2] */
                                const global int *restrict take,   /* [B,tiles] */
                                const global float *restrict p /* [B,T] */, int B, int T, int tiles) {
    const int tile = get_global_id(0), b = get_global_id(1), t0 = tile * TILE;
    if (tile < tiles && b < B)
        mark(mask + b * T + t0, p + b * T + t0, min(TILE, T - t0), found[b * 2], take[b * tiles + tile]);
}
