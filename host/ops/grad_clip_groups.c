/* The items of work-groups take vectors in turn; a group adds its items' sums. */
#include "grad_clip_variants.h"

enum { LANES, GROUPS, SHARE, LOCAL };
static const tn_tunable tunables[] = {
    [LANES] = TN_TUNABLE("LANES", "lanes of a vector", 4, 4, TN_TUNABLE_BITS, 1, 4),
    [GROUPS] = TN_TUNABLE("GROUPS", "most work-groups", 512, 512, TN_TUNABLE_BITS, 128, 256, 512, 1024),
    [SHARE] = TN_TUNABLE("SHARE", "least vectors of a work-item", 2, 2, TN_TUNABLE_BITS, 1, 2, 4, 8),
    [LOCAL] = TN_TUNABLE("LOCAL", "work-items of a work-group", 256, 256, TN_TUNABLE_BITS, 64, 128, 256),
};

typedef struct plan {
    tn_kernel *squares, *finish;
    size_t groups, local, last; /* last: items of the group that adds the groups' sums */
} plan;
_Static_assert(sizeof(plan) <= TN_PLAN_BYTES, "grad_clip's plan");

static tn_status make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    const tn_grad_clip_key *s = shape;
    tn_options options = {""};
    plan *p = out;
    (void)pass;
    tn_options_vectors(&options, values[LANES], s->n);
    tn_options_int(&options, "CLIP_GROUP", values[LOCAL]);
    TN_TRY(tn_kernel_get(dev, "grad_clip_groups", "grad_clip_squares_groups", &options, &p->squares));
    TN_TRY(tn_kernel_get(dev, "grad_clip_groups", "grad_clip_scale_groups", &options, &p->finish));
    p->local = tn_kernel_group(p->squares, (size_t)values[LOCAL]);
    p->last = tn_kernel_group(p->finish, (size_t)values[LOCAL]);
    const int64_t groups = tn_ceil_div(s->n, (int64_t)p->local * values[LANES] * values[SHARE]);
    p->groups = (size_t)(groups < values[GROUPS] ? groups : values[GROUPS]);
    return TN_OK;
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *plan_, const void *args) {
    const tn_grad_clip_key *s = shape;
    const tn_grad_clip_args *a = args;
    const plan *p = plan_;
    tn_buffer *partial;
    (void)pass;
    TN_TRY(tn_device_scratch(dev, 0, p->groups * sizeof(float), &partial));
    TN_TRY(tn_launch(dev, p->squares, tn_range_1d(p->groups * p->local, p->local), tn_arg_buffer(partial),
                     tn_arg_buffer(a->g), tn_arg_i32(s->n)));
    return tn_launch(dev, p->finish, tn_range_1d(p->last, p->last), tn_arg_buffer(a->scale),
                     tn_arg_buffer(a->norm), tn_arg_buffer(partial), tn_arg_i32((int64_t)p->groups),
                     tn_arg_f32(a->max_norm));
}

const tn_variant tn_grad_clip_groups = {.name = "groups",
                                        .style = TN_STYLE_GROUPS,
                                        .tunable_count = sizeof tunables / sizeof tunables[0],
                                        .tunables = tunables,
                                        .plan = make,
                                        .run = run};
