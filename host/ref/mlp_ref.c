#include "mlp_ref.h"

#include "gelu_ref.h"
#include "gemm_ref.h"
#include "rms_norm_ref.h"

#include <string.h>

void tn_mlp_forward_ref(int64_t N, int64_t D, int64_t F, double eps, double *y, double *rstd, double *up,
                        double *u, double *act, const double *x, const double *w, const double *w1,
                        const double *b1, const double *w2, const double *b2) {
    tn_rms_norm_forward_ref(N, D, eps, u, rstd, x, w);
    tn_gemm_ref(false, true, N, F, D, up, u, w1, b1, NULL);
    tn_gelu_forward_ref(N * F, act, up);
    tn_gemm_ref(false, true, N, D, F, y, act, w2, b2, x);
}

void tn_mlp_backward_ref(int64_t N, int64_t D, int64_t F, double *dx, double *dw, double *dw1, double *db1,
                         double *dw2, double *db2, double *du, double *dup, const double *dy, const double *x,
                         const double *w, const double *w1, const double *w2, const double *rstd,
                         const double *up, const double *u, const double *act) {
    tn_gemm_ref(true, false, D, F, N, dw2, dy, act, NULL, NULL);
    tn_gemm_bias_backward_ref(N, D, db2, dy);
    tn_gemm_ref(false, false, N, F, D, dup, dy, w2, NULL, NULL);
    tn_gelu_backward_ref(N * F, dup, dup, up);
    tn_gemm_ref(true, false, F, D, N, dw1, dup, u, NULL, NULL);
    tn_gemm_bias_backward_ref(N, F, db1, dup);
    tn_gemm_ref(false, false, N, D, F, du, dup, w1, NULL, NULL);
    memcpy(dx, dy, (size_t)(N * D) * sizeof *dx); /* the residual, to which the norm's gradient is added */
    tn_rms_norm_backward_ref(N, D, dx, dw, du, x, w, rstd);
}
