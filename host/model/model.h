/* The routed-attention language model: parameters, forward, backward. host/model/README.md is its
 * specification. */
#ifndef TN_MODEL_H
#define TN_MODEL_H

#include "params.h"

/* Whether a compacted pass projects keys and values or multiplies their weights out (attention_absorb). Which
 * of the two runs moves last bits, so under AUTO those of a row may depend on how many rows are routed beside
 * it. */
typedef enum tn_absorb {
    TN_ABSORB_AUTO, /* what needs fewer multiply-adds, a layer and pass at a time */
    TN_ABSORB_NEVER,
    TN_ABSORB_ALWAYS /* wherever it can be: no rotated positions, width 16 to 128, keys of every head */
} tn_absorb;

/* Who knows how many rows of a layer are routed, in a compacted pass: the host, which waits for the device
 * and sizes what follows exactly, or the device alone, and then keys and values are projected. The bits of a
 * projected pass, and of a step's gradients, are the same. */
typedef enum tn_count {
    TN_COUNT_AUTO, /* the device where that is quicker: work-groups, and a layer that is small for it */
    TN_COUNT_HOST,
    TN_COUNT_DEVICE /* wherever it can be; not in training of several sequences by variant threads of gemm */
} tn_count;

typedef struct tn_model {
    tn_device *dev; /* borrowed */
    tn_model_config config;
    bool training;
    tn_absorb absorb; /* TURNOUT_ABSORB=auto|never|always, else AUTO */
    tn_count count;   /* TURNOUT_COUNT=auto|host|device, else AUTO */
    tn_params params;
} tn_model;

/* training: with gradients and moments. Values are zero until tn_params_init or a checkpoint fills them. */
tn_status tn_model_create(tn_device *dev, const tn_model_config *c, bool training, tn_model **out);
void tn_model_destroy(tn_model *m); /* NULL is fine */

/* How the gate of a routed layer works in a pass. Controls (a given mask) are compacted in every
 * gate but the last. */
typedef enum tn_gate {
    TN_GATE_SOFT,    /* g = p; both tracks for all rows */
    TN_GATE_DENSE,   /* g = h, straight-through; both tracks for all rows, so every row's gate gets a gradient
                      */
    TN_GATE_COMPACT, /* g = h; the global track for routed rows only */
    TN_GATE_BLOCKS   /* g = h; the global track for whole blocks of rows of which any is routed */
} tn_gate;

/* One batch as a model sees it. All arrays are host memory, borrowed for the call. */
typedef struct tn_input {
    int64_t B, T;
    const int32_t *tokens;                /* [B,T], each in [0, V) */
    int64_t L;                            /* rows that get logits */
    const int32_t *label_rows;            /* [L] ascending rows b·T + t, or NULL: all rows (L = B·T) */
    const int32_t *labels;                /* [L] */
    const uint8_t *oracle;                /* [B,T], for the oracle mixer only */
    uint64_t control_seed, control_index; /* stream of the random control */
    double gate_margin; /* a row is routed where its logit reaches this: 0, but in training */
    bool by_threshold;  /* whatever the model's routing is: false, but in training */
    bool price_known; /* in a compacted pass the penalty is that of routed rows alone: what attention would be
                         worth to the others is not known there. false, but in training */
    double gate_slope; /* least slope of the router's sigmoid as the loss's gradient passes it: 0, but in
                          training */
} tn_input;

/* What one layer did in the last forward pass. */
typedef struct tn_layer_stats {
    int64_t
        routed; /* R: rows that took attention (all rows: attention mixer; hard decisions in every gate) */
    int64_t decided; /* rows that take it by the router alone, as in evaluation: without the margin of
                        training and by the model's own routing; `routed` where there is no router */
    int64_t kv_rows; /* rows whose k and v were computed */
    int64_t absorbed_rows,
        absorbed_passes;   /* of `routed`, those with absorbed weights; products of weights */
    double absorbed_pairs; /* of `pairs`, those with absorbed weights: scores D wide a head */
    double pairs;          /* Σ over routed rows of (t+1) */
    double soft;           /* Σ p over all rows; 0 without a router */
} tn_layer_stats;

typedef struct tn_workspace tn_workspace;

/* Activations for batches of at most B sequences of T positions. Buffers are made on first use, at their
 * largest size in training, so a step that has run once in its dense form allocates nothing more. */
tn_status tn_workspace_create(tn_model *m, int64_t B, int64_t T, tn_workspace **out);
void tn_workspace_destroy(tn_workspace *ws); /* NULL is fine */

/* Fills logits [L,V]. In a model for inference Ctrl-C ends it between layers, and within one where attention
 * takes long: TN_ERR_INTERRUPTED. `routes` (host, u8 [layers,B,T]) and `stats` ([layers], with pairs and
 * soft) are read back when not NULL, as by tn_workspace_observe. Every tensor stays on the device until the
 * next pass. */
tn_status tn_model_forward(tn_model *m, tn_workspace *ws, const tn_input *in, tn_gate gate, uint8_t *routes,
                           tn_layer_stats *stats);
/* What the last pass decided, for the input that it had: routes [layers,B,T] and stats [layers], either of
 * which may be NULL, read back once for all layers. */
tn_status tn_workspace_observe(tn_workspace *ws, const tn_input *in, uint8_t *routes, tn_layer_stats *stats);
/* After forward: loss, log-sum and argmax of every labelled row, queued. */
tn_status tn_model_loss(tn_model *m, tn_workspace *ws, const tn_input *in);
/* Reads what tn_model_loss left: mean cross-entropy (summed in double, in order) and argmax [L] (may be
 * NULL). */
tn_status tn_model_loss_read(tn_workspace *ws, const tn_input *in, double *cross_entropy, int32_t *predicted);
/* After tn_model_loss, same input and gate: gradients of mean cross-entropy + penalty · Σ over layers and
 * rows of p. */
tn_status tn_model_backward(tn_model *m, tn_workspace *ws, const tn_input *in, tn_gate gate, double penalty);

/* Where a forward pass or the loss gave what is not finite: runs it again, looking at every tensor, and fails
 * in any case, TN_ERR_DEVICE with the first of them. Without labels up to the logits. */
tn_status tn_model_blame(tn_model *m, tn_workspace *ws, const tn_input *in, tn_gate gate);
/* On: forward and loss look at every tensor as they go: TN_ERR_CHECK at the first that is not finite. Slow.
 */
void tn_workspace_inspect(tn_workspace *ws, bool on);

tn_buffer *tn_workspace_logits(tn_workspace *ws); /* [L,V]; borrowed */
tn_buffer *tn_workspace_losses(tn_workspace *ws); /* [L], of each label; borrowed */
/* Routed rows of each layer in the last compacted pass, read back where the device alone knows them. *out:
 * [layers], borrowed. */
tn_status tn_workspace_routed(tn_workspace *ws, const int64_t **out);

/* AdamW over all parameters after clipping the gradient's norm at `clip`. Step counts from 1. */
typedef struct tn_optimizer {
    double lr, beta1, beta2, eps, weight_decay, clip;
} tn_optimizer;
tn_status tn_model_update(tn_model *m, const tn_optimizer *o, int64_t step);
/* Gradient norm of the last update, before clipping; waits for the device. NaN or infinity where training
 * went wrong. */
tn_status tn_model_gradient_norm(tn_model *m, double *norm);

#endif
