#include "study_fill.h"

#include "build.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

tn_status tn_study_fill_item(tn_context *ctx, const tn_study_item *item, const tn_train_config *config,
                             tn_study_row *row) {
    char mixer[TN_CONFIG_TEXT], routing[TN_CONFIG_TEXT];
    const tn_task_config *t = &item->task;
    tn_model_config_field(&config->model, 6, mixer);
    tn_model_config_field(&config->model, 7, routing);
    TN_TRY(tn_study_row_set(ctx, row, "part", "%s", tn_study_part_name(item->part)));
    TN_TRY(tn_study_row_set(ctx, row, "name", "%s", item->name));
    TN_TRY(tn_study_row_set(ctx, row, "run", "%s", item->run));
    TN_TRY(tn_study_row_set(ctx, row, "version", "%s", tn_build_version()));
    TN_TRY(tn_study_row_set(ctx, row, "task", "%s", tn_task_kind_name(t->kind)));
    if (t->kind == TN_TASK_RECALL) {
        TN_TRY(tn_study_row_set(ctx, row, "distance", "%lld", (long long)t->distance));
        TN_TRY(tn_study_row_set(ctx, row, "trained_distance", "%lld", (long long)config->task.distance));
    } else {
        TN_TRY(tn_study_row_set(ctx, row, "length", "%lld", (long long)t->length));
    }
    if (t->kind == TN_TASK_TEXT)
        TN_TRY(tn_study_row_set(ctx, row, "trained_length", "%lld", (long long)config->task.length));
    TN_TRY(tn_study_row_set(ctx, row, "label", "%s", item->label));
    if (t->kind == TN_TASK_MQAR) {
        TN_TRY(tn_study_row_set(ctx, row, "pairs", "%lld", (long long)t->pairs));
        TN_TRY(tn_study_row_set(ctx, row, "filler", "%s", t->filler_zero ? "zero" : "random"));
    }
    TN_TRY(tn_study_row_set(ctx, row, "mixer", "%s", mixer));
    if (config->model.window > 0)
        TN_TRY(tn_study_row_set(ctx, row, "window", "%lld", (long long)config->model.window));
    TN_TRY(tn_study_row_set(ctx, row, "seed", "%llu", (unsigned long long)config->seed));
    if (!tn_mixer_has_router(&config->model))
        return TN_OK;
    TN_TRY(tn_study_row_set(ctx, row, "routing", "%s", routing));
    TN_TRY(tn_study_row_set(ctx, row, "curriculum", "%s", config->curriculum.enabled ? "true" : "false"));
    if (config->curriculum.budget > 0)
        TN_TRY(tn_study_row_number(ctx, row, "budget", config->curriculum.budget));
    bool unknown = item->price_measured && !(config->row_cost.unrouted_ms > 0);
    return tn_study_row_number(ctx, row, "lambda", unknown ? NAN : config->curriculum.lambda);
}

tn_status tn_study_fill_error(tn_context *ctx, tn_study_row *row) {
    TN_TRY(tn_study_row_set(ctx, row, "status", "error"));
    return tn_study_row_set(ctx, row, "reason", "%.1000s", ctx->message);
}

tn_status tn_study_fill_summary(tn_context *ctx, const tn_run_summary *s, tn_study_row *row) {
    json_t *summary = tn_run_summary_json(s);
    tn_status status = tn_study_row_take(ctx, row, summary);
    json_decref(summary);
    TN_TRY(status);
    const tn_evaluation *e = &s->evaluation;
    const tn_task_config *t = &s->config.task;
    const double T = (double)(t->kind == TN_TASK_RECALL ? t->distance + 2 : t->length);
    TN_TRY(tn_study_row_number(ctx, row, "us_per_token", 1000 * s->savings.ms_per_sequence / T));
    bool known = tn_mixer_has_router(&s->model) && e->floor_pct > 0;
    double busiest = 0, layers = (double)s->model.layers;
    for (int64_t i = 0; i < s->model.layers; i++)
        busiest = fmax(busiest, e->attention_pct_layers[i]);
    TN_TRY(tn_study_row_number(ctx, row, "regret_layer", known ? busiest / (layers * e->floor_pct) : NAN));
    return tn_study_row_number(ctx, row, "regret", known ? e->attention_pct / e->floor_pct : NAN);
}

/* How much of what the row labelled `best` gains over convolutions in bits a byte the row has, in percent, by
 * the rows of both of the same task, lengths and seed; NaN where one of them is missing or nothing is gained.
 */
static double win_kept(const tn_study_rows *rows, const tn_study_row *row, const char *best) {
    static const char *const same[] = {"task", "length", "trained_length", "seed"};
    const char *const ends[] = {"conv", best};
    double bits[2] = {NAN, NAN};
    for (size_t i = 0; i < rows->count; i++) {
        const tn_study_row *other = &rows->items[i];
        bool fits = tn_study_row_ok(other);
        for (size_t k = 0; k < sizeof same / sizeof same[0]; k++)
            fits = fits && strcmp(tn_study_row_text(row, same[k]), tn_study_row_text(other, same[k])) == 0;
        for (int k = 0; fits && k < 2; k++)
            if (strcmp(tn_study_row_text(other, "label"), ends[k]) == 0)
                bits[k] = tn_study_row_value(other, "bits_per_byte");
    }
    double win = bits[0] - bits[1];
    return win > 0 ? 100 * (bits[0] - tn_study_row_value(row, "bits_per_byte")) / win : NAN;
}

/* Sets the cell to `value`; says whether that is another than it was. */
static tn_status renew(tn_context *ctx, tn_study_row *row, const char *column, double value, bool *changed) {
    char before[40];
    snprintf(before, sizeof before, "%s", tn_study_row_text(row, column));
    TN_TRY(tn_study_row_number(ctx, row, column, value));
    *changed = *changed || strcmp(before, tn_study_row_text(row, column)) != 0;
    return TN_OK;
}

tn_status tn_study_fill_kept(tn_study_rows *rows, bool *changed) {
    *changed = false;
    for (size_t i = 0; i < rows->count; i++) {
        tn_study_row *row = &rows->items[i];
        if (!tn_study_row_ok(row))
            continue;
        TN_TRY(renew(rows->ctx, row, "win_kept_pct", win_kept(rows, row, "attention"), changed));
        TN_TRY(renew(rows->ctx, row, "both_kept_pct", win_kept(rows, row, "both"), changed));
    }
    return TN_OK;
}

double tn_study_break_even(double routed_s, double attention_s, double routed_ms, double attention_ms) {
    double saved_s = (attention_ms - routed_ms) / 1000;
    return saved_s > 0 ? (routed_s - attention_s) / saved_s : NAN;
}

tn_status tn_study_fill_learning(tn_context *ctx, const tn_run_summary *s, const tn_learning *l,
                                 double attention_s, tn_study_row *row) {
    if (l->steps_to_999 >= 0)
        TN_TRY(tn_study_row_set(ctx, row, "steps_to_999", "%lld", (long long)l->steps_to_999));
    if (!tn_mixer_has_router(&s->model))
        return TN_OK;
    TN_TRY(tn_study_row_number(ctx, row, "phase1_s", l->phase1_s));
    TN_TRY(tn_study_row_number(ctx, row, "phase2_s", l->phase2_s));
    return tn_study_row_number(ctx, row, "break_even_sequences",
                               tn_study_break_even(s->train_s, attention_s, s->savings.ms_per_sequence,
                                                   s->savings.dense_ms_per_sequence));
}

tn_status tn_study_fill_difference(tn_context *ctx, const tn_study_difference *d, tn_study_row *row) {
    TN_TRY(tn_study_row_set(ctx, row, "decisions_differ", "%lld", (long long)d->differ));
    TN_TRY(tn_study_row_set(ctx, row, "decisions_compared", "%lld", (long long)d->decisions));
    return tn_study_row_number(ctx, row, "max_logit_diff", d->largest_logit);
}
