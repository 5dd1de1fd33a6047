#include "savings.h"

#include "evaluate.h"
#include "input.h"
#include "rng.h"

#include <math.h>

enum { ENERGY_ROUNDS = 3 };

typedef struct tn_savings_side {
    tn_model *model;
    tn_workspace *ws;
    const tn_input *in;
} tn_savings_side;

typedef struct tn_savings_run {
    tn_context *ctx;
    tn_model *twin;
    tn_workspace *ws, *twin_ws;
    tn_batch batch;
    int32_t *label_rows, *labels;
    tn_input in;
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
    tn_workspace_destroy(r->twin_ws);
    tn_model_destroy(r->twin);
    tn_batch_free(r->ctx, &r->batch);
    tn_free(r->ctx, r->label_rows);
    tn_free(r->ctx, r->labels);
}

static tn_status prepare(tn_savings_run *r, tn_model *m, const tn_task *task, int64_t B) {
    int64_t T = tn_task_length(task);
    tn_model_config dense = m->config;
    dense.mixer = TN_MIXER_ATTENTION;
    TN_TRY(tn_batch_make(r->ctx, B, T, &r->batch));
    TN_TRY(tn_alloc(r->ctx, (size_t)(B * T), 4, &r->label_rows));
    TN_TRY(tn_alloc(r->ctx, (size_t)(B * T), 4, &r->labels));
    TN_TRY(tn_task_fill(r->ctx, task, TN_RNG_EVAL, 0, &r->batch));
    r->in = tn_batch_input(&r->batch, r->label_rows, r->labels);
    r->in.control_seed = 1;
    TN_TRY(tn_model_create(m->dev, &dense, false, &r->twin));
    TN_TRY(tn_params_init(&r->twin->params, 1));
    TN_TRY(tn_workspace_create(m, B, T, &r->ws));
    return tn_workspace_create(r->twin, B, T, &r->twin_ws);
}

/* Joules a call of both, in turn, so that a package that warms up or is kept busy by others touches both
 * alike. */
static tn_status energy_rounds(tn_device *dev, tn_savings_side *mine, tn_savings_side *dense,
                               tn_energy *energy, tn_savings *out) {
    const tn_measure_options options = {.seconds = 0.4, .spread = 1e-9, .energy = energy};
    double saved = 0;
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
        saved += log(a.energy.joules / b.energy.joules) / ENERGY_ROUNDS;
    }
    out->energy_saved_pct = 100 * (1 - exp(saved));
    return TN_OK;
}

static tn_status energy_of(tn_device *dev, tn_savings_side *mine, tn_savings_side *dense, tn_savings *out) {
    tn_energy *energy;
    tn_status status = TN_OK;
    TN_TRY(tn_energy_open(tn_device_context(dev), tn_device_get_info(dev), &energy));
    snprintf(out->energy_source, sizeof out->energy_source, "%s", tn_energy_source_text(energy));
    if (tn_energy_measured(energy))
        status = energy_rounds(dev, mine, dense, energy, out);
    tn_energy_close(energy);
    return status;
}

tn_status tn_savings_measure(tn_model *m, const tn_task *task, double seconds, tn_savings *out) {
    tn_savings_run r = {.ctx = tn_device_context(m->dev)};
    tn_pair_sample pair;
    int64_t B = tn_evaluate_batch(m, tn_task_length(task));
    *out = (tn_savings){.batch = B};
    tn_status status = prepare(&r, m, task, B);
    tn_savings_side mine = {m, r.ws, &r.in}, dense = {r.twin, r.twin_ws, &r.in};
    tn_measure_options options = {.seconds = seconds > 0 ? seconds : 2};
    if (status == TN_OK)
        status = tn_measure_pair(m->dev, forward, &mine, forward, &dense, &options, &pair);
    if (status == TN_OK)
        status = energy_of(m->dev, &mine, &dense, out);
    if (status == TN_OK) {
        out->ms_per_sequence = pair.a.wall_ms / (double)B;
        out->dense_ms_per_sequence = pair.b.wall_ms / (double)B;
        out->time_saved_pct = 100 * (1 - 1 / pair.ratio);
        out->time_saved_pct_q1 = 100 * (1 - 1 / pair.ratio_q1);
        out->time_saved_pct_q3 = 100 * (1 - 1 / pair.ratio_q3);
    }
    release(&r);
    return status;
}
