/* The gradient: a work-group has a token, and shares its list. */
#include "embedding_variants.h"

enum { ACROSS, GROUP };
static const tn_tunable tunables[] = {
    [ACROSS] =
        TN_TUNABLE("ACROSS", "work-items side by side on a row", 16, 16, TN_TUNABLE_BITS, 4, 8, 16, 32),
    [GROUP] = TN_TUNABLE("GROUP", "work-items of a token", 256, 256, TN_TUNABLE_BITS, 32, 64, 128, 256),
};

static bool fits(const tn_device *dev, int pass, const void *shape, const int *values, char *why,
                 size_t size) {
    const size_t most = tn_device_get_info(dev)->max_work_group;
    (void)pass;
    (void)shape;
    if (most >= (size_t)values[ACROSS])
        return true;
    snprintf(why, size, "work-groups of %zu at most, and %d items share a row", most, values[ACROSS]);
    return false;
}

static tn_status make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    const tn_embedding_key *s = shape;
    const int lanes = tn_quads(s->D);
    const int64_t vectors = s->D / lanes;
    const size_t across = tn_group_across((size_t)values[ACROSS], vectors, lanes);
    size_t group = (size_t)values[GROUP];
    tn_options options = {""};
    tn_launch_plan *p = out;
    (void)pass;
    tn_options_vectors(&options, lanes, s->D);
    tn_options_int(&options, "ACROSS", (long)across);
    TN_TRY(tn_kernel_get_group(dev, "embedding_groups", "embedding_backward_groups", &options, "GROUP",
                               &group, &p->kernel));
    p->range = tn_range_2d((size_t)vectors, (size_t)s->V * (group / across), across, group / across);
    return TN_OK;
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *plan, const void *args) {
    const tn_embedding_key *s = shape;
    const tn_embedding_args *a = args;
    const tn_launch_plan *p = plan;
    (void)pass;
    return tn_launch(dev, p->kernel, p->range, tn_arg_buffer(a->dtable), tn_arg_buffer(a->dy),
                     tn_arg_buffer(a->order), tn_arg_buffer(a->start), tn_arg_i32(s->D));
}

const tn_variant tn_embedding_groups = {.name = "groups",
                                        .style = TN_STYLE_GROUPS,
                                        .passes = 1u << TN_EMBEDDING_BACKWARD,
                                        .tunable_count = sizeof tunables / sizeof tunables[0],
                                        .tunables = tunables,
                                        .fits = fits,
                                        .plan = make,
                                        .run = run};
