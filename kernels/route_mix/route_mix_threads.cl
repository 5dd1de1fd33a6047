/* The two tracks of a layer put together: y = res + c + g·(o − c), g = p while the gate is soft, h when it is
 * hard. A hard gate selects, so that a row's bits are those of its track alone. With ADDED y = (res + c) +
 * g·o: a routed row has both. A work-item owns ROWS rows. */

#ifndef ROWS
#define ROWS 16 /* rows a work-item owns */
#endif
#ifndef ADDED
#define ADDED 0
#endif

/* A row's tracks behind what came before, by a soft gate; what is in c's place of a routed row. */
#if ADDED
#define MIXED(before, cheap, o, g) ((before) + (cheap) + (g) * (o))
#define ROUTED(before, cheap, o)   ((before) + (cheap) + (o))
#define WORTH(o, cheap)            (o)  /* of the gate, to y */
#define CHEAP_SHARE(g)             1.0f /* of c in y */
#else
#define MIXED(before, cheap, o, g) ((before) + ((cheap) + (g) * ((o) - (cheap))))
#define ROUTED(before, cheap, o)   ((before) + (o))
#define WORTH(o, cheap)            ((o) - (cheap))
#define CHEAP_SHARE(g)             (1.0f - (g))
#endif

/* A routed row whose p is no number was routed for want of a decision: its result is none either. */
static inline void spoil(global float *y, float p, int D) {
    for (int d = 0; p != p && d < D; d++)
        y[d] = p;
}

/* o holds a row for every row (slot NULL), or for the routed ones at slot[n]. */
kernel void route_mix_forward(
    global float *restrict y,         /* [N,D] */
    const global float *restrict res, /* [N,D] */
    const global float *restrict c,   /* [N,D] */
    const global float *restrict o,   /* [R,D], not read where h = 0 and the gate is hard */
    const global float *restrict p,   /* [N] */
    const global uchar *restrict h,   /* [N] */
    const global int *slot,           /* [N] or NULL */
    int N, int D, int hard) {
    const int first = get_global_id(0) * ROWS, last = min(N, first + ROWS);
    for (int n = first; n < last; n++) {
        const int at = n * D;
        int d = 0;
        if (!hard) {
            const float g = p[n];
            for (; d + 16 <= D; d += 16) {
                const float16 cheap = vload16(0, c + at + d), far = vload16(0, o + at + d);
                vstore16(MIXED(vload16(0, res + at + d), cheap, far, g), 0, y + at + d);
            }
            for (; d < D; d++)
                y[at + d] = MIXED(res[at + d], c[at + d], o[at + d], g);
            continue;
        }
        if (!h[n]) {
            for (; d + 16 <= D; d += 16)
                vstore16(vload16(0, res + at + d) + vload16(0, c + at + d), 0, y + at + d);
            for (; d < D; d++)
                y[at + d] = res[at + d] + c[at + d];
            continue;
        }
        const global float *far = o + (slot ? slot[n] : n) * D;
        for (; d + 16 <= D; d += 16)
            vstore16(ROUTED(vload16(0, res + at + d), vload16(0, c + at + d), vload16(0, far + d)), 0,
                     y + at + d);
        for (; d < D; d++)
            y[at + d] = ROUTED(res[at + d], c[at + d], far[d]);
        spoil(y + at, p[n], D);
    }
}

/* Where y holds res + c already: y = res + o, with ADDED y + o, for the listed rows alone, those of them that
 * h has. Grid: R. */
kernel void route_mix_few(global float *y,                 /* [N,D] */
                          const global float *res,         /* [N,D]; not read with ADDED */
                          const global float *restrict o,  /* [R,D] */
                          const global float *p,           /* [N] or NULL */
                          const global int *restrict rows, /* [R] */
                          const global uchar *h,           /* [N], or NULL: all of them */
                          const global int *count,         /* [1] or NULL */
                          int R, int D) {
    const int r = get_global_id(0);
    if (r >= rows_counted(count, R) || (h && !h[rows[r]]))
        return;
    const int at = rows[r] * D;
    const global float *before = ADDED ? y : res;
    int d = 0;
    for (; d + 16 <= D; d += 16)
        vstore16(vload16(0, before + at + d) + vload16(0, o + r * D + d), 0, y + at + d);
    for (; d < D; d++)
        y[at + d] = before[at + d] + o[r * D + d];
    if (p)
        spoil(y + at, p[rows[r]], D);
}

/* dc, do and the gate's gradient dp = Σ_d dy·(o − c), with ADDED Σ_d dy·o: straight-through, so with a hard
 * gate too, for every row whose o is known. */
kernel void route_mix_backward(global float *restrict dc,       /* [N,D] */
                               global float *restrict dout,     /* [R,D] */
                               global float *restrict dp,       /* [N] */
                               const global float *restrict dy, /* [N,D] */
                               const global float *restrict c,  /* [N,D] */
                               const global float *restrict o,  /* [R,D] */
                               const global float *restrict p,  /* [N] */
                               const global uchar *restrict h,  /* [N] */
                               const global int *slot,          /* [N] or NULL */
                               int N, int D, int hard) {
    const int first = get_global_id(0) * ROWS, last = min(N, first + ROWS);
    for (int n = first; n < last; n++) {
        const int at = n * D, row = slot ? slot[n] : n;
        const bool to_c = ADDED || !hard || !h[n], to_o = !hard || h[n]; /* what is not taken is not read */
        const float g = hard ? (h[n] ? 1.0f : 0.0f) : p[n];
        float16 dots = 0.0f;
        float tail = 0.0f;
        int d = 0;
        if (row < 0) {
            for (; d + 16 <= D; d += 16)
                vstore16(vload16(0, dy + at + d), 0, dc + at + d);
            for (; d < D; d++)
                dc[at + d] = dy[at + d];
            dp[n] = 0.0f;
            continue;
        }
        for (; d + 16 <= D; d += 16) {
            const float16 v = vload16(0, dy + at + d);
            dots += v * WORTH(vload16(0, o + row * D + d), vload16(0, c + at + d));
            vstore16(to_o ? g * v : (float16)(0.0f), 0, dout + row * D + d);
            vstore16(to_c ? CHEAP_SHARE(g) * v : (float16)(0.0f), 0, dc + at + d);
        }
        for (; d < D; d++) {
            const float v = dy[at + d];
            tail += v * WORTH(o[row * D + d], c[at + d]);
            dout[row * D + d] = to_o ? g * v : 0.0f;
            dc[at + d] = to_c ? CHEAP_SHARE(g) * v : 0.0f;
        }
        dp[n] = sum16(dots) + tail;
    }
}
