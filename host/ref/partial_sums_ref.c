#include "partial_sums_ref.h"

void tn_partial_sums_forward_ref(int64_t parts, int64_t count, int64_t stride, double *out,
                                 const double *partial) {
    for (int64_t i = 0; i < count; i++) {
        out[i] = 0;
        for (int64_t part = 0; part < parts; part++)
            out[i] += partial[part * stride + i];
    }
}
