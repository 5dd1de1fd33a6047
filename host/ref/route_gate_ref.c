#include "route_gate_ref.h"

#include <math.h>

void tn_route_gate_forward_ref(int64_t N, int64_t D, double *p, int32_t *h, const double *u, const double *w,
                               double b, double margin) {
    for (int64_t n = 0; n < N; n++) {
        double logit = b;
        for (int64_t d = 0; d < D; d++)
            logit += w[d] * u[n * D + d];
        p[n] = 1 / (1 + exp(-logit));
        h[n] = !(logit < margin);
    }
}

void tn_route_gate_backward_ref(int64_t N, int64_t D, double *du, double *dw, double *db, const double *dp,
                                double dp_const, double least_slope, const int32_t *priced, const double *p,
                                const double *u, const double *w) {
    *db = 0;
    for (int64_t d = 0; d < D; d++)
        dw[d] = 0;
    for (int64_t n = 0; n < N; n++) {
        double slope = p[n] * (1 - p[n]), held = slope < least_slope ? least_slope : slope;
        double dl = dp[n] * held + (priced && !priced[n] ? 0 : dp_const * slope);
        *db += dl;
        for (int64_t d = 0; d < D; d++) {
            dw[d] += dl * u[n * D + d];
            du[n * D + d] += dl * w[d];
        }
    }
}
