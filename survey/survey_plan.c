#include "survey_plan.h"

#include <math.h>
#include <string.h>

const tn_survey_stage_kind tn_survey_stage_kinds[TN_SURVEY_STAGES] = {
    [TN_SURVEY_CEILINGS] = {"ceilings", "multiply-adds and memory at their best, power of the idle device", 4,
                            2},
    [TN_SURVEY_VERIFY] = {"verify", "every op's programs against double precision", 14, 5},
    [TN_SURVEY_TUNE] = {"tune", "variants and tunables of the ops that take most time", 11, 10},
    [TN_SURVEY_LAYER] = {"layer", "the routed layer over lengths and fractions, in turn with dense attention",
                         22, 5},
    [TN_SURVEY_STEP] = {"step", "training steps of the recall model", 7, 5},
    [TN_SURVEY_RECALL] = {"recall", "a routed model trained, and evaluated near and far", 22, 8},
    [TN_SURVEY_DECODE] = {"decode", "a token at a time, contexts to 262144, in turn with dense attention", 8,
                          3},
    [TN_SURVEY_OPS] = {"ops", "every op at the model's own shape", 7, 3},
    [TN_SURVEY_PARTS] = {"parts", "what a routed layer is made of", 3, 3},
    [TN_SURVEY_PEERS] = {"peers", "the same work by other libraries, in turn with ours", 2, 3},
};

const char *const tn_survey_file_names[TN_SURVEY_FILES] = {
    [TN_SURVEY_COST] = "cost.csv",        [TN_SURVEY_PARTS_FILE] = "parts.csv",
    [TN_SURVEY_STEP_FILE] = "step.csv",   [TN_SURVEY_DECODE_FILE] = "decode.csv",
    [TN_SURVEY_PEERS_FILE] = "peers.csv",
};

static const double tier_minutes[] = {0, 2, 4, 10, 30};

int tn_survey_tier(double minutes) {
    int tier = 1;
    while (tier < 4 && minutes >= tier_minutes[tier + 1])
        tier++;
    return tier;
}

double tn_survey_tier_minutes(int tier) {
    return tier_minutes[tier];
}

const tn_survey_recall tn_survey_recalls[TN_SURVEY_RECALLS] = {
    {126, 2500, 1000}, {62, 1000, 200}, {30, 800, 200}};

double tn_survey_share(const bool has[TN_SURVEY_STAGES], tn_survey_stage stage, double left_s) {
    double all = 0;
    for (int i = stage; i < TN_SURVEY_STAGES; i++)
        all += has[i] || i == (int)stage ? tn_survey_stage_kinds[i].share : 0;
    return left_s > 0 ? left_s * tn_survey_stage_kinds[stage].share / all : 0;
}

static bool is_in(const tn_survey_item *item, const tn_shard *shard) {
    tn_cost_row row;
    char work[1400];
    if (item->stage < TN_SURVEY_LAYER)
        return true;
    if (!item->is_cell)
        return tn_shard_has(shard, item->name);
    tn_sweep_cell_identify(&item->cell, 0, "", &row);
    tn_row_work_name(&row, work, sizeof work);
    return tn_shard_has(shard, work);
}

void tn_survey_plan_keep(tn_survey_plan *plan, const tn_shard *shard) {
    size_t kept = 0;
    for (size_t i = 0; i < plan->count; i++)
        if (is_in(&plan->items[i], shard))
            plan->items[kept++] = plan->items[i];
    plan->count = kept;
}

void tn_survey_plan_free(tn_survey_plan *plan) {
    if (plan->ctx)
        tn_free(plan->ctx, plan->items);
    *plan = (tn_survey_plan){0};
}
