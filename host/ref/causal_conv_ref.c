#include "causal_conv_ref.h"

#include <math.h>

/* z at position t of one channel; u points at position 0 of the channel, D apart. */
static double at(int64_t t, int64_t D, int64_t K, const double *u, const double *w, double b) {
    double z = b;
    for (int64_t j = 0; j < K && j <= t; j++)
        z += w[j] * u[(t - j) * D];
    return z;
}

void tn_causal_conv_forward_ref(int64_t B, int64_t T, int64_t D, int64_t K, int silu, double *y,
                                const double *u, const double *w, const double *b) {
    for (int64_t s = 0; s < B; s++)
        for (int64_t t = 0; t < T; t++)
            for (int64_t d = 0; d < D; d++) {
                double z = at(t, D, K, u + s * T * D + d, w + d * K, b[d]);
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
                double z = at(t, D, K, u + s * T * D + d, w + d * K, b[d]), sigmoid = 1 / (1 + exp(-z));
                double dz = dy[(s * T + t) * D + d] * (silu ? sigmoid * (1 + z * (1 - sigmoid)) : 1);
                db[d] += dz;
                for (int64_t j = 0; j < K && j <= t; j++) {
                    du[(s * T + t - j) * D + d] += w[d * K + j] * dz;
                    dw[d * K + j] += dz * u[(s * T + t - j) * D + d];
                }
            }
}
