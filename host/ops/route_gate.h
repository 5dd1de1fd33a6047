/* The router's gate (kernels/route_gate): p = sigmoid(w·u + b) and the hard decision h = [p ≥ ½], decided
 * by the sign of the logit. Straight-through: a caller with a hard gate hands the gradient at h to the
 * backward pass as dp. */
#ifndef TN_ROUTE_GATE_H
#define TN_ROUTE_GATE_H

#include "partial_sums.h"

extern const struct tn_op tn_route_gate_op;

typedef struct tn_route_gate_shape {
    int64_t N, D; /* rows, width */
} tn_route_gate_shape;

tn_status tn_route_gate_forward(tn_device *dev, const tn_route_gate_shape *s, tn_buffer *p /* [N] */,
                                tn_buffer *h /* u8 [N] */, const tn_buffer *u /* [N,D] */,
                                const tn_buffer *w /* [D] */, const tn_buffer *b /* [1] */,
                                double margin /* h = [logit ≥ margin] */);
/* dl = dp·max(p·(1 − p), least_slope) + dp_const·p·(1 − p), dp_const being the gradient of a penalty on Σp
 * over the rows that `priced` marks; least_slope 0 is the derivative, more keeps gates that are shut within
 * reach; du = add + dl·w, dw = Σ dl·u, db = Σ dl. add NULL: the gradient alone; add may be du. later: where
 * dw and db may wait, or NULL. */
tn_status tn_route_gate_backward(tn_device *dev, const tn_route_gate_shape *s, tn_buffer *du /* [N,D] */,
                                 tn_buffer *dw /* [D] */, tn_buffer *db /* [1] */,
                                 const tn_buffer *dp /* [N] */, double dp_const, double least_slope,
                                 const tn_buffer *priced /* u8 [N], or NULL: all */,
                                 const tn_buffer *p /* [N] */, const tn_buffer *u /* [N,D] */,
                                 const tn_buffer *w /* [D] */, const tn_buffer *add /* [N,D] or NULL */,
                                 tn_partial_sums *later);

#endif
