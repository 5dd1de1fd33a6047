/* What `turnout infer` works on, in one pass or a token at a time. */
#ifndef TN_CLI_INFER_H
#define TN_CLI_INFER_H

#include "model.h"

typedef struct tn_infer {
    tn_context *ctx;
    tn_model *m;
    const int32_t *tokens; /* [B,T] */
    int64_t B, T;
    bool last;       /* logits of the last position alone */
    float *logits;   /* [B,T,V]; last: [B,1,V] */
    uint8_t *routes; /* [layers,B,T] */
} tn_infer;

/* Fills logits and routes a token at a time. Ctrl-C: TN_ERR_INTERRUPTED. TN_ERR_ARG where the model cannot be
 * decoded, TN_ERR_MEMORY where a sequence's state would not fit the device; TN_ERR_DEVICE, naming the
 * sequence and the first tensor, where logits are not finite. */
tn_status tn_infer_decode(tn_infer *r);

#endif
