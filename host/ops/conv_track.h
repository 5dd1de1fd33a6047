/* The convolution track of a layer with its norm and the router beside it (kernels/conv_track): u =
 * x·rstd·w with rstd = 1/√(mean x² + eps), p and h as route_gate's, c = W_c·silu(dwconv(u)). Whole, one
 * launch that keeps what lies between near a unit, where the device's items are threads with a cache; variant
 * composed: by rms_norm, route_gate, causal_conv, gemm and partial_sums, elsewhere and for widths of no whole
 * tiles. */
#ifndef TN_CONV_TRACK_H
#define TN_CONV_TRACK_H

#include "partial_sums.h"

typedef struct tn_conv_track_shape {
    int64_t B, T, D, K; /* sequences, positions, width, taps */
    float eps;
    double margin; /* of the router's decision */
} tn_conv_track_shape;

/* Weights, or gradients of those of the track itself. Without a router, router is NULL. */
typedef struct tn_conv_track_weights {
    tn_buffer *norm /* [D] */, *router /* [D] */, *router_bias /* [1] */, *conv /* [D,K] */,
        *conv_bias /* [D] */, *out /* [D,D], W_c */;
    const tn_buffer *out_packed; /* as tn_gemm_pack_all leaves it, or NULL */
} tn_conv_track_weights;

/* What forward gives beside c, all of it wanted by backward and the other track. s = silu(dwconv(u)) where
 * tn_conv_track_is_fused says false, else NULL; p and h where there is a router. */
typedef struct tn_conv_track_saved {
    tn_buffer *u /* [B,T,D] */, *rstd /* [B,T] */, *s /* [B,T,D] */, *p /* [B,T] */, *h /* u8 [B,T] */;
} tn_conv_track_saved;

extern const struct tn_op tn_conv_track_op;

/* Is variant fused chosen? training: a backward pass of the same shape will follow; both take one variant. */
tn_status tn_conv_track_is_fused(tn_device *dev, const tn_conv_track_shape *s, bool training, bool *fused);

/* add [B,T,D] is added to c, or NULL. */
tn_status tn_conv_track_forward(tn_device *dev, const tn_conv_track_shape *s, bool training,
                                tn_buffer *c /* [B,T,D] */, const tn_conv_track_saved *saved,
                                const tn_buffer *x /* [B,T,D] */, const tn_conv_track_weights *w,
                                const tn_buffer *add);

/* Steps of variant composed's forward pass, in their order, to be run or timed by themselves. */
typedef enum tn_conv_track_step {
    TN_CONV_TRACK_NORM, /* u, rstd */
    TN_CONV_TRACK_GATE, /* p, h */
    TN_CONV_TRACK_CONV, /* s */
    TN_CONV_TRACK_OUT,  /* c */
    TN_CONV_TRACK_STEPS
} tn_conv_track_step;
tn_status tn_conv_track_step_forward(tn_device *dev, const tn_conv_track_shape *s, tn_conv_track_step step,
                                     tn_buffer *c, const tn_conv_track_saved *saved, const tn_buffer *x,
                                     const tn_conv_track_weights *w, const tn_buffer *add);

/* du = gradient at u by this track alone; gradients of conv, conv_bias and out are written. ds: room for the
 * gradient at s with variant composed, else NULL. later: where gradients may wait, or NULL. */
tn_status tn_conv_track_backward(tn_device *dev, const tn_conv_track_shape *s, tn_buffer *du /* [B,T,D] */,
                                 const tn_conv_track_weights *grads, tn_buffer *ds /* [B,T,D] */,
                                 const tn_buffer *dc /* [B,T,D] */, const tn_conv_track_weights *w,
                                 const tn_conv_track_saved *saved, tn_partial_sums *later);

#endif
