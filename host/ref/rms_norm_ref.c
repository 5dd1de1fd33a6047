#include "rms_norm_ref.h"

#include <math.h>

double tn_rms_norm_rstd_ref(int64_t D, double eps, const double *x) {
    double sum = 0;
    for (int64_t d = 0; d < D; d++)
        sum += x[d] * x[d];
    return 1.0 / sqrt(sum / (double)D + eps);
}

void tn_rms_norm_forward_ref(int64_t N, int64_t D, double eps, double *y, double *rstd, const double *x,
                             const double *w) {
    for (int64_t n = 0; n < N; n++) {
        rstd[n] = tn_rms_norm_rstd_ref(D, eps, x + n * D);
        for (int64_t d = 0; d < D; d++)
            y[n * D + d] = x[n * D + d] * rstd[n] * w[d];
    }
}

void tn_rms_norm_backward_ref(int64_t N, int64_t D, double *dx, double *dw, const double *dy, const double *x,
                              const double *w, const double *rstd) {
    for (int64_t d = 0; d < D; d++)
        dw[d] = 0;
    for (int64_t n = 0; n < N; n++) {
        double mean = 0;
        for (int64_t d = 0; d < D; d++) {
            double hat = x[n * D + d] * rstd[n];
            mean += w[d] * dy[n * D + d] * hat / (double)D;
            dw[d] += dy[n * D + d] * hat;
        }
        for (int64_t d = 0; d < D; d++)
            dx[n * D + d] += rstd[n] * (w[d] * dy[n * D + d] - x[n * D + d] * rstd[n] * mean);
    }
}
