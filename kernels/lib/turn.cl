/* Angles in fixed point, as rope and decode_step take them: fractions of a turn, the host gives turns a
 * position as 64 bits behind the point, and the 32 upper bits of a position times that, kept modulo one turn,
 * are exact for every position. fp32 comes in only after the nearest quarter turn has been taken off. */

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

/* Lane l: pos times the turn upper[l]·2^-32 + lower[l]·2^-64. */
static inline uintv turns_at(uint pos, const uint *upper, const uint *lower) {
    uint turn[LANES];
    for (int l = 0; l < LANES; l++)
        turn[l] = pos * upper[l] + mul_hi(pos, lower[l]);
    return LOADV(turn);
}
