/* Layer cells. The routed layer runs as the model runs it, router, compaction and read-back included: its
 * router reads the first column of the normed input, whose sign the input's rows carry, so exactly the wanted
 * rows are routed. */
#include "layer_run.h"

#include "dense_weights.h"
#include "rng.h"
#include "routed_rows.h"

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
    return tn_mixer_sums_finish(s->ws);
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
    c.kv_heads = r->shape->G;
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

tn_status tn_layer_run_make(layer_run *r, uint64_t seed, bool with_dense) {
    TN_TRY(inputs(r, seed));
    TN_TRY(side_make(r, r->shape->mixer, &r->mine));
    if (with_dense)
        TN_TRY(side_make(r, "attention", &r->dense));
    return weights(r, seed);
}

void tn_layer_run_free(layer_run *r) {
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

bool tn_layer_run_takes(const layer_run *r, const tn_mixer_pass *pass, int64_t n) {
    int64_t T = r->shape->T, first = n - n % T % pass->block;
    if (pass->dense)
        return true;
    for (int64_t i = first; i < first + pass->block && i / T == n / T; i++)
        if (r->mask[i])
            return true;
    return false;
}
