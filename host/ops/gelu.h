/* GELU, tanh form (kernels/gelu.cl): y = ½x·(1 + tanh(√(2/π)·(x + 0.044715·x³))); Hendrycks and Gimpel, 2016.
 */
#ifndef TN_GELU_H
#define TN_GELU_H

#include "buffer.h"

extern const struct tn_op tn_gelu_op;

tn_status tn_gelu_forward(tn_device *dev, int64_t count, tn_buffer *y /* [count] */,
                          const tn_buffer *x /* [count] */);
/* dx may be dy. */
tn_status tn_gelu_backward(tn_device *dev, int64_t count, tn_buffer *dx /* [count] */,
                           const tn_buffer *dy /* [count] */, const tn_buffer *x /* [count] */);

#endif
