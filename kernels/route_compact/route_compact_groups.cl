/* route_compact by work-groups, in two launches, or one where a work-group has all: positions of all
 * sequences lie side by side, and a work-group has some rounds of 4 * GROUP of them, four flags an item. The
 * first launch counts; the second adds up what the work-groups before it have, which takes no scan of its
 * own, and places. No atomics, so the list is the same every time. */

#ifndef GROUP
#define GROUP 256 /* work-items of a work-group, a power of two */
#endif
#ifndef BLOCK
#define BLOCK 1 /* positions of a sequence that are routed together, where any of them is */
#endif

#define ROUND (GROUP * 4)

/* Bit i: is position n + i of the N of all sequences, T each, routed? */
ALWAYS_INLINE uint flags_at(const global uchar *mask, int n, int N, int T) {
    uint bits = 0;
#if BLOCK == 1
    if (n + 4 <= N) {
        const uchar4 four = *(const global uchar4 *)(mask + n);
        return (four.s0 ? 1u : 0u) | (four.s1 ? 2u : 0u) | (four.s2 ? 4u : 0u) | (four.s3 ? 8u : 0u);
    }
    for (int i = 0; i < 4 && n + i < N; i++)
        bits |= mask[n + i] ? 1u << i : 0u;
#else
    uint some = 0;
    for (int i = 0; i < 4 && n + i < N; i++) {
        const int t = (n + i) % T;
        if (i == 0 || t % BLOCK == 0) {
            const int from = t / BLOCK * BLOCK, to = min(T, from + BLOCK);
            const global uchar *own = mask + (n + i - t);
            some = 0;
            for (int j = from; j < to && !some; j++)
                some = own[j] ? 1u : 0u;
        }
        bits |= some << i;
    }
#endif
    return bits;
}

/* The last of those positions, -1 for none. */
ALWAYS_INLINE int last_of(uint bits, int n) {
    return bits ? n + 31 - (int)clz(bits) : -1;
}

/* *sum and *most become those of the items up to this one; all of them stand in row `result` of the arrays.
 */
ALWAYS_INLINE int scan_items(local int (*sums)[GROUP], local int (*mosts)[GROUP], int *sum, int *most) {
    const int item = get_local_id(0);
    int at = 0;
    barrier(CLK_LOCAL_MEM_FENCE);
    sums[0][item] = *sum;
    mosts[0][item] = *most;
    for (int reach = 1; reach < GROUP; reach *= 2, at ^= 1) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (item >= reach) {
            *sum += sums[at][item - reach];
            *most = max(*most, mosts[at][item - reach]);
        }
        sums[at ^ 1][item] = *sum;
        mosts[at ^ 1][item] = *most;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    return at;
}

/* Grid: work-groups of `rounds` rounds. */
kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void route_compact_count_groups(
    global int *restrict counts, /* [work-groups] routed positions */
    global int *restrict lasts,  /* [work-groups] the last of them, -1 for none */
    const global uchar *restrict mask /* [B,T] */, int B, int T, int rounds) {
    const int item = get_local_id(0), group = get_group_id(0), N = B * T;
    local int sums[2][GROUP], mosts[2][GROUP];
    int sum = 0, most = -1;
    for (int r = 0; r < rounds; r++) {
        const int n = (group * rounds + r) * ROUND + item * 4;
        const uint bits = flags_at(mask, n, N, T);
        sum += popcount(bits);
        most = max(most, last_of(bits, n));
    }
    scan_items(sums, mosts, &sum, &most);
    if (item == GROUP - 1) {
        counts[group] = sum;
        lasts[group] = most;
    }
}

/* The same grid. */
kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void route_compact_place_groups(
    global int *restrict rows,         /* [B·T], the first start[B] are written */
    global int *restrict start,        /* [B+1] */
    global int *restrict slot,         /* [B,T] */
    global int *restrict last,         /* [B] */
    const global int *restrict counts, /* not read by the first work-group */
    const global int *restrict lasts, const global uchar *restrict mask, int B, int T, int rounds) {
    const int item = get_local_id(0), group = get_group_id(0), N = B * T;
    local int sums[2][GROUP], mosts[2][GROUP], list[ROUND];
    int at = 0, latest = -1;
    for (int i = item; i < group; i += GROUP) {
        at += counts[i];
        latest = max(latest, lasts[i]);
    }
    int row = scan_items(sums, mosts, &at, &latest);
    at = sums[row][GROUP - 1];
    latest = mosts[row][GROUP - 1];
    for (int r = 0; r < rounds; r++) {
        const int n = (group * rounds + r) * ROUND + item * 4;
        const uint bits = flags_at(mask, n, N, T);
        const int own = popcount(bits);
        int next = own, seen = last_of(bits, n), slots[4];
        row = scan_items(sums, mosts, &next, &seen);
        const int all_of_round = sums[row][GROUP - 1];
        next = at + next - own;
        seen = max(latest, item > 0 ? mosts[row][item - 1] : -1);
        int b = n / T, t = n - b * T;
        UNROLL for (int i = 0; i < 4; i++) {
            const int routed = bits >> i & 1u, inside = n + i < N;
            slots[i] = routed ? next : -1;
            if (inside && t == 0)
                start[b] = next;
            if (routed) {
                list[next - at] = seen = n + i;
                next++;
            }
            if (inside && t == T - 1)
                last[b] = seen >= b * T ? seen - b * T : -1;
            if (n + i == N - 1)
                start[B] = next;
            t++;
            b += t == T;
            t = t == T ? 0 : t;
        }
        if (n + 4 <= N)
            *(global int4 *)(slot + n) = (int4)(slots[0], slots[1], slots[2], slots[3]);
        else
            UNROLL for (int i = 0; i < 4; i++) if (n + i < N) slot[n + i] = slots[i];
        latest = max(latest, mosts[row][GROUP - 1]);
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int i = item; i < all_of_round; i += GROUP)
            rows[at + i] = list[i];
        at += all_of_round;
    }
}
