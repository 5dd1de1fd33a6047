/* A work-group has a sequence. */
#include "route_capacity_variants.h"

enum { GROUP, HELD };
static const tn_tunable tunables[] = {
    [GROUP] = TN_TUNABLE("GROUP", "work-items of a sequence", 256, 256, 0, 64, 128, 256, 512),
    [HELD] = TN_TUNABLE("HELD", "values of a work-item in registers, at most", 64, 64, 0, 0, 16, 32, 64),
};

/* What a counter of 16 bits holds in the smallest group. */
enum { LEAST_GROUP = 32, MOST = 65535 * LEAST_GROUP };

static bool fits(const tn_device *dev, int pass, const void *shape, const int *values, char *why,
                 size_t size) {
    const tn_route_capacity_key *s = shape;
    const size_t most = tn_device_get_info(dev)->max_work_group;
    (void)pass;
    (void)values;
    if (most < LEAST_GROUP)
        snprintf(why, size, "work-groups of %zu at most, and it takes %d", most, LEAST_GROUP);
    else if (s->T > MOST)
        snprintf(why, size, "%lld positions of a sequence are more than %d", (long long)s->T, MOST);
    else
        return true;
    return false;
}

static tn_status make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    const tn_route_capacity_key *s = shape;
    const int lanes = tn_quads(s->T);
    tn_launch_plan *p = out;
    size_t group = (size_t)values[GROUP];
    (void)pass;
    /* Vectors in registers go by the group, which is halved until the device allows it. */
    for (;; group /= 2) {
        const int64_t vectors = tn_ceil_div(s->T, (int64_t)group * lanes);
        long held = 1;
        size_t allowed = group;
        tn_options options = {""};
        while (held < vectors)
            held *= 2;
        tn_options_vectors(&options, lanes, s->T);
        tn_options_int(&options, "HELD", held * lanes <= values[HELD] ? held : 0);
        TN_TRY(tn_kernel_get_group(dev, "route_capacity_groups", "route_capacity_groups", &options, "GROUP",
                                   &allowed, &p->kernel));
        if (allowed == group)
            break;
    }
    p->range = tn_range_1d((size_t)s->B * group, group);
    return TN_OK;
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *plan, const void *args) {
    const tn_route_capacity_key *s = shape;
    const tn_route_capacity_args *a = args;
    const tn_launch_plan *p = plan;
    (void)pass;
    return tn_launch(dev, p->kernel, p->range, tn_arg_buffer(a->mask), tn_arg_buffer(a->p), tn_arg_i32(s->T),
                     tn_arg_i32(a->k));
}

const tn_variant tn_route_capacity_groups = {.name = "groups",
                                             .style = TN_STYLE_GROUPS,
                                             .tunable_count = sizeof tunables / sizeof tunables[0],
                                             .tunables = tunables,
                                             .fits = fits,
                                             .plan = make,
                                             .run = run};
