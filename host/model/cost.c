#include "cost.h"

#include <string.h>

static double layer_flops(const tn_model_config *c, double N, const tn_layer_stats *s, double *scores) {
    double D = (double)c->d_model, F = (double)c->mlp_width, K = (double)c->conv_taps;
    double R = (double)s->routed, P = (double)s->kv_rows;
    double flops = N * (2 * 4 * D + 2 * 2 * D * F + 8 * F + D); /* two norms, mlp with gelu, residual */
    if (tn_mixer_has_conv(c))
        flops += N * (2 * K * D + 4 * D + 2 * D * D);
    if (tn_mixer_has_router(c))
        flops += N * (2 * D + 4);
    if (tn_mixer_has_attention(c) && tn_mixer_has_conv(c))
        flops += R * 2 * D;     /* mixing */
    *scores = 4 * D * s->pairs; /* q·k and p·v: 2·D each, over all heads */
    return flops + R * 4 * D * D + P * 4 * D * D + *scores;
}

tn_cost tn_cost_forward(const tn_model_config *c, int64_t N, int64_t L, const tn_layer_stats *stats) {
    tn_cost cost = {0};
    for (int64_t i = 0; i < c->layers; i++) {
        double scores;
        cost.flops += layer_flops(c, (double)N, &stats[i], &scores);
        cost.score_flops += scores;
    }
    cost.flops += (double)L * (4 * (double)c->d_model + 2 * (double)c->d_model * (double)c->vocab);
    return cost;
}

tn_cost tn_cost_attention(const tn_model_config *c, int64_t sequences, int64_t T, int64_t L) {
    tn_model_config dense = *c;
    tn_layer_stats stats[64];
    dense.mixer = TN_MIXER_ATTENTION;
    memset(stats, 0, sizeof stats);
    for (int64_t i = 0; i < c->layers; i++) {
        stats[i].routed = stats[i].kv_rows = sequences * T;
        stats[i].pairs = (double)sequences * (double)T * ((double)T + 1) / 2;
    }
    return tn_cost_forward(&dense, sequences * T, L, stats);
}
