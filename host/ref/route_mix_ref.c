#include "route_mix_ref.h"

#include <math.h>
#include <stddef.h>

void tn_route_mix_forward_ref(int64_t N, int64_t D, bool hard, bool added, double *y, const double *res,
                              const double *c, const double *o, const double *p, const int32_t *h,
                              const int32_t *slot) {
    for (int64_t n = 0; n < N; n++) {
        int64_t row = slot ? slot[n] : n;
        for (int64_t d = 0; d < D; d++) {
            double cheap = c[n * D + d], global = row >= 0 ? o[row * D + d] : 0;
            double mixed;
            if (!hard)
                mixed = cheap + p[n] * (added ? global : global - cheap);
            else if (h[n])
                mixed = isnan(p[n]) ? p[n] : added ? cheap + global : global;
            else
                mixed = cheap;
            y[n * D + d] = res[n * D + d] + mixed;
        }
    }
}

void tn_route_mix_backward_ref(int64_t N, int64_t D, bool hard, bool added, double *dc, double *dout,
                               double *dp, const double *dy, const double *c, const double *o,
                               const double *p, const int32_t *h, const int32_t *slot) {
    for (int64_t n = 0; n < N; n++) {
        int64_t row = slot ? slot[n] : n;
        dp[n] = 0;
        for (int64_t d = 0; d < D; d++) {
            dc[n * D + d] = added  ? dy[n * D + d]
                            : hard ? (h[n] ? 0 : dy[n * D + d])
                                   : (1 - p[n]) * dy[n * D + d];
            if (row < 0)
                continue;
            dout[row * D + d] = hard ? (h[n] ? dy[n * D + d] : 0) : p[n] * dy[n * D + d];
            dp[n] += dy[n * D + d] * (added ? o[row * D + d] : o[row * D + d] - c[n * D + d]);
        }
    }
}
