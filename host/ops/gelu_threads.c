/* An item owns a run of vectors. */
#include "gelu_variants.h"

enum { LANES, VECTORS, STREAM, LOCAL };
static const tn_tunable tunables[] = {
    [LANES] = TN_TUNABLE("LANES", "lanes of a vector", 16, 4, 0, 1, 4, 8, 16),
    [VECTORS] = TN_TUNABLE("VECTORS", "vectors of a work-item", 128, 1, 0, 1, 2, 4, 16, 32, 64, 128, 256),
    [STREAM] = TN_TUNABLE_STREAM,
    [LOCAL] = TN_TUNABLE_LOCAL(256),
};

typedef struct plan {
    tn_kernel *kernel;
    tn_range range;
    int64_t share;
} plan;
_Static_assert(sizeof(plan) <= TN_PLAN_BYTES, "gelu's plan");

static tn_status make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    const tn_gelu_key *s = shape;
    const bool large = values[STREAM] > 0 && 4.0 * (double)s->count >= values[STREAM];
    tn_options options = {""};
    plan *p = out;
    p->share = tn_share(tn_ceil_div(s->count, values[LANES]), values[VECTORS]) * values[LANES];
    tn_options_vectors(&options, values[LANES], s->count);
    tn_options_int(&options, "STREAM", large && !s->in_place);
    TN_TRY(tn_kernel_get(dev, "gelu", pass == TN_GELU_FORWARD ? "gelu_forward" : "gelu_backward", &options,
                         &p->kernel));
    p->range = tn_range_1d((size_t)tn_ceil_div(s->count, p->share),
                           tn_kernel_group(p->kernel, (size_t)values[LOCAL]));
    return TN_OK;
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *plan_, const void *args) {
    const tn_gelu_key *s = shape;
    const tn_gelu_args *a = args;
    const plan *p = plan_;
    if (pass == TN_GELU_FORWARD)
        return tn_launch(dev, p->kernel, p->range, tn_arg_buffer(a->y), tn_arg_buffer(a->x),
                         tn_arg_i32(p->share), tn_arg_i32(s->count));
    return tn_launch(dev, p->kernel, p->range, tn_arg_buffer(a->y), tn_arg_buffer(a->dy), tn_arg_buffer(a->x),
                     tn_arg_i32(p->share), tn_arg_i32(s->count));
}

const tn_variant tn_gelu_threads = {.name = "threads",
                                    .style = TN_STYLE_THREADS,
                                    .portable = true,
                                    .tunable_count = sizeof tunables / sizeof tunables[0],
                                    .tunables = tunables,
                                    .plan = make,
                                    .run = run};
