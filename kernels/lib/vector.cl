/* The kernels' vocabulary of lanes. In front of every kernel file: OpenCL C 1.2, fp32 only. Indices are int:
 * the host makes no larger buffer. Sums of bits that may wrap are unsigned: NVIDIA's compiler takes it that a
 * signed one never does. Helpers are static: inline alone defines no function where it is not inlined. */

/* For helpers that take pointers to a register tile: a call would put the tile into memory. And for those
 * that take local memory: PoCL 3.1 reads another array where a static function always gets the same one. */
#define ALWAYS_INLINE __attribute__((always_inline)) static inline
#define UNROLL        _Pragma("unroll")

/* floatv: LANES neighbours at once, LANES a tunable of the op: 16 is one register of a wide CPU, 1 leaves
 * neighbours to neighbouring work-items, as a GPU wants it. */
#ifndef LANES
#define LANES 16 /* 1, 4, 8 or 16 */
#endif

/* LOAD(j, p): vector j of those that lie side by side from any float's address p on, in any address space.
 * STORE to global memory, STORE_TILE to private: one store where vstore16 becomes several narrow ones on some
 * CPUs. */
#define TN_GLUE_(a, b) a##b
#define TN_GLUE(a, b)  TN_GLUE_(a, b)
#if LANES == 1
#define TN_WIDTH
#define LOAD(j, p)          ((p)[j])
#define STORE(v, j, p)      ((p)[j] = (v))
#define STORE_TILE(v, j, p) ((p)[j] = (v))
#define STOREV(v, p)        (*(p) = (v))
#define LANE_NUMBERS        0
#else
#define TN_WIDTH     LANES
#define LOAD(j, p)   TN_GLUE(vload, LANES)(j, p)
#define STOREV(v, p) TN_GLUE(vstore, LANES)(v, 0, p) /* private or local */
#if LANES == 16
#define STORE(v, j, p)      PUT16(v, j, p, global)
#define STORE_TILE(v, j, p) PUT16(v, j, p, private)
#else
#define STORE(v, j, p)      TN_GLUE(vstore, LANES)(v, j, p)
#define STORE_TILE(v, j, p) TN_GLUE(vstore, LANES)(v, j, p)
#endif
#if LANES == 4
#define LANE_NUMBERS (int4)(0, 1, 2, 3)
#elif LANES == 8
#define LANE_NUMBERS (int8)(0, 1, 2, 3, 4, 5, 6, 7)
#else
#define LANE_NUMBERS (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
#endif
#endif
#define LOADV(p) LOAD(0, p)
typedef float16 float16_near __attribute__((aligned(4)));
#define PUT16(v, j, p, space) (((space float16_near *)(p))[j] = (v))
typedef TN_GLUE(float, TN_WIDTH) floatv;
typedef TN_GLUE(int, TN_WIDTH) intv;
typedef TN_GLUE(uint, TN_WIDTH) uintv;
#define AS_INTV(v)        TN_GLUE(as_int, TN_WIDTH)(v)
#define AS_UINTV(v)       TN_GLUE(as_uint, TN_WIDTH)(v)
#define AS_FLOATV(v)      TN_GLUE(as_float, TN_WIDTH)(v)
#define CONVERT_FLOATV(v) TN_GLUE(convert_float, TN_WIDTH)(v)

/* ALIGNED 1: vectors that are loaded and stored whole lie at multiples of their size. NVIDIA's compiler moves
 * four floats in one access only where a type says so; a card faults where that is not true. */
#ifndef ALIGNED
#define ALIGNED 0
#endif

/* LANES floats at any float's address (but for ALIGNED), in one instruction: vload16 and vstore16 become
 * several on some CPUs. Functions, because some compilers halve 16 lanes where no function says that it takes
 * them whole. */
#if ALIGNED
typedef floatv floatv_near;
#else
typedef floatv floatv_near __attribute__((aligned(4)));
#endif
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

/* The columns of LANES rows of `width` floats at p; zeros for rows from `rows` on. */
static inline void load_rows_turned(floatv *to, const global float *p, int width, int rows) {
    for (int j = 0; j < width; j++) {
        float column[LANES];
        for (int l = 0; l < LANES; l++)
            column[l] = l < rows ? p[l * width + j] : 0.0f;
        to[j] = LOADV(column);
    }
}

/* Elements from d to the end of a row of D. WHOLE 1: rows are whole vectors, and nothing tests for their end.
 */
#ifndef WHOLE
#define WHOLE 0
#endif
#define LEFT(d, D) (WHOLE ? LANES : (D) - (d))

/* Rows that there are: `most`, or what a kernel before this one has counted. */
static inline int rows_counted(const global int *count, int most) {
    return count ? min(most, count[0]) : most;
}

/* Parts of `each` such rows that there are, of at most `most`: one at least, of zeros where there is no row.
 */
static inline int parts_counted(const global int *count, int each, int most) {
    return count ? max(1, (rows_counted(count, most * each) + each - 1) / each) : most;
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

/* The same sum in another order, halves onto halves down to one lane. */
static inline float total(floatv v) {
    float tmp[LANES];
    STORE_TILE(v, 0, tmp);
    UNROLL for (int n = LANES / 2; n > 0; n /= 2) UNROLL for (int i = 0; i < n; i++) tmp[i] += tmp[i + n];
    return tmp[0];
}

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
