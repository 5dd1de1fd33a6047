/* The items of a work-group share rows. */
#include "group_rows.h"
#include "route_gate_variants.h"

enum { STEPS = TN_GROUP_ROWS_TUNABLES };
static const tn_tunable tunables[] = {
    TN_GROUP_ROWS_TUNABLES_OF(TN_TUNABLE_BITS),
    [STEPS] = TN_TUNABLE("STEPS", "most rows of a work-item, of forward", 8, 8, 0, 1, 2, 4, 8, 16),
};
_Static_assert(sizeof(tn_group_rows) <= TN_PLAN_BYTES, "route_gate's plan");

static tn_status make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    const tn_route_gate_key *s = shape;
    tn_group_rows *p = out;
    tn_options options = {""};
    if (pass == TN_ROUTE_GATE_FORWARD) {
        tn_options_int(&options, "ROW_STEPS", values[STEPS]);
        TN_TRY(tn_group_rows_make(dev, "route_gate_groups", "route_gate_forward_groups", &options, s->D,
                                  values, p));
        tn_group_rows_spread(p, s->N, values[STEPS]);
        return TN_OK;
    }
    TN_TRY(tn_group_rows_make(dev, "route_gate_groups", "route_gate_backward_groups", NULL, s->D, values, p));
    tn_group_rows_part(p, s->N, 0);
    p->range = tn_range_2d(p->range.global[0], (size_t)p->each, p->range.local[0], 1);
    return TN_OK;
}

static tn_status forward(tn_device *dev, const tn_route_gate_key *s, const tn_group_rows *p,
                         const tn_route_gate_args *a) {
    return tn_launch(dev, p->kernel, p->range, tn_arg_buffer(a->p_out), tn_arg_buffer(a->h),
                     tn_arg_buffer(a->u), tn_arg_buffer(a->w), tn_arg_buffer(a->b), tn_arg_f32(a->margin),
                     tn_arg_i32(p->steps), tn_arg_i32(s->N), tn_arg_i32(s->D));
}

static tn_status backward(tn_device *dev, const tn_route_gate_key *s, const tn_group_rows *p,
                          const tn_route_gate_args *a) {
    const tn_partial_sums_shape weight = {p->groups, s->D, s->D}, bias = {p->groups, 1, 1};
    tn_buffer *partial;
    int64_t at;
    TN_TRY(tn_partial_sums_place(dev, a->later, p->groups * (s->D + 1), 0, &partial, &at));
    TN_TRY(tn_launch(dev, p->kernel, p->range, tn_arg_buffer(a->du), tn_arg_buffer(partial), tn_arg_i32(at),
                     tn_arg_buffer(a->dp), tn_arg_f32(a->dp_const), tn_arg_f32(a->least_slope),
                     tn_arg_buffer(a->priced), tn_arg_buffer(a->p), tn_arg_buffer(a->u), tn_arg_buffer(a->w),
                     tn_arg_buffer(a->add), tn_arg_i32(p->steps), tn_arg_i32(s->N), tn_arg_i32(s->D)));
    TN_TRY(tn_partial_sums_add(dev, a->later, &weight, a->dw, partial, at));
    return tn_partial_sums_add(dev, a->later, &bias, a->db, partial, at + p->groups * s->D);
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *p, const void *args) {
    return pass == TN_ROUTE_GATE_FORWARD ? forward(dev, shape, p, args) : backward(dev, shape, p, args);
}

const tn_variant tn_route_gate_groups = {.name = "groups",
                                         .style = TN_STYLE_GROUPS,
                                         .tunable_count = sizeof tunables / sizeof tunables[0],
                                         .tunables = tunables,
                                         .plan = make,
                                         .run = run};
