/* Layer cells. The routed layer runs as the model runs it, router, compaction and read-back included: its
 * router reads the first column of the normed input, whose sign the input's rows carry, so exactly the wanted
 * rows are routed. */
#include "layer.h"

#include "cost.h"
#include "layer_check.h"
#include "rng.h"
#include "twin.h"
#include "workspace.h"

#include <math.h>
#include <string.h>

const char *const tn_execution_names[] = {[TN_EXECUTION_COMPACTED] = "compacted",
                                          [TN_EXECUTION_MASKED] = "masked",
                                          [TN_EXECUTION_BLOCKS] = "block-skipping",
                                          NULL};
static const tn_gate gates[] = {[TN_EXECUTION_COMPACTED] = TN_GATE_COMPACT,
                                [TN_EXECUTION_MASKED] = TN_GATE_DENSE,
                                [TN_EXECUTION_BLOCKS] = TN_GATE_BLOCKS};

const char *tn_execution_name(tn_execution execution) {
    return tn_execution_names[execution];
}

bool tn_execution_parse(const char *name, tn_execution *out) {
    for (int i = 0; tn_execution_names[i]; i++)
        if (strcmp(name, tn_execution_names[i]) == 0) {
            *out = (tn_execution)i;
            return true;
        }
    return false;
}

typedef struct layer_side {
    tn_model *model;
    tn_workspace *ws;
    const tn_input *in;
    const tn_buffer *x, *dmid;
    tn_buffer *dx;
    tn_gate gate;
} layer_side;

typedef struct layer_run {
    tn_context *ctx;
    tn_device *dev;
    const tn_layer_shape *shape;
    tn_input in;
    layer_side mine, dense; /* dense: the attention mixer with the same weights */
    tn_buffer *x, *dmid, *dx;
    float *host_x; /* [B·T,D] */
    uint8_t *mask; /* [B·T] rows wanted */
    float *values; /* of mine, on the host */
} layer_run;

static tn_status forward(tn_device *dev, void *data) {
    layer_side *s = data;
    (void)dev;
    return tn_mixer_forward(s->ws, s->in, s->gate, 0, s->x);
}

static tn_status backward(tn_device *dev, void *data) {
    layer_side *s = data;
    (void)dev;
    TN_TRY(tn_mixer_backward(s->ws, s->in, s->gate, 0, s->dx, s->dmid, s->x, 0));
    return tn_part_sums_finish(s->ws->sums);
}

/* What training does with it: forward, then backward. */
static tn_status step(tn_device *dev, void *data) {
    TN_TRY(forward(dev, data));
    return backward(dev, data);
}

static bool has_forward(const layer_run *r) {
    return strcmp(r->shape->pass, "backward") != 0;
}

static bool has_backward(const layer_run *r) {
    return strcmp(r->shape->pass, "forward") != 0;
}

/* Exactly ⌈ρT⌉ rows of every sequence, anywhere. */
static void choose_rows(layer_run *r, uint64_t seed) {
    int64_t T = r->shape->T, k = 0;
    if (r->shape->rho > 0) /* NaN for other mixers than routed */
        k = (int64_t)ceil(r->shape->rho * (double)T - 1e-9);
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

static tn_status inputs(layer_run *r, uint64_t seed) {
    int64_t N = r->shape->B * r->shape->T, D = r->shape->D;
    size_t bytes = (size_t)(N * D) * sizeof(float);
    tn_rng rng = tn_rng_make(seed, TN_RNG_MEASURE, 1u << 20);
    TN_TRY(tn_alloc(r->ctx, (size_t)(N * D), sizeof(float), &r->host_x));
    TN_TRY(tn_alloc(r->ctx, (size_t)N, 1, &r->mask));
    choose_rows(r, seed);
    for (int64_t i = 0; i < N * D; i++)
        r->host_x[i] = (float)tn_rng_normal(&rng);
    TN_TRY(tn_buffer_create(r->dev, bytes, &r->dmid));
    TN_TRY(tn_buffer_write(r->dmid, 0, bytes, r->host_x));
    for (int64_t n = 0; n < N; n++)
        r->host_x[n * D] = r->mask[n] ? 1.0f : -1.0f;
    TN_TRY(tn_buffer_create(r->dev, bytes, &r->x));
    TN_TRY(tn_buffer_write(r->x, 0, bytes, r->host_x));
    return tn_buffer_create(r->dev, bytes, &r->dx);
}

static tn_status side_make(layer_run *r, const char *mixer, layer_side *side) {
    tn_model_config c = tn_model_config_default(2);
    c.layers = 1;
    c.d_model = r->shape->D;
    c.heads = r->shape->H;
    c.conv_taps = r->shape->K;
    c.mlp_width = 1; /* not run */
    TN_TRY(tn_mixer_parse(r->ctx, mixer, &c));
    TN_TRY(tn_model_create(r->dev, &c, has_backward(r), &side->model));
    TN_TRY(tn_workspace_create(side->model, r->shape->B, r->shape->T, &side->ws));
    side->in = &r->in;
    side->x = r->x;
    side->dx = r->dx;
    side->dmid = r->dmid;
    side->gate = gates[r->shape->execution];
    return TN_OK;
}

/* Weights: random; the router reads column 0. The twin gets the same where it has the tensor. */
static tn_status weights(layer_run *r, uint64_t seed) {
    tn_params *p = &r->mine.model->params;
    const tn_param *router = p->layers[0].router_weight;
    float first[1] = {1};
    TN_TRY(tn_params_init(p, seed));
    if (router)
        TN_TRY(tn_buffer_write(router->value, 0, sizeof first, first));
    TN_TRY(tn_alloc(r->ctx, p->floats, sizeof(float), &r->values));
    TN_TRY(tn_buffer_read(p->values, 0, p->floats * sizeof(float), r->values));
    TN_TRY(tn_params_pack(p));
    return r->dense.model ? tn_twin_weights(p, r->values, &r->dense.model->params) : TN_OK;
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
    tn_free(r->ctx, r->mask);
    tn_free(r->ctx, r->values);
}

static tn_status check_row(layer_run *r, const layer_side *side, int64_t row, bool global, const double *kv) {
    int64_t T = r->shape->T, D = r->shape->D;
    double *want;
    float *got;
    TN_TRY(tn_alloc(r->ctx, (size_t)D, sizeof(double), &want));
    tn_status status = tn_alloc(r->ctx, (size_t)D, sizeof(float), &got);
    if (status == TN_OK)
        status =
            tn_buffer_read(tn_workspace_state(side->ws, 0)->mid, (size_t)(row * D) * 4, (size_t)D * 4, got);
    if (status == TN_OK)
        tn_layer_check_row(r->mine.model, r->values, T, r->host_x + row / T * T * D, kv, row % T, global,
                           want);
    for (int64_t d = 0; status == TN_OK && d < D; d++)
        if (!(fabs(got[d] - want[d]) <= 2e-5 * (1 + fabs(want[d]))))
            status = tn_fail(r->ctx, TN_ERR_CHECK,
                             "the %s layer is wrong at row %lld, column %lld: %g, reference %g",
                             r->shape->mixer, (long long)row, (long long)d, (double)got[d], want[d]);
    tn_free(r->ctx, want);
    tn_free(r->ctx, got);
    return status;
}

/* Does row n take the global track? Compacted, if it is wanted; of whole blocks, if any of its block is;
 * masked, and dense, in any case. */
static bool runs(const layer_run *r, const tn_layer_state *st, int64_t n) {
    int64_t T = r->shape->T, first = n - n % T % st->block;
    if (st->dense)
        return true;
    for (int64_t i = first; i < first + st->block && i / T == n / T; i++)
        if (r->mask[i])
            return true;
    return false;
}

static tn_status check_routed(layer_run *r) {
    const tn_layer_state *st = tn_workspace_state(r->mine.ws, 0);
    int64_t N = r->shape->B * r->shape->T, wanted = 0, got = st->R;
    for (int64_t n = 0; n < N; n++)
        wanted += runs(r, st, n);
    return got == wanted ? TN_OK
                         : tn_fail(r->ctx, TN_ERR_CHECK, "%lld rows were routed instead of %lld",
                                   (long long)got, (long long)wanted);
}

/* Rows of the last sequence against the naive layer: the last, the first and some between, of each track, and
 * neighbours of two tracks. */
static tn_status check(layer_run *r) {
    const tn_model_config *c = &r->mine.model->config;
    int64_t T = r->shape->T, D = r->shape->D, base = (r->shape->B - 1) * T;
    bool keys = tn_mixer_has_attention(c);
    double *kv = NULL;
    tn_status status = TN_OK;
    if (keys) {
        TN_GO(tn_alloc(r->ctx, (size_t)(2 * T * D), sizeof(double), &kv));
        tn_layer_check_keys(r->mine.model, r->values, T, r->host_x + base * D, kv);
    }
    TN_GO(forward(r->dev, &r->mine));
    if (r->dense.model)
        TN_GO(forward(r->dev, &r->dense));
    if (tn_mixer_has_router(c))
        TN_GO(check_routed(r));
    for (int i = 0; i < 6; i++) {
        int64_t t = i == 0 ? T - 1 : i == 1 ? 0 : (int64_t)((double)T * i / 7);
        bool global = c->mixer == TN_MIXER_ATTENTION || (keys && r->mask[base + t]);
        TN_GO(check_row(r, &r->mine, base + t, global, kv));
        if (r->dense.model)
            TN_GO(check_row(r, &r->dense, base + t, true, kv));
        int64_t near = t; /* a routed row near by: they may be rare */
        while (near > 0 && !r->mask[base + near])
            near--;
        if (!tn_mixer_has_router(c) || !r->mask[base + near])
            continue;
        TN_GO(check_row(r, &r->mine, base + near, true, kv));
        if (near > 0 && !r->mask[base + near - 1]) /* it may be computed and must be dropped */
            TN_GO(check_row(r, &r->mine, base + near - 1, false, kv));
    }
cleanup:
    tn_free(r->ctx, kv);
    return status;
}

/* Forward work, from the rows that took the global track; a backward pass costs twice that, up to
 * element-wise work. */
static double flops_of(const layer_run *r, const layer_side *side) {
    const tn_layer_state *st = tn_workspace_state(side->ws, 0);
    int64_t B = r->shape->B, T = r->shape->T;
    tn_layer_stats stats = {
        .routed = st->R, .kv_rows = st->absorbed ? 0 : st->P, .absorbed_passes = st->absorbed};
    for (int64_t n = 0; n < B * T; n++)
        if (runs(r, st, n))
            stats.pairs += (double)(n % T + 1);
    if (st->absorbed) {
        stats.absorbed_rows = stats.routed;
        stats.absorbed_pairs = stats.pairs;
    }
    if (!tn_mixer_has_attention(&side->model->config))
        stats = (tn_layer_stats){0};
    tn_cost cost = tn_cost_mixer(&side->model->config, B * T, &stats);
    double back = 2 * cost.flops + 0.5 * cost.score_flops;
    return (has_forward(r) ? cost.flops : 0) + (has_backward(r) ? back : 0);
}

/* x read, mid written, every weight read once; backward: x, dmid read, dx and gradients written. */
static double bytes_of(const layer_run *r, const layer_side *side) {
    double weights = 0, ND = (double)(r->shape->B * r->shape->T * r->shape->D);
    for (int i = 0; i < side->model->params.count; i++)
        if (strstr(side->model->params.items[i].name, "mixer."))
            weights += (double)side->model->params.items[i].count;
    double once = has_forward(r) ? 2 * ND + weights : 0, back = has_backward(r) ? 3 * ND + 2 * weights : 0;
    return 4 * (once + back);
}

static const char *keys_of(const layer_side *side) {
    const tn_layer_state *st = tn_workspace_state(side->ws, 0);
    return st->R == 0 ? "" : st->absorbed ? "absorbed" : "projected";
}

static tn_status time_it(layer_run *r, const tn_bench_options *options, tn_cost_row *row) {
    tn_measure_run run = !has_backward(r) ? forward : has_forward(r) ? step : backward;
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
    tn_row_set_tuned(row, r->dev, NULL);
    tn_row_set_sample(row, &alone, flops, bytes_of(r, &r->mine), options->roofline);
    snprintf(row->schedule, sizeof row->schedule, "%s",
             r->dense.model ? tn_execution_name(r->shape->execution) : "dense");
    if (r->dense.model) {
        const tn_layer_state *st = tn_workspace_state(r->mine.ws, 0);
        row->block = r->shape->execution == TN_EXECUTION_BLOCKS ? st->block : -1;
        row->executed_rho = (double)st->R / (double)(r->shape->B * r->shape->T);
        snprintf(row->keys, sizeof row->keys, "%s", keys_of(&r->mine));
    }
    snprintf(row->verified, sizeof row->verified, "same shape");
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
    TN_GO(check(&r));
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
    TN_GO(check(&l->run));
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
    return forward(dev, &((tn_layer *)layer)->run.mine);
}

tn_status tn_layer_forward_other(tn_layer *l) {
    return tn_mixer_forward(l->run.mine.ws, &l->run.in, TN_GATE_COMPACT, 0, l->run.dmid);
}

tn_status tn_layer_part(tn_layer *l, tn_mixer_part part) {
    return tn_mixer_part_forward(l->run.mine.ws, &l->run.in, 0, l->run.x, part);
}

const tn_buffer *tn_layer_output(tn_layer *l) {
    return tn_workspace_state(l->run.mine.ws, 0)->mid;
}

void tn_layer_work(const tn_layer *l, double *flops, double *bytes, const char **keys) {
    *keys = keys_of(&l->run.mine);
    *flops = flops_of(&l->run, &l->run.mine);
    *bytes = bytes_of(&l->run, &l->run.mine);
}
