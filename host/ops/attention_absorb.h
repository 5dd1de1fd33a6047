/* The weights of attention multiplied out (kernels/attention_absorb.cl): M_h = W_kʰᵀ·W_qʰ and C_h =
 * W_oʰ·W_vʰ, as DeepSeek-AI: DeepSeek-V2, 2024, section 2.1 absorbs up-projections. Then q·k = (M_h·u_t)·u_s
 * and o = Σ_h C_h·Σ_s p·u_s: attention whose keys and values are the rows u themselves, with no W_k and W_v
 * for rows that are only looked at, at the price of scores D wide instead of Dh. It pays where queries are
 * few. */
#ifndef TN_ATTENTION_ABSORB_H
#define TN_ATTENTION_ABSORB_H

#include "buffer.h"

typedef struct tn_attention_absorb_shape {
    int64_t H, Dh; /* heads, head width; D = H·Dh, a multiple of 4 */
} tn_attention_absorb_shape;

tn_status tn_attention_absorb_forward(tn_device *dev, const tn_attention_absorb_shape *s,
                                      tn_buffer *mq /* [H·D,D]: M */, tn_buffer *mo /* [D,H·D]: C */,
                                      const tn_buffer *wq, const tn_buffer *wk, const tn_buffer *wv,
                                      const tn_buffer *wo /* [D,D] each */);
tn_status tn_attention_absorb_backward(tn_device *dev, const tn_attention_absorb_shape *s, tn_buffer *dwq,
                                       tn_buffer *dwk, tn_buffer *dwv, tn_buffer *dwo /* [D,D] each */,
                                       const tn_buffer *dmq /* [H·D,D] */, const tn_buffer *dmo /* [D,H·D] */,
                                       const tn_buffer *wq, const tn_buffer *wk, const tn_buffer *wv,
                                       const tn_buffer *wo);
/* Each of R listed rows H times, for flash_attention with a query a head. */
tn_status tn_attention_absorb_rows(tn_device *dev, int64_t R, int64_t H, tn_buffer *to /* i32 [R·H] */,
                                   const tn_buffer *rows /* i32 [R] */);

#endif
