/* Softmax cross-entropy (kernels/softmax_cross_entropy.cl): lse = log Σ_v e^logits[v]; loss = lse -
 * logits[label]. */
#ifndef TN_SOFTMAX_CROSS_ENTROPY_H
#define TN_SOFTMAX_CROSS_ENTROPY_H

#include "buffer.h"

extern const struct tn_op tn_softmax_cross_entropy_op;

typedef struct tn_softmax_cross_entropy_shape {
    int64_t L, V; /* labelled rows, classes */
} tn_softmax_cross_entropy_shape;

/* predicted is the index of the largest logit, the first of equals, and -1 where lse is no number (a NaN or
 * +∞ among the logits). A label outside [0, V), as -1, gives loss 0. */
tn_status tn_softmax_cross_entropy_forward(tn_device *dev, const tn_softmax_cross_entropy_shape *s,
                                           tn_buffer *loss /* [L], nats */, tn_buffer *lse /* [L] */,
                                           tn_buffer *predicted /* i32 [L] */,
                                           const tn_buffer *logits /* [L,V] */,
                                           const tn_buffer *labels /* i32 [L] */);
/* dlogits = (softmax - onehot)·scale, zero for rows without label; dlogits may be logits. */
tn_status tn_softmax_cross_entropy_backward(tn_device *dev, const tn_softmax_cross_entropy_shape *s,
                                            tn_buffer *dlogits /* [L,V] */,
                                            const tn_buffer *logits /* [L,V] */,
                                            const tn_buffer *labels /* i32 [L] */,
                                            const tn_buffer *lse /* [L] */, float scale);

#endif
