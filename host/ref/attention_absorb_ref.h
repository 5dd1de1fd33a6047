/* M_h = W_kʰᵀ·W_qʰ [D,D], one head below the other, and C_h = W_oʰ·W_vʰ [D,D], one beside the other; D =
 * H·Dh. */
#ifndef TN_ATTENTION_ABSORB_REF_H
#define TN_ATTENTION_ABSORB_REF_H

#include <stdint.h>

void tn_attention_absorb_forward_ref(int64_t H, int64_t Dh, double *mq /* [H·D,D] */,
                                     double *mo /* [D,H·D] */, const double *wq, const double *wk,
                                     const double *wv, const double *wo /* [D,D] each */);
void tn_attention_absorb_backward_ref(int64_t H, int64_t Dh, double *dwq, double *dwk, double *dwv,
                                      double *dwo /* [D,D] each */, const double *dmq /* [H·D,D] */,
                                      const double *dmo /* [D,H·D] */, const double *wq, const double *wk,
                                      const double *wv, const double *wo);

#endif
