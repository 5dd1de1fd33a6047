/* The k largest p of each sequence, an earlier position winning a tie, by a work-group a sequence: radix
 * select on the bits of p as in route_capacity_threads.cl, by eight digits of four bits. An item counts its
 * own values, 16 counters in four words; the counts of all items are added up in local memory, so there are
 * no atomics. A digit whose values are all taken ends the search. */

#ifndef GROUP
#define GROUP 256 /* work-items of a sequence: a power of two, 16 at least */
#endif
#ifndef HELD
#define HELD 4 /* vectors of a sequence that an item keeps in registers; 0: read anew for each digit */
#endif

#define DIGITS 16
#define PARTS  (GROUP / DIGITS)
#define WIDE   (GROUP + 32)  /* counters of a digit, 16 banks on from those of the one before */
#define MOST   (252 / LANES) /* vectors until a counter of eight bits might overflow */

/* Unsigned: a NaN, of either sign, is above every number. Past the end: above all that are. */
#define ORDER(x) min(as_uint(x), 0x7f800001u)
#define NONE     0xffffffffu

ALWAYS_INLINE void load_keys(uint *keys, const global float *p, int t, int T) {
    float values[LANES];
    if (t >= T) {
        UNROLL for (int l = 0; l < LANES; l++) keys[l] = NONE;
        return;
    }
    STOREV(load_whole(p + t), values);
    UNROLL for (int l = 0; l < LANES; l++) keys[l] = ORDER(values[l]);
}

/* Counts digits at `shift` of the keys whose bits under `known` are `prefix`. */
ALWAYS_INLINE void tally(uint *packed, const uint *keys, uint known, uint prefix, int shift) {
    UNROLL for (int l = 0; l < LANES; l++) {
        const uint digit = (keys[l] >> shift) & 15u;
        const uint one = (keys[l] & known) == prefix ? 1u << (digit & 3u) * 8u : 0u;
        UNROLL for (uint w = 0; w < 4; w++) packed[w] += digit >> 2 == w ? one : 0u;
    }
}

ALWAYS_INLINE void put_counts(local ushort (*counts)[WIDE], uint *packed) {
    UNROLL for (int d = 0; d < DIGITS; d++) counts[d][get_local_id(0)] += packed[d / 4] >> d % 4 * 8 & 255u;
    UNROLL for (int w = 0; w < 4; w++) packed[w] = 0;
}

/* The sum of each digit over all items: that of digit d in parts[d * PARTS]. */
ALWAYS_INLINE void sum_counts(local uint *parts, local ushort (*counts)[WIDE]) {
    const int item = get_local_id(0), digit = item / PARTS, part = item % PARTS;
    uint sum = 0;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int i = part * 2; i < GROUP; i += 2 * PARTS)
        sum += counts[digit][i] + counts[digit][i + 1];
    parts[item] = sum;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int n = PARTS / 2; n > 0; n /= 2) {
        if (part < n)
            parts[item] += parts[item + n];
        barrier(CLK_LOCAL_MEM_FENCE);
    }
}

/* The sum of v over the items before this one, and over all. */
ALWAYS_INLINE int sum_before(local int (*sums)[GROUP], int v, int *total) {
    const int item = get_local_id(0);
    int at = 0;
    barrier(CLK_LOCAL_MEM_FENCE);
    sums[0][item] = v;
    for (int reach = 1; reach < GROUP; reach *= 2, at ^= 1) {
        barrier(CLK_LOCAL_MEM_FENCE);
        sums[at ^ 1][item] = sums[at][item] + (item >= reach ? sums[at][item - reach] : 0);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    *total = sums[at][GROUP - 1];
    return sums[at][item] - v;
}

/* Keys from `least` on are taken, and of those that are equal to `tied` as many as `ties` says. */
ALWAYS_INLINE void mark(global uchar *mask, const uint *keys, int t, int T, uint least, uint tied, int ties) {
    uchar flags[LANES];
    if (t >= T)
        return;
    UNROLL for (int l = 0; l < LANES; l++) {
        const int tie = keys[l] == tied && ties > 0;
        flags[l] = keys[l] >= least || tie ? 1 : 0;
        ties -= tie;
    }
#if LANES == 4
    *(global uint *)(mask + t) = as_uint((uchar4)(flags[0], flags[1], flags[2], flags[3]));
#else
    UNROLL for (int l = 0; l < LANES; l++) mask[t + l] = flags[l];
#endif
}

/* Grid: a work-group a sequence. */
kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void route_capacity_groups(
    global uchar *restrict mask /* [B,T] */, const global float *restrict p /* [B,T], each in 0..1 */, int T,
    int k) {
    const int item = get_local_id(0) * LANES, b = get_group_id(0), stride = GROUP * LANES;
    local ushort counts[DIGITS][WIDE];
    local uint parts[GROUP];
    local int sums[2][GROUP];
    const global float *own = p + b * T;
    uint prefix = 0, known = 0x80000000u; /* no key has that bit, NONE has */
    int need = k, whole = 0;
#if HELD
    uint held[HELD][LANES];
    UNROLL for (int q = 0; q < HELD; q++) load_keys(held[q], own, q * stride + item, T);
#endif
    for (int shift = 28; shift >= 0 && !whole; shift -= 4) {
        uint packed[4] = {0, 0, 0, 0};
        int digit = DIGITS - 1;
        UNROLL for (int d = 0; d < DIGITS; d++) counts[d][get_local_id(0)] = 0;
#if HELD
        UNROLL for (int q = 0; q < HELD; q++) tally(packed, held[q], known, prefix, shift);
#else
        for (int t = item, n = 1; t < T; t += stride, n++) {
            uint keys[LANES];
            load_keys(keys, own, t, T);
            tally(packed, keys, known, prefix, shift);
            if (n % MOST == 0)
                put_counts(counts, packed);
        }
#endif
        put_counts(counts, packed);
        sum_counts(parts, counts);
        while (digit > 0 && (int)parts[digit * PARTS] < need)
            need -= parts[digit-- * PARTS];
        whole = (int)parts[digit * PARTS] == need;
        prefix |= (uint)digit << shift;
        known |= 15u << shift;
        barrier(CLK_LOCAL_MEM_FENCE);
    }
#if HELD
    if (whole) {
        UNROLL for (int q = 0; q < HELD; q++) mark(mask + b * T, held[q], q * stride + item, T, prefix, 0, 0);
        return;
    }
#endif
    for (int t = item; t - item < T; t += stride) {
        uint keys[LANES];
        load_keys(keys, own, t, T);
        if (whole) {
            mark(mask + b * T, keys, t, T, prefix, 0, 0);
            continue;
        }
        int ties = 0, here;
        UNROLL for (int l = 0; l < LANES; l++) ties += keys[l] == prefix;
        const int before = sum_before(sums, ties, &here);
        mark(mask + b * T, keys, t, T, prefix + 1, prefix, need - before);
        need -= here;
    }
}
