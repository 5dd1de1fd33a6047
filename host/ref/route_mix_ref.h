/* The two tracks of a layer put together: y = res + c + g·(o − c), g = p + blend·(h − p), blend 1 being
 * the hard gate. */
#ifndef TN_ROUTE_MIX_REF_H
#define TN_ROUTE_MIX_REF_H

#include <stdbool.h>
#include <stdint.h>

/* slot NULL: o has a row for every row; else routed row n's stands at slot[n], and slot is −1 elsewhere
 * (blend 1 only). */
void tn_route_mix_forward_ref(int64_t N, int64_t D, double blend, double *y /* [N,D] */, const double *res,
                              const double *c, const double *o /* [R,D] */, const double *p /* [N] */,
                              const int32_t *h /* [N] */, const int32_t *slot /* [N] */);
/* dp = Σ_d dy·(o − c) where o is known, 0 elsewhere: straight-through (dg/dp = 1). */
void tn_route_mix_backward_ref(int64_t N, int64_t D, double blend, double *dc /* [N,D] */,
                               double *dout /* [R,D] */, double *dp /* [N] */, const double *dy /* [N,D] */,
                               const double *c, const double *o, const double *p, const int32_t *h,
                               const int32_t *slot);

#endif
