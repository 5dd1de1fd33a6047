/* Inside host/model: the three products of a linear layer. */
#ifndef TN_LINEAR_H
#define TN_LINEAR_H

#include "workspace.h"

/* `count`: where the device alone knows how many of M rows there are, else NULL (gemm.h).
 * y = x·Wᵀ, dx = dy·W (+ add), dW = dyᵀ·x (once ws->sums is finished). M rows. */
tn_status tn_linear(tn_device *dev, int64_t M, const tn_buffer *count, const tn_param *w, tn_buffer *y,
                    const tn_buffer *x, const tn_buffer *bias, const tn_buffer *add);
tn_status tn_linear_input_grad(tn_device *dev, int64_t M, const tn_buffer *count, const tn_param *w,
                               tn_buffer *dx, const tn_buffer *dy, const tn_buffer *add);
tn_status tn_linear_weight_grad(tn_workspace *ws, int64_t M, const tn_buffer *count, const tn_param *w,
                                const tn_buffer *dy, const tn_buffer *x);

#endif
