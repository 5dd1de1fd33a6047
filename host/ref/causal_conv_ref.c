#include "causal_conv_ref.h"

#include <math.h>

double tn_causal_conv_at_ref(int64_t t, int64_t D, int64_t K, const double *u, const double *w, double b) {
    double z = b;
    for (int64_t j = 0; j < K && j <= t; j++)
        z += w[j] * u[(t - j) * D];
    return z;
}

double tn_causal_conv_taps_ref(double T, double K) {
    double whole = fmin(T, K);
    return whole * T - whole * (whole - 1) / 2;
}

double tn_silu_slope_ref(double z) {
    double sigmoid = 1 / (1 + exp(-z));
    return sigmoid * (1 + z * (1 - sigmoid));
}

void tn_causal_conv_forward_ref(int64_t B, int64_t T, int64_t D, int64_t K, int silu, double *y,
                                const double *u, const double *w, const double *b) {
    for (int64_t s = 0; s < B; s++)
        for (int64_t t = 0; t < T; t++)
            for (int64_t d = 0; d < D; d++) {
                double z = tn_causal_conv_at_ref(t, D, K, u + s * T * D + d, w + d * K, b[d]);
                y[(s * T + t) * D + d] = silu ? z / (1 + exp(-z)) : z;
            }
}

/* dz = dy · silu'(z); du[t-j] += w[j]·dz[t], dw[j] += dz[t]·u[t-j], db += dz[t]. */
void tn_causal_conv_backward_ref(int64_t B, int64_t T, int64_t D, int64_t K, int silu, double *du, double *dw,
                                 double *db, const double *dy, const double *u, const double *w,
                                 const double *b) {
    for (int64_t i = 0; i < D * K; i++)
        dw[i] = 0;
    for (int64_t d = 0; d < D; d++)
        db[d] = 0;
    for (int64_t s = 0; s < B; s++)
        for (int64_t t = 0; t < T; t++)
            for (int64_t d = 0; d < D; d++) {
                double z = tn_causal_conv_at_ref(t, D, K, u + s * T * D + d, w + d * K, b[d]);
                double dz = dy[(s * T + t) * D + d] * (silu ? tn_silu_slope_ref(z) : 1);
                db[d] += dz;
                for (int64_t j = 0; j < K && j <= t; j++) {
                    du[(s * T + t - j) * D + d] += w[d * K + j] * dz;
                    dw[d * K + j] += dz * u[(s * T + t - j) * D + d];
                }
            }
}
