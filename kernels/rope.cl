/* Rotary position embedding (Su et al., 2021), halves paired: (z[i], z[i + Dh/2]) turns by pos·base^(-2i/Dh),
 * pos = rows[r] % T. Angles as in lib/turn.cl. */

#ifndef ROWS
#define ROWS 4 /* rows a work-item owns */
#endif

/* y = x turned by the row's angles; way = -1 turns back. */
kernel void rope_turn(global float *y,                   /* [R,H·Dh] */
                      const global float *x,             /* [R,H·Dh], may be y */
                      const global int *restrict rows,   /* [R], row of [B,T] */
                      const global uint *restrict turns, /* [2,Dh/2]: upper, then lower 32 bits */
                      const global int *count,           /* [1] or NULL */
                      float way, int R, int T, int H, int half_) {
    const int i = get_global_id(0) * LANES, left = LEFT(i, half_);
    const int first = get_global_id(1) * ROWS, last = min(first + ROWS, rows_counted(count, R));
    if (i >= half_ || first >= last)
        return;
    uint upper[LANES], lower[LANES];
#if ALIGNED
    STOREV(*(const global uintv *)(turns + i), upper);
    STOREV(*(const global uintv *)(turns + half_ + i), lower);
#else
    for (int l = 0; l < LANES; l++) {
        upper[l] = l < left ? turns[i + l] : 0;
        lower[l] = l < left ? turns[half_ + i + l] : 0;
    }
#endif
    for (int r = first; r < last; r++) {
        const uint pos = rows[r] % T;
        floatv sine, cosine;
        sin_cos_turn(turns_at(pos, upper, lower), &sine, &cosine);
        sine *= way;
        for (int h = 0; h < H; h++) {
            const int at = (r * H + h) * 2 * half_ + i;
            const floatv a = load_part(x + at, left), b = load_part(x + at + half_, left);
            store_part(a * cosine - b * sine, y + at, left);
            store_part(a * sine + b * cosine, y + at + half_, left);
        }
    }
}
