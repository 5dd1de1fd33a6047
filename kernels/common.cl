/* Shared by every kernel file: it is put in front of each of them. OpenCL C 1.2, fp32 only. Indices are int:
 * the host makes no larger buffer. Sums of bits that may wrap are unsigned: NVIDIA's compiler takes it that a
 * signed one never does. Helpers are static: inline alone defines no function where it is not inlined. */

/* For helpers that take pointers to a register tile: a call would put the tile into memory. And for those
 * that take local memory: PoCL 3.1 reads another array where a static function always gets the same one. */
#define ALWAYS_INLINE __attribute__((always_inline)) static inline

/* max and min by their definition: OpenCL's own leave infinities (masked scores) and NaN undefined. A NaN in
 * x comes out. For vectors the bound is one too. */
#define AT_LEAST(x, low) ((x) < (low) ? (low) : (x))
#define AT_MOST(x, high) ((x) > (high) ? (high) : (x))

/* One store instead of the several narrow ones that vstore16 becomes on some CPUs. `space` is global or
 * private. */
typedef float16 float16_near __attribute__((aligned(4)));
#define PUT16(v, j, p, space) (((space float16_near *)(p))[j] = (v))

/* For tensors larger than a CPU's caches. STREAM_STORE bypasses them: the line is not read first, which saves
 * a third of a copy's traffic. p is aligned to its type. The order against other stores is loose until the
 * work-item's thread takes a lock, and every run-time takes one before it calls a kernel done. AHEAD asks for
 * what lies `bytes` behind p, past a tensor's end too: the hardware's own prefetching ends with the page.
 * OpenCL's prefetch() is a function that does nothing here. */
#ifdef __has_builtin
#if __has_builtin(__builtin_nontemporal_store)
#define STREAM_STORE(v, p) __builtin_nontemporal_store(v, p)
#endif
#if __has_builtin(__builtin_prefetch)
#define AHEAD(p, bytes) __builtin_prefetch((const void *)((size_t)(p) + (bytes)))
#endif
#endif
#ifndef STREAM_STORE
#define STREAM_STORE(v, p) (*(p) = (v))
#endif
#ifndef AHEAD
#define AHEAD(p, bytes)
#endif

/* 16 vectors of 16: rows to columns, by four perfect shuffles that turn row·16 + column into column·16 + row.
 * By component, because Oclgrind 21.10 crashes on .even and .odd when it looks for uninitialised values. */
#define TN_EVENS(v) v.s0, v.s2, v.s4, v.s6, v.s8, v.sa, v.sc, v.se
#define TN_ODDS(v)  v.s1, v.s3, v.s5, v.s7, v.s9, v.sb, v.sd, v.sf
ALWAYS_INLINE void transpose16(float16 *a) {
    float16 b[16];
#pragma unroll
    for (int pass = 0; pass < 4; pass++) {
#pragma unroll
        for (int i = 0; i < 8; i++) {
            b[i] = (float16)(TN_EVENS(a[2 * i]), TN_EVENS(a[2 * i + 1]));
            b[i + 8] = (float16)(TN_ODDS(a[2 * i]), TN_ODDS(a[2 * i + 1]));
        }
#pragma unroll
        for (int i = 0; i < 16; i++)
            a[i] = b[i];
    }
}

/* Sums in a fixed order, so that a device gives the same bits every time: halves onto halves, written by
 * component because Oclgrind 21.10 crashes on .lo and .hi when it looks for uninitialised values. */
static inline float sum4(float4 v) {
    return (v.s0 + v.s1) + (v.s2 + v.s3);
}

static inline float sum8(float8 v) {
    return ((v.s0 + v.s4) + (v.s1 + v.s5)) + ((v.s2 + v.s6) + (v.s3 + v.s7));
}

static inline float sum16(float16 v) {
    return (((v.s0 + v.s8) + (v.s4 + v.sc)) + ((v.s1 + v.s9) + (v.s5 + v.sd))) +
           (((v.s2 + v.sa) + (v.s6 + v.se)) + ((v.s3 + v.sb) + (v.s7 + v.sf)));
}

/* floatv: LANES neighbours at once. An op that wants another width says -DLANES=: 16 is one register of a
 * wide CPU, 1 leaves neighbours to neighbouring work-items, as a GPU wants it. Ends of rows go through
 * load_part and store_part, so that an element's value never depends on whether it sits in a full vector or
 * in a rest. */
#ifndef LANES
#define LANES 16 /* 1, 4, 8 or 16 */
#endif

#define TN_GLUE_(a, b) a##b
#define TN_GLUE(a, b)  TN_GLUE_(a, b)
#if LANES == 1
#define TN_WIDTH
#define LOADV(p)     (*(p))
#define STOREV(v, p) (*(p) = (v))
#define LANE_NUMBERS 0
#else
#define TN_WIDTH     LANES
#define LOADV(p)     TN_GLUE(vload, LANES)(0, p)
#define STOREV(v, p) TN_GLUE(vstore, LANES)(v, 0, p)
#if LANES == 4
#define LANE_NUMBERS (int4)(0, 1, 2, 3)
#elif LANES == 8
#define LANE_NUMBERS (int8)(0, 1, 2, 3, 4, 5, 6, 7)
#else
#define LANE_NUMBERS (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
#endif
#endif
typedef TN_GLUE(float, TN_WIDTH) floatv;
typedef TN_GLUE(int, TN_WIDTH) intv;
typedef TN_GLUE(uint, TN_WIDTH) uintv;
#define AS_INTV(v)        TN_GLUE(as_int, TN_WIDTH)(v)
#define AS_UINTV(v)       TN_GLUE(as_uint, TN_WIDTH)(v)
#define AS_FLOATV(v)      TN_GLUE(as_float, TN_WIDTH)(v)
#define CONVERT_FLOATV(v) TN_GLUE(convert_float, TN_WIDTH)(v)

/* LANES floats at any float's address, in one instruction: vload16 and vstore16 become several on some CPUs.
 * Functions, because some compilers halve 16 lanes where no function says that it takes them whole. */
typedef floatv floatv_near __attribute__((aligned(4)));
static inline floatv load_whole(const global float *p) {
    return *(const global floatv_near *)p;
}

static inline void store_whole(floatv v, global float *p) {
    *(global floatv_near *)p = v;
}

/* The first `left` of LANES floats at p, zeros behind them. */
static inline floatv load_part(const global float *p, int left) {
#if LANES > 1
    if (left < LANES) {
        float part[LANES];
        for (int l = 0; l < LANES; l++)
            part[l] = l < left ? p[l] : 0.0f;
        return LOADV(part);
    }
#endif
    return load_whole(p);
}

static inline void store_part(floatv v, global float *p, int left) {
#if LANES > 1
    if (left < LANES) {
        float part[LANES];
        STOREV(v, part);
        for (int l = 0; l < left; l++)
            p[l] = part[l];
        return;
    }
#endif
    store_whole(v, p);
}

/* Elements from d to the end of a row of D. WHOLE 1: rows are whole vectors, and nothing tests for their end.
 */
#ifndef WHOLE
#define WHOLE 0
#endif
#define LEFT(d, D) (WHOLE ? LANES : (D) - (d))

/* store_part for results that nobody reads soon. STREAM 1: tensors are larger than the caches; results pass
 * them by, unless IN_PLACE says that their lines have just been read. p is aligned to whole vectors then
 * (tn_stream in host/cl). */
#ifndef STREAM
#define STREAM 0
#endif
#ifndef IN_PLACE
#define IN_PLACE 0
#endif
static inline void store_out(floatv v, global float *p, int left) {
#if STREAM && !IN_PLACE
    if (left >= LANES)
        STREAM_STORE(v, (global floatv *)p);
    else
#endif
        store_part(v, p, left);
}

/* AT(i, left) for i = first, first + LANES, … below last; left: elements from i on. With STREAM in four runs
 * at once, a quarter of a page out of step: at a page's start a core waits, and never for all four. */
#define RUNS      (STREAM ? 4 : 1)
#define RUN_OF(n) (STREAM && (n) >= 8192 ? ((n) / 4 - 256) / 1024 * 1024 + 256 : (n) / (RUNS * LANES) * LANES)
#define OVER_RUNS(first, last, AT)                                                                           \
    do {                                                                                                     \
        const int run_ = RUN_OF((last) - (first));                                                           \
        for (int i_ = (first); i_ < (first) + run_; i_ += LANES)                                             \
            for (int r_ = 0; r_ < RUNS; r_++)                                                                \
                AT(i_ + r_ * run_, LANES);                                                                   \
        for (int i_ = (first) + RUNS * run_; i_ < (last); i_ += LANES)                                       \
            AT(i_, (last)-i_);                                                                               \
    } while (0)

/* What a CPU's prefetcher should be helped with: the line `ahead` floats behind p, where no pointer may be.
 */
static inline void ask_for(const global float *p, int ahead) {
#if STREAM
    AHEAD(p, 4 * (size_t)ahead);
#endif
}

/* Rows of D floats that lie between a row and the one to ask for meanwhile. */
#define SOON(D) (512 / (D) + 1)

static inline floatv load_ahead(const global float *p, int left) {
    ask_for(p, 512);
    return load_part(p, left);
}

static inline float sumv(floatv v) {
#if LANES == 1
    return v;
#elif LANES == 4
    return sum4(v);
#elif LANES == 8
    return sum8(v);
#else
    return sum16(v);
#endif
}

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
