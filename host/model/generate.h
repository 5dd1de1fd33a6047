/* Tokens behind a prompt, one after the other: each is taken from the logits behind the one before it. */
#ifndef TN_GENERATE_H
#define TN_GENERATE_H

#include "model.h"
#include "sample.h"

typedef struct tn_generation {
    const int32_t *prompt; /* [prompt_tokens] */
    int64_t prompt_tokens; /* ≥ 1 */
    int64_t tokens;        /* to make, ≥ 1 */
    tn_sampling sampling;
    bool measured; /* kernels are built before the first measurement, times are kept and routes counted */
    /* Called with each token as soon as it is known; what is not TN_OK ends it. */
    tn_status (*put)(void *data, int32_t token);
    void *data;
} tn_generation;

typedef struct tn_generated {
    int64_t tokens; /* made and put */
    int64_t steps;  /* tokens that were read behind the prompt: the last one made is not */
    double cache_bytes;
    /* The rest where it was measured. */
    double prefill_ms; /* the prompt, up to the logits behind it */
    double *step_ms;   /* [steps], from a token to the next one's being known; by tn_generated_free */
    size_t room;       /* of step_ms */
    int64_t launches;  /* of a step; stopped: of the first, else of the last */
    int64_t prompt_routed[TN_MODEL_MAX_LAYERS], routed[TN_MODEL_MAX_LAYERS]; /* tokens that took attention */
} tn_generated;

/* TN_ERR_ARG where the model cannot be decoded (decode.h), TN_ERR_MEMORY with the bytes where prompt and
 * tokens would take more than the device has; both before anything is allocated. TN_ERR_INPUT for a token
 * outside the vocabulary. Ctrl-C: TN_ERR_INTERRUPTED. TN_ERR_DEVICE, with the first tensor that has it, where
 * logits are not finite. `out` is filled as far as it came, whatever is returned; a control's masks are those
 * of seed 1 and sequence 0, as in evaluation. */
tn_status tn_generate(tn_model *m, const tn_generation *g, tn_generated *out);
void tn_generated_free(tn_context *ctx, tn_generated *g);

/* Are these logits ([V], behind the last of `count` tokens of sequence `index`) numbers? Else the forward
 * pass over the tokens is looked through: TN_ERR_DEVICE with the first tensor that is not finite. */
tn_status tn_logits_check(tn_model *m, const float *logits, const int32_t *tokens, int64_t count,
                          uint64_t index);

#endif
