#include "model_forward.h"

#include "step_run.h"
#include "dense_weights.h"

#include <math.h>
#include <string.h>

typedef struct whole_run {
    tn_context *ctx;
    tn_device *dev;
    tn_step_shape shape, dense_shape;
    tn_step *routed, *dense; /* the same weights */
    float *logits[2];        /* [L,V] */
    size_t count;
    double flops, dense_flops; /* of a pass */
    char verified[64];
} whole_run;

/* `what` against what is known to be right, logit by logit. */
static tn_status compare(whole_run *r, const char *what) {
    for (size_t i = 0; i < r->count; i++)
        if (!(fabs(r->logits[0][i] - r->logits[1][i]) <= 1e-3 * (1 + fabs(r->logits[1][i]))))
            return tn_fail(r->ctx, TN_ERR_CHECK, "%s: logit %zu is %g, not %g", what, i,
                           (double)r->logits[0][i], (double)r->logits[1][i]);
    return TN_OK;
}

static tn_status check(whole_run *r) {
    tn_model_config *c = &tn_step_model(r->routed)->config;
    const double capacity = c->capacity;
    bool routed = r->shape.rho >= 0;
    if (routed)
        TN_TRY(tn_step_verify(r->routed));
    r->dense->watched_from = r->routed->watched_to;
    TN_TRY(tn_step_verify(r->dense));
    /* One that was sampled speaks for both. */
    bool all = strcmp(r->dense->verified, "outputs") == 0;
    snprintf(r->verified, sizeof r->verified, "%s", (routed && all ? r->routed : r->dense)->verified);
    r->count = (size_t)(tn_step_input(r->routed)->L * c->vocab);
    TN_TRY(tn_alloc(r->ctx, r->count, sizeof(float), &r->logits[0]));
    TN_TRY(tn_alloc(r->ctx, r->count, sizeof(float), &r->logits[1]));
    TN_TRY(tn_step_logits(r->routed, TN_GATE_COMPACT, r->logits[0], &r->flops));
    TN_TRY(tn_step_logits(r->routed, TN_GATE_DENSE, r->logits[1], NULL));
    TN_TRY(compare(r, "the compacted pass beside the dense one"));
    c->capacity = 1;
    tn_status status = tn_step_logits(r->routed, TN_GATE_DENSE, r->logits[1], NULL);
    c->capacity = capacity;
    TN_TRY(status);
    TN_TRY(tn_step_logits(r->dense, TN_GATE_COMPACT, r->logits[0], &r->dense_flops));
    return compare(r, "attention beside the model with every row routed");
}

static tn_status dense_side(whole_run *r, uint64_t seed) {
    tn_params *p;
    float *values;
    tn_status status = TN_OK;
    TN_TRY(tn_step_make(r->dev, &r->dense_shape, seed, &r->dense));
    p = &tn_step_model(r->routed)->params;
    TN_TRY(tn_alloc(r->ctx, p->floats, sizeof *values, &values));
    TN_GO(tn_buffer_read(p->values, 0, p->floats * sizeof *values, values));
    TN_GO(tn_params_pack(p)); /* routers were set after the weights */
    TN_GO(tn_dense_weights(p, values, &tn_step_model(r->dense)->params));
cleanup:
    tn_free(r->ctx, values);
    return status;
}

static tn_status time_it(whole_run *r, const tn_bench_options *o, tn_cost_row *row) {
    const bool routed = r->shape.rho >= 0;
    tn_step *mine = routed ? r->routed : r->dense;
    double flops = routed ? r->flops : r->dense_flops;
    tn_measure_options measure = {
        .seconds = o->seconds, .energy = o->energy, .evict = o->evict, .raw = o->raw};
    tn_sample alone;
    TN_TRY(tn_measure(r->dev, tn_step_forward, mine, &measure, &alone));
    if (routed) {
        tn_pair_sample pair;
        measure.energy = NULL;
        measure.seconds = o->seconds > 0 ? 2 * o->seconds : 0.8;
        TN_TRY(tn_measure_pair(r->dev, tn_step_forward, mine, tn_step_forward, r->dense, &measure, &pair));
        tn_row_set_dense(row, &pair, r->dense_flops / flops, &alone);
    }
    tn_row_set_choice(row, r->dev, NULL);
    /* Weights alone: activations may stay in a cache. */
    tn_row_set_sample(row, &alone, flops, 4.0 * (double)tn_step_model(mine)->params.floats, o->roofline);
    snprintf(row->schedule, sizeof row->schedule, routed ? "compacted" : "dense");
    snprintf(row->verified, sizeof row->verified, "%s", r->verified);
    return TN_OK;
}

tn_status tn_model_forward_fill(tn_device *dev, const tn_step_shape *shape, const tn_bench_options *o,
                                tn_cost_row *row) {
    whole_run r = {.ctx = tn_device_context(dev), .dev = dev, .shape = *shape, .dense_shape = *shape};
    tn_status status = TN_OK;
    tn_step_shape routed = *shape;
    routed.forward_only = r.dense_shape.forward_only = true;
    routed.mixer = "routed";
    routed.rho = shape->rho >= 0 ? shape->rho : 1;
    r.dense_shape.mixer = "attention";
    r.dense_shape.rho = NAN;
    TN_GO(tn_step_make(dev, &routed, o->seed, &r.routed));
    TN_GO(dense_side(&r, o->seed));
    TN_GO(check(&r));
    if (!(shape->rho >= 0)) {
        tn_step_destroy(r.routed); /* was there to verify against */
        r.routed = NULL;
    }
    TN_GO(time_it(&r, o, row));
cleanup:
    tn_step_destroy(r.routed);
    tn_step_destroy(r.dense);
    tn_free(r.ctx, r.logits[0]);
    tn_free(r.ctx, r.logits[1]);
    return status;
}
