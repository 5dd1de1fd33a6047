/* Capacity routing (kernels/route_capacity/): exactly min(k, T) rows of each sequence, those with the
 * largest p, the earlier position winning a tie and a NaN above every number. Radix select, no sort. Up to
 * TILE positions a sequence is one work-item's (one launch of B items); longer ones take nine launches: ⌈T /
 * TILE⌉ × B items count and mark, a work-group a sequence picks. It ranks a whole sequence, so a decision
 * looks ahead: use threshold routing where that matters. */
#ifndef TN_ROUTE_CAPACITY_H
#define TN_ROUTE_CAPACITY_H

#include "buffer.h"

extern const struct tn_op tn_route_capacity_op;

typedef struct tn_route_capacity_shape {
    int64_t B, T, k; /* sequences, positions, rows taken */
} tn_route_capacity_shape;

tn_status tn_route_capacity_forward(tn_device *dev, const tn_route_capacity_shape *s,
                                    tn_buffer *mask /* u8 [B,T] */,
                                    const tn_buffer *p /* [B,T], each in 0..1 */);

#endif
