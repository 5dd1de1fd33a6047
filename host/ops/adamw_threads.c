/* An item owns a run of vectors. */
#include "adamw_variants.h"

#include <math.h>

enum { LANES, VECTORS, LOCAL };
static const tn_tunable tunables[] = {
    [LANES] = TN_TUNABLE("LANES", "lanes of a vector", 16, 4, 0, 1, 4, 8, 16),
    [VECTORS] = TN_TUNABLE("VECTORS", "vectors of a work-item", 64, 1, 0, 1, 2, 4, 16, 32, 64, 128, 256),
    [LOCAL] = TN_TUNABLE_LOCAL(256),
};

static tn_status make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    const tn_adamw_key *s = shape;
    const int64_t share = (int64_t)values[LANES] * values[VECTORS];
    tn_options options = {""};
    tn_launch_plan *p = out;
    (void)pass;
    tn_options_vectors(&options, values[LANES], s->n);
    tn_options_int(&options, "VECTORS", values[VECTORS]);
    TN_TRY(tn_kernel_get(dev, "adamw", "adamw_forward", &options, &p->kernel));
    p->range =
        tn_range_1d((size_t)tn_ceil_div(s->n, share), tn_kernel_group(p->kernel, (size_t)values[LOCAL]));
    return TN_OK;
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *plan, const void *args) {
    const tn_adamw_args *a = args;
    const tn_adamw_shape *s = a->s;
    const tn_launch_plan *p = plan;
    (void)pass;
    (void)shape;
    return tn_launch(
        dev, p->kernel, p->range, tn_arg_buffer(a->p), tn_arg_buffer(a->m), tn_arg_buffer(a->v),
        tn_arg_buffer(a->g), tn_arg_buffer(a->grad_scale), tn_arg_i32(s->n), tn_arg_i32(s->n_decay),
        tn_arg_f32(s->lr), tn_arg_f32(s->beta1), tn_arg_f32(1 - s->beta1), tn_arg_f32(s->beta2),
        tn_arg_f32(1 - s->beta2), tn_arg_f32(1 / (1 - pow(s->beta1, (double)s->t))),
        tn_arg_f32(1 / (1 - pow(s->beta2, (double)s->t))), tn_arg_f32(s->eps), tn_arg_f32(s->weight_decay));
}

const tn_variant tn_adamw_threads = {.name = "threads",
                                     .style = TN_STYLE_THREADS,
                                     .portable = true,
                                     .tunable_count = sizeof tunables / sizeof tunables[0],
                                     .tunables = tunables,
                                     .plan = make,
                                     .run = run};
