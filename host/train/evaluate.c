#include "evaluate.h"

#include "clock.h"
#include "cost.h"
#include "input.h"
#include "rng.h"

#include <math.h>
#include <string.h>

typedef struct tn_evaluator {
    tn_context *ctx;
    tn_model *model;
    tn_workspace *ws;
    tn_batch batch;
    int32_t *label_rows, *labels, *predicted;
    uint8_t *routes;                                /* [layers,B·T] */
    tn_layer_stats *totals;                         /* [layers] */
    int64_t hits[TN_MODEL_MAX_LAYERS], oracle_rows; /* routed rows that are the task's; the task's rows */
    double accuracy_sum, cross_entropy_sum;
    tn_text_places places; /* of text, as losses */
    float *losses;         /* [B·T] */
} tn_evaluator;

int64_t tn_evaluate_batch(const tn_model *m, int64_t T) {
    int64_t widest = m->config.mlp_width > m->config.d_model ? m->config.mlp_width : m->config.d_model;
    int64_t room = (int64_t)(tn_device_get_info(m->dev)->max_alloc_bytes / 4) / widest;
    int64_t positions = room < 16384 ? room : 16384;
    return positions > T ? positions / T : 1;
}

static void release(tn_evaluator *e) {
    tn_workspace_destroy(e->ws);
    tn_batch_free(e->ctx, &e->batch);
    tn_free(e->ctx, e->label_rows);
    tn_free(e->ctx, e->labels);
    tn_free(e->ctx, e->predicted);
    tn_free(e->ctx, e->routes);
    tn_free(e->ctx, e->totals);
    tn_text_places_free(e->ctx, &e->places);
    tn_free(e->ctx, e->losses);
}

static tn_status prepare(tn_evaluator *e, const tn_task *task, int64_t B) {
    int64_t T = tn_task_length(task), N = B * T, layers = e->model->config.layers;
    TN_TRY(tn_batch_make(e->ctx, B, T, &e->batch));
    TN_TRY(tn_alloc(e->ctx, (size_t)N, 4, &e->label_rows));
    TN_TRY(tn_alloc(e->ctx, (size_t)N, 4, &e->labels));
    TN_TRY(tn_alloc(e->ctx, (size_t)N, 4, &e->predicted));
    TN_TRY(tn_alloc(e->ctx, (size_t)(layers * N), 1, &e->routes));
    TN_TRY(tn_alloc(e->ctx, (size_t)layers, sizeof *e->totals, &e->totals));
    if (tn_task_text(task)) {
        TN_TRY(tn_alloc(e->ctx, (size_t)N, sizeof *e->losses, &e->losses));
        TN_TRY(tn_text_places_make(e->ctx, T, &e->places));
    }
    return tn_workspace_create(e->model, B, T, &e->ws);
}

static void count_routes(tn_evaluator *e, const tn_input *in, const tn_layer_stats *stats) {
    int64_t N = in->B * in->T;
    for (int64_t i = 0; i < e->model->config.layers; i++) {
        e->totals[i].routed += stats[i].routed;
        e->totals[i].kv_rows += stats[i].kv_rows;
        e->totals[i].pairs += stats[i].pairs;
        e->totals[i].absorbed_rows += stats[i].absorbed_rows;
        e->totals[i].absorbed_passes += stats[i].absorbed_passes;
        e->totals[i].absorbed_pairs += stats[i].absorbed_pairs;
        e->totals[i].soft += stats[i].soft;
        for (int64_t n = 0; in->oracle && n < N; n++)
            e->hits[i] += e->routes[i * N + n] && in->oracle[n];
    }
    for (int64_t n = 0; in->oracle && n < N; n++)
        e->oracle_rows += in->oracle[n];
}

/* A model whose loss or gates are no numbers has no accuracy and saves nothing. */
static tn_status check_finite(tn_evaluator *e, const tn_input *in, const tn_layer_stats *stats,
                              double cross_entropy, uint64_t first) {
    double sum = cross_entropy;
    for (int64_t i = 0; i < e->model->config.layers; i++)
        sum += stats[i].soft;
    if (isfinite(sum))
        return TN_OK;
    tn_model_blame(e->model, e->ws, in, TN_GATE_COMPACT);
    return tn_fail_prefix(e->ctx, "evaluating sequences %llu to %llu", (unsigned long long)first,
                          (unsigned long long)first + (unsigned long long)in->B - 1);
}

static tn_status count_bits(tn_evaluator *e, const tn_input *in, tn_text_bits *bits) {
    const float *losses = e->losses;
    if (!e->losses)
        return TN_OK;
    bits->layers = e->model->config.layers;
    bits->T = in->T;
    TN_TRY(tn_buffer_read(tn_workspace_losses(e->ws), 0, (size_t)in->L * sizeof *losses, e->losses));
    for (int64_t b = 0; b < in->B; b++) {
        const int32_t *labels = e->batch.labels + b * in->T;
        int64_t labelled = tn_text_places_find(&e->places, in->tokens + b * in->T, labels);
        tn_text_bits_add(bits, &e->places, labelled, losses, e->routes + b * in->T, in->B * in->T);
        losses += labelled;
    }
    return TN_OK;
}

static tn_status one_batch(tn_evaluator *e, const tn_task *task, uint64_t first, int64_t B,
                           tn_evaluation *out) {
    tn_layer_stats stats[TN_MODEL_MAX_LAYERS];
    double cross_entropy;
    e->batch.B = (int)B;
    TN_TRY(tn_task_fill(e->ctx, task, TN_RNG_EVAL, first, &e->batch));
    tn_input in = tn_batch_input(&e->batch, e->label_rows, e->labels);
    in.control_seed = 1;
    in.control_index = first;
    double start = tn_clock_seconds();
    TN_TRY(tn_model_forward(e->model, e->ws, &in, TN_GATE_COMPACT, e->routes, stats));
    TN_TRY(tn_model_loss(e->model, e->ws, &in));
    TN_TRY(tn_model_loss_read(e->ws, &in, &cross_entropy, e->predicted));
    out->seconds += tn_clock_seconds() - start;
    TN_TRY(check_finite(e, &in, stats, cross_entropy, first));
    e->cross_entropy_sum += cross_entropy * (double)in.L;
    out->labels += in.L;
    e->accuracy_sum += tn_task_score(&e->batch, e->predicted);
    count_routes(e, &in, stats);
    return count_bits(e, &in, &out->bits);
}

/* The layer whose routed rows fit the task's best, by their F-score. */
static void router_quality(const tn_evaluator *e, tn_evaluation *out) {
    double best = -1;
    out->oracle_precision = out->oracle_recall = -1;
    for (int64_t i = 0; e->oracle_rows > 0 && i < e->model->config.layers; i++) {
        double hits = (double)e->hits[i], routed = (double)e->totals[i].routed;
        double score = 2 * hits / (routed + (double)e->oracle_rows);
        if (score <= best)
            continue;
        best = score;
        out->oracle_precision = routed > 0 ? hits / routed : 0;
        out->oracle_recall = hits / (double)e->oracle_rows;
    }
}

static void summarise(const tn_evaluator *e, const tn_task *task, tn_evaluation *out) {
    const tn_model_config *c = &e->model->config;
    double T = (double)tn_task_length(task), rows = (double)out->sequences * T, layers = (double)c->layers;
    double routed = 0, pairs = 0, soft = 0;
    for (int64_t i = 0; i < c->layers; i++) {
        out->attention_pct_layers[i] = 100 * (double)e->totals[i].routed / rows;
        routed += (double)e->totals[i].routed;
        pairs += e->totals[i].pairs;
        soft += tn_layer_has_router(c, i) ? e->totals[i].soft : (double)e->totals[i].routed;
    }
    out->accuracy = e->accuracy_sum / (double)out->sequences;
    out->cross_entropy = e->cross_entropy_sum / (double)out->labels;
    out->attention_pct = 100 * routed / (layers * rows);
    out->attention_pct_soft = 100 * soft / (layers * rows);
    out->pairs_pct = 100 * pairs / (layers * (double)out->sequences * T * (T + 1) / 2);
    out->rows_per_sequence = routed / (double)out->sequences;
    out->floor_pct = 100 * tn_task_floor_rows(task) / (layers * T);
    router_quality(e, out);
    tn_cost mine = tn_cost_forward(c, out->sequences * (int64_t)T, out->labels, e->totals);
    tn_cost dense = tn_cost_attention(c, out->sequences, (int64_t)T, out->labels);
    out->flops = mine.flops;
    out->score_flops = mine.score_flops;
    out->flops_attention = dense.flops;
    out->score_flops_attention = dense.score_flops;
}

static const char *about(double seconds, char text[40]) {
    if (seconds < 90)
        snprintf(text, 40, "about %.0f s", seconds);
    else if (seconds < 5400)
        snprintf(text, 40, "about %.0f min", seconds / 60);
    else
        snprintf(text, 40, "about %.1f h", seconds / 3600);
    return text;
}

/* The first positions of a sequence, on which a guess is made: enough to keep a device busy. */
enum { GUESS_LENGTH = 2048, GUESS_BEYOND = 8192 };

/* Operations of a sequence T long that routes as the first GUESS_LENGTH positions did. */
static double flops_alike(const tn_model_config *c, const tn_layer_stats *seen, int64_t T) {
    tn_layer_stats stats[TN_MODEL_MAX_LAYERS] = {{0}};
    double times = (double)T / GUESS_LENGTH,
           pairs = tn_model_config_pairs(c, T) / tn_model_config_pairs(c, GUESS_LENGTH);
    for (int64_t i = 0; i < c->layers; i++) {
        stats[i].routed = (int64_t)((double)seen[i].routed * times);
        stats[i].kv_rows = (int64_t)((double)seen[i].kv_rows * times);
        stats[i].pairs = seen[i].pairs * pairs;
        stats[i].absorbed_rows = (int64_t)((double)seen[i].absorbed_rows * times);
        stats[i].absorbed_pairs = seen[i].absorbed_pairs * pairs;
    }
    return tn_cost_forward(c, T, 1, stats).flops;
}

/* Wall seconds of the first GUESS_LENGTH positions, the kernels being built, and what was routed there. */
static tn_status time_start(tn_evaluator *e, tn_workspace *ws, double *seconds, tn_layer_stats *stats) {
    const int32_t label_row = GUESS_LENGTH - 1;
    const tn_input in = {.B = 1,
                         .T = GUESS_LENGTH,
                         .tokens = e->batch.tokens,
                         .L = 1,
                         .label_rows = &label_row,
                         .oracle = e->batch.has_oracle ? e->batch.oracle : NULL,
                         .control_seed = 1};
    for (int time = 0; time < 2; time++) {
        double start = tn_clock_seconds();
        TN_TRY(tn_model_forward(e->model, ws, &in, TN_GATE_COMPACT, NULL, stats));
        TN_TRY(tn_device_finish(e->model->dev));
        *seconds = tn_clock_seconds() - start;
    }
    return TN_OK;
}

/* Where a sequence is so long that it may be a while before the first word: how long it may take. */
static tn_status tell_guess(tn_evaluator *e, const tn_task *task, uint64_t first, int64_t count) {
    int64_t T = tn_task_length(task);
    tn_layer_stats stats[TN_MODEL_MAX_LAYERS];
    tn_workspace *ws;
    double seconds;
    char text[40];
    if (e->ctx->quiet || T <= GUESS_BEYOND)
        return TN_OK;
    e->batch.B = 1;
    TN_TRY(tn_task_fill(e->ctx, task, TN_RNG_EVAL, first, &e->batch));
    TN_TRY(tn_workspace_create(e->model, 1, GUESS_LENGTH, &ws));
    tn_status status = time_start(e, ws, &seconds, stats);
    tn_workspace_destroy(ws);
    TN_TRY(status);
    const tn_model_config *c = &e->model->config;
    seconds *= (double)count * flops_alike(c, stats, T) / flops_alike(c, stats, GUESS_LENGTH);
    fprintf(stderr, "evaluating %lld sequences of %lld positions: %s, a guess from the first %d positions\n",
            (long long)count, (long long)T, about(seconds, text), GUESS_LENGTH);
    return TN_OK;
}

static void tell(const tn_evaluator *e, int64_t done, int64_t count, double spent) {
    char text[40], left[60] = "";
    double rest = spent / (double)done * (double)(count - done);
    if (rest >= 5)
        snprintf(left, sizeof left, ", %s left", about(rest, text));
    tn_progress(e->ctx, "evaluating: %lld of %lld sequences%s", (long long)done, (long long)count, left);
}

static tn_status run(tn_evaluator *e, const tn_task *task, uint64_t first, int64_t count, int64_t batch,
                     tn_evaluation *out) {
    TN_TRY(prepare(e, task, batch));
    TN_TRY(tell_guess(e, task, first, count));
    double start = tn_clock_seconds();
    for (int64_t done = 0; done < count;) {
        int64_t B = done + batch <= count ? batch : count - done;
        tn_status status = one_batch(e, task, first + (uint64_t)done, B, out);
        done += status == TN_OK ? B : 0;
        if (status == TN_ERR_INTERRUPTED || (status == TN_OK && tn_interrupted()))
            return tn_fail(e->ctx, TN_ERR_INTERRUPTED, "evaluation stopped after %lld of %lld sequences",
                           (long long)done, (long long)count);
        TN_TRY(status);
        tell(e, done, count, tn_clock_seconds() - start);
    }
    summarise(e, task, out);
    return TN_OK;
}

tn_status tn_evaluate(tn_model *m, const tn_task *task, uint64_t first, int64_t count, int64_t batch,
                      tn_evaluation *out) {
    tn_evaluator e = {.ctx = tn_device_context(m->dev), .model = m};
    *out = (tn_evaluation){.sequences = count};
    if (batch <= 0)
        batch = tn_evaluate_batch(m, tn_task_length(task));
    tn_status status = run(&e, task, first, count, batch < count ? batch : count, out);
    tn_progress_end(e.ctx);
    release(&e);
    return status;
}
