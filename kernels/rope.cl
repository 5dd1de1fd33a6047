/* Rotary position embedding (Su et al., 2021), halves paired: (z[i], z[i + Dh/2]) turns by pos·base^(-2i/Dh),
 * pos = rows[r] % T. Angles are fractions of a turn in fixed point: the host gives turns a position as 64
 * bits behind the point, and the 32 upper bits of pos times that, kept modulo one turn, are exact for every
 * position. fp32 comes in only after the nearest quarter turn has been taken off. */

#ifndef ROWS
#define ROWS 4 /* rows a work-item owns */
#endif

/* sin and cos of the angle `turn`·2^-32 turns. Polynomials of the Cephes library's sinf and cosf (Moshier) on
 * ±1/8 turn. */
static inline void sin_cos_turn(uintv turn, floatv *sine, floatv *cosine) {
    /* Unsigned: it wraps past the last half quarter, and a compiler may take it that a signed sum never does.
     */
    const uintv quarter = (turn + 0x20000000u) >> 30;
    const floatv r = CONVERT_FLOATV(AS_INTV(turn - (quarter << 30))) * 1.46291807926716e-9f; /* 2π·2^-32 */
    const floatv square = r * r;
    floatv s = square * -1.9515295891e-4f + 8.3321608736e-3f;
    s = s * square - 1.6666654611e-1f;
    s = s * square * r + r;
    floatv c = square * 2.443315711809948e-5f - 1.388731625493765e-3f;
    c = c * square + 4.166664568298827e-2f;
    c = c * square * square - 0.5f * square + 1.0f;
    const intv odd = (quarter & 1) != 0;
    const floatv a = odd ? c : s, b = odd ? s : c;
    *sine = (quarter & 2) != 0 ? -a : a;
    *cosine = ((quarter + 1) & 2) != 0 ? -b : b;
}

/* y = x turned by the row's angles; way = -1 turns back. */
kernel void rope_turn(global float *y,                   /* [R,H·Dh] */
                      const global float *x,             /* [R,H·Dh], may be y */
                      const global int *restrict rows,   /* [R], row of [B,T] */
                      const global uint *restrict turns, /* [2,Dh/2]: upper, then lower 32 bits */
                      float way, int R, int T, int H, int half_) {
    const int i = get_global_id(0) * LANES, left = LEFT(i, half_);
    const int first = get_global_id(1) * ROWS, last = min(first + ROWS, R);
    if (i >= half_)
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
        uint turn[LANES];
        for (int l = 0; l < LANES; l++)
            turn[l] = pos * upper[l] + mul_hi(pos, lower[l]);
        floatv sine, cosine;
        sin_cos_turn(LOADV(turn), &sine, &cosine);
        sine *= way;
        for (int h = 0; h < H; h++) {
            const int at = (r * H + h) * 2 * half_ + i;
            const floatv a = load_part(x + at, left), b = load_part(x + at + half_, left);
            store_part(a * cosine - b * sine, y + at, left);
            store_part(a * sine + b * cosine, y + at + half_, left);
        }
    }
}
