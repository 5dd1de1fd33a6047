/* An item sums the squares of a run of vectors, and one item the sums. */
#include "grad_clip_variants.h"

enum { LANES, ITEMS, SHARE, LOCAL };
static const tn_tunable tunables[] = {
    [LANES] = TN_TUNABLE("LANES", "lanes of a vector", 16, 4, TN_TUNABLE_BITS, 1, 4, 8, 16),
    [ITEMS] = TN_TUNABLE("ITEMS", "most work-items", 256, 4096, TN_TUNABLE_BITS, 64, 256, 1024, 4096),
    [SHARE] =
        TN_TUNABLE("SHARE", "least vectors of a work-item", 128, 2, TN_TUNABLE_BITS, 2, 8, 32, 128, 512),
    [LOCAL] = TN_TUNABLE_LOCAL(64),
};

typedef struct plan {
    tn_kernel *squares, *finish;
    tn_range range;
    int64_t items, share; /* share: vectors of an item */
} plan;
_Static_assert(sizeof(plan) <= TN_PLAN_BYTES, "grad_clip's plan");

static tn_status make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    const tn_grad_clip_key *s = shape;
    const int64_t vectors = tn_ceil_div(s->n, values[LANES]), even = tn_ceil_div(vectors, values[ITEMS]);
    tn_options options = {""};
    plan *p = out;
    (void)pass;
    p->share = even < values[SHARE] ? values[SHARE] : even;
    p->items = tn_ceil_div(vectors, p->share);
    tn_options_int(&options, "LANES", values[LANES]);
    TN_TRY(tn_kernel_get(dev, "grad_clip_threads", "grad_clip_squares", &options, &p->squares));
    TN_TRY(tn_kernel_get(dev, "grad_clip_threads", "grad_clip_scale", &options, &p->finish));
    p->range = tn_range_1d((size_t)p->items, tn_kernel_group(p->squares, (size_t)values[LOCAL]));
    return TN_OK;
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *plan_, const void *args) {
    const tn_grad_clip_key *s = shape;
    const tn_grad_clip_args *a = args;
    const plan *p = plan_;
    tn_buffer *partial;
    (void)pass;
    TN_TRY(tn_device_scratch(dev, 0, (size_t)p->items * sizeof(float), &partial));
    TN_TRY(tn_launch(dev, p->squares, p->range, tn_arg_buffer(partial), tn_arg_buffer(a->g),
                     tn_arg_i32(p->items), tn_arg_i32(p->share), tn_arg_i32(s->n)));
    return tn_launch(dev, p->finish, tn_range_1d(1, 1), tn_arg_buffer(a->scale), tn_arg_buffer(a->norm),
                     tn_arg_buffer(partial), tn_arg_i32(p->items), tn_arg_f32(a->max_norm));
}

const tn_variant tn_grad_clip_threads = {.name = "threads",
                                         .style = TN_STYLE_THREADS,
                                         .portable = true,
                                         .tunable_count = sizeof tunables / sizeof tunables[0],
                                         .tunables = tunables,
                                         .plan = make,
                                         .run = run};
