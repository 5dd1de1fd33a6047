/* Neighbouring items share a row; a work-group has several where rows are short. */
#include "softmax_cross_entropy_variants.h"

enum { GROUP };
static const tn_tunable tunables[] = {
    [GROUP] = TN_TUNABLE("GROUP", "work-items of a work-group, and of a row at most", 256, 256,
                         TN_TUNABLE_BITS, 32, 64, 128, 256, 512),
};

/* The work-group is part of the kernel (reqd_work_group_size), and what a device allows is known only after
 * building: halved until the two agree. */
static tn_status make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    const bool forward = pass == TN_SOFTMAX_CROSS_ENTROPY_FORWARD;
    const tn_softmax_cross_entropy_key *s = shape;
    const int lanes = tn_quads(s->V);
    tn_launch_plan *p = out;
    for (size_t group = (size_t)values[GROUP];; group /= 2) {
        const size_t items = tn_group_across(group, s->V / lanes, lanes), rows = group / items;
        tn_options options = {""};
        tn_options_vectors(&options, lanes, s->V);
        if (forward) {
            tn_options_int(&options, "GROUP", (long)group);
            tn_options_int(&options, "ITEMS", (long)items);
        }
        TN_TRY(
            tn_kernel_get(dev, forward ? "softmax_cross_entropy_groups" : "softmax_cross_entropy",
                          forward ? "softmax_cross_entropy_forward_groups" : "softmax_cross_entropy_backward",
                          &options, &p->kernel));
        p->range = forward ? tn_range_1d((size_t)tn_ceil_div(s->L, (int64_t)rows) * group, group)
                           : tn_range_2d(items, (size_t)s->L, items, rows);
        if (group <= 1 || group <= tn_kernel_max_work_group(p->kernel))
            return TN_OK;
    }
}

static tn_status forward(tn_device *dev, const tn_softmax_cross_entropy_key *s, const tn_launch_plan *p,
                         const tn_softmax_cross_entropy_args *a) {
    return tn_launch(dev, p->kernel, p->range, tn_arg_buffer(a->loss), tn_arg_buffer(a->lse_out),
                     tn_arg_buffer(a->predicted), tn_arg_buffer(a->logits), tn_arg_buffer(a->labels),
                     tn_arg_i32(s->L), tn_arg_i32(s->V));
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *p, const void *args) {
    return pass == TN_SOFTMAX_CROSS_ENTROPY_FORWARD
               ? forward(dev, shape, p, args)
               : tn_softmax_cross_entropy_launch_backward(dev, shape, p, args);
}

const tn_variant tn_softmax_cross_entropy_groups = {.name = "groups",
                                                    .style = TN_STYLE_GROUPS,
                                                    .tunable_count = sizeof tunables / sizeof tunables[0],
                                                    .tunables = tunables,
                                                    .plan = make,
                                                    .run = run};
