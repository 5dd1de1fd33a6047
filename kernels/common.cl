/* Shared by every kernel file: it is put in front of each of them. OpenCL C 1.2, fp32 only.
 * Indices are int: the host refuses tensors of 2^31 elements or more. */

/* Sums in a fixed order, so that a device gives the same bits every time. */
inline float sum4(float4 v) {
    return (v.s0 + v.s1) + (v.s2 + v.s3);
}

inline float sum8(float8 v) {
    return sum4(v.lo + v.hi);
}

inline float sum16(float16 v) {
    return sum8(v.lo + v.hi);
}
