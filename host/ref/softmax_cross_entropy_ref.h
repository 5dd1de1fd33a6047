/* Softmax cross-entropy: lse = log Σ_v e^logits[v], loss = lse - logits[label], predicted = first largest
 * logit, −1 where lse is NaN. */
#ifndef TN_SOFTMAX_CROSS_ENTROPY_REF_H
#define TN_SOFTMAX_CROSS_ENTROPY_REF_H

#include <stdint.h>

/* label -1: loss 0. */
void tn_softmax_cross_entropy_forward_ref(int64_t L, int64_t V, double *loss /* [L] */, double *lse /* [L] */,
                                          int32_t *predicted /* [L] */, const double *logits /* [L,V] */,
                                          const int32_t *labels /* [L] */);
/* dlogits = (softmax - onehot)·scale; zero for label -1. */
void tn_softmax_cross_entropy_backward_ref(int64_t L, int64_t V, double *dlogits /* [L,V] */,
                                           const double *logits /* [L,V] */, const int32_t *labels /* [L] */,
                                           const double *lse /* [L] */, double scale);

#endif
