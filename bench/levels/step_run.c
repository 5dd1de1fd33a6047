#include "step_run.h"

#include "cost.h"
#include "input.h"
#include "rng.h"

#include <string.h>

/* Routers start at zero, where a capacity would take the first rows of every sequence, the cheapest ones. */
static tn_status routers(tn_step *s, uint64_t seed) {
    float *weight;
    tn_rng rng = tn_rng_make(seed, TN_RNG_MEASURE, 2);
    tn_status status = TN_OK;
    TN_TRY(tn_alloc(s->ctx, (size_t)s->model->config.d_model, sizeof *weight, &weight));
    for (int64_t i = 0; tn_mixer_has_router(&s->model->config) && i < s->model->config.layers; i++) {
        const tn_param *w = s->model->params.layers[i].router_weight;
        for (size_t d = 0; d < w->count; d++)
            weight[d] = (float)(0.1 * tn_rng_normal(&rng));
        TN_GO(tn_buffer_write(w->value, 0, w->count * sizeof(float), weight));
    }
cleanup:
    tn_free(s->ctx, weight);
    return status;
}

/* The recall model and its training, with the sizes of `shape`. */
tn_status tn_step_config(tn_context *ctx, const tn_step_shape *shape, tn_train_config *c) {
    tn_task_config task = {.kind = TN_TASK_RECALL, .distance = shape->T - 2};
    TN_TRY(tn_train_config_default(ctx, &task, 0, c));
    if (shape->D > 0) {
        c->model.d_model = shape->D;
        c->model.mlp_width = 2 * shape->D;
    }
    if (shape->H > 0)
        c->model.heads = shape->H;
    if (shape->K > 0)
        c->model.conv_taps = shape->K;
    if (shape->mixer)
        TN_TRY(tn_mixer_parse(ctx, shape->mixer, &c->model));
    if (shape->rho >= 0) {
        c->model.routing = TN_ROUTING_CAPACITY;
        c->model.capacity = shape->rho;
    }
    return TN_OK;
}

static tn_status make(tn_device *dev, const tn_step_shape *shape, uint64_t seed, tn_step *s) {
    tn_train_config c;
    int64_t N = shape->B * shape->T;
    TN_TRY(tn_step_config(s->ctx, shape, &c));
    s->gate = shape->rho >= 0 ? TN_GATE_COMPACT : TN_GATE_SOFT;
    s->optimizer = c.optimizer;
    s->optimizer.lr = c.curriculum.lr;
    TN_TRY(tn_task_make(s->ctx, &c.task, &s->task));
    TN_TRY(tn_batch_make(s->ctx, shape->B, shape->T, &s->batch));
    TN_TRY(tn_alloc(s->ctx, (size_t)N, 4, &s->label_rows));
    TN_TRY(tn_alloc(s->ctx, (size_t)N, 4, &s->labels));
    TN_TRY(tn_task_fill(s->ctx, s->task, TN_RNG_TRAIN, 0, &s->batch));
    s->in = tn_batch_input(&s->batch, s->label_rows, s->labels);
    TN_TRY(tn_model_create(dev, &c.model, !shape->forward_only, &s->model));
    TN_TRY(tn_workspace_create(s->model, shape->B, shape->T, &s->ws));
    TN_TRY(tn_params_init(&s->model->params, seed));
    return routers(s, seed);
}

tn_status tn_step_make(tn_device *dev, const tn_step_shape *shape, uint64_t seed, tn_step **out) {
    tn_context *ctx = tn_device_context(dev);
    *out = NULL;
    if (shape->T < 3 || shape->B < 1)
        return tn_fail(ctx, TN_ERR_ARG, "a step of %lld sequences of %lld positions: at least 1 and 3",
                       (long long)shape->B, (long long)shape->T);
    TN_TRY(tn_alloc(ctx, 1, sizeof **out, out));
    (*out)->ctx = ctx;
    tn_status status = make(dev, shape, seed, *out);
    if (status != TN_OK) {
        tn_step_destroy(*out);
        *out = NULL;
    }
    return status;
}

void tn_step_destroy(tn_step *s) {
    if (!s)
        return;
    tn_workspace_destroy(s->ws);
    tn_model_destroy(s->model);
    tn_batch_free(s->ctx, &s->batch);
    tn_task_free(s->ctx, s->task);
    tn_free(s->ctx, s->label_rows);
    tn_free(s->ctx, s->labels);
    tn_free(s->ctx, s);
}

tn_status tn_step_gradient(tn_step *s, const tn_input *in, tn_gate gate, uint8_t *routes) {
    TN_TRY(tn_model_forward(s->model, s->ws, in, gate, routes, NULL));
    TN_TRY(tn_model_loss(s->model, s->ws, in));
    return s->model->training ? tn_model_backward(s->model, s->ws, in, gate, 0) : TN_OK;
}

tn_status tn_step_run(tn_device *dev, void *data) {
    tn_step *s = data;
    TN_TRY(tn_step_gradient(s, &s->in, s->gate, NULL));
    TN_TRY(tn_model_update(s->model, &s->optimizer, ++s->done));
    return tn_device_flush(dev);
}

tn_status tn_step_forward(tn_device *dev, void *data) {
    tn_step *s = data;
    TN_TRY(tn_model_forward(s->model, s->ws, &s->in, TN_GATE_COMPACT, NULL, NULL));
    TN_TRY(tn_model_loss(s->model, s->ws, &s->in));
    return tn_device_flush(dev);
}

tn_status tn_step_logits(tn_step *s, tn_gate gate, float *logits, double *flops) {
    tn_layer_stats stats[TN_MODEL_MAX_LAYERS];
    TN_TRY(tn_model_forward(s->model, s->ws, &s->in, gate, NULL, flops ? stats : NULL));
    if (flops)
        *flops = tn_cost_forward(&s->model->config, s->in.B * s->in.T, s->in.L, stats).flops;
    return tn_buffer_read(tn_workspace_logits(s->ws), 0,
                          (size_t)(s->in.L * s->model->config.vocab) * sizeof *logits, logits);
}

tn_model *tn_step_model(tn_step *s) {
    return s->model;
}

const tn_input *tn_step_input(const tn_step *s) {
    return &s->in;
}

const tn_optimizer *tn_step_optimizer(const tn_step *s) {
    return &s->optimizer;
}

tn_status tn_step_loss(tn_step *s, double *cross_entropy) {
    return tn_model_loss_read(s->ws, &s->in, cross_entropy, NULL);
}
