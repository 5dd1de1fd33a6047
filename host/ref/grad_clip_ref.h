/* norm = √Σg²; scale = min(1, max_norm/norm), 1 for a norm of 0, NaN for one that is not finite. */
#ifndef TN_GRAD_CLIP_REF_H
#define TN_GRAD_CLIP_REF_H

#include <stdint.h>

void tn_grad_clip_forward_ref(int64_t n, double max_norm, double *scale /* [1] */, double *norm /* [1] */,
                              const double *g /* [n] */);

#endif
