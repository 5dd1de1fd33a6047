#include "evaluate.h"

#include "clock.h"
#include "cost.h"
#include "input.h"
#include "rng.h"

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
}

static tn_status prepare(tn_evaluator *e, const tn_task *task, int64_t B) {
    int64_t T = tn_task_length(task), N = B * T, layers = e->model->config.layers;
    TN_TRY(tn_batch_make(e->ctx, B, T, &e->batch));
    TN_TRY(tn_alloc(e->ctx, (size_t)N, 4, &e->label_rows));
    TN_TRY(tn_alloc(e->ctx, (size_t)N, 4, &e->labels));
    TN_TRY(tn_alloc(e->ctx, (size_t)N, 4, &e->predicted));
    TN_TRY(tn_alloc(e->ctx, (size_t)(layers * N), 1, &e->routes));
    TN_TRY(tn_alloc(e->ctx, (size_t)layers, sizeof *e->totals, &e->totals));
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
    e->cross_entropy_sum += cross_entropy * (double)in.L;
    out->labels += in.L;
    e->accuracy_sum += tn_task_score(task, &e->batch, e->predicted);
    count_routes(e, &in, stats);
    return TN_OK;
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
        soft += e->totals[i].soft;
    }
    out->accuracy = e->accuracy_sum / (double)out->sequences;
    out->cross_entropy = e->cross_entropy_sum / (double)out->labels;
    out->attention_pct = 100 * routed / (layers * rows);
    out->attention_pct_soft = tn_mixer_has_router(c) ? 100 * soft / (layers * rows) : out->attention_pct;
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

tn_status tn_evaluate(tn_model *m, const tn_task *task, uint64_t first, int64_t count, int64_t batch,
                      tn_evaluation *out) {
    tn_evaluator e = {.ctx = tn_device_context(m->dev), .model = m};
    int64_t T = tn_task_length(task);
    *out = (tn_evaluation){.sequences = count};
    if (batch <= 0)
        batch = tn_evaluate_batch(m, T);
    if (batch > count)
        batch = count;
    tn_status status = prepare(&e, task, batch);
    for (int64_t done = 0; status == TN_OK && done < count; done += batch) {
        status =
            one_batch(&e, task, first + (uint64_t)done, done + batch <= count ? batch : count - done, out);
        if (status == TN_OK && tn_interrupted())
            status = tn_fail(e.ctx, TN_ERR_INTERRUPTED, "evaluation stopped after %lld sequences",
                             (long long)(done + batch));
        tn_progress(e.ctx, "evaluating: %lld of %lld sequences",
                    (long long)(done + batch < count ? done + batch : count), (long long)count);
    }
    tn_progress_end(e.ctx);
    if (status == TN_OK)
        summarise(&e, task, out);
    release(&e);
    return status;
}
