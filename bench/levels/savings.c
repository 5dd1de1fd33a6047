#include "savings.h"

#include "evaluate.h"
#include "input.h"
#include "rng.h"

#include <math.h>

enum { ENERGY_ROUNDS = 3 };

static const char tn_savings_own[] = "this is the attention mixer, which savings are against";

typedef struct tn_savings_side {
    tn_model *model;
    tn_workspace *ws;
    const tn_input *in;
} tn_savings_side;

typedef struct tn_savings_run {
    tn_context *ctx;
    tn_model *dense_model;
    tn_workspace *ws, *dense_ws;
    tn_batch batch;
    int32_t *label_rows, *labels;
    tn_input in;
    bool no_energy;
} tn_savings_run;

/* The whole forward pass with the loss, as evaluation runs it; decisions are read back inside, as they must
 * be. */
static tn_status forward(tn_device *dev, void *data) {
    tn_savings_side *side = data;
    (void)dev;
    TN_TRY(tn_model_forward(side->model, side->ws, side->in, TN_GATE_COMPACT, NULL, NULL));
    return tn_model_loss(side->model, side->ws, side->in);
}

static void release(tn_savings_run *r) {
    tn_workspace_destroy(r->ws);
    tn_workspace_destroy(r->dense_ws);
    tn_model_destroy(r->dense_model);
    tn_batch_free(r->ctx, &r->batch);
    tn_free(r->ctx, r->label_rows);
    tn_free(r->ctx, r->labels);
}

static tn_status prepare(tn_savings_run *r, tn_model *m, const tn_task *task, int64_t B) {
    int64_t T = tn_task_length(task);
    TN_TRY(tn_batch_make(r->ctx, B, T, &r->batch));
    TN_TRY(tn_alloc(r->ctx, (size_t)(B * T), 4, &r->label_rows));
    TN_TRY(tn_alloc(r->ctx, (size_t)(B * T), 4, &r->labels));
    TN_TRY(tn_task_fill(r->ctx, task, TN_RNG_EVAL, 0, &r->batch));
    r->in = tn_batch_input(&r->batch, r->label_rows, r->labels);
    r->in.control_seed = 1;
    return tn_workspace_create(m, B, T, &r->ws);
}

static tn_status prepare_twin(tn_savings_run *r, tn_model *m) {
    const tn_model_config dense = tn_model_config_dense(&m->config);
    TN_TRY(tn_model_create(m->dev, &dense, false, &r->dense_model));
    TN_TRY(tn_params_init(&r->dense_model->params, 1));
    return tn_workspace_create(r->dense_model, r->in.B, r->in.T, &r->dense_ws);
}

/* Joules a call of both, in turn, so that a package that warms up or is kept busy by others touches both
 * alike. */
static tn_status energy_rounds(tn_device *dev, tn_savings_side *mine, tn_savings_side *dense,
                               tn_energy *energy, tn_savings *out) {
    const tn_measure_options options = {
        .seconds = fmax(0.4, 1.01 * tn_energy_window(energy)), .spread = 1e-9, .energy = energy};
    double saved = 0, low = INFINITY, high = -INFINITY;
    for (int round = 0; round < ENERGY_ROUNDS; round++) {
        tn_sample a, b;
        TN_TRY(tn_measure(dev, forward, mine, &options, &a));
        TN_TRY(tn_measure(dev, forward, dense, &options, &b));
        out->energy_ok = a.energy.ok && b.energy.ok;
        if (!out->energy_ok) {
            snprintf(out->energy_source, sizeof out->energy_source, "%s",
                     a.energy.ok ? b.energy.source : a.energy.source);
            return TN_OK;
        }
        double ratio = log(a.energy.joules / b.energy.joules);
        saved += ratio / ENERGY_ROUNDS;
        low = fmin(low, ratio);
        high = fmax(high, ratio);
    }
    out->energy_saved_pct = 100 * (1 - exp(saved));
    out->energy_saved_pct_low = 100 * (1 - exp(high));
    out->energy_saved_pct_high = 100 * (1 - exp(low));
    return TN_OK;
}

static tn_status energy_of(tn_device *dev, tn_savings_side *mine, tn_savings_side *dense, bool no_energy,
                           tn_savings *out) {
    tn_energy *energy;
    tn_status status = TN_OK;
    snprintf(out->energy_source, sizeof out->energy_source, "%s", tn_energy_source_text(NULL));
    if (no_energy)
        return TN_OK;
    TN_TRY(tn_energy_open(tn_device_context(dev), tn_device_get_info(dev), &energy));
    snprintf(out->energy_source, sizeof out->energy_source, "%s", tn_energy_source_text(energy));
    if (tn_energy_measured(energy))
        status = tn_energy_measure_idle(energy, dev); /* once a device: how often the counter moves */
    if (status == TN_OK && tn_energy_measured(energy))
        status = energy_rounds(dev, mine, dense, energy, out);
    tn_energy_close(energy);
    return status;
}

static tn_status measure_alone(tn_savings_run *r, tn_model *m, double seconds, tn_savings *out) {
    tn_savings_side mine = {m, r->ws, &r->in};
    const tn_measure_options options = {.seconds = seconds};
    tn_sample sample;
    TN_TRY(tn_measure(m->dev, forward, &mine, &options, &sample));
    out->ms_per_sequence = sample.wall_ms / (double)out->batch;
    return TN_OK;
}

static tn_status measure_both(tn_savings_run *r, tn_model *m, double seconds, tn_savings *out) {
    tn_savings_side mine = {m, r->ws, &r->in}, dense = {r->dense_model, r->dense_ws, &r->in};
    const tn_measure_options options = {.seconds = seconds};
    tn_pair_sample pair;
    TN_TRY(tn_measure_pair(m->dev, forward, &mine, forward, &dense, &options, &pair));
    TN_TRY(energy_of(m->dev, &mine, &dense, r->no_energy, out));
    out->ms_per_sequence = pair.a.wall_ms / (double)out->batch;
    out->dense_ms_per_sequence = pair.b.wall_ms / (double)out->batch;
    out->time_saved_pct = 100 * (1 - 1 / pair.ratio);
    out->time_saved_pct_q1 = 100 * (1 - 1 / pair.ratio_q1);
    out->time_saved_pct_q3 = 100 * (1 - 1 / pair.ratio_q3);
    return TN_OK;
}

/* *possible: attention is to be timed. Else the note says why not. */
static tn_status choose(tn_savings_run *r, tn_model *m, const tn_savings_options *o, double seconds,
                        double work, tn_savings *out, bool *possible) {
    double pass = o->pass_s;
    *possible = false;
    if (out->own) {
        snprintf(out->note, sizeof out->note, "%s", tn_savings_own);
        return TN_OK;
    }
    if (o->longest_pass_s > 0 && !(pass > 0)) {
        TN_TRY(measure_alone(r, m, seconds / 8, out));
        pass = out->ms_per_sequence / 1000 * (double)out->batch * work;
    }
    if (o->longest_pass_s > 0 && pass > o->longest_pass_s) {
        snprintf(out->note, sizeof out->note, "attention was not timed: a pass would take about %.0f s",
                 pass);
        return TN_OK;
    }
    tn_status status = prepare_twin(r, m);
    *possible = status == TN_OK;
    if (status != TN_ERR_MEMORY)
        return status;
    snprintf(out->note, sizeof out->note, "attention was not timed: %.300s", r->ctx->message);
    return TN_OK;
}

tn_status tn_savings_measure(tn_model *m, const tn_task *task, const tn_savings_options *o, double work,
                             tn_savings *out) {
    tn_savings_run r = {.ctx = tn_device_context(m->dev), .no_energy = o->no_energy};
    double seconds = o->seconds > 0 ? o->seconds : 2;
    bool possible = false;
    *out = (tn_savings){.own = tn_mixer_is_dense(&m->config),
                        .batch = tn_evaluate_batch(m, tn_task_length(task)),
                        .dense_ms_per_sequence = NAN,
                        .time_saved_pct = NAN,
                        .time_saved_pct_q1 = NAN,
                        .time_saved_pct_q3 = NAN};
    snprintf(out->energy_source, sizeof out->energy_source, "%s",
             out->own ? tn_savings_own : "unmeasured: the attention mixer was not run");
    tn_status status = prepare(&r, m, task, out->batch);
    if (status == TN_OK)
        status = choose(&r, m, o, seconds, work, out, &possible);
    if (status == TN_OK)
        status = (possible ? measure_both : measure_alone)(&r, m, seconds, out);
    release(&r);
    return status;
}
