/* Mask → stable list of the routed rows of every sequence: count a tile, scan the counts, place. No atomics,
 * so the list is the same every time. */

#ifndef TILE
#define TILE 4096 /* positions that one work-item counts and places */
#endif

/* Grid: B · tiles. */
kernel void route_compact_count(global int *restrict counts, /* [B,tiles] routed positions of a tile */
                                global int *restrict lasts,  /* [B,tiles] the last of them, −1 for none */
                                const global uchar *restrict mask /* [B,T] */, int B, int T, int tiles) {
    const int item = get_global_id(0), b = item / tiles, t0 = item % tiles * TILE, t1 = min(T, t0 + TILE);
    if (b >= B)
        return;
    const global uchar *m = mask + b * T;
    int count = 0, last = -1, t = t0;
    for (; t + 16 <= t1; t += 16) {
        const uchar16 v = vload16(0, m + t);
        const ulong2 any = as_ulong2(v);
        if ((any.x | any.y) == 0)
            continue;
        for (int i = 0; i < 16; i++)
            if (m[t + i]) {
                count++;
                last = t + i;
            }
    }
    for (; t < t1; t++)
        if (m[t]) {
            count++;
            last = t;
        }
    counts[item] = count;
    lasts[item] = last;
}

/* Counts become offsets. One work-item: there are few tiles. */
kernel void route_compact_scan(global int *restrict start, /* [B+1] */
                               global int *restrict last,  /* [B] */
                               global int *restrict counts /* [B,tiles] */, const global int *restrict lasts,
                               int B, int tiles) {
    if (get_global_id(0) > 0)
        return;
    int at = 0;
    for (int b = 0; b < B; b++) {
        int end = -1;
        start[b] = at;
        for (int i = b * tiles; i < (b + 1) * tiles; i++) {
            const int count = counts[i];
            counts[i] = at;
            at += count;
            end = max(end, lasts[i]);
        }
        last[b] = end;
    }
    start[B] = at;
}

/* Grid: B · tiles. */
kernel void route_compact_place(global int *restrict rows, /* [B·T], the first start[B] are written */
                                global int *restrict slot, /* [B,T] */
                                const global int *restrict offsets, /* [B,tiles] */
                                const global uchar *restrict mask /* [B,T] */, int B, int T, int tiles) {
    const int item = get_global_id(0), b = item / tiles, t0 = item % tiles * TILE, t1 = min(T, t0 + TILE);
    if (b >= B)
        return;
    const global uchar *m = mask + b * T;
    global int *s = slot + b * T;
    int at = offsets[item], t = t0;
    for (; t + 16 <= t1; t += 16) {
        const ulong2 any = as_ulong2(vload16(0, m + t));
        if ((any.x | any.y) == 0) {
            vstore16((int16)(-1), 0, s + t);
            continue;
        }
        for (int i = t; i < t + 16; i++) {
            s[i] = m[i] ? at : -1;
            if (m[i])
                rows[at++] = b * T + i;
        }
    }
    for (; t < t1; t++) {
        s[t] = m[t] ? at : -1;
        if (m[t])
            rows[at++] = b * T + t;
    }
}
