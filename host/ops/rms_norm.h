/* RMSNorm over rows (kernels/rms_norm). y = x · rstd · w, rstd = 1/√(mean_d x² + eps); Zhang and Sennrich,
 * 2019. */
#ifndef TN_RMS_NORM_H
#define TN_RMS_NORM_H

#include "partial_sums.h"

extern const struct tn_op tn_rms_norm_op;

typedef struct tn_rms_norm_shape {
    int64_t N, D; /* rows, width */
    float eps;
} tn_rms_norm_shape;

tn_status tn_rms_norm_forward(tn_device *dev, const tn_rms_norm_shape *s, tn_buffer *y /* [N,D] */,
                              tn_buffer *rstd /* [N] */, const tn_buffer *x /* [N,D] */,
                              const tn_buffer *w /* [D] */);
/* dx = add + gradient (add NULL: the gradient alone; add may be dx). later: where dw may wait, or NULL. */
tn_status tn_rms_norm_backward(tn_device *dev, const tn_rms_norm_shape *s, tn_buffer *dx /* [N,D] */,
                               tn_buffer *dw /* [D] */, const tn_buffer *dy /* [N,D] */,
                               const tn_buffer *x /* [N,D] */, const tn_buffer *w /* [D] */,
                               const tn_buffer *rstd /* [N] */, const tn_buffer *add /* [N,D] or NULL */,
                               tn_partial_sums *later);

#endif
