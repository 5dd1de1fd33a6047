#include "step.h"

#include "cost.h"
#include "input.h"
#include "pairs.h"
#include "step_check.h"

#include <math.h>
#include <string.h>

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
    TN_TRY(tn_step_config(ctx, shape, &c));
    identify(dev, &c.model, shape, o, row);
    return tn_row_settle(row, tn_step_fill(dev, shape, o, row), ctx);
}
