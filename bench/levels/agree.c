#include "agree.h"

#include <math.h>

double tn_agree_rms(size_t count, const double *values) {
    double squares = 0;
    for (size_t i = 0; i < count; i++)
        squares += values[i] * values[i];
    return sqrt(squares / (double)(count ? count : 1));
}

/* The first that is off, or `count`. */
static size_t first_off(size_t count, const float *got, const double *want, double allowed, double scale) {
    size_t i = 0;
    while (i < count && fabs(got[i] - want[i]) <= allowed * (scale + fabs(want[i])))
        i++;
    return i;
}

tn_status tn_agree_rows(tn_context *ctx, const char *what, int64_t rows, int64_t D, const float *got,
                        const double *want, double allowed) {
    double most = 0;
    size_t width = (size_t)D;
    for (int64_t n = 0; n < rows; n++)
        most = fmax(most, tn_agree_rms(width, want + n * D));
    for (int64_t n = 0; n < rows; n++) {
        double scale = tn_agree_rms(width, want + n * D) + 1e-6 / allowed * most;
        size_t d = first_off(width, got + n * D, want + n * D, allowed, scale);
        if (d < width)
            return tn_fail(ctx, TN_ERR_CHECK, "%s is wrong at row %lld, column %zu: %g, reference %g", what,
                           (long long)n, d, (double)got[n * D + (int64_t)d], want[n * D + (int64_t)d]);
    }
    return TN_OK;
}

tn_status tn_agree_tensor(tn_context *ctx, const char *what, size_t count, const float *got,
                          const double *want, double allowed, double scale) {
    size_t i = first_off(count, got, want, allowed, scale > 0 ? scale : tn_agree_rms(count, want));
    if (i == count)
        return TN_OK;
    return tn_fail(ctx, TN_ERR_CHECK, "%s is wrong at %zu of %zu: %g, reference %g", what, i, count,
                   (double)got[i], want[i]);
}

tn_status tn_agree_poison(tn_buffer *b) {
    const uint32_t quiet_nan = 0x7fc00000u;
    return b ? tn_buffer_fill_u32(b, 0, tn_buffer_bytes(b) / 4 * 4, quiet_nan) : TN_OK;
}
