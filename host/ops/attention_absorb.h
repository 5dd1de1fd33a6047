/* Products of attention's weights (kernels/attention_absorb): M_h = W_kʰᵀ·W_qʰ and C_h = W_oʰ·W_vʰ, as
 * DeepSeek-AI: DeepSeek-V2, 2024, section 2.1 absorbs up-projections. Then q·k = (M_h·u_t)·u_s and o =
 * Σ_h C_h·Σ_s p·u_s: keys and values are the rows u themselves, so rows that are only attended to need no W_k
 * and W_v; but scores are D wide instead of Dh. It pays where queries are few. */
#ifndef TN_ATTENTION_ABSORB_H
#define TN_ATTENTION_ABSORB_H

#include "buffer.h"

typedef struct tn_attention_absorb_shape {
    int64_t H, Dh; /* heads, head width; D = H·Dh, a multiple of 4 */
} tn_attention_absorb_shape;

extern const struct tn_op tn_attention_absorb_op;

/* TN_ERR_UNSUPPORTED unless D is a multiple of 4 and H·D² is below 2^31. */
tn_status tn_attention_absorb_forward(tn_device *dev, const tn_attention_absorb_shape *s,
                                      tn_buffer *mq /* [H·D,D]: M */, tn_buffer *mo /* [D,H·D]: C */,
                                      const tn_buffer *wq, const tn_buffer *wk, const tn_buffer *wv,
                                      const tn_buffer *wo /* [D,D] each */);
tn_status tn_attention_absorb_backward(tn_device *dev, const tn_attention_absorb_shape *s, tn_buffer *dwq,
                                       tn_buffer *dwk, tn_buffer *dwv, tn_buffer *dwo /* [D,D] each */,
                                       const tn_buffer *dmq /* [H·D,D] */, const tn_buffer *dmo /* [D,H·D] */,
                                       const tn_buffer *wq, const tn_buffer *wk, const tn_buffer *wv,
                                       const tn_buffer *wo);
/* Each of R listed rows H times: the list for flash_attention where every head is a query of its own. */
tn_status tn_attention_absorb_rows(tn_device *dev, int64_t R, int64_t H, tn_buffer *to /* i32 [R·H] */,
                                   const tn_buffer *rows /* i32 [R] */);

#endif
