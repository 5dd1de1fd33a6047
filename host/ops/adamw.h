/* AdamW (kernels/adamw.cl); Loshchilov and Hutter, "Decoupled weight decay regularization", 2019. With
 * g' = g·grad_scale: m = β₁m + (1-β₁)g', v = β₂v + (1-β₂)g'²,
 * p = p - lr·(m/(1-β₁ᵗ) / (√(v/(1-β₂ᵗ)) + eps) + weight_decay·p), the last term for the first n_decay values
 * alone. */
#ifndef TN_ADAMW_H
#define TN_ADAMW_H

#include "buffer.h"

extern const struct tn_op tn_adamw_op;

typedef struct tn_adamw_shape {
    int64_t n, n_decay;                         /* values; those with weight decay come first */
    double lr, beta1, beta2, eps, weight_decay; /* doubles: 1 - β₂ taken from a float is off by 1e-5 */
    int64_t t;                                  /* number of this update, from 1 */
} tn_adamw_shape;

/* p, m and v are updated in place. grad_scale is read on the device, so the host need not wait for a clip. */
tn_status tn_adamw_forward(tn_device *dev, const tn_adamw_shape *s, tn_buffer *p /* [n] */,
                           tn_buffer *m /* [n] */, tn_buffer *v /* [n] */, const tn_buffer *g /* [n] */,
                           const tn_buffer *grad_scale /* [1] */);

#endif
