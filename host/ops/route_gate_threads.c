/* An item owns rows. */
#include "route_gate_variants.h"

enum { ROWS, LOCAL };
static const tn_tunable tunables[] = {
    [ROWS] = TN_TUNABLE("ROWS", "rows of a work-item", 32, 1, TN_TUNABLE_BITS, 1, 2, 4, 8, 16, 32, 64),
    [LOCAL] = TN_TUNABLE_LOCAL(64),
};

typedef struct plan {
    tn_kernel *kernel;
    tn_range range;
    int64_t items;
} plan;
_Static_assert(sizeof(plan) <= TN_PLAN_BYTES, "route_gate's plan");

static tn_status make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    const tn_route_gate_key *s = shape;
    tn_options options = {""};
    plan *p = out;
    p->items = tn_ceil_div(s->N, values[ROWS]);
    tn_options_int(&options, "ROWS", values[ROWS]);
    TN_TRY(tn_kernel_get(dev, "route_gate_threads",
                         pass == TN_ROUTE_GATE_FORWARD ? "route_gate_forward" : "route_gate_backward",
                         &options, &p->kernel));
    p->range = tn_range_1d((size_t)p->items, tn_kernel_group(p->kernel, (size_t)values[LOCAL]));
    return TN_OK;
}

static tn_status forward(tn_device *dev, const tn_route_gate_key *s, const plan *p,
                         const tn_route_gate_args *a) {
    return tn_launch(dev, p->kernel, p->range, tn_arg_buffer(a->p_out), tn_arg_buffer(a->h),
                     tn_arg_buffer(a->u), tn_arg_buffer(a->w), tn_arg_buffer(a->b), tn_arg_f32(a->margin),
                     tn_arg_i32(s->N), tn_arg_i32(s->D));
}

static tn_status backward(tn_device *dev, const tn_route_gate_key *s, const plan *p,
                          const tn_route_gate_args *a) {
    const tn_partial_sums_shape weight = {p->items, s->D, s->D + 1}, bias = {p->items, 1, s->D + 1};
    tn_buffer *partial;
    int64_t at;
    TN_TRY(tn_partial_sums_place(dev, a->later, p->items * (s->D + 1), 0, &partial, &at));
    TN_TRY(tn_launch(dev, p->kernel, p->range, tn_arg_buffer(a->du), tn_arg_buffer(partial), tn_arg_i32(at),
                     tn_arg_buffer(a->dp), tn_arg_f32(a->dp_const), tn_arg_f32(a->least_slope),
                     tn_arg_buffer(a->priced), tn_arg_buffer(a->p), tn_arg_buffer(a->u), tn_arg_buffer(a->w),
                     tn_arg_buffer(a->add), tn_arg_i32(s->N), tn_arg_i32(s->D)));
    TN_TRY(tn_partial_sums_add(dev, a->later, &weight, a->dw, partial, at));
    return tn_partial_sums_add(dev, a->later, &bias, a->db, partial, at + s->D);
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *p, const void *args) {
    return pass == TN_ROUTE_GATE_FORWARD ? forward(dev, shape, p, args) : backward(dev, shape, p, args);
}

const tn_variant tn_route_gate_threads = {.name = "threads",
                                          .style = TN_STYLE_THREADS,
                                          .portable = true,
                                          .tunable_count = sizeof tunables / sizeof tunables[0],
                                          .tunables = tunables,
                                          .plan = make,
                                          .run = run};
