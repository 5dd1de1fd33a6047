#include "trainer.h"

#include "checkpoint.h"
#include "clock.h"
#include "file.h"
#include "input.h"
#include "metrics.h"
#include "rng.h"

#include <math.h>
#include <string.h>

typedef struct tn_trainer {
    const tn_train_config *c;
    tn_context *ctx;
    tn_task *task; /* with ws and batch: of the steps at hand, see stage */
    bool short_task;
    tn_model *model;
    tn_workspace *ws;
    tn_batch batch;
    int32_t *label_rows, *labels, *predicted; /* [B·T] */
    tn_input in;
    tn_metrics metrics;
    char *config_path, *metrics_path, *model_path, *state_path;
    int64_t step;   /* done */
    double elapsed; /* seconds of all steps, over resumes */
    int64_t logged_step;
    double logged_elapsed, accuracy;
    double started, elapsed_before;
    bool saved_before; /* a state of this run stands in the folder */
} tn_trainer;

static tn_status paths(tn_trainer *t, const char *folder) {
    TN_TRY(tn_path_join(t->ctx, folder, "config.json", &t->config_path));
    TN_TRY(tn_path_join(t->ctx, folder, "metrics.csv", &t->metrics_path));
    TN_TRY(tn_path_join(t->ctx, folder, "model.safetensors", &t->model_path));
    return tn_path_join(t->ctx, folder, "state.safetensors", &t->state_path);
}

static tn_status prepare_folder(tn_trainer *t, const char *folder, bool resume) {
    bool there = tn_file_exists(t->state_path) || tn_file_exists(t->config_path);
    if (there && !resume)
        return tn_fail(t->ctx, TN_ERR_ARG,
                       "%s already holds a run; go on with --resume, or name another folder", folder);
    if (!resume) {
        TN_TRY(tn_folder_make(t->ctx, folder));
        return tn_train_config_save(t->ctx, t->c, t->config_path);
    }
    if (!there)
        return tn_fail(t->ctx, TN_ERR_INPUT, "%s holds no run to resume; leave --resume out to start one",
                       folder);
    tn_train_config kept;
    TN_TRY(tn_train_config_load(t->ctx, t->config_path, &kept));
    return tn_train_config_same(t->ctx, &kept, t->c);
}

/* The usual start, but for the routers' biases and the head. */
static tn_status start(tn_trainer *t) {
    TN_TRY(tn_params_init(&t->model->params, t->c->seed));
    if (t->c->head_init > 0)
        TN_TRY(tn_params_head_from_embedding(&t->model->params, t->c->head_init));
    float bias = (float)t->c->router_bias;
    for (int64_t i = 0; bias != 0 && tn_mixer_has_router(&t->c->model) && i < t->c->model.layers; i++)
        TN_TRY(tn_buffer_write(t->model->params.layers[i].router_bias->value, 0, sizeof bias, &bias));
    return TN_OK;
}

static tn_status load_state(tn_trainer *t, bool resume) {
    if (!resume || !tn_file_exists(t->state_path))
        return start(t);
    TN_TRY(tn_state_load(t->model, t->state_path, &t->step, t->c->seed));
    TN_TRY(tn_metrics_load(&t->metrics, t->metrics_path, t->step, &t->elapsed_before));
    t->saved_before = true;
    return TN_OK;
}

static void stage_end(tn_trainer *t) {
    tn_workspace_destroy(t->ws);
    tn_batch_free(t->ctx, &t->batch);
    tn_task_free(t->ctx, t->task);
    t->ws = NULL;
    t->task = NULL;
}

static bool is_short(const tn_trainer *t) {
    return t->step < t->c->shorter.steps;
}

/* Task, batch and workspace of step t->step. A shorter task has as many positions a step as the run's own, so
 * what is as long as those stays. */
static tn_status stage(tn_trainer *t) {
    const tn_train_config *c = t->c;
    tn_task_config task = tn_train_config_task(c, t->step);
    stage_end(t);
    t->short_task = is_short(t);
    TN_TRY(tn_task_make(t->ctx, &task, &t->task));
    int64_t B = c->batch * (c->task.kind == TN_TASK_MQAR ? c->task.length / task.length : 1);
    TN_TRY(tn_batch_make(t->ctx, B, tn_task_length(t->task), &t->batch));
    return tn_workspace_create(t->model, B, tn_task_length(t->task), &t->ws);
}

static tn_status prepare(tn_trainer *t, tn_device *dev, const char *folder, bool resume) {
    const tn_train_config *c = t->c;
    TN_TRY(paths(t, folder));
    TN_TRY(tn_model_create(dev, &c->model, true, &t->model));
    TN_TRY(stage(t));
    size_t N = (size_t)t->batch.B * (size_t)t->batch.T;
    TN_TRY(tn_alloc(t->ctx, N, 4, &t->label_rows));
    TN_TRY(tn_alloc(t->ctx, N, 4, &t->labels));
    TN_TRY(tn_alloc(t->ctx, N, 4, &t->predicted));
    TN_TRY(tn_metrics_make(t->ctx, &t->metrics));
    /* The folder last: a run that cannot start leaves nothing behind. */
    TN_TRY(prepare_folder(t, folder, resume));
    return load_state(t, resume);
}

static void release(tn_trainer *t) {
    stage_end(t);
    tn_model_destroy(t->model);
    tn_metrics_free(&t->metrics);
    tn_free(t->ctx, t->label_rows);
    tn_free(t->ctx, t->labels);
    tn_free(t->ctx, t->predicted);
    tn_free(t->ctx, t->config_path);
    tn_free(t->ctx, t->metrics_path);
    tn_free(t->ctx, t->model_path);
    tn_free(t->ctx, t->state_path);
}

static tn_status next_batch(tn_trainer *t) {
    const tn_train_config *c = t->c;
    TN_TRY(tn_task_fill(t->ctx, t->task, TN_RNG_TRAIN, (uint64_t)(t->step * t->batch.B), &t->batch));
    t->in = tn_batch_input(&t->batch, t->label_rows, t->labels);
    t->in.control_seed = c->seed;
    t->in.control_index = (uint64_t)t->step;
    return TN_OK;
}

double tn_penalty_of_row(const tn_train_config *c, const tn_task *task, int64_t B, double lambda) {
    double sequence = lambda / (double)(c->model.layers * B), floor = tn_task_floor_rows(task);
    if (c->penalty == TN_PENALTY_MEAN)
        return sequence / (double)tn_task_length(task);
    return floor > 0 ? sequence / floor : sequence;
}

/* Of the predictions read last. */
static double share_right(const tn_trainer *t) {
    int64_t right = 0;
    for (int64_t l = 0; l < t->in.L; l++)
        right += t->predicted[l] == t->in.labels[l];
    return (double)right / (double)t->in.L;
}

static tn_status log_step(tn_trainer *t, const tn_step_plan *plan, const tn_layer_stats *stats) {
    const tn_train_config *c = t->c;
    int64_t N = (int64_t)t->batch.B * t->batch.T, rows = c->model.layers * N;
    tn_metrics_row row = {.step = t->step + 1, .phase = plan->phase, .lambda = plan->lambda, .lr = plan->lr};
    double soft = 0;
    TN_TRY(tn_model_loss_read(t->ws, &t->in, &row.cross_entropy, t->predicted));
    for (int64_t i = 0; i < c->model.layers; i++) {
        row.routed_rows += stats[i].routed;
        soft += tn_mixer_has_router(&c->model) ? stats[i].soft : (double)stats[i].routed;
    }
    row.accuracy = share_right(t);
    row.attention_pct = 100 * (double)row.routed_rows / (double)rows;
    row.attention_pct_soft = 100 * soft / (double)rows;
    row.loss = row.cross_entropy + tn_penalty_of_row(c, t->task, t->batch.B, plan->lambda) * soft;
    TN_TRY(tn_device_finish(t->model->dev));
    row.elapsed_s = t->elapsed_before + tn_clock_seconds() - t->started;
    row.step_ms = 1000 * (row.elapsed_s - t->logged_elapsed) / (double)(t->step + 1 - t->logged_step);
    row.tokens_per_s = 1000 * (double)N / row.step_ms;
    t->logged_step = t->step + 1;
    t->logged_elapsed = row.elapsed_s;
    t->accuracy = row.accuracy;
    double left = row.step_ms / 1000 * (double)(c->curriculum.steps - t->step - 1);
    tn_progress(t->ctx,
                "step %lld/%lld  phase %d  λ %.3f  loss %.4f  accuracy %.1f %%  attention %.2f %%  %.1f ms  "
                "%.0f s left",
                (long long)row.step, (long long)c->curriculum.steps, row.phase, row.lambda, row.loss,
                100 * row.accuracy, row.attention_pct, row.step_ms, left);
    if (!isfinite(row.loss)) {
        tn_progress_end(t->ctx);
        return tn_fail(t->ctx, TN_ERR_DEVICE,
                       "training diverged: the loss is %g at step %lld; try a smaller --lr", row.loss,
                       (long long)row.step);
    }
    return tn_metrics_add(&t->metrics, &row);
}

static const double shut_slope = 0.05; /* that of the sigmoid at a logit of ±2.9 */

/* A row that is routed away gets no gradient that could bring it back in a compacted pass. Where its absence
 * shows, in a wrong answer, the same batch is run again with both tracks for all rows, and without a price:
 * attention is not to get rarer before it is right. The row's gate may be as good as shut by then, where the
 * sigmoid passes next to no gradient: it passes that of `shut_slope` at least. */
static tn_status forward(tn_trainer *t, tn_step_plan *plan, tn_layer_stats *stats) {
    double cross_entropy;
    TN_TRY(tn_model_forward(t->model, t->ws, &t->in, plan->gate, NULL, stats));
    TN_TRY(tn_model_loss(t->model, t->ws, &t->in));
    if (!(plan->again_below > 0))
        return TN_OK;
    TN_TRY(tn_model_loss_read(t->ws, &t->in, &cross_entropy, t->predicted));
    if (share_right(t) >= plan->again_below)
        return TN_OK;
    plan->gate = TN_GATE_DENSE;
    plan->lambda = 0;
    t->in.gate_slope = shut_slope;
    TN_TRY(tn_model_forward(t->model, t->ws, &t->in, plan->gate, NULL, stats));
    return tn_model_loss(t->model, t->ws, &t->in);
}

static tn_status one_step(tn_trainer *t) {
    const tn_train_config *c = t->c;
    tn_layer_stats stats[TN_MODEL_MAX_LAYERS];
    tn_step_plan plan = tn_curriculum_step(&c->curriculum, &c->model, t->step);
    bool log = (t->step + 1) % c->log_every == 0 || t->step + 1 == c->curriculum.steps || t->step == 0;
    tn_optimizer o = c->optimizer;
    o.lr = plan.lr;
    TN_TRY(next_batch(t));
    t->in.gate_margin = plan.margin;
    t->in.by_threshold = plan.by_threshold;
    TN_TRY(forward(t, &plan, log ? stats : NULL));
    double price = tn_penalty_of_row(c, t->task, t->batch.B, plan.lambda);
    TN_TRY(tn_model_backward(t->model, t->ws, &t->in, plan.gate, price));
    TN_TRY(tn_model_update(t->model, &o, t->step + 1));
    TN_TRY(tn_device_flush(t->model->dev));
    if (log)
        TN_TRY(log_step(t, &plan, stats));
    t->step++;
    return TN_OK;
}

/* The state alone decides where a resume goes on, so it is written last: model and metrics are then at least
 * as new. */
static tn_status save(tn_trainer *t) {
    TN_TRY(tn_metrics_save(&t->metrics, t->metrics_path));
    TN_TRY(tn_checkpoint_save(t->model, t->model_path));
    return tn_state_save(t->model, t->state_path, t->step, t->c->seed);
}

static tn_status run(tn_trainer *t) {
    const tn_train_config *c = t->c;
    t->started = tn_clock_seconds();
    t->logged_step = t->step;
    t->logged_elapsed = t->elapsed_before;
    while (t->step < c->curriculum.steps) {
        if (t->short_task != is_short(t)) /* the short steps are over, or were before a resume */
            TN_TRY(stage(t));
        TN_TRY(one_step(t));
        bool stop = tn_interrupted();
        if (stop || t->step % c->checkpoint_every == 0 || t->step == c->curriculum.steps)
            TN_TRY(save(t));
        if (stop && t->step < c->curriculum.steps) {
            tn_progress_end(t->ctx);
            return tn_fail(t->ctx, TN_ERR_INTERRUPTED,
                           "stopped at step %lld of %lld; the state is saved, go on with --resume",
                           (long long)t->step, (long long)c->curriculum.steps);
        }
    }
    tn_progress_end(t->ctx);
    return TN_OK;
}

tn_status tn_train(tn_device *dev, const tn_train_config *c, const char *folder, bool resume,
                   tn_train_result *out) {
    tn_trainer t = {.c = c, .ctx = tn_device_context(dev)};
    *out = (tn_train_result){0};
    tn_status status = prepare(&t, dev, folder, resume);
    if (status == TN_OK)
        status = run(&t);
    *out = (tn_train_result){.steps = t.step,
                             .seconds = t.logged_elapsed,
                             .accuracy = t.accuracy,
                             .params = t.model ? t.model->params.trainable : 0};
    release(&t);
    return status;
}
