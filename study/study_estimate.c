#include "study_estimate.h"

#include "cost.h"

#include <math.h>
#include <string.h>

/* Operations of one sequence with the fraction ρ of rows routed, spread evenly. */
static double flops_at(const tn_model_config *m, double T, double rho) {
    tn_layer_stats stats[TN_MODEL_MAX_LAYERS] = {{0}};
    for (int64_t i = 0; i < m->layers; i++)
        stats[i] = (tn_layer_stats){.routed = (int64_t)(rho * T),
                                    .kv_rows = rho > 0 ? (int64_t)T : 0,
                                    .pairs = rho * tn_model_config_pairs(m, (int64_t)T)};
    return tn_cost_forward(m, (int64_t)T, 1, stats).flops;
}

tn_study_estimate tn_study_estimate_item(const tn_study_rows *rows, const tn_study_item *item) {
    tn_study_estimate estimate = {0};
    const tn_model_config *m = &item->config.model;
    double T = (double)item->task.distance + 2, nearest = 0;
    int64_t batch = T < 16384 ? 16384 / (int64_t)T : 1;
    for (size_t i = 0; i < rows->count && item->task.kind == TN_TASK_RECALL; i++) {
        const tn_study_row *row = &rows->items[i];
        double length = tn_study_row_value(row, "distance") + 2,
               attention_ms = tn_study_row_value(row, "attention_eval_ms_per_sequence"),
               ms = tn_study_row_value(row, "eval_ms_per_sequence"),
               rho = tn_study_row_value(row, "attention_pct") / 100;
        if (strcmp(tn_study_row_text(row, "run"), item->run) != 0 || !(ms > 0) || !(length < T))
            continue;
        if (attention_ms > 0)
            estimate.pass_s = attention_ms / 1000 * tn_cost_attention(m, batch, (int64_t)T, batch).flops /
                              tn_cost_attention(m, 1, (int64_t)length, 1).flops;
        if (!(length > nearest))
            continue;
        nearest = length;
        estimate.evaluation_s =
            ms / 1000 * (double)item->sequences * flops_at(m, T, rho) / flops_at(m, length, rho);
    }
    return estimate;
}
