/* A block's mlp with its norm and its residual (kernels/mlp): y = x + W₂·gelu(W₁·(x·rstd·w) + b₁) + b₂
 * with rstd = 1/√(mean x² + eps). Variant fused: one launch a pass that keeps what lies between near a unit,
 * where the device's items are threads with a cache; fused_groups: the same of forward by work-groups, with
 * composed's backward; composed: by rms_norm, gemm and partial_sums, for widths that neither takes. */
#ifndef TN_MLP_H
#define TN_MLP_H

#include "partial_sums.h"

typedef struct tn_mlp_shape {
    int64_t N, D, F; /* rows, width, width between */
    float eps;
} tn_mlp_shape;

/* Weights, or their gradients. */
typedef struct tn_mlp_weights {
    tn_buffer *norm /* [D] */, *up /* [F,D] */, *up_bias /* [F] */, *down /* [D,F] */, *down_bias /* [D] */;
    const tn_buffer *up_packed, *down_packed; /* as tn_gemm_pack_all leaves them, or NULL */
} tn_mlp_weights;

extern const struct tn_op tn_mlp_op;

/* What forward leaves for backward. Where tn_mlp_is_fused is false, u and act are needed, and up may be act
 * if no backward pass follows; where it is true, u and act may be NULL, and up too if no backward pass
 * follows. */
typedef struct tn_mlp_saved {
    tn_buffer *rstd /* [N] */, *up /* [N,F] */, *u /* [N,D] */, *act /* [N,F] */;
} tn_mlp_saved;

/* Can u and act be left out? By variant fused always, by fused_groups where no backward pass follows.
 * training: one of the same shape will; both take one variant. */
tn_status tn_mlp_is_fused(tn_device *dev, const tn_mlp_shape *s, bool training, bool *fused);
tn_status tn_mlp_forward(tn_device *dev, const tn_mlp_shape *s, bool training, tn_buffer *y /* [N,D] */,
                         const tn_mlp_saved *saved, const tn_buffer *x /* [N,D] */, const tn_mlp_weights *w);
/* dx = gradient at x, the residual's included; gradients are written. later: where those may wait, or NULL.
 */
tn_status tn_mlp_backward(tn_device *dev, const tn_mlp_shape *s, tn_buffer *dx /* [N,D] */,
                          const tn_mlp_weights *grads, const tn_buffer *dy /* [N,D] */,
                          const tn_buffer *x /* [N,D] */, const tn_mlp_weights *w, const tn_mlp_saved *saved,
                          tn_partial_sums *later);

#endif
