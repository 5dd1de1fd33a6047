/* Capacity routing: the k largest p of each sequence, an earlier position winning a tie. A NaN counts as the
 * largest: what cannot be ranked is not routed away. */
#ifndef TN_ROUTE_CAPACITY_REF_H
#define TN_ROUTE_CAPACITY_REF_H

#include <stdint.h>

void tn_route_capacity_forward_ref(int64_t B, int64_t T, int64_t k, int32_t *mask /* [B,T] */,
                                   const double *p /* [B,T] */);

#endif
