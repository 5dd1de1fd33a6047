#include "grad_clip_ref.h"

#include <math.h>

void tn_grad_clip_forward_ref(int64_t n, double max_norm, double *scale, double *norm, const double *g) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += g[i] * g[i];
    *norm = sqrt(sum);
    *scale = !isfinite(*norm) ? NAN : *norm > max_norm ? max_norm / *norm : 1;
}
