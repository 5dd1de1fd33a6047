#include "study_items.h"

#include "cost.h"

#include <string.h>

static const char *const part_names[TN_STUDY_PARTS] = {"seed", "far", "mqar", "text", "lambda", "devices"};

const char *tn_study_part_name(tn_study_part part) {
    return part_names[part];
}

int64_t tn_study_sequences(int64_t sequences, int64_t T) {
    int64_t fit = sequences * 2048 / T, least = sequences < 8 ? sequences : 8;
    return fit > sequences ? sequences : fit < least ? least : fit;
}

static int64_t length_of(const tn_task_config *t) {
    return t->kind == TN_TASK_RECALL ? t->distance + 2 : t->length;
}

/* Operations of one sequence's forward pass. A routed run counts as half dense: phase 1 runs both tracks. */
double tn_study_sequence_flops(const tn_model_config *m, int64_t T, bool training) {
    tn_layer_stats stats[TN_MODEL_MAX_LAYERS] = {{0}};
    for (int64_t i = 0; i < m->layers; i++)
        if (tn_layer_mixer(m, i) == TN_MIXER_ATTENTION)
            stats[i] = (tn_layer_stats){.routed = T, .kv_rows = T, .pairs = tn_model_config_pairs(m, T)};
    double dense = tn_cost_attention(m, 1, T, T).flops, cheap = tn_cost_forward(m, T, T, stats).flops;
    return training && tn_mixer_has_router(m) ? (dense + cheap) / 2 : cheap;
}

static double work_of(const tn_study_plan *plan, const tn_study_item *item) {
    const tn_train_config *c = &item->config;
    bool shared = false;
    for (size_t i = 0; i < plan->count; i++)
        shared = shared || strcmp(plan->items[i].run, item->run) == 0;
    double work = (double)item->sequences * tn_study_sequence_flops(&c->model, length_of(&item->task), false);
    if (!shared)
        work += 3.0 * (double)(c->curriculum.steps * c->batch) *
                tn_study_sequence_flops(&c->model, length_of(&c->task), true);
    return work;
}

void tn_study_name_run(const tn_task_config *t, const char *mixer, char run[TN_STUDY_NAME]) {
    unsigned long long seed = t->seed;
    if (t->kind == TN_TASK_RECALL)
        snprintf(run, TN_STUDY_NAME, "recall%lld-%s-s%llu", (long long)t->distance, mixer, seed);
    else if (t->kind == TN_TASK_MQAR)
        snprintf(run, TN_STUDY_NAME, "mqar%lldx%lld-%s-s%llu", (long long)t->length, (long long)t->pairs,
                 mixer, seed);
    else
        snprintf(run, TN_STUDY_NAME, "text%lld-%s-s%llu", (long long)t->length, mixer, seed);
}

void tn_study_name_row(tn_study_part part, const char *run, char name[TN_STUDY_NAME]) {
    snprintf(name, TN_STUDY_NAME, "%s-%.100s", tn_study_part_name(part), run);
}

tn_status tn_study_add(tn_study_plan *plan, const tn_study_options *o, tn_study_part part,
                       const tn_task_config *task, const char *label, const char *mixer,
                       tn_study_item **out) {
    tn_study_item item = {.part = part, .task = *task};
    TN_TRY(tn_train_config_default(plan->ctx, task, o->steps, &item.config));
    TN_TRY(tn_mixer_parse(plan->ctx, mixer, &item.config.model));
    item.sequences = tn_study_sequences(o->sequences, length_of(task));
    snprintf(item.label, sizeof item.label, "%s", label);
    tn_study_name_run(task, label, item.run);
    tn_study_name_row(part, item.run, item.name);
    item.work = work_of(plan, &item);
    TN_TRY(tn_grow(plan->ctx, &plan->items, &plan->capacity, plan->count + 1, sizeof *plan->items));
    *out = &plan->items[plan->count++];
    **out = item;
    return TN_OK;
}
