#include "bench_decode.h"

#include <math.h>

static const int64_t usual_contexts[] = {1024, 4096, 32768, 262144};
static const double usual_rhos[] = {0.01, 0.1, 0.5, 1};

static tn_status measure(tn_device *dev, const tn_bench_decode_plan *plan, const tn_decoding_shape *shape) {
    tn_context *ctx = tn_device_context(dev);
    tn_cost_row row;
    tn_progress(ctx, "decode %s at %lld, B=%lld, D=%lld", shape->mixer, (long long)shape->context,
                (long long)shape->B, (long long)shape->D);
    tn_status status = tn_decoding_measure(dev, shape, plan->options, &row);
    tn_progress_end(ctx);
    TN_TRY(status);
    TN_TRY(plan->write(plan->data, ctx, &row));
    return tn_device_check(dev);
}

static tn_status measure_all(tn_device *dev, const tn_bench_decode_plan *plan, const tn_decoding_shape *at) {
    tn_decoding_shape shape = *at;
    const double *rhos = isnan(at->rho) ? usual_rhos : &at->rho;
    const int count = isnan(at->rho) ? (int)(sizeof usual_rhos / sizeof usual_rhos[0]) : 1;
    shape.mixer = "conv";
    TN_TRY(measure(dev, plan, &shape));
    shape.mixer = "attention";
    TN_TRY(measure(dev, plan, &shape));
    shape.mixer = "routed";
    for (int i = 0; i < count; i++) {
        shape.rho = rhos[i];
        TN_TRY(measure(dev, plan, &shape));
    }
    shape.masked = true; /* at a fraction that stands for all */
    shape.rho = rhos[count / 2];
    return measure(dev, plan, &shape);
}

tn_status tn_bench_decode(tn_device *dev, const tn_bench_decode_plan *plan) {
    tn_context *ctx = tn_device_context(dev);
    tn_decoding_shape shape;
    TN_TRY(tn_decoding_parse(ctx, plan->shape ? plan->shape : "", &shape));
    if (plan->shape)
        return measure_all(dev, plan, &shape);
    for (size_t i = 0; i < sizeof usual_contexts / sizeof usual_contexts[0]; i++) {
        shape.context = usual_contexts[i];
        TN_TRY(measure_all(dev, plan, &shape));
    }
    return TN_OK;
}
