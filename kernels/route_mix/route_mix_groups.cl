/* The two tracks put together where the items of a work-group share a row; built behind lib/group_rows.cl. */

#ifndef ADDED
#define ADDED 0 /* 1: y = (res + c) + g·o, for y = res + c + g·(o − c) */
#endif

/* y = res + c + g·(o − c), or with ADDED the other. o holds a row for every row (slot NULL), or for the
 * routed ones at slot[n]. Grid: groups of `steps` times their rows. */
kernel void route_mix_forward_groups(
    global float *restrict y,         /* [N,D] */
    const global float *restrict res, /* [N,D] */
    const global float *restrict c,   /* [N,D] */
    const global float *restrict o,   /* [R,D], not read where h = 0 and the gate is hard */
    const global float *restrict p,   /* [N] */
    const global uchar *restrict h,   /* [N] */
    const global int *slot,           /* [N] or NULL */
    int steps, int N, int D, int hard) {
    const int first = get_group_id(0) * steps * GROUP_ROWS, last = first + min(N - first, steps * GROUP_ROWS);
    for (int n = first + MY_ROW; n < last; n += GROUP_ROWS) {
        const bool routed = hard && h[n];
        const float g = !hard || routed ? p[n] : 0.0f;
        const int row = routed && slot ? slot[n] : n;
        for (int d = ROW_PLACE(0); d < D; d += ROW_ITEMS * LANES) {
            const floatv before = load_whole(res + n * D + d);
#if ADDED
            floatv sum = before + load_whole(c + n * D + d);
            if (routed)
                sum += load_whole(o + row * D + d);
            else if (!hard)
                sum += g * load_whole(o + n * D + d);
#else
            floatv track;
            if (routed) {
                track = load_whole(o + row * D + d);
            } else {
                track = load_whole(c + n * D + d);
                if (!hard)
                    track += g * (load_whole(o + n * D + d) - track);
            }
            const floatv sum = before + track;
#endif
            /* A routed row whose p is no number was routed for want of a decision: its result is none either.
             */
            store_whole(routed && g != g ? (floatv)(g) : sum, y + n * D + d);
        }
    }
}

/* Where y holds res + c already: y = res + o, with ADDED y + o, for the listed rows alone, those of them that
 * h has. Grid: groups of rows. */
kernel void route_mix_few_groups(global float *y,                 /* [N,D] */
                                 const global float *res,         /* [N,D]; not read with ADDED */
                                 const global float *restrict o,  /* [R,D] */
                                 const global float *p,           /* [N] or NULL */
                                 const global int *restrict rows, /* [R] */
                                 const global uchar *h,           /* [N], or NULL: all of them */
                                 const global int *count,         /* [1] or NULL */
                                 int R, int D) {
    const int r = get_group_id(0) * GROUP_ROWS + MY_ROW;
    if (r >= rows_counted(count, R))
        return;
    const int n = rows[r];
    if (h && !h[n])
        return;
    const float g = p ? p[n] : 0.0f;
    const global float *before = ADDED ? y : res;
    for (int d = ROW_PLACE(0); d < D; d += ROW_ITEMS * LANES)
        store_whole(g != g ? (floatv)(g) : load_whole(before + n * D + d) + load_whole(o + r * D + d),
                    y + n * D + d);
}

/* dc, do and the gate's gradient dp = Σ_d dy·(o − c), with ADDED Σ_d dy·o, for every row whose o is known, 0
 * elsewhere. Grid: groups of `steps` times their rows. */
kernel void route_mix_backward_groups(global float *restrict dc,       /* [N,D] */
                                      global float *restrict dout,     /* [R,D] */
                                      global float *restrict dp,       /* [N] */
                                      const global float *restrict dy, /* [N,D] */
                                      const global float *restrict c,  /* [N,D] */
                                      const global float *restrict o,  /* [R,D] */
                                      const global float *restrict p,  /* [N] */
                                      const global uchar *restrict h,  /* [N] */
                                      const global int *slot,          /* [N] or NULL */
                                      int steps /* ROW_STEPS at most */, int N, int D, int hard) {
    local float parts[ROW_PARTS_FLOATS];
    const int first = get_group_id(0) * steps * GROUP_ROWS, count = min(N - first, steps * GROUP_ROWS);
    for (int s = 0; s * GROUP_ROWS < count; s++) {
        const int i = s * GROUP_ROWS + MY_ROW, n = first + min(i, count - 1);
        const int row = slot ? slot[n] : n;
        const bool routed = hard && h[n], to_o = !hard || routed; /* what is not taken is not read */
        const float g = hard ? (routed ? 1.0f : 0.0f) : p[n];
        floatv dots = 0.0f;
        for (int d = ROW_PLACE(0); i < count && d < D; d += ROW_ITEMS * LANES) {
            const floatv v = load_whole(dy + n * D + d);
            floatv cheap = v;
            if (row >= 0) {
#if ADDED
                dots += v * load_whole(o + row * D + d);
#else
                dots += v * (load_whole(o + row * D + d) - load_whole(c + n * D + d));
                cheap = routed ? (floatv)(0.0f) : (1.0f - g) * v;
#endif
                store_whole(to_o ? g * v : (floatv)(0.0f), dout + row * D + d);
            }
            store_whole(cheap, dc + n * D + d);
        }
        leave_row_part(sumv(dots), parts, s);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int i = get_local_id(0); i < count; i += get_local_size(0))
        dp[first + i] = row_parts_total(parts, i);
}
