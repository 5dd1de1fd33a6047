/* An item owns rows. */
#include "rms_norm_variants.h"

enum { LANES, ROWS, STREAM, LOCAL };
static const tn_tunable tunables[] = {
    [LANES] = TN_TUNABLE("LANES", "lanes of a vector", 16, 4, TN_TUNABLE_BITS, 1, 4, 8, 16),
    [ROWS] = TN_TUNABLE("ROWS", "rows of a work-item", 16, 1, TN_TUNABLE_BITS, 1, 2, 4, 8, 16, 32, 64),
    [STREAM] = TN_TUNABLE_STREAM,
    [LOCAL] = TN_TUNABLE_LOCAL(64),
};

typedef struct plan {
    tn_kernel *kernel;
    tn_range range;
    int64_t share, items;
} plan;
_Static_assert(sizeof(plan) <= TN_PLAN_BYTES, "rms_norm's plan");

static tn_status make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    const tn_rms_norm_key *s = shape;
    tn_options options = {""};
    plan *p = out;
    p->share = tn_share(s->N, values[ROWS]);
    p->items = tn_ceil_div(s->N, p->share);
    tn_options_rows(&options, values[LANES], values[STREAM], s->N, s->D);
    tn_options_int(&options, "IN_PLACE", s->in_place != 0);
    TN_TRY(tn_kernel_get(dev, "rms_norm_threads",
                         pass == TN_RMS_NORM_FORWARD ? "rms_norm_forward" : "rms_norm_backward", &options,
                         &p->kernel));
    p->range = tn_range_1d((size_t)p->items, tn_kernel_group(p->kernel, (size_t)values[LOCAL]));
    return TN_OK;
}

static tn_status forward(tn_device *dev, const tn_rms_norm_key *s, const plan *p, const tn_rms_norm_args *a) {
    return tn_launch(dev, p->kernel, p->range, tn_arg_buffer(a->y), tn_arg_buffer(a->rstd_out),
                     tn_arg_buffer(a->x), tn_arg_buffer(a->w), tn_arg_i32(p->share), tn_arg_i32(s->N),
                     tn_arg_i32(s->D), tn_arg_f32(a->eps));
}

static tn_status backward(tn_device *dev, const tn_rms_norm_key *s, const plan *p,
                          const tn_rms_norm_args *a) {
    tn_buffer *partial;
    int64_t at;
    TN_TRY(tn_partial_sums_place(dev, a->later, p->items * s->D, 0, &partial, &at));
    TN_TRY(tn_launch(dev, p->kernel, p->range, tn_arg_buffer(a->dx), tn_arg_buffer(partial),
                     tn_arg_buffer(a->dy), tn_arg_buffer(a->x), tn_arg_buffer(a->w), tn_arg_buffer(a->rstd),
                     tn_arg_buffer(a->add ? a->add : a->dy), tn_arg_i32(a->add != NULL), tn_arg_i32(at),
                     tn_arg_i32(p->share), tn_arg_i32(s->N), tn_arg_i32(s->D)));
    return tn_partial_sums_add(dev, a->later, &(tn_partial_sums_shape){p->items, s->D, s->D}, a->dw, partial,
                               at);
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *p, const void *args) {
    return pass == TN_RMS_NORM_FORWARD ? forward(dev, shape, p, args) : backward(dev, shape, p, args);
}

const tn_variant tn_rms_norm_threads = {.name = "threads",
                                        .style = TN_STYLE_THREADS,
                                        .portable = true,
                                        .tunable_count = sizeof tunables / sizeof tunables[0],
                                        .tunables = tunables,
                                        .plan = make,
                                        .run = run};
