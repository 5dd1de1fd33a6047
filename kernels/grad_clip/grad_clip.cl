/* Norm of the whole gradient and the factor that brings it down to max_norm: what the variants have in
 * common. Σ g² is taken in two stages of fixed order, whose sizes depend on n alone. */

static inline float sum_squares(const global float *g, int first, int stride, int last) {
    floatv squares = 0.0f;
    for (int i = first; i < last; i += stride) {
        const floatv v = load_part(g + i, LEFT(i, last));
        squares += v * v;
    }
    return sumv(squares);
}

static inline void put_scale(global float *scale, global float *norm, float squares, float max_norm) {
    const float total = sqrt(squares);
    norm[0] = total;
    /* A norm that is no number, or infinite, must not pass for a small one: the scale says so. */
    scale[0] = total <= FLT_MAX ? (total > max_norm ? max_norm / total : 1.0f) : NAN;
}
