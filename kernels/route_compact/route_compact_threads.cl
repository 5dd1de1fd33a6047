/* Mask → stable list of the routed rows of every sequence: count a tile, scan the counts, place. No atomics,
 * so the list is the same every time. Where routing is rounded to blocks, a pass before that widens the mask.
 * Grids are tiles × B: an index split by / and % becomes an instruction that Oclgrind does not know. */

#ifndef TILE
#define TILE 4096 /* positions that one work-item counts and places; a multiple of 16, at most 2^19 */
#endif

#ifndef BLOCK
#define BLOCK 16 /* positions that are routed together or not at all */
#endif

/* Rounds routing to blocks: one with a routed position becomes routed whole. An item has as many blocks as a
 * tile has room for. */
kernel void route_compact_widen(global uchar *restrict wide /* [B,T] */,
                                const global uchar *restrict mask /* [B,T] */, int B, int T, int items) {
    const int item = get_global_id(0), b = get_global_id(1), share = max(1, TILE / BLOCK) * BLOCK;
    if (item >= items || b >= B)
        return;
    const int end = min(T, (item + 1) * share);
    for (int t0 = item * share; t0 < end; t0 += BLOCK) {
        const int t1 = min(end, t0 + BLOCK);
        uchar some = 0;
        for (int t = t0; t < t1; t++)
            some |= mask[b * T + t];
        for (int t = t0; t < t1; t++)
            wide[b * T + t] = some;
    }
}

kernel void route_compact_count(global int *restrict counts, /* [B,tiles] routed positions of a tile */
                                global int *restrict lasts,  /* [B,tiles] the last of them, −1 for none */
                                const global uchar *restrict mask /* [B,T] */, int B, int T, int tiles) {
    const int tile = get_global_id(0), b = get_global_id(1), t0 = tile * TILE, t1 = min(T, t0 + TILE);
    if (tile >= tiles || b >= B)
        return;
    const global uchar *m = mask + b * T;
    short16 hits = 0, latest = -1; /* a lane: routed positions; the last vector with one */
    int t = t0, number = 0;
    for (; t + 16 <= t1; t += 16, number++) {
        const short16 routed = convert_short16(vload16(0, m + t) != (uchar16)(0));
        hits -= routed;
        latest = (routed & (short)number) | (~routed & latest);
    }
    short hit[16], late[16];
    vstore16(hits, 0, hit);
    vstore16(latest, 0, late);
    int count = 0, last = -1;
    for (int i = 0; i < 16; i++) {
        const int position = t0 + late[i] * 16 + i;
        count += hit[i];
        last = late[i] >= 0 && position > last ? position : last;
    }
    for (; t < t1; t++)
        if (m[t]) {
            count++;
            last = t;
        }
    counts[b * tiles + tile] = count;
    lasts[b * tiles + tile] = last;
}

/* Counts become offsets, one work-group: each item adds up a run of tiles, then knows what stands before it.
 */
kernel void route_compact_scan(global int *restrict start,       /* [B+1] */
                               global int *restrict last,        /* [B] */
                               global int *restrict counts,      /* [B,tiles] */
                               const global int *restrict lasts, /* [B,tiles] */
                               local int *restrict sums, int B, int tiles) {
    const int item = get_local_id(0), items = get_local_size(0), total = B * tiles;
    const int run = (total + items - 1) / items, from = min(total, item * run), to = min(total, from + run);
    int sum = 0, at = 0;
    for (int i = from; i < to; i++)
        sum += counts[i];
    sums[item] = sum;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int i = 0; i < item; i++)
        at += sums[i];
    for (int i = from; i < to; i++) {
        const int count = counts[i];
        counts[i] = at;
        at += count;
    }
    if (item == items - 1)
        start[B] = at;
    barrier(CLK_GLOBAL_MEM_FENCE);
    for (int b = item; b < B; b += items) {
        int tile = tiles - 1;
        while (tile > 0 && lasts[b * tiles + tile] < 0)
            tile--;
        last[b] = lasts[b * tiles + tile];
        start[b] = counts[b * tiles];
    }
}

#define ALL_BYTES 0x0101010101010101ul /* times x: each byte the sum of x's bytes up to it */

/* Four flags as the bits of a number: the positions of those set, in order. */
constant int4 set_of[16] = {(int4)(0),          (int4)(0),          (int4)(1),          (int4)(0, 1, 0, 0),
                            (int4)(2),          (int4)(0, 2, 0, 0), (int4)(1, 2, 0, 0), (int4)(0, 1, 2, 0),
                            (int4)(3),          (int4)(0, 3, 0, 0), (int4)(1, 3, 0, 0), (int4)(0, 1, 3, 0),
                            (int4)(2, 3, 0, 0), (int4)(0, 2, 3, 0), (int4)(1, 2, 3, 0), (int4)(0, 1, 2, 3)};

/* 16 at any int's address in one instruction: vstore16 becomes several on some CPUs. */
typedef int16 int16_near __attribute__((aligned(4)));
static inline void put16(int16 v, global int *p) {
    *(global int16_near *)p = v;
}

/* Positions t0 … t1 − 1 of sequence b: slots, and rows from place `at` on. Returns the next place; *last: the
 * last routed position, left alone where there is none. From place `end` on rows are another item's. */
static inline int place(global int *rows, global int *s, const global uchar *m, int t0, int t1, int row0,
                        int at, int end, int *last) {
    int t = t0, hit = -1;
    for (; t + 16 <= t1; t += 16) {
        const uchar16 flags = vload16(0, m + t);
        const ulong2 some = as_ulong2(flags);
        if ((some.x | some.y) == 0) {
            put16((int16)(-1), s + t);
            continue;
        }
        hit = t;
        /* Prefix sums of 16 flags without a branch or a chain of 16 additions: multiplying by ALL_BYTES
         * adds to each byte all bytes below it (little-endian). A store of four may write past the last
         * routed row of the block; the next store overwrites that. */
        const uchar16 routed = as_uchar16(flags != (uchar16)(0));
        const ulong2 one = as_ulong2(routed & (uchar16)(1));
        const ulong low = one.x * ALL_BYTES, high = one.y * ALL_BYTES + (low >> 56) * ALL_BYTES;
        const int16 upto = convert_int16(as_uchar16((ulong2)(low, high)));
        put16((upto + (at - 1)) | ~convert_int16(as_char16(routed)), s + t);
        const int row = row0 + t;
        if (at + 16 <= end) {
            const uint4 four =
                as_uint4(routed & (uchar16)(1, 2, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8)) * 0x01010101u >>
                24;
            global int *const to = rows + at;
            vstore4(set_of[four.x] + row, 0, to);
            vstore4(set_of[four.y] + (row + 4), 0, to + upto.s3);
            vstore4(set_of[four.z] + (row + 8), 0, to + upto.s7);
            vstore4(set_of[four.w] + (row + 12), 0, to + upto.sb);
        } else {
            for (int i = 0, to = at; i < 16; i++)
                if (m[t + i])
                    rows[to++] = row + i;
        }
        at += upto.sf;
    }
    if (hit >= 0)
        for (int i = 0; i < 16; i++)
            *last = m[hit + i] ? hit + i : *last;
    for (; t < t1; t++) {
        s[t] = m[t] ? at : -1;
        if (m[t]) {
            *last = t;
            rows[at++] = row0 + t;
        }
    }
    return at;
}

kernel void route_compact_place(global int *restrict rows, /* [B·T], the first start[B] are written */
                                global int *restrict slot, /* [B,T] */
                                const global int *restrict offsets, /* [B,tiles] */
                                const global int *restrict start,   /* [B+1] */
                                const global uchar *restrict mask /* [B,T] */, int B, int T, int tiles) {
    const int tile = get_global_id(0), b = get_global_id(1), t0 = tile * TILE, t1 = min(T, t0 + TILE);
    const int number = b * tiles + tile;
    int last = -1; /* route_compact_scan knows it */
    if (tile < tiles && b < B)
        place(rows, slot + b * T, mask + b * T, t0, t1, b * T, offsets[number],
              number + 1 < B * tiles ? offsets[number + 1] : start[B], &last);
}

/* All in one item, one launch instead of three: for few positions. */
kernel void route_compact_single(global int *restrict rows, global int *restrict start /* [B+1] */,
                                 global int *restrict slot, global int *restrict last /* [B] */,
                                 const global uchar *restrict mask, int B, int T) {
    int at = 0, end = 0;
    if (get_global_id(0) != 0)
        return;
    int i = 0;
    int16 hits = 0;
    for (; i + 16 <= B * T; i += 16)
        hits -= convert_int16(as_char16(vload16(0, mask + i) != (uchar16)(0)));
    for (; i < B * T; i++)
        end += mask[i] != 0;
    int hit[16];
    vstore16(hits, 0, hit);
    for (int l = 0; l < 16; l++)
        end += hit[l];
    for (int b = 0; b < B; b++) {
        int latest = -1;
        start[b] = at;
        at = place(rows, slot + b * T, mask + b * T, 0, T, b * T, at, end, &latest);
        last[b] = latest;
    }
    start[B] = at;
}

/* What the global track needs of keys: of each sequence all positions up to its last routed one, packed one
 * sequence behind the other. And the two counts, where no host reads them. Grid: T × B. */
kernel void route_compact_keys(global int *restrict kv_start, /* [B+1] */
                               global int *restrict kv_rows,  /* [B·T]; what lies past kv_start[B] is left */
                               global int *restrict rows_count,  /* [1] start[B] */
                               global int *restrict keys_count,  /* [1] kv_start[B] */
                               const global int *restrict start, /* [B+1] */
                               const global int *restrict last,  /* [B] */
                               int B, int T) {
    const int t = get_global_id(0), b = get_global_id(1);
    int at = 0;
    if (t >= T || b >= B || (t > 0 && t > last[b]))
        return;
    for (int i = 0; i < b; i++)
        at += last[i] + 1;
    if (t <= last[b])
        kv_rows[at + t] = b * T + t;
    if (t > 0)
        return;
    kv_start[b] = at;
    if (b == B - 1) {
        kv_start[B] = keys_count[0] = at + last[b] + 1;
        rows_count[0] = start[B];
    }
}
