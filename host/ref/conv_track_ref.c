#include "conv_track_ref.h"

#include "causal_conv_ref.h"
#include "gemm_ref.h"
#include "rms_norm_ref.h"
#include "route_gate_ref.h"

#include <string.h>

void tn_conv_track_forward_ref(int64_t B, int64_t T, int64_t D, int64_t K, double eps, double margin,
                               double *c, double *u, double *rstd, double *s, double *p, int32_t *h,
                               const double *x, const double *norm, const double *router, double router_bias,
                               const double *conv, const double *conv_bias, const double *out) {
    tn_rms_norm_forward_ref(B * T, D, eps, u, rstd, x, norm);
    tn_route_gate_forward_ref(B * T, D, p, h, u, router, router_bias, margin);
    tn_causal_conv_forward_ref(B, T, D, K, 1, s, u, conv, conv_bias);
    tn_gemm_ref(false, true, B * T, D, D, c, s, out, NULL, NULL);
}

void tn_conv_track_backward_ref(int64_t B, int64_t T, int64_t D, int64_t K, double *du, double *dconv,
                                double *dconv_bias, double *dout, double *ds, const double *dc,
                                const double *u, const double *s, const double *conv, const double *conv_bias,
                                const double *out) {
    tn_gemm_ref(true, false, D, D, B * T, dout, dc, s, NULL, NULL);
    tn_gemm_ref(false, false, B * T, D, D, ds, dc, out, NULL, NULL);
    memset(du, 0, (size_t)(B * T * D) * sizeof *du);
    tn_causal_conv_backward_ref(B, T, D, K, 1, du, dconv, dconv_bias, ds, u, conv, conv_bias);
}
