/* Two launches of work-groups, which count and then place; one where few positions are a work-group's. */
#include "route_compact_variants.h"

enum { GROUP, ALONE };
static const tn_tunable tunables[] = {
    [GROUP] = TN_TUNABLE("GROUP", "work-items of a work-group", 256, 256, 0, 64, 128, 256, 512),
    [ALONE] = TN_TUNABLE("ALONE", "positions that one work-group takes alone, in one launch", 4096, 4096, 0,
                         1024, 4096, 16384),
};

enum { MOST_GROUPS = 1024 }; /* each reads what those before it have counted */

typedef struct plan {
    tn_kernel *count, *place; /* count: NULL where one work-group has all */
    tn_range range;
    int64_t groups, rounds;
} plan;
_Static_assert(sizeof(plan) <= TN_PLAN_BYTES, "route_compact's plan");

static tn_status make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    const tn_route_compact_key *s = shape;
    const int64_t N = s->B * s->T;
    size_t group = (size_t)values[GROUP];
    tn_options options = {""};
    plan *p = out;
    (void)pass;
    tn_options_int(&options, "BLOCK", (long)s->block);
    TN_TRY(tn_kernel_get_group(dev, "route_compact_groups", "route_compact_place_groups", &options, "GROUP",
                               &group, &p->place));
    const int64_t rounds = tn_ceil_div(N, (int64_t)group * 4);
    p->rounds = N <= values[ALONE] ? rounds : tn_ceil_div(rounds, MOST_GROUPS);
    p->groups = tn_ceil_div(rounds, p->rounds);
    p->range = tn_range_1d((size_t)p->groups * group, group);
    if (p->groups == 1)
        return TN_OK;
    tn_options_int(&options, "GROUP", (long)group);
    return tn_kernel_get(dev, "route_compact_groups", "route_compact_count_groups", &options, &p->count);
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *plan_, const void *args) {
    const tn_route_compact_key *s = shape;
    const tn_route_compact_args *a = args;
    const plan *p = plan_;
    tn_buffer *counts, *lasts;
    (void)pass;
    TN_TRY(tn_device_scratch(dev, 0, (size_t)p->groups * 4, &counts));
    TN_TRY(tn_device_scratch(dev, 1, (size_t)p->groups * 4, &lasts));
    if (p->count)
        TN_TRY(tn_launch(dev, p->count, p->range, tn_arg_buffer(counts), tn_arg_buffer(lasts),
                         tn_arg_buffer(a->mask), tn_arg_i32(s->B), tn_arg_i32(s->T), tn_arg_i32(p->rounds)));
    return tn_launch(dev, p->place, p->range, tn_arg_buffer(a->rows), tn_arg_buffer(a->start),
                     tn_arg_buffer(a->slot), tn_arg_buffer(a->last), tn_arg_buffer(counts),
                     tn_arg_buffer(lasts), tn_arg_buffer(a->mask), tn_arg_i32(s->B), tn_arg_i32(s->T),
                     tn_arg_i32(p->rounds));
}

const tn_variant tn_route_compact_groups = {.name = "groups",
                                            .style = TN_STYLE_GROUPS,
                                            .passes = 1u << TN_ROUTE_COMPACT_FORWARD,
                                            .tunable_count = sizeof tunables / sizeof tunables[0],
                                            .tunables = tunables,
                                            .plan = make,
                                            .run = run};
