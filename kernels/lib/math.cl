/* Functions of vectors: most run-times' own go lane by lane. Behind lib/vector.cl, in front of every kernel
 * file. */

/* max and min by their definition: OpenCL's own leave infinities (masked scores) and NaN undefined. A NaN in
 * x comes out. For vectors the bound is one too. */
#define AT_LEAST(x, low) ((x) < (low) ? (low) : (x))
#define AT_MOST(x, high) ((x) > (high) ? (high) : (x))

/* e^x to within 2 units in the last place for any x, 0 and infinity past the ends of fp32, NaN for NaN.
 * Written out because a run-time's own exp may go lane by lane. x = k·ln 2 + r with |r| ≤ ln 2 / 2 and ln 2
 * in two parts; e^r by the polynomial of the Cephes library's expf (Moshier). Adding 1.5·2^23 rounds to the
 * nearest integer and leaves it in the low bits. name_parts gives e^r and k; name puts 2^k on in two factors,
 * so that results below the normal range and k = 128 come out right. */
#define TN_EXP(name, F, I, AS_I, AS_U, AS_F)                                                                 \
    static inline F name##_parts(F x, I *k) {                                                                \
        const F shifted = x * 1.44269504f + 12582912.0f;                                                     \
        const F n = shifted - 12582912.0f;                                                                   \
        const F r = x - n * 0.693359375f - n * -2.12194440e-4f;                                              \
        F p = r * 1.9875691500e-4f + 1.3981999507e-3f;                                                       \
        p = p * r + 8.3334519073e-3f;                                                                        \
        p = p * r + 4.1665795894e-2f;                                                                        \
        p = p * r + 1.6666665459e-1f;                                                                        \
        p = p * r + 5.0000001201e-1f;                                                                        \
        *k = AS_I(AS_U(shifted) - 0x4b400000u);                                                              \
        return (p * r) * r + r + 1.0f;                                                                       \
    }                                                                                                        \
    static inline F name(F x) {                                                                              \
        I k;                                                                                                 \
        const F p = name##_parts(x > (F)(90.0f) ? (F)(90.0f) : x < (F)(-105.0f) ? (F)(-105.0f) : x, &k);     \
        const I low = k >> 1;                                                                                \
        return p * AS_F(AS_U(low + 127) << 23) * AS_F(AS_U(k - low + 127) << 23);                            \
    }
TN_EXP(exp1, float, int, as_int, as_uint, as_float)
TN_EXP(exp16, float16, int16, as_int16, as_uint16, as_float16)
#if LANES == 1
#define expv       exp1
#define expv_parts exp1_parts
#elif LANES == 16
#define expv       exp16
#define expv_parts exp16_parts
#else
TN_EXP(expv, floatv, intv, AS_INTV, AS_UINTV, AS_FLOATV)
#endif

/* 1/d to within 2 units in the last place, for d from 1 to 2^126: a division takes as long as a dozen
 * multiply-adds on wide vectors. Taking the bits of d from those of 2 turns the exponent round and gives
 * t/d with t from 1 to 9/8; a quadratic (minimax, 5.1e-5) and one Newton step do the rest. */
static inline floatv reciprocalv(floatv d) {
    const floatv near = AS_FLOATV(0x7f000000u - AS_UINTV(d)), t = d * near;
    const floatv close = near * (2.82842708f + t * (-2.66435385f + t * 0.83587575f));
    return close + close * (1.0f - d * close);
}

/* 1/(1 + e^-z) and e = e^-z to within 4 units in the last place for |z| ≤ 10 and 1e-6 everywhere, z held
 * between -85 and 87: outside, e neither overflows nor counts. z' is z as held. 1 - sigmoid is e·sigmoid,
 * which keeps its digits. NaN for NaN. e^-z = 2^n·2^r, |r| ≤ ½, n in the low bits once 1.5·2^23 has been
 * added; 2^r by a minimax polynomial (7.5e-8). */
static inline floatv sigmoidv_held(floatv z, floatv *e, floatv *held) {
    z = z > (floatv)(87.0f) ? (floatv)(87.0f) : z;
    z = z < (floatv)(-85.0f) ? (floatv)(-85.0f) : z;
    const floatv shifted = z * -1.44269504f + 12582912.0f;
    const floatv n = shifted - 12582912.0f;
    const floatv r = z * -1.44269504f - n;
    floatv p = r * 1.32764725e-3f + 9.67554096e-3f;
    p = p * r + 5.55071309e-2f;
    p = p * r + 2.40221202e-1f;
    p = p * r + 6.93146944e-1f;
    p = p * r + 1.00000012f;
    *held = z;
    *e = AS_FLOATV(AS_UINTV(p) + (AS_UINTV(shifted) << 23));
    return reciprocalv(1.0f + *e);
}

static inline floatv sigmoidv(floatv z, floatv *e) {
    floatv held;
    return sigmoidv_held(z, e, &held);
}

/* gelu is ½x·(1 + tanh g) = x·s with s = 1/(1 + e^-2g), which keeps its digits where the result is close to
 * 0; 2g = x·(GELU_TWICE + GELU_CUBIC·x²). */
#define GELU_TWICE 1.5957691216f
#define GELU_CUBIC 0.0713548162726f

static inline floatv gelu_value(floatv x) {
    floatv e;
    return x * sigmoidv(x * (GELU_TWICE + GELU_CUBIC * x * x), &e);
}

/* s + x·s·(1 - s)·(2g)'. Past |x| = 7 it is 0 or 1 in fp32; x is held there, so that nothing overflows on the
 * way. */
static inline floatv gelu_slope(floatv x) {
    x = x > (floatv)(7.0f) ? (floatv)(7.0f) : x < (floatv)(-7.0f) ? (floatv)(-7.0f) : x;
    floatv e;
    const floatv square = x * x, s = sigmoidv(x * (GELU_TWICE + GELU_CUBIC * square), &e);
    return s + x * s * (e * s) * (GELU_TWICE + 3.0f * GELU_CUBIC * square);
}
