#include "op.h"

#include <string.h>

/* The naive references do about this much a second; what they take is guessed from it before they are run. */
static const double reference_rate = 3e8;
static const double usual_patience_s = 2;

/* The largest of the case's first random shapes that the reference gets through in time. */
static void smaller_shape(const tn_case *c, int pass, double patience_s, tn_shape *out) {
    double most = -1;
    for (int i = 0; i < 16; i++) {
        tn_rng rng = tn_rng_make(1, TN_RNG_CASE, (uint64_t)i);
        tn_shape shape = {{0}};
        c->draw(&rng, &shape);
        double w = tn_case_work(c, &shape, pass);
        if (w > most && w <= patience_s * reference_rate) {
            most = w;
            *out = shape;
        }
    }
}

tn_status tn_bench_verify(tn_device *dev, const tn_case *c, int pass, const tn_shape *shape, uint64_t seed,
                          double patience_s, tn_cost_row *row) {
    tn_context *ctx = tn_device_context(dev);
    tn_problem p;
    double worst;
    tn_shape chosen = *shape;
    bool same = tn_case_work(c, shape, pass) <= patience_s * reference_rate;
    if (!same)
        smaller_shape(c, pass, patience_s, &chosen);
    snprintf(row->verified, sizeof row->verified, same ? "same shape" : "smaller shape");
    tn_status status = tn_problem_make(ctx, dev, c, pass, &chosen, seed, &p);
    if (status == TN_OK)
        status = tn_problem_verify(ctx, &p, &worst);
    tn_problem_free(ctx, &p);
    if (status != TN_OK) {
        row->verified[0] = '\0';
        tn_fail_prefix(ctx, "verifying");
    } else if (!same) {
        char text[128], reason[256];
        tn_shape_print(c, &chosen, text, sizeof text);
        snprintf(reason, sizeof reason, "verified at %s: the reference is too slow at this shape", text);
        tn_row_set_status(row, "ok", reason);
    }
    return status;
}

static tn_status run_problem(tn_device *dev, void *data) {
    tn_problem *p = data;
    return p->c->run(dev, &p->shape, p->pass, p->tensors);
}

static tn_status time_it(tn_device *dev, const tn_case *c, int pass, const tn_shape *shape,
                         const tn_bench_options *o, tn_cost_row *row) {
    tn_context *ctx = tn_device_context(dev);
    tn_problem p;
    tn_sample sample;
    tn_status status = TN_OK;
    TN_GO(tn_problem_make(ctx, dev, c, pass, shape, o->seed, &p));
    TN_GO(tn_problem_upload(&p));
    TN_GO(tn_measure(
        dev, run_problem, &p,
        &(tn_measure_options){.seconds = o->seconds, .energy = o->energy, .evict = o->evict, .raw = o->raw},
        &sample));
    tn_row_set_tuned(row, dev, c->op);
    tn_row_set_sample(row, &sample, c->flops(shape, pass), c->bytes(shape, pass), o->roofline);
cleanup:
    tn_problem_free(ctx, &p);
    return status;
}

void tn_bench_identify(tn_device *dev, const tn_case *c, const char *pass, const tn_shape *shape,
                       const tn_bench_options *o, tn_cost_row *row) {
    tn_row_init(row);
    tn_row_set_device(row, tn_device_get_info(dev), o->cpu_model ? o->cpu_model : "");
    tn_row_set_shape(row, c, shape);
    snprintf(row->level, sizeof row->level, "op");
    snprintf(row->op, sizeof row->op, "%s", c->op);
    snprintf(row->pass, sizeof row->pass, "%s", pass);
    tn_row_set_cache(row, o->evict != NULL);
    snprintf(row->seed, sizeof row->seed, "%llu", (unsigned long long)o->seed);
}

tn_status tn_bench_op(tn_device *dev, const tn_case *c, int pass, const tn_shape *shape,
                      const tn_bench_options *o, tn_cost_row *row) {
    tn_context *ctx = tn_device_context(dev);
    tn_bench_identify(dev, c, c->passes[pass], shape, o, row);
    tn_status status = tn_bench_verify(dev, c, pass, shape, o->seed, usual_patience_s, row);
    if (status == TN_OK)
        status = time_it(dev, c, pass, shape, o, row);
    return tn_row_settle(row, status, ctx);
}

tn_status tn_bench_rate(tn_device *dev, const tn_case *c, int pass, const tn_shape *shape, double seconds,
                        double *rate) {
    tn_cost_row row;
    tn_row_init(&row);
    TN_TRY(time_it(dev, c, pass, shape, &(tn_bench_options){.seconds = seconds, .seed = 1}, &row));
    *rate = row.wall_ms > 0 ? row.flops / (1e-3 * row.wall_ms) : 0;
    return TN_OK;
}
