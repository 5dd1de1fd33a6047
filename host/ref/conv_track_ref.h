/* The convolution track of a layer with its norm and the router beside it: u = norm(x) (rms_norm_ref.h), p
 * and h of u (route_gate_ref.h), s = silu(dwconv(u)) (causal_conv_ref.h), c = s·W_cᵀ. */
#ifndef TN_CONV_TRACK_REF_H
#define TN_CONV_TRACK_REF_H

#include <stdint.h>

void tn_conv_track_forward_ref(int64_t B, int64_t T, int64_t D, int64_t K, double eps, double margin,
                               double *c /* [B,T,D] */, double *u /* [B,T,D] */, double *rstd /* [B,T] */,
                               double *s /* [B,T,D] */, double *p /* [B,T] */, int32_t *h /* [B,T] */,
                               const double *x /* [B,T,D] */, const double *norm /* [D] */,
                               const double *router /* [D] */, double router_bias,
                               const double *conv /* [D,K] */, const double *conv_bias /* [D] */,
                               const double *out /* [D,D] */);
/* Gradients by the track alone, from dc; all are overwritten, ds too. */
void tn_conv_track_backward_ref(int64_t B, int64_t T, int64_t D, int64_t K, double *du /* [B,T,D] */,
                                double *dconv /* [D,K] */, double *dconv_bias /* [D] */,
                                double *dout /* [D,D] */, double *ds /* [B,T,D] */,
                                const double *dc /* [B,T,D] */, const double *u /* [B,T,D] */,
                                const double *s /* [B,T,D] */, const double *conv /* [D,K] */,
                                const double *conv_bias /* [D] */, const double *out /* [D,D] */);

#endif
