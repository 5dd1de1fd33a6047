/* Depthwise causal convolution: z[t,d] = b[d] + Σ_{j<K, j≤t} w[d,j]·u[t-j,d]; y = silu ? z/(1+e^-z) : z. */
#ifndef TN_CAUSAL_CONV_REF_H
#define TN_CAUSAL_CONV_REF_H

#include <stdint.h>

/* z at position t of one channel; u points at position 0 of the channel, D apart, w at its taps. */
double tn_causal_conv_at_ref(int64_t t, int64_t D, int64_t K, const double *u, const double *w, double b);
/* Products of one channel of a sequence with its taps: fewer at its start. */
double tn_causal_conv_taps_ref(double T, double K);
double tn_silu_slope_ref(double z); /* dsilu/dz */

void tn_causal_conv_forward_ref(int64_t B, int64_t T, int64_t D, int64_t K, int silu, double *y /* [B,T,D] */,
                                const double *u /* [B,T,D] */, const double *w /* [D,K] */,
                                const double *b /* [D] */);
/* du is added to what it holds; dw and db are overwritten. */
void tn_causal_conv_backward_ref(int64_t B, int64_t T, int64_t D, int64_t K, int silu,
                                 double *du /* [B,T,D] */, double *dw /* [D,K] */, double *db /* [D] */,
                                 const double *dy /* [B,T,D] */, const double *u /* [B,T,D] */,
                                 const double *w /* [D,K] */, const double *b /* [D] */);

#endif
