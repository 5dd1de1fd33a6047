/* Clipping by the norm of the whole gradient (kernels/grad_clip); Pascanu, Mikolov and Bengio, "On the
 * difficulty of training recurrent neural networks", 2013. The gradient itself is left alone: scale is for
 * the optimizer. */
#ifndef TN_GRAD_CLIP_H
#define TN_GRAD_CLIP_H

#include "buffer.h"

extern const struct tn_op tn_grad_clip_op;

/* norm = √Σg²; scale = min(1, max_norm/norm), 1 for a norm of 0, NaN for a norm that is not finite, so that a
 * broken step shows. max_norm above 0; INFINITY never clips. */
tn_status tn_grad_clip_forward(tn_device *dev, int64_t n, float max_norm, tn_buffer *scale /* [1] */,
                               tn_buffer *norm /* [1] */, const tn_buffer *g /* [n] */);

#endif
