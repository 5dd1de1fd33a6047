#include "cost.h"

#include <string.h>

tn_cost tn_cost_mixer(const tn_model_config *c, int64_t layer, int64_t rows, const tn_layer_stats *s) {
    double N = (double)rows, D = (double)c->d_model, K = (double)c->conv_taps;
    double R = (double)s->routed, P = (double)s->kv_rows, width = (double)tn_model_config_kv_width(c);
    double flops = N * (4 * D + D); /* norm, residual */
    if (tn_layer_has_conv(c, layer))
        flops += N * (2 * K * D + 4 * D + 2 * D * D);
    if (tn_layer_has_router(c, layer))
        flops += N * (2 * D + 4);
    if (c->added && tn_layer_has_conv(c, layer)) /* both tracks of a routed row */
        flops += D * R;
    double H = (double)c->heads, absorbed = (double)s->absorbed_rows;
    /* q·k and p·v: 2·D each, over all heads; with absorbed weights in each head */
    double scores = 4 * D * (s->pairs + (H - 1) * s->absorbed_pairs);
    flops += 4 * D * (D * (R + (H - 1) * absorbed + D * (double)s->absorbed_passes) + width * P);
    return (tn_cost){flops + scores, scores};
}

/* A layer: its mixer, the second norm and the mlp with gelu. */
static tn_cost layer_cost(const tn_model_config *c, int64_t layer, int64_t N, const tn_layer_stats *s) {
    double D = (double)c->d_model, F = (double)c->mlp_width;
    tn_cost cost = tn_cost_mixer(c, layer, N, s);
    cost.flops += (double)N * (4 * D + 2 * 2 * D * F + 8 * F + D);
    return cost;
}

tn_cost tn_cost_forward(const tn_model_config *c, int64_t N, int64_t L, const tn_layer_stats *stats) {
    tn_cost cost = {0};
    for (int64_t i = 0; i < c->layers; i++) {
        tn_cost layer = layer_cost(c, i, N, &stats[i]);
        cost.flops += layer.flops;
        cost.score_flops += layer.score_flops;
    }
    if (c->match > 0) /* a row of the second table is added */
        cost.flops += (double)N * (double)c->d_model;
    cost.flops += (double)L * (4 * (double)c->d_model + 2 * (double)c->d_model * (double)c->vocab);
    return cost;
}

tn_cost tn_cost_attention(const tn_model_config *c, int64_t sequences, int64_t T, int64_t L) {
    const tn_model_config dense = tn_model_config_dense(c);
    tn_layer_stats stats[TN_MODEL_MAX_LAYERS];
    memset(stats, 0, sizeof stats);
    for (int64_t i = 0; i < c->layers; i++) {
        stats[i].routed = stats[i].kv_rows = sequences * T;
        stats[i].pairs = (double)sequences * tn_model_config_pairs(&dense, T);
    }
    return tn_cost_forward(&dense, sequences * T, L, stats);
}

int64_t tn_cost_parameters(const tn_model_config *c) {
    int64_t D = c->d_model, F = c->mlp_width,
            count = (2 * c->vocab + 1) * D + (c->match > 0 ? (c->match + 1) * D : 0);
    for (int64_t i = 0; i < c->layers; i++) {
        count += 2 * D + (2 * D + 1) * F + D;
        if (tn_layer_has_conv(c, i))
            count += (c->conv_taps + 1 + D) * D;
        if (tn_layer_has_attention(c, i))
            count += 2 * D * (D + tn_model_config_kv_width(c));
        if (tn_layer_has_router(c, i))
            count += D + 1;
    }
    return count;
}

int64_t tn_cost_equal_width(const tn_model_config *c, int64_t parameters) {
    tn_model_config bare = *c;
    int64_t a_column = c->layers * (2 * c->d_model + 1);
    bare.mlp_width = 0;
    int64_t width = (parameters - tn_cost_parameters(&bare) + a_column / 2) / a_column;
    return width < 1 ? 1 : width;
}
