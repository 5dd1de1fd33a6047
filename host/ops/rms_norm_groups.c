/* The items of a work-group share rows. */
#include "group_rows.h"
#include "rms_norm_variants.h"

enum { STEPS = TN_GROUP_ROWS_TUNABLES };
static const tn_tunable tunables[] = {
    TN_GROUP_ROWS_TUNABLES_OF(TN_TUNABLE_BITS),
    [STEPS] = TN_TUNABLE("STEPS", "most rows of a work-item, of forward", 8, 8, 0, 1, 2, 4, 8, 16),
};

enum { WIDE_STEPS = 64 /* rows of a group in backward where a row does not stay in registers */ };
_Static_assert(sizeof(tn_group_rows) <= TN_PLAN_BYTES, "rms_norm's plan");

static tn_status make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    const tn_rms_norm_key *s = shape;
    const bool forward = pass == TN_RMS_NORM_FORWARD;
    tn_group_rows *p = out;
    tn_options options = {""};
    tn_options_int(&options, "ROW_STEPS", WIDE_STEPS);
    TN_TRY(tn_group_rows_make(dev, "rms_norm_groups",
                              forward ? "rms_norm_forward_groups" : "rms_norm_backward_groups", &options,
                              s->D, values, p));
    if (forward)
        tn_group_rows_spread(p, s->N, values[STEPS]);
    else
        tn_group_rows_part(p, s->N, p->each > TN_GROUP_ROWS_KEPT ? WIDE_STEPS : 0);
    return TN_OK;
}

static tn_status forward(tn_device *dev, const tn_rms_norm_key *s, const tn_group_rows *p,
                         const tn_rms_norm_args *a) {
    return tn_launch(dev, p->kernel, p->range, tn_arg_buffer(a->y), tn_arg_buffer(a->rstd_out),
                     tn_arg_buffer(a->x), tn_arg_buffer(a->w), tn_arg_i32(p->steps), tn_arg_i32(s->N),
                     tn_arg_i32(s->D), tn_arg_f32(a->eps));
}

static tn_status backward(tn_device *dev, const tn_rms_norm_key *s, const tn_group_rows *p,
                          const tn_rms_norm_args *a) {
    tn_buffer *partial;
    int64_t at;
    TN_TRY(tn_partial_sums_place(dev, a->later, p->groups * s->D, 0, &partial, &at));
    TN_TRY(tn_launch(dev, p->kernel, p->range, tn_arg_buffer(a->dx), tn_arg_buffer(partial),
                     tn_arg_buffer(a->dy), tn_arg_buffer(a->x), tn_arg_buffer(a->w), tn_arg_buffer(a->rstd),
                     tn_arg_buffer(a->add), tn_arg_i32(at), tn_arg_i32(p->steps), tn_arg_i32(s->N),
                     tn_arg_i32(s->D)));
    return tn_partial_sums_add(dev, a->later, &(tn_partial_sums_shape){p->groups, s->D, s->D}, a->dw, partial,
                               at);
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *p, const void *args) {
    return pass == TN_RMS_NORM_FORWARD ? forward(dev, shape, p, args) : backward(dev, shape, p, args);
}

const tn_variant tn_rms_norm_groups = {.name = "groups",
                                       .style = TN_STYLE_GROUPS,
                                       .tunable_count = sizeof tunables / sizeof tunables[0],
                                       .tunables = tunables,
                                       .plan = make,
                                       .run = run};
