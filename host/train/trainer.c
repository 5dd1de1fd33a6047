#include "trainer.h"

#include "checkpoint.h"
#include "clock.h"
#include "file.h"
#include "input.h"
#include "metrics.h"
#include "rng.h"
#include "run_folder.h"

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
    char *config_path, *metrics_path, *model_path, *state_path, *summary_path;
    char *run;            /* the config as one line: what the files say of themselves */
    int64_t step;         /* done */
    tn_steering steering; /* by a budget */
    int64_t saved;        /* of the state in the folder */
    double elapsed;       /* seconds of all steps, over resumes */
    int64_t logged_step;
    double logged_elapsed, accuracy;
    double started, elapsed_before;
    bool again; /* steps are run again to find where a value stopped being finite */
} tn_trainer;

static tn_status paths(tn_trainer *t, const char *folder) {
    TN_TRY(tn_train_config_text(t->ctx, t->c, &t->run));
    TN_TRY(tn_path_join(t->ctx, folder, "config.json", &t->config_path));
    TN_TRY(tn_path_join(t->ctx, folder, "metrics.csv", &t->metrics_path));
    TN_TRY(tn_path_join(t->ctx, folder, "model.safetensors", &t->model_path));
    TN_TRY(tn_path_join(t->ctx, folder, "summary.json", &t->summary_path));
    return tn_path_join(t->ctx, folder, "state.safetensors", &t->state_path);
}

/* Locked first, then looked at: what is there cannot change any more. */
static tn_status take_folder(tn_trainer *t, const char *folder, bool resume, tn_lock *lock) {
    if (resume && !tn_file_exists(t->config_path) && !tn_file_exists(t->state_path))
        return tn_fail(t->ctx, TN_ERR_INPUT, "%s holds no run to resume; leave --resume out to start one",
                       folder);
    if (!resume)
        TN_TRY(tn_folder_make(t->ctx, folder));
    return tn_lock_take(t->ctx, folder, lock);
}

static tn_status prepare_folder(tn_trainer *t, const char *folder, bool resume, tn_lock *lock) {
    bool there;
    TN_TRY(take_folder(t, folder, resume, lock));
    TN_TRY(tn_run_exists(t->ctx, folder, &there));
    if (there && !resume)
        return tn_run_refuse(t->ctx, folder);
    if (!resume)
        return tn_train_config_save(t->ctx, t->c, t->config_path);
    bool result =
        tn_file_exists(t->model_path) || tn_file_exists(t->summary_path) || tn_file_exists(t->metrics_path);
    if (result && !tn_file_exists(t->state_path))
        return tn_fail(t->ctx, TN_ERR_INPUT,
                       "%s is missing, without which the run in %s cannot go on, and to start it over would "
                       "overwrite its model; put the file back, or train into another folder",
                       t->state_path, folder);
    tn_train_config kept;
    TN_TRY(tn_train_config_load(t->ctx, t->config_path, &kept));
    return tn_train_config_same(t->ctx, &kept, t->c);
}

/* The usual start, but for the routers' biases and the head. */
static tn_status start(tn_trainer *t) {
    t->steering = tn_steering_start(&t->c->curriculum);
    TN_TRY(tn_params_init(&t->model->params, t->c->seed));
    if (t->c->head_init > 0)
        TN_TRY(tn_params_head_from_embedding(&t->model->params, t->c->head_init));
    float bias = (float)t->c->router_bias;
    for (int64_t i = 0; bias != 0 && i < t->c->model.layers; i++)
        if (tn_layer_has_router(&t->c->model, i))
            TN_TRY(tn_buffer_write(t->model->params.layers[i].router_bias->value, 0, sizeof bias, &bias));
    return TN_OK;
}

static bool steers(const tn_trainer *t) {
    return t->c->curriculum.budget > 0 && tn_mixer_has_router(&t->c->model);
}

/* The state alone decides where a resume goes on, so it is written last: model and metrics are then at least
 * as new. */
static tn_status save(tn_trainer *t, bool begun) {
    const double steering[TN_STATE_STEERING] = {t->steering.lambda, t->steering.share, t->steering.first};
    tn_snapshot now;
    tn_status status = TN_OK;
    TN_GO(tn_snapshot_take(t->model, &now));
    if (begun) {
        TN_GO(tn_metrics_save(&t->metrics, t->metrics_path));
        TN_GO(tn_checkpoint_save(&now, t->model_path, t->run));
    }
    TN_GO(tn_state_save(&now, t->state_path, t->step, t->c->seed, steers(t) ? steering : NULL, t->run));
    t->saved = t->step;
cleanup:
    tn_snapshot_free(&now);
    return status;
}

static tn_status read_state(tn_trainer *t) {
    char *run;
    double steering[TN_STATE_STEERING] = {0};
    TN_TRY(tn_state_load(t->model, t->state_path, t->c->seed, t->c->curriculum.steps, &t->step,
                         steers(t) ? steering : NULL, &run));
    t->steering = (tn_steering){steering[0], steering[1], steering[2]};
    tn_status status = tn_train_config_of_file(t->ctx, t->c, t->state_path, run);
    tn_free(t->ctx, run);
    t->saved = t->step;
    return status;
}

/* A run has a state from its start: where it is missing later, something else took it. */
static tn_status load_state(tn_trainer *t) {
    if (!tn_file_exists(t->state_path)) {
        TN_TRY(start(t));
        return save(t, false);
    }
    TN_TRY(read_state(t));
    if (t->step == 0)
        return TN_OK;
    TN_TRY(tn_metrics_load(&t->metrics, t->metrics_path, t->step, &t->elapsed_before));
    bool whole = t->step < t->c->curriculum.steps || tn_file_exists(t->model_path);
    return whole ? TN_OK : save(t, true);
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

static void tell_text(const tn_trainer *t) {
    char words[TN_TEXT_WORDS];
    const tn_text_facts *facts = tn_task_text(t->task);
    if (facts && !t->ctx->quiet)
        fprintf(stderr, "%s\n", tn_text_facts_say(facts, words));
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
    TN_TRY(tn_workspace_create(t->model, B, tn_task_length(t->task), &t->ws));
    tn_workspace_inspect(t->ws, t->again);
    return TN_OK;
}

static tn_status prepare(tn_trainer *t, tn_device *dev, const char *folder, bool resume, tn_lock *lock) {
    const tn_train_config *c = t->c;
    TN_TRY(paths(t, folder));
    TN_TRY(tn_model_create(dev, &c->model, true, &t->model));
    TN_TRY(stage(t));
    tell_text(t);
    size_t N = (size_t)t->batch.B * (size_t)t->batch.T;
    TN_TRY(tn_alloc(t->ctx, N, 4, &t->label_rows));
    TN_TRY(tn_alloc(t->ctx, N, 4, &t->labels));
    TN_TRY(tn_alloc(t->ctx, N, 4, &t->predicted));
    TN_TRY(tn_metrics_make(t->ctx, &t->metrics));
    /* The folder last: a run that cannot start leaves nothing behind. */
    TN_TRY(prepare_folder(t, folder, resume, lock));
    return load_state(t);
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
    tn_free(t->ctx, t->summary_path);
    tn_free(t->ctx, t->run);
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

/* routed_pct: rows that took attention in the step, of which the margin holds some back. */
static void tell(const tn_trainer *t, const tn_metrics_row *row, double routed_pct) {
    int64_t steps = t->c->curriculum.steps;
    char held[60] = "";
    if (fabs(routed_pct - row->attention_pct) >= 0.005)
        snprintf(held, sizeof held, " (%.2f %% in this step)", routed_pct);
    tn_progress(
        t->ctx,
        "step %lld/%lld  phase %d  λ %.3f  loss %.4f  accuracy %.1f %%  attention %.2f %%%s  %.1f ms  "
        "%.0f s left",
        (long long)row->step, (long long)steps, row->phase, row->lambda, row->loss, 100 * row->accuracy,
        row->attention_pct, held, row->step_ms, row->step_ms / 1000 * (double)(steps - row->step));
}

static tn_status log_step(tn_trainer *t, const tn_step_plan *plan) {
    const tn_train_config *c = t->c;
    tn_layer_stats stats[TN_MODEL_MAX_LAYERS];
    int64_t N = (int64_t)t->batch.B * t->batch.T, rows = c->model.layers * N;
    tn_metrics_row row = {.step = t->step + 1, .phase = plan->phase, .lambda = plan->lambda, .lr = plan->lr};
    double soft = 0, decided = 0, priced = 0;
    TN_TRY(tn_model_loss_read(t->ws, &t->in, &row.cross_entropy, t->predicted));
    TN_TRY(tn_workspace_observe(t->ws, &t->in, NULL, stats));
    for (int64_t i = 0; i < c->model.layers; i++) {
        row.routed_rows += stats[i].routed;
        decided += (double)stats[i].decided;
        priced += stats[i].soft;
        soft += tn_layer_has_router(&c->model, i) ? stats[i].soft : (double)stats[i].routed;
    }
    row.accuracy = share_right(t);
    row.attention_pct = 100 * decided / (double)rows;
    row.attention_pct_soft = 100 * soft / (double)rows;
    row.loss = row.cross_entropy + tn_penalty_of_row(c, t->task, t->batch.B, plan->lambda) * priced;
    TN_TRY(tn_device_finish(t->model->dev));
    row.elapsed_s = t->elapsed_before + tn_clock_seconds() - t->started;
    row.step_ms = 1000 * (row.elapsed_s - t->logged_elapsed) / (double)(t->step + 1 - t->logged_step);
    row.tokens_per_s = 1000 * (double)N / row.step_ms;
    t->logged_step = t->step + 1;
    t->logged_elapsed = row.elapsed_s;
    t->accuracy = row.accuracy;
    if (!isfinite(row.loss))
        return TN_ERR_CHECK;
    tell(t, &row, 100 * (double)row.routed_rows / (double)rows);
    return tn_metrics_add(&t->metrics, &row);
}

static const double shut_slope = 0.05; /* that of the sigmoid at a logit of ±2.9 */

/* A row that is routed away gets no gradient that could bring it back in a compacted pass. Where its absence
 * shows, in a wrong answer, the same batch is run again with both tracks for all rows, and without a price:
 * attention is not to get rarer before it is right. The row's gate may be as good as shut by then, where the
 * sigmoid passes next to no gradient: it passes that of `shut_slope` at least. */
static tn_status forward(tn_trainer *t, tn_step_plan *plan) {
    double cross_entropy;
    TN_TRY(tn_model_forward(t->model, t->ws, &t->in, plan->gate, NULL, NULL));
    TN_TRY(tn_model_loss(t->model, t->ws, &t->in));
    if (!(plan->again_below > 0))
        return TN_OK;
    TN_TRY(tn_model_loss_read(t->ws, &t->in, &cross_entropy, t->predicted));
    if (!isfinite(cross_entropy))
        return TN_ERR_CHECK;
    if (share_right(t) >= plan->again_below)
        return TN_OK;
    plan->gate = TN_GATE_DENSE;
    plan->lambda = 0;
    t->in.gate_slope = shut_slope;
    TN_TRY(tn_model_forward(t->model, t->ws, &t->in, plan->gate, NULL, NULL));
    return tn_model_loss(t->model, t->ws, &t->in);
}

static tn_status check_gradients(tn_trainer *t) {
    const tn_params *p = &t->model->params;
    float *values;
    TN_TRY(tn_alloc(t->ctx, p->floats, sizeof *values, &values));
    tn_status status = tn_buffer_read(p->grads, 0, p->floats * sizeof *values, values);
    if (status == TN_OK)
        status = tn_params_finite(p, values, "gradient of ", TN_ERR_CHECK);
    tn_free(t->ctx, values);
    return status;
}

static tn_status check_update(tn_trainer *t) {
    tn_snapshot now;
    double norm;
    TN_TRY(tn_model_gradient_norm(t->model, &norm));
    if (!isfinite(norm))
        return tn_fail(t->ctx, TN_ERR_CHECK, "the norm of the gradient is %g, its tensors are finite", norm);
    tn_status status = tn_snapshot_take(t->model, &now);
    tn_snapshot_free(&now);
    return status;
}

/* By what a compacted step has routed, of the rows of layers with a router; a dense one does not count it. */
static tn_status steer(tn_trainer *t, const tn_step_plan *plan) {
    const int64_t *routed;
    double rows = 0, of = 0;
    if (plan->gate != TN_GATE_COMPACT)
        return TN_OK;
    TN_TRY(tn_workspace_routed(t->ws, &routed));
    for (int64_t i = 0; i < t->c->model.layers; i++) {
        if (!tn_layer_has_router(&t->c->model, i))
            continue;
        rows += (double)routed[i];
        of += (double)t->batch.B * (double)t->batch.T;
    }
    tn_steering_step(&t->steering, &t->c->curriculum, t->step, rows / of);
    return TN_OK;
}

/* TN_ERR_CHECK, perhaps without words, where something is not finite: `run` then looks for what. */
static tn_status one_step(tn_trainer *t) {
    const tn_train_config *c = t->c;
    tn_step_plan plan = tn_curriculum_step(&c->curriculum, &c->model, t->step);
    bool log = !t->again &&
               ((t->step + 1) % c->log_every == 0 || t->step + 1 == c->curriculum.steps || t->step == 0);
    tn_optimizer o = c->optimizer;
    o.lr = plan.lr;
    TN_TRY(next_batch(t));
    t->in.gate_margin = plan.margin;
    t->in.by_threshold = plan.by_threshold;
    t->in.price_known = c->curriculum.price_known;
    if (steers(t) && plan.phase == 2)
        plan.lambda = t->steering.lambda;
    TN_TRY(forward(t, &plan));
    double price = tn_penalty_of_row(c, t->task, t->batch.B, plan.lambda);
    TN_TRY(tn_model_backward(t->model, t->ws, &t->in, plan.gate, price));
    if (t->again)
        TN_TRY(check_gradients(t));
    TN_TRY(tn_model_update(t->model, &o, t->step + 1));
    if (t->again)
        TN_TRY(check_update(t));
    TN_TRY(tn_device_flush(t->model->dev));
    if (steers(t) && plan.phase == 2)
        TN_TRY(steer(t, &plan));
    if (log)
        TN_TRY(log_step(t, &plan));
    t->step++;
    return TN_OK;
}

static tn_status step_in_stage(tn_trainer *t) {
    if (t->short_task != is_short(t)) /* the short steps are over, or were before a resume */
        TN_TRY(stage(t));
    return one_step(t);
}

/* Steps give the same bits whenever they are run: from the last state on, which is finite, to step `seen`,
 * with a look at every tensor. TN_ERR_CHECK with the first that is not finite; t->step is what was done
 * before. */
static tn_status run_again(tn_trainer *t, int64_t seen) {
    t->again = true;
    TN_TRY(read_state(t));
    TN_TRY(stage(t));
    tn_progress(t->ctx, "a value is not finite: steps %lld to %lld once more, to find the first",
                (long long)t->step + 1, (long long)seen);
    while (t->step < seen && !tn_interrupted())
        TN_TRY(step_in_stage(t));
    return TN_OK;
}

static tn_status diverged(tn_trainer *t, int64_t seen) {
    char what[600];
    tn_progress_end(t->ctx);
    tn_status status = run_again(t, seen);
    tn_progress_end(t->ctx);
    if (status != TN_OK && status != TN_ERR_CHECK)
        return status;
    if (status == TN_OK)
        snprintf(what, sizeof what,
                 "but all was finite when the steps were run again: was the device or its memory at fault?");
    else
        snprintf(what, sizeof what, "%.500s", t->ctx->message);
    int64_t step = status == TN_OK ? seen : t->step + 1;
    tn_fail(
        t->ctx, TN_ERR_CHECK,
        "training diverged at step %lld: %s; what was saved stands, it is of step %lld; try a smaller --lr",
        (long long)step, what, (long long)t->saved);
    return t->ctx->status = TN_ERR_DEVICE; /* what it is for the caller; the message needs no source line */
}

static tn_status run(tn_trainer *t) {
    const tn_train_config *c = t->c;
    t->started = tn_clock_seconds();
    t->logged_step = t->step;
    t->logged_elapsed = t->elapsed_before;
    while (t->step < c->curriculum.steps) {
        tn_status status = step_in_stage(t);
        if (status == TN_ERR_CHECK)
            return diverged(t, t->step + 1);
        TN_TRY(status);
        bool stop = tn_interrupted();
        if (stop || t->step % c->checkpoint_every == 0 || t->step == c->curriculum.steps)
            status = save(t, true);
        if (status == TN_ERR_CHECK)
            return diverged(t, t->step);
        TN_TRY(status);
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

tn_status tn_train(tn_device *dev, const tn_train_config *c, const char *folder, bool resume, tn_lock *lock,
                   tn_train_result *out) {
    tn_trainer t = {.c = c, .ctx = tn_device_context(dev)};
    *out = (tn_train_result){0};
    *lock = (tn_lock){.file = -1};
    tn_status status = prepare(&t, dev, folder, resume, lock);
    if (status == TN_OK)
        status = run(&t);
    *out = (tn_train_result){.steps = t.step,
                             .seconds = t.logged_elapsed,
                             .accuracy = t.accuracy,
                             .params = t.model ? t.model->params.trainable : 0};
    release(&t);
    return status;
}
