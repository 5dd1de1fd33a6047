/* Depthwise causal convolution (kernels/causal_conv/): z[t,d] = b[d] + Σ_{j<K} w[d,j]·u[t-j,d], zero before
 * the start of a sequence; y = silu(z) = z/(1+e^-z), or z. */
#ifndef TN_CAUSAL_CONV_H
#define TN_CAUSAL_CONV_H

#include "partial_sums.h"

enum { TN_CAUSAL_CONV_TAPS = 256 }; /* at most */

typedef struct tn_causal_conv_shape {
    int64_t B, T, D, K; /* sequences, positions, channels, taps */
    int silu;           /* 0: y = z */
} tn_causal_conv_shape;

extern const struct tn_op tn_causal_conv_op;

/* Positions of a sequence that share a partial sum of dw and db. */
int64_t tn_causal_conv_tile(const tn_device *dev);
tn_status tn_causal_conv_forward(tn_device *dev, const tn_causal_conv_shape *s, tn_buffer *y /* [B,T,D] */,
                                 const tn_buffer *u /* [B,T,D] */, const tn_buffer *w /* [D,K] */,
                                 const tn_buffer *b /* [D] */);
/* du = add + gradient (add NULL: the gradient alone; add may be du). z is computed again from u.
 * later: where dw and db may wait, or NULL. */
tn_status tn_causal_conv_backward(tn_device *dev, const tn_causal_conv_shape *s, tn_buffer *du /* [B,T,D] */,
                                  tn_buffer *dw /* [D,K] */, tn_buffer *db /* [D] */,
                                  const tn_buffer *dy /* [B,T,D] */, const tn_buffer *u /* [B,T,D] */,
                                  const tn_buffer *w /* [D,K] */, const tn_buffer *b /* [D] */,
                                  const tn_buffer *add /* [B,T,D] or NULL */, tn_partial_sums *later);

#endif
