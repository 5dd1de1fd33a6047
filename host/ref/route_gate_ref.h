/* The router: logit = w·u + b, p = sigmoid(logit), h = [logit ≥ margin], 1 where it is NaN. */
#ifndef TN_ROUTE_GATE_REF_H
#define TN_ROUTE_GATE_REF_H

#include <stdint.h>

void tn_route_gate_forward_ref(int64_t N, int64_t D, double *p /* [N] */, int32_t *h /* [N] */,
                               const double *u /* [N,D] */, const double *w /* [D] */, double b,
                               double margin);
/* dl = dp·max(p·(1 − p), least_slope) + dp_const·p·(1 − p), without the latter where priced is 0; du is added
 * to what it holds; dw = Σ dl·u; db = Σ dl */
void tn_route_gate_backward_ref(int64_t N, int64_t D, double *du /* [N,D] */, double *dw /* [D] */,
                                double *db /* [1] */, const double *dp /* [N] */, double dp_const,
                                double least_slope, const int32_t *priced /* [N] or NULL */,
                                const double *p /* [N] */, const double *u /* [N,D] */,
                                const double *w /* [D] */);

#endif
