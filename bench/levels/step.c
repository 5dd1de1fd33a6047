#include "step_run.h"

#include "cost.h"
#include "input.h"
#include "pairs.h"
#include "rng.h"

#include <math.h>
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
static tn_status config_of(tn_context *ctx, const tn_step_shape *shape, tn_train_config *c) {
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
    TN_TRY(config_of(s->ctx, shape, &c));
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

static tn_status loss_of(tn_step *s, tn_gate gate, double *loss) {
    TN_TRY(tn_model_forward(s->model, s->ws, &s->in, gate, NULL, NULL));
    TN_TRY(tn_model_loss(s->model, s->ws, &s->in));
    return tn_step_loss(s, loss);
}

/* Loss at values + step·grads, which stay in `values`. */
static tn_status loss_beside(tn_step *s, float *moved, const float *values, const float *grads, double step,
                             double *loss) {
    const tn_params *p = &s->model->params;
    for (size_t i = 0; i < p->floats; i++)
        moved[i] = (float)(values[i] + step * grads[i]);
    TN_TRY(tn_buffer_write(p->values, 0, p->floats * sizeof(float), moved));
    return loss_of(s, TN_GATE_SOFT, loss);
}

/* (L(w + εg) − L(w − εg)) / 2ε = |g|², to what fp32 leaves of a small difference. */
static tn_status check_gradient(tn_step *s) {
    const tn_params *p = &s->model->params;
    size_t bytes = p->floats * sizeof(float);
    float *host;
    double norm2 = 0, above, below;
    tn_status status = TN_OK;
    TN_TRY(tn_alloc(s->ctx, 3 * p->floats, sizeof *host, &host));
    float *values = host, *grads = host + p->floats, *moved = host + 2 * p->floats;
    TN_GO(tn_buffer_read(p->values, 0, bytes, values));
    TN_GO(tn_step_gradient(s, &s->in, TN_GATE_SOFT, NULL));
    TN_GO(tn_buffer_read(p->grads, 0, bytes, grads));
    for (size_t i = 0; i < p->floats; i++)
        norm2 += (double)grads[i] * grads[i];
    double step = 0.01 / sqrt(norm2);
    TN_GO(loss_beside(s, moved, values, grads, step, &above));
    TN_GO(loss_beside(s, moved, values, grads, -step, &below));
    TN_GO(tn_buffer_write(p->values, 0, bytes, values));
    double slope = (above - below) / (2 * step);
    if (!(fabs(slope - norm2) <= 0.01 * norm2))
        status =
            tn_fail(s->ctx, TN_ERR_CHECK,
                    "the gradient of the training step is wrong: the loss changes by %g along it, not %g",
                    slope, norm2);
cleanup:
    tn_free(s->ctx, host);
    return status;
}

static tn_status check_compacted(tn_step *s) {
    double compacted, dense;
    TN_TRY(loss_of(s, TN_GATE_DENSE, &dense));
    TN_TRY(loss_of(s, TN_GATE_COMPACT, &compacted));
    if (!(fabs(compacted - dense) <= 1e-4 * (1 + fabs(dense))))
        return tn_fail(s->ctx, TN_ERR_CHECK, "the compacted step gives a loss of %g, the dense one %g",
                       compacted, dense);
    return TN_OK;
}

/* Operations of a step from what its forward pass ran: both tracks for all rows, or what was routed. A
 * backward pass costs twice a forward one, up to element-wise work. */
static tn_status count_work(tn_step *s) {
    const tn_model_config *c = &s->model->config;
    int64_t B = s->in.B, T = s->in.T;
    tn_layer_stats stats[TN_MODEL_MAX_LAYERS];
    for (int64_t i = 0; i < c->layers; i++)
        stats[i] = (tn_layer_stats){
            .routed = B * T, .kv_rows = B * T, .pairs = (double)B * (double)T * (double)(T + 1) / 2};
    if (s->gate == TN_GATE_COMPACT)
        TN_TRY(tn_model_forward(s->model, s->ws, &s->in, s->gate, NULL, stats));
    s->flops = 3 * tn_cost_forward(c, B * T, s->in.L, stats).flops;
    return TN_OK;
}

tn_status tn_step_verify(tn_step *s) {
    TN_TRY(tn_step_check(s));
    /* And with every label where it is: what lies late in long sequences. */
    if (s->model->training)
        TN_TRY(s->gate == TN_GATE_COMPACT ? check_compacted(s) : check_gradient(s));
    return count_work(s);
}

static void set_schedule(const tn_step_shape *shape, tn_cost_row *row) {
    snprintf(row->schedule, sizeof row->schedule, shape->rho >= 0 ? "compacted" : "dense");
}

static void identify(tn_device *dev, const tn_model_config *c, const tn_step_shape *shape,
                     const tn_bench_options *o, tn_cost_row *row) {
    tn_row_set_device(row, tn_device_get_info(dev), o->cpu_model ? o->cpu_model : "");
    snprintf(row->level, sizeof row->level, "step");
    snprintf(row->pass, sizeof row->pass, "step");
    tn_row_set_cache(row, o->evict != NULL);
    snprintf(row->mixer, sizeof row->mixer, "routed");
    snprintf(row->seed, sizeof row->seed, "%llu", (unsigned long long)o->seed);
    row->B = shape->B;
    row->T = shape->T;
    row->D = c->d_model;
    row->H = c->heads;
    row->Dh = c->d_model / c->heads;
    row->K = c->conv_taps;
    row->rho = shape->rho;
    snprintf(row->shape, sizeof row->shape, shape->rho >= 0 ? "B=%lld T=%lld rho=%g" : "B=%lld T=%lld",
             (long long)shape->B, (long long)shape->T, shape->rho);
}

void tn_step_identify(const tn_step *s, const tn_step_shape *shape, const tn_bench_options *o,
                      tn_cost_row *row) {
    identify(s->model->dev, &s->model->config, shape, o, row);
    set_schedule(shape, row);
}

void tn_step_set_sample(const tn_step *s, const tn_sample *sample, const tn_bench_options *o,
                        tn_cost_row *row) {
    tn_row_set_choice(row, s->model->dev, NULL);
    snprintf(row->verified, sizeof row->verified, "%s", s->verified);
    /* Weights, gradients and moments alone: activations may stay in a cache. */
    tn_row_set_sample(row, sample, s->flops, 4.0 * 7 * (double)s->model->params.floats, o->roofline);
}

static tn_status time_pair(tn_step *s, tn_step *dense, const tn_bench_options *o, tn_sample *sample,
                           tn_cost_row *row) {
    tn_pair_sample pair;
    tn_measure_options options = {
        .seconds = o->seconds > 0 ? 2 * o->seconds : 2, .evict = o->evict, .raw = o->raw};
    dense->watched_from = s->watched_to;
    TN_TRY(tn_step_verify(dense));
    TN_TRY(tn_measure_pair(s->model->dev, tn_step_run, s, tn_step_run, dense, &options, &pair));
    tn_row_set_dense(row, &pair, dense->flops / s->flops, sample);
    return TN_OK;
}

tn_status tn_step_shape_parse(tn_context *ctx, const char *text, tn_step_shape *out) {
    *out = (tn_step_shape){.B = 32, .T = 128, .rho = NAN};
    tn_pair_field fields[] = {{.name = "B", .whole = &out->B, .low = 1, .high = INT32_MAX},
                              {.name = "T", .whole = &out->T, .low = 3, .high = INT32_MAX},
                              {.name = "rho", .real = &out->rho, .low = 1e-9, .high = 1}};
    return tn_pairs_read(ctx, "shape of a step", text, fields, sizeof fields / sizeof fields[0]);
}

tn_status tn_step_fill(tn_device *dev, const tn_step_shape *shape, const tn_bench_options *o,
                       tn_cost_row *row) {
    tn_step *s = NULL, *dense = NULL;
    tn_sample sample;
    tn_step_shape all = *shape;
    tn_status status = TN_OK;
    all.rho = NAN;
    TN_GO(tn_step_make(dev, shape, o->seed, &s));
    TN_GO(tn_step_verify(s));
    TN_GO(tn_measure(dev, tn_step_run, s,
                     &(tn_measure_options){.seconds = o->seconds > 0 ? o->seconds : 1,
                                           .energy = o->energy,
                                           .evict = o->evict,
                                           .raw = o->raw},
                     &sample));
    if (shape->rho >= 0) {
        TN_GO(tn_step_make(dev, &all, o->seed, &dense));
        TN_GO(time_pair(s, dense, o, &sample, row));
    }
    tn_step_set_sample(s, &sample, o, row);
    set_schedule(shape, row);
cleanup:
    tn_step_destroy(dense);
    tn_step_destroy(s);
    return status;
}

tn_status tn_step_measure(tn_device *dev, const tn_step_shape *shape, const tn_bench_options *o,
                          tn_cost_row *row) {
    tn_context *ctx = tn_device_context(dev);
    tn_train_config c;
    tn_row_init(row);
    TN_TRY(config_of(ctx, shape, &c));
    identify(dev, &c.model, shape, o, row);
    return tn_row_settle(row, tn_step_fill(dev, shape, o, row), ctx);
}
