/* A block's mlp with its norm and its residual: u = x · rstd · w, y = x + W₂·gelu(W₁·u + b₁) + b₂. */
#ifndef TN_MLP_REF_H
#define TN_MLP_REF_H

#include <stdint.h>

/* What the gradient needs: rstd, up = W₁·u + b₁, and both sides' inputs u and act = gelu(up). */
void tn_mlp_forward_ref(int64_t N, int64_t D, int64_t F, double eps, double *y /* [N,D] */,
                        double *rstd /* [N] */, double *up /* [N,F] */, double *u /* [N,D] */,
                        double *act /* [N,F] */, const double *x /* [N,D] */, const double *w /* [D] */,
                        const double *w1 /* [F,D] */, const double *b1 /* [F] */,
                        const double *w2 /* [D,F] */, const double *b2 /* [D] */);
/* du [N,D] and dup [N,F] are room for what lies between. */
void tn_mlp_backward_ref(int64_t N, int64_t D, int64_t F, double *dx /* [N,D] */, double *dw /* [D] */,
                         double *dw1 /* [F,D] */, double *db1 /* [F] */, double *dw2 /* [D,F] */,
                         double *db2 /* [D] */, double *du, double *dup, const double *dy /* [N,D] */,
                         const double *x, const double *w, const double *w1, const double *w2,
                         const double *rstd, const double *up, const double *u, const double *act);

#endif
