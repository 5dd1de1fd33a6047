/* Depthwise causal convolution: z[t,d] = b[d] + Σ_{j<K, j≤t} w[d,j]·u[t-j,d]; y = silu ? z/(1+e^-z) : z. */
#ifndef TN_CAUSAL_CONV_REF_H
#define TN_CAUSAL_CONV_REF_H

#include <stdint.h>

void tn_causal_conv_forward_ref(int64_t B, int64_t T, int64_t D, int64_t K, int silu, double *y /* [B,T,D] */,
                                const double *u /* [B,T,D] */, const double *w /* [D,K] */,
                                const double *b /* [D] */);
/* du is added to what it holds; dw and db are overwritten. */
void tn_causal_conv_backward_ref(int64_t B, int64_t T, int64_t D, int64_t K, int silu,
                                 double *du /* [B,T,D] */, double *dw /* [D,K] */, double *db /* [D] */,
                                 const double *dy /* [B,T,D] */, const double *u /* [B,T,D] */,
                                 const double *w /* [D,K] */, const double *b /* [D] */);

#endif
