/* An item owns a row. */
#include "softmax_cross_entropy_variants.h"

enum { LANES };
static const tn_tunable tunables[] = {
    [LANES] = TN_TUNABLE("LANES", "lanes of a vector", 16, 1, TN_TUNABLE_BITS, 1, 4, 8, 16),
};

static tn_status make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    const tn_softmax_cross_entropy_key *s = shape;
    tn_options options = {""};
    tn_launch_plan *p = out;
    tn_options_int(&options, "LANES", values[LANES]);
    if (pass == TN_SOFTMAX_CROSS_ENTROPY_FORWARD) {
        p->range = tn_range_1d((size_t)s->L, 1);
        return tn_kernel_get(dev, "softmax_cross_entropy_threads", "softmax_cross_entropy_forward", &options,
                             &p->kernel);
    }
    p->range = tn_range_2d(1, (size_t)s->L, 1, 1);
    return tn_kernel_get(dev, "softmax_cross_entropy", "softmax_cross_entropy_backward", &options,
                         &p->kernel);
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

const tn_variant tn_softmax_cross_entropy_threads = {.name = "threads",
                                                     .style = TN_STYLE_THREADS,
                                                     .portable = true,
                                                     .tunable_count = sizeof tunables / sizeof tunables[0],
                                                     .tunables = tunables,
                                                     .plan = make,
                                                     .run = run};
