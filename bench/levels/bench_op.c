#include "bench_op.h"

#include <string.h>

/* Of the host's time for a row's reference: about what its timing takes. */
static const double usual_patience_s = 0.4;

/* What the outputs of a pass are. */
static const char *kind_of(const tn_case *c, int pass) {
    return strstr(c->passes[pass], "backward") ? "gradients" : "outputs";
}

tn_status tn_bench_verify(tn_device *dev, tn_problem *p, double patience_s, tn_cost_row *row) {
    bool sampled;
    double worst;
    size_t used = strlen(row->verified);
    tn_status status = tn_problem_verify_within(tn_device_context(dev), p, patience_s, &worst, &sampled);
    if (status != TN_OK) {
        row->verified[0] = '\0';
        return tn_fail_prefix(tn_device_context(dev), "verifying");
    }
    snprintf(row->verified + used, sizeof row->verified - used, "%s%s%s", used ? ", " : "",
             sampled ? "sampled " : "", kind_of(p->c, p->pass));
    return TN_OK;
}

static tn_status run_problem(tn_device *dev, void *data) {
    tn_problem *p = data;
    return p->c->run(dev, &p->shape, p->pass, p->tensors);
}

static tn_status time_it(tn_device *dev, tn_problem *p, const tn_bench_options *o, tn_cost_row *row) {
    tn_sample sample;
    double flops, bytes;
    TN_TRY(tn_problem_upload(p));
    TN_TRY(tn_measure(
        dev, run_problem, p,
        &(tn_measure_options){.seconds = o->seconds, .energy = o->energy, .evict = o->evict, .raw = o->raw},
        &sample));
    tn_problem_least(p, &flops, &bytes);
    tn_row_set_choice(row, dev, p->c->op);
    tn_row_set_sample(row, &sample, flops, bytes, o->roofline);
    return TN_OK;
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
    tn_problem p;
    tn_bench_identify(dev, c, c->passes[pass], shape, o, row);
    tn_status status = tn_problem_make(ctx, dev, c, pass, shape, o->seed, &p);
    if (status == TN_OK)
        status = tn_bench_verify(dev, &p, usual_patience_s, row);
    if (status == TN_OK)
        status = time_it(dev, &p, o, row);
    tn_problem_free(ctx, &p);
    return tn_row_settle(row, status, ctx);
}

tn_status tn_bench_rate(tn_device *dev, const tn_case *c, int pass, const tn_shape *shape, double seconds,
                        double *rate) {
    tn_context *ctx = tn_device_context(dev);
    tn_cost_row row;
    tn_problem p;
    tn_row_init(&row);
    tn_status status = tn_problem_make(ctx, dev, c, pass, shape, 1, &p);
    if (status == TN_OK)
        status = time_it(dev, &p, &(tn_bench_options){.seconds = seconds, .seed = 1}, &row);
    tn_problem_free(ctx, &p);
    *rate = status == TN_OK && row.wall_ms > 0 ? row.flops / (1e-3 * row.wall_ms) : 0;
    return status;
}
