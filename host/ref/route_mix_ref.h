/* The two tracks of a layer put together: y = res + c + g·(o − c), or where `added` y = res + c + g·o; g = p
 * (soft) or h (hard). A hard gate selects: what it does not take is not read; a row that it routes with a p
 * of NaN is NaN. */
#ifndef TN_ROUTE_MIX_REF_H
#define TN_ROUTE_MIX_REF_H

#include <stdbool.h>
#include <stdint.h>

/* slot NULL: o has a row for every row; else routed row n's stands at slot[n], and slot is −1 elsewhere (hard
 * only). */
void tn_route_mix_forward_ref(int64_t N, int64_t D, bool hard, bool added, double *y /* [N,D] */,
                              const double *res, const double *c, const double *o /* [R,D] */,
                              const double *p /* [N] */, const int32_t *h /* [N] */,
                              const int32_t *slot /* [N] */);
/* dp = Σ_d dy·(o − c), or Σ_d dy·o, where o is known, 0 elsewhere: straight-through when hard. */
void tn_route_mix_backward_ref(int64_t N, int64_t D, bool hard, bool added, double *dc /* [N,D] */,
                               double *dout /* [R,D] */, double *dp /* [N] */, const double *dy /* [N,D] */,
                               const double *c, const double *o, const double *p, const int32_t *h,
                               const int32_t *slot);

#endif
