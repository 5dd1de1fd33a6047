/* AdamW: g' = g·scale; m = β₁m + (1-β₁)g'; v = β₂v + (1-β₂)g'²; p -= lr·(m̂/(√v̂ + eps) + weight_decay·p) with
 * m̂ = m/(1-β₁ᵗ), v̂ = v/(1-β₂ᵗ); weight decay for the first n_decay values alone. */
#ifndef TN_ADAMW_REF_H
#define TN_ADAMW_REF_H

#include <stdint.h>

typedef struct tn_adamw_settings_ref {
    double lr, beta1, beta2, eps, weight_decay, grad_scale;
    int64_t t; /* from 1 */
} tn_adamw_settings_ref;

void tn_adamw_forward_ref(int64_t n, int64_t n_decay, const tn_adamw_settings_ref *o, double *p /* [n] */,
                          double *m /* [n] */, double *v /* [n] */, const double *g /* [n] */);

#endif
