/* Least floating-point work of a forward pass, counted from the model's shape and what was routed. A
 * multiply-add is 2. Counted: products, convolution, scores and their sum over values; element-wise work at a
 * few operations an element. */
#ifndef TN_COST_H
#define TN_COST_H

#include "model.h"

typedef struct tn_cost {
    double flops, score_flops; /* all; QKᵀ and PV alone */
} tn_cost;

/* N positions in all, L labelled rows; stats [layers] of the pass. */
tn_cost tn_cost_forward(const tn_model_config *c, int64_t N, int64_t L, const tn_layer_stats *stats);
/* The same model with the attention mixer, without a window, on `sequences` of T positions. */
tn_cost tn_cost_attention(const tn_model_config *c, int64_t sequences, int64_t T, int64_t L);

/* The mixer of one layer alone: norm₁, router, both tracks, mixing and residual; no mlp. */
tn_cost tn_cost_mixer(const tn_model_config *c, int64_t layer, int64_t N, const tn_layer_stats *stats);

/* Values that are trained. */
int64_t tn_cost_parameters(const tn_model_config *c);
/* The hidden width of the mlp with which a model like c, whatever its own, has as nearly as can be
 * `parameters` parameters; at least 1. */
int64_t tn_cost_equal_width(const tn_model_config *c, int64_t parameters);

#endif
