/* The items of a work-group share rows. */
#include "group_rows.h"
#include "route_mix_variants.h"

enum { STEPS = TN_GROUP_ROWS_TUNABLES };
static const tn_tunable tunables[] = {
    TN_GROUP_ROWS_TUNABLES_OF(TN_TUNABLE_BITS),
    [STEPS] = TN_TUNABLE("STEPS", "most rows of a work-item, of backward", 8, 8, 0, 1, 2, 4, 8, 16),
};
_Static_assert(sizeof(tn_group_rows) <= TN_PLAN_BYTES, "route_mix's plan");

static tn_status make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    static const char *const kernels[] = {"route_mix_forward_groups", "route_mix_backward_groups",
                                          "route_mix_few_groups"};
    const tn_route_mix_key *s = shape;
    const bool backward = pass == TN_ROUTE_MIX_BACKWARD;
    tn_group_rows *p = out;
    tn_options options = {""};
    tn_options_int(&options, "ADDED", s->added);
    if (backward)
        tn_options_int(&options, "ROW_STEPS", values[STEPS]);
    TN_TRY(tn_group_rows_make(dev, "route_mix_groups", kernels[pass], &options, s->D, values, p));
    tn_group_rows_spread(p, s->N, backward ? values[STEPS] : 1);
    return TN_OK;
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *plan, const void *args) {
    const tn_route_mix_key *s = shape;
    const tn_route_mix_args *a = args;
    const tn_group_rows *p = plan;
    if (pass == TN_ROUTE_MIX_FEW) {
        const size_t local = p->range.local[0], groups = (size_t)tn_ceil_div(a->R, p->rows);
        return tn_launch(dev, p->kernel, tn_range_1d(groups * local, local), tn_arg_buffer(a->y),
                         tn_arg_buffer(a->res), tn_arg_buffer(a->o), tn_arg_buffer(a->p),
                         tn_arg_buffer(a->rows), tn_arg_buffer(a->h), tn_arg_buffer(a->count),
                         tn_arg_i32(a->R), tn_arg_i32(s->D));
    }
    if (pass == TN_ROUTE_MIX_FORWARD)
        return tn_launch(dev, p->kernel, p->range, tn_arg_buffer(a->y), tn_arg_buffer(a->res),
                         tn_arg_buffer(a->c), tn_arg_buffer(a->o), tn_arg_buffer(a->p), tn_arg_buffer(a->h),
                         tn_arg_buffer(a->slot), tn_arg_i32(p->steps), tn_arg_i32(s->N), tn_arg_i32(s->D),
                         tn_arg_i32(a->hard));
    return tn_launch(dev, p->kernel, p->range, tn_arg_buffer(a->dc), tn_arg_buffer(a->dout),
                     tn_arg_buffer(a->dp), tn_arg_buffer(a->dy), tn_arg_buffer(a->c), tn_arg_buffer(a->o),
                     tn_arg_buffer(a->p), tn_arg_buffer(a->h), tn_arg_buffer(a->slot), tn_arg_i32(p->steps),
                     tn_arg_i32(s->N), tn_arg_i32(s->D), tn_arg_i32(a->hard));
}

const tn_variant tn_route_mix_groups = {.name = "groups",
                                        .style = TN_STYLE_GROUPS,
                                        .counted = 1u << TN_ROUTE_MIX_FEW,
                                        .tunable_count = sizeof tunables / sizeof tunables[0],
                                        .tunables = tunables,
                                        .plan = make,
                                        .run = run};
