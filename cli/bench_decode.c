#include "bench_decode.h"

#include "paying.h"

#include <math.h>
#include <string.h>

static const int64_t usual_contexts[] = {1024, 4096, 32768, 262144};
static const double usual_rhos[] = {0.01, 0.1, 0.5, 1};
enum {
    CONTEXTS = sizeof usual_contexts / sizeof usual_contexts[0],
    RHOS = sizeof usual_rhos / sizeof usual_rhos[0]
};

/* What routed rows that are ok come to. */
typedef struct summary {
    tn_breakeven_point at[CONTEXTS][RHOS]; /* of a context, by ρ */
    double contexts[CONTEXTS];
    size_t points[CONTEXTS];
    tn_paying_point of[RHOS][CONTEXTS]; /* of a ρ, by context */
    double rhos[RHOS];
    size_t measured[RHOS];
} summary;

static tn_status measure(tn_device *dev, const tn_bench_decode_plan *plan, const tn_decoding_shape *shape,
                         tn_cost_row *row) {
    tn_context *ctx = tn_device_context(dev);
    tn_progress(ctx, "decode %s at %lld, B=%lld, D=%lld", shape->mixer, (long long)shape->context,
                (long long)shape->B, (long long)shape->D);
    tn_status status = tn_decoding_measure(dev, shape, plan->options, row);
    tn_progress_end(ctx);
    TN_TRY(status);
    TN_TRY(plan->write(plan->data, ctx, row));
    return tn_device_check(dev);
}

static void add(summary *s, int context, int rho, const tn_cost_row *row) {
    if (strcmp(row->status, "ok") != 0)
        return;
    s->contexts[context] = (double)row->context;
    s->rhos[rho] = row->rho;
    s->at[context][s->points[context]++] = (tn_breakeven_point){
        .rho = row->rho, .speedup = row->dense_ratio, .speedup_q1 = NAN, .speedup_q3 = NAN};
    s->of[rho][s->measured[rho]++] = (tn_paying_point){(double)row->context, row->dense_ratio};
}

static tn_status measure_all(tn_device *dev, const tn_bench_decode_plan *plan, const tn_decoding_shape *at,
                             int context, summary *s) {
    tn_decoding_shape shape = *at;
    tn_cost_row row;
    const double *rhos = isnan(at->rho) ? usual_rhos : &at->rho;
    const int count = isnan(at->rho) ? RHOS : 1;
    shape.mixer = "conv";
    TN_TRY(measure(dev, plan, &shape, &row));
    shape.mixer = "attention";
    TN_TRY(measure(dev, plan, &shape, &row));
    shape.mixer = "routed";
    for (int i = 0; i < count; i++) {
        shape.rho = rhos[i];
        TN_TRY(measure(dev, plan, &shape, &row));
        add(s, context, i, &row);
    }
    shape.masked = true; /* at a fraction that stands for all */
    shape.rho = rhos[count / 2];
    return measure(dev, plan, &shape, &row);
}

static void print(const summary *s) {
    char text[32];
    for (int c = 0; c < CONTEXTS; c++) {
        tn_breakeven even = {
            .points = (tn_breakeven_point *)s->at[c], .count = s->points[c], .masked_speedup = NAN};
        if (even.count == 0)
            continue;
        tn_breakeven_solve(&even);
        tn_breakeven_text(&even.even, text, sizeof text);
        fprintf(stderr, "at a context of %.0f: break-even rho* %s", s->contexts[c], text);
        for (size_t i = 0; i < even.count; i++)
            fprintf(stderr, "%s%.4g %% routed %.3gx", i ? ", " : "; against attention ",
                    100 * even.points[i].rho, even.points[i].speedup);
        fputc('\n', stderr);
    }
    for (int r = 0; r < RHOS; r++) {
        if (s->measured[r] < 2)
            continue;
        const tn_paying_bound from = tn_paying_solve(s->of[r], s->measured[r]);
        tn_paying_text(&from, text, sizeof text);
        fprintf(stderr, "with %.4g %% routed it pays from a context of %s\n", 100 * s->rhos[r], text);
    }
}

tn_status tn_bench_decode(tn_device *dev, const tn_bench_decode_plan *plan) {
    tn_context *ctx = tn_device_context(dev);
    tn_decoding_shape shape;
    summary s = {.points = {0}};
    TN_TRY(tn_decoding_parse(ctx, plan->shape ? plan->shape : "", &shape));
    for (int i = 0; i < (plan->shape ? 1 : CONTEXTS); i++) {
        if (!plan->shape)
            shape.context = usual_contexts[i];
        TN_TRY(measure_all(dev, plan, &shape, i, &s));
    }
    if (!ctx->quiet)
        print(&s);
    return TN_OK;
}
