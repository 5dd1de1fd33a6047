/* RMSNorm (Zhang and Sennrich, 2019): y = x · rstd · w, rstd = 1/√(mean_d x² + eps). */
#ifndef TN_RMS_NORM_REF_H
#define TN_RMS_NORM_REF_H

#include <stdint.h>

double tn_rms_norm_rstd_ref(int64_t D, double eps, const double *x /* [D] */); /* of one row */
void tn_rms_norm_forward_ref(int64_t N, int64_t D, double eps, double *y /* [N,D] */, double *rstd /* [N] */,
                             const double *x /* [N,D] */, const double *w /* [D] */);
/* dx is added to what it holds: with zeros before, it is the gradient alone. */
void tn_rms_norm_backward_ref(int64_t N, int64_t D, double *dx /* [N,D] */, double *dw /* [D] */,
                              const double *dy /* [N,D] */, const double *x /* [N,D] */,
                              const double *w /* [D] */, const double *rstd /* [N] */);

#endif
