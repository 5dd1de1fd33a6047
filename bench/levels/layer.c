/* Layer cells. The routed layer runs as the model runs it, router, compaction and read-back included: its
 * router reads the first column of the normed input, whose sign the input's rows carry, so exactly the wanted
 * rows are routed. */
#include "layer_run.h"

#include "cost.h"
#include "launch.h"
#include "rng.h"
#include "dense_weights.h"
#include "routed_rows.h"
#include "workspace.h"

#include <math.h>
#include <string.h>

static const tn_gate gates[] = {[TN_EXECUTION_COMPACTED] = TN_GATE_COMPACT,
                                [TN_EXECUTION_MASKED] = TN_GATE_DENSE,
                                [TN_EXECUTION_BLOCKS] = TN_GATE_BLOCKS};

tn_status tn_layer_run_forward(tn_device *dev, void *data) {
    layer_side *s = data;
    (void)dev;
    return tn_mixer_forward(s->ws, s->in, s->gate, 0, s->x);
}

tn_status tn_layer_run_backward(tn_device *dev, void *data) {
    layer_side *s = data;
    (void)dev;
    TN_TRY(tn_mixer_backward(s->ws, s->in, s->gate, 0, s->dx, s->dmid, s->x, 0));
    return tn_partial_sums_finish(s->ws->sums);
}

/* What training does with it: forward, then backward. */
static tn_status step(tn_device *dev, void *data) {
    TN_TRY(tn_layer_run_forward(dev, data));
    return tn_layer_run_backward(dev, data);
}

bool tn_layer_run_has_forward(const layer_run *r) {
    return strcmp(r->shape->pass, "backward") != 0;
}

bool tn_layer_run_has_backward(const layer_run *r) {
    return strcmp(r->shape->pass, "forward") != 0;
}

/* Exactly ⌈ρT⌉ rows of every sequence, anywhere. */
static void choose_rows(layer_run *r, uint64_t seed) {
    int64_t T = r->shape->T, k = 0;
    if (r->shape->rho > 0) /* NaN for other mixers than routed */
        k = tn_routed_rows(r->shape->rho, T);
    for (int64_t b = 0; b < r->shape->B; b++) {
        tn_rng rng = tn_rng_make(seed, TN_RNG_MEASURE, (uint64_t)b);
        int64_t left = k;
        for (int64_t t = 0; t < T; t++) {
            bool take = tn_rng_uniform(&rng) * (double)(T - t) < (double)left;
            r->mask[b * T + t] = take;
            left -= take;
        }
    }
}

static size_t bytes_of_rows(const layer_run *r) {
    return (size_t)(r->shape->B * r->shape->T * r->shape->D) * sizeof(float);
}

tn_status tn_layer_run_usual(layer_run *r) {
    if (r->dmid)
        TN_TRY(tn_buffer_write(r->dmid, 0, bytes_of_rows(r), r->host_dmid));
    return tn_buffer_write(r->x, 0, bytes_of_rows(r), r->host_x);
}

/* Of every sequence one more row is routed, or, where all are, one less. */
static void route_another(const layer_run *r, float *x) {
    int64_t T = r->shape->T, D = r->shape->D;
    for (int64_t b = 0; b < r->shape->B; b++) {
        float *at = x + b * T * D, *end = at + T * D, *first = at;
        while (at<end && * at> 0)
            at += D;
        if (at < end)
            *at = 1;
        else
            *first = -1;
    }
}

static void reverse(const layer_run *r, float *to, const float *from) {
    int64_t D = r->shape->D, N = r->shape->B * r->shape->T;
    for (int64_t n = 0; n < N; n++)
        memcpy(to + n * D, from + (N - 1 - n) * D, (size_t)D * sizeof *to);
}

tn_status tn_layer_run_other(layer_run *r) {
    int64_t D = r->shape->D, N = r->shape->B * r->shape->T;
    float *other;
    tn_status status = TN_OK;
    TN_TRY(tn_alloc(r->ctx, (size_t)(N * D), sizeof *other, &other));
    reverse(r, other, r->host_x);
    route_another(r, other);
    TN_GO(tn_buffer_write(r->x, 0, bytes_of_rows(r), other));
    if (r->dmid) {
        reverse(r, other, r->host_dmid);
        TN_GO(tn_buffer_write(r->dmid, 0, bytes_of_rows(r), other));
    }
cleanup:
    tn_free(r->ctx, other);
    return status;
}

static tn_status inputs(layer_run *r, uint64_t seed) {
    int64_t N = r->shape->B * r->shape->T, D = r->shape->D;
    size_t bytes = bytes_of_rows(r);
    tn_rng rng = tn_rng_make(seed, TN_RNG_MEASURE, 1u << 20);
    TN_TRY(tn_alloc(r->ctx, (size_t)(N * D), sizeof(float), &r->host_x));
    TN_TRY(tn_alloc(r->ctx, (size_t)N, 1, &r->mask));
    choose_rows(r, seed);
    for (int64_t i = 0; i < N * D; i++)
        r->host_x[i] = (float)tn_rng_normal(&rng);
    if (tn_layer_run_has_backward(r)) {
        TN_TRY(tn_alloc(r->ctx, (size_t)(N * D), sizeof(float), &r->host_dmid));
        memcpy(r->host_dmid, r->host_x, bytes);
        TN_TRY(tn_buffer_create(r->dev, bytes, &r->dmid));
        TN_TRY(tn_buffer_create(r->dev, bytes, &r->dx));
    }
    for (int64_t n = 0; n < N; n++)
        r->host_x[n * D] = r->mask[n] ? 1.0f : -1.0f;
    TN_TRY(tn_buffer_create(r->dev, bytes, &r->x));
    return tn_layer_run_usual(r);
}

static tn_status side_make(layer_run *r, const char *mixer, layer_side *side) {
    tn_model_config c = tn_model_config_default(2);
    c.layers = 1;
    c.d_model = r->shape->D;
    c.heads = r->shape->H;
    c.conv_taps = r->shape->K;
    c.mlp_width = 1; /* not run */
    TN_TRY(tn_mixer_parse(r->ctx, mixer, &c));
    TN_TRY(tn_model_create(r->dev, &c, tn_layer_run_has_backward(r), &side->model));
    TN_TRY(tn_workspace_create(side->model, r->shape->B, r->shape->T, &side->ws));
    side->in = &r->in;
    side->x = r->x;
    side->dx = r->dx;
    side->dmid = r->dmid;
    side->gate = gates[r->shape->execution];
    return TN_OK;
}

/* Weights: random; the router reads column 0. The dense side gets the same where it has the tensor. */
static tn_status weights(layer_run *r, uint64_t seed) {
    tn_params *p = &r->mine.model->params;
    const tn_param *router = p->layers[0].router_weight;
    const float first[1] = {1};
    float *values;
    TN_TRY(tn_params_init(p, seed));
    if (router)
        TN_TRY(tn_buffer_write(router->value, 0, sizeof first, first));
    TN_TRY(tn_params_pack(p));
    if (!r->dense.model)
        return TN_OK;
    TN_TRY(tn_alloc(r->ctx, p->floats, sizeof(float), &values));
    tn_status status = tn_buffer_read(p->values, 0, p->floats * sizeof(float), values);
    if (status == TN_OK)
        status = tn_dense_weights(p, values, &r->dense.model->params);
    tn_free(r->ctx, values);
    return status;
}

static void release(layer_run *r) {
    layer_side *sides[] = {&r->mine, &r->dense};
    for (int i = 0; i < 2; i++) {
        tn_workspace_destroy(sides[i]->ws);
        tn_model_destroy(sides[i]->model);
    }
    tn_buffer_destroy(r->x);
    tn_buffer_destroy(r->dmid);
    tn_buffer_destroy(r->dx);
    tn_free(r->ctx, r->host_x);
    tn_free(r->ctx, r->host_dmid);
    tn_free(r->ctx, r->mask);
}

bool tn_layer_run_takes(const layer_run *r, const tn_layer_state *st, int64_t n) {
    int64_t T = r->shape->T, first = n - n % T % st->block;
    if (st->dense)
        return true;
    for (int64_t i = first; i < first + st->block && i / T == n / T; i++)
        if (r->mask[i])
            return true;
    return false;
}

/* Forward work, from the rows that took the global track; a backward pass costs twice that, up to
 * element-wise work. */
static double flops_of(const layer_run *r, const layer_side *side) {
    const tn_layer_state *st = tn_workspace_state(side->ws, 0);
    int64_t B = r->shape->B, T = r->shape->T;
    tn_layer_stats stats = {
        .routed = st->R, .kv_rows = st->absorbed ? 0 : st->P, .absorbed_passes = st->absorbed};
    for (int64_t n = 0; n < B * T; n++)
        if (tn_layer_run_takes(r, st, n))
            stats.pairs += (double)(n % T + 1);
    if (st->absorbed) {
        stats.absorbed_rows = stats.routed;
        stats.absorbed_pairs = stats.pairs;
    }
    if (!tn_mixer_has_attention(&side->model->config))
        stats = (tn_layer_stats){0};
    tn_cost cost = tn_cost_mixer(&side->model->config, B * T, &stats);
    double back = 2 * cost.flops + 0.5 * cost.score_flops;
    return (tn_layer_run_has_forward(r) ? cost.flops : 0) + (tn_layer_run_has_backward(r) ? back : 0);
}

/* x read, mid written, every weight read once; backward: x, dmid read, dx and gradients written. */
static double bytes_of(const layer_run *r, const layer_side *side) {
    double weights = 0, ND = (double)(r->shape->B * r->shape->T * r->shape->D);
    for (int i = 0; i < side->model->params.count; i++)
        if (strstr(side->model->params.items[i].name, "mixer."))
            weights += (double)side->model->params.items[i].count;
    double once = tn_layer_run_has_forward(r) ? 2 * ND + weights : 0,
           back = tn_layer_run_has_backward(r) ? 3 * ND + 2 * weights : 0;
    return 4 * (once + back);
}

static const char *keys_of(const layer_side *side) {
    const tn_layer_state *st = tn_workspace_state(side->ws, 0);
    return st->R == 0 ? "" : st->absorbed ? "absorbed" : "projected";
}

static tn_status time_it(layer_run *r, const tn_bench_options *options, tn_cost_row *row) {
    tn_measure_run run = !tn_layer_run_has_backward(r) ? tn_layer_run_forward
                         : tn_layer_run_has_forward(r) ? step
                                                       : tn_layer_run_backward;
    tn_measure_options measure = {
        .seconds = options->seconds, .energy = options->energy, .evict = options->evict, .raw = options->raw};
    tn_sample alone;
    double flops = flops_of(r, &r->mine);
    TN_TRY(tn_measure(r->dev, run, &r->mine, &measure, &alone));
    if (r->dense.model) {
        tn_pair_sample pair;
        measure.energy = NULL;
        measure.seconds = options->seconds > 0 ? 2 * options->seconds : 0.8;
        TN_TRY(tn_measure_pair(r->dev, run, &r->mine, run, &r->dense, &measure, &pair));
        tn_row_set_dense(row, &pair, flops_of(r, &r->dense) / flops, &alone);
    }
    tn_row_set_choice(row, r->dev, NULL);
    tn_row_set_sample(row, &alone, flops, bytes_of(r, &r->mine), options->roofline);
    snprintf(row->schedule, sizeof row->schedule, "%s",
             r->dense.model ? tn_execution_name(r->shape->execution) : "dense");
    if (r->dense.model) {
        const tn_layer_state *st = tn_workspace_state(r->mine.ws, 0);
        row->block = r->shape->execution == TN_EXECUTION_BLOCKS ? st->block : -1;
        row->executed_rho = (double)st->R / (double)(r->shape->B * r->shape->T);
        snprintf(row->keys, sizeof row->keys, "%s", keys_of(&r->mine));
    }
    snprintf(row->verified, sizeof row->verified, "%s", tn_layer_run_verified(r));
    return TN_OK;
}

tn_status tn_layer_measure(tn_device *dev, const tn_layer_shape *shape, const tn_bench_options *options,
                           tn_cost_row *row) {
    layer_run r = {
        .ctx = tn_device_context(dev), .dev = dev, .shape = shape, .in = {.B = shape->B, .T = shape->T}};
    bool routed = strcmp(shape->mixer, "routed") == 0;
    tn_status status = TN_OK;
    if (routed && !(shape->rho >= 0 && shape->rho <= 1))
        return tn_fail(r.ctx, TN_ERR_ARG, "a routed fraction of %g: it must lie in 0..1", shape->rho);
    if (strcmp(shape->pass, "forward") != 0 && strcmp(shape->pass, "backward") != 0 &&
        strcmp(shape->pass, "step") != 0)
        return tn_fail(r.ctx, TN_ERR_ARG, "unknown pass '%s' of a layer; there is forward, backward, step",
                       shape->pass);
    if (shape->execution != TN_EXECUTION_COMPACTED && !routed)
        return tn_fail(r.ctx, TN_ERR_ARG, "a %s '%s' layer: only a routed one can be run so",
                       tn_execution_name(shape->execution), shape->mixer);
    TN_GO(inputs(&r, options->seed));
    TN_GO(side_make(&r, shape->mixer, &r.mine));
    if (routed)
        TN_GO(side_make(&r, "attention", &r.dense));
    TN_GO(weights(&r, options->seed));
    TN_GO(tn_layer_run_check(&r));
    TN_GO(time_it(&r, options, row));
cleanup:
    release(&r);
    return status;
}

struct tn_layer {
    layer_run run;
    tn_layer_shape shape;
};

tn_status tn_layer_open(tn_device *dev, const tn_layer_shape *shape, uint64_t seed, tn_layer **out) {
    tn_context *ctx = tn_device_context(dev);
    TN_TRY(tn_alloc(ctx, 1, sizeof **out, out));
    tn_layer *l = *out;
    l->shape = *shape;
    l->run =
        (layer_run){.ctx = ctx, .dev = dev, .shape = &l->shape, .in = {.B = l->shape.B, .T = l->shape.T}};
    tn_status status = TN_OK;
    TN_GO(inputs(&l->run, seed));
    TN_GO(side_make(&l->run, l->shape.mixer, &l->run.mine));
    TN_GO(weights(&l->run, seed));
    TN_GO(tn_layer_run_check(&l->run));
    return TN_OK;
cleanup:
    tn_layer_close(l);
    *out = NULL;
    return status;
}

void tn_layer_close(tn_layer *l) {
    if (!l)
        return;
    tn_context *ctx = l->run.ctx;
    release(&l->run);
    tn_free(ctx, l);
}

tn_status tn_layer_forward(tn_device *dev, void *layer) {
    return tn_layer_run_forward(dev, &((tn_layer *)layer)->run.mine);
}

tn_status tn_layer_forward_other(tn_layer *l) {
    TN_TRY(tn_layer_run_other(&l->run));
    TN_TRY(tn_layer_run_forward(l->run.dev, &l->run.mine));
    return tn_layer_run_usual(&l->run);
}

tn_status tn_layer_part(tn_layer *l, tn_mixer_part part) {
    return tn_mixer_part_forward(l->run.mine.ws, &l->run.in, 0, l->run.x, part);
}

tn_status tn_layer_parts_run(tn_layer *l) {
    tn_status status = tn_workspace_spoil(l->run.mine.ws);
    tn_launch_watch(l->run.dev, l->run.watched);
    for (int i = 0; i < TN_PARTS && status == TN_OK; i++)
        status = tn_layer_part(l, i);
    l->run.watched = tn_launch_unwatch(l->run.dev);
    return status;
}

const tn_buffer *tn_layer_output(tn_layer *l) {
    return tn_workspace_state(l->run.mine.ws, 0)->mid;
}

void tn_layer_work(const tn_layer *l, double *flops, double *bytes, const char **keys) {
    *keys = keys_of(&l->run.mine);
    *flops = flops_of(&l->run, &l->run.mine);
    *bytes = bytes_of(&l->run, &l->run.mine);
}

const char *tn_layer_verified(const tn_layer *l) {
    return tn_layer_run_verified(&l->run);
}
