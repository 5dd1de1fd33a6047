#include "softmax_cross_entropy.h"

#include "launch.h"

/* The work-group is part of the kernel (reqd_work_group_size), and what a device allows is known only after
 * building: halved until the two agree. */
static tn_status kernel(tn_device *dev, const char *name, tn_kernel **out, size_t *group) {
    *group = (size_t)tn_tunable_ask(dev, "softmax_cross_entropy", "GROUP", 1, 64);
    for (;;) {
        tn_options options = {""};
        tn_options_int(&options, "LANES", tn_tunable_ask(dev, "softmax_cross_entropy", "LANES", 16, 1));
        tn_options_int(&options, "GROUP", (long)*group);
        TN_TRY(tn_kernel_get(dev, "softmax_cross_entropy", name, &options, out));
        if (*group == 1 || *group <= tn_kernel_max_work_group(*out))
            return TN_OK;
        *group /= 2;
    }
}

tn_status tn_softmax_cross_entropy_forward(tn_device *dev, const tn_softmax_cross_entropy_shape *s,
                                           tn_buffer *loss, tn_buffer *lse, tn_buffer *predicted,
                                           const tn_buffer *logits, const tn_buffer *labels) {
    tn_kernel *k;
    size_t local;
    TN_TRY(kernel(dev, "softmax_cross_entropy_forward", &k, &local));
    return tn_launch(dev, k, tn_range_1d((size_t)s->L * local, local), tn_arg_buffer(loss),
                     tn_arg_buffer(lse), tn_arg_buffer(predicted), tn_arg_buffer(logits),
                     tn_arg_buffer(labels), tn_arg_i32(s->V));
}

tn_status tn_softmax_cross_entropy_backward(tn_device *dev, const tn_softmax_cross_entropy_shape *s,
                                            tn_buffer *dlogits, const tn_buffer *logits,
                                            const tn_buffer *labels, const tn_buffer *lse, float scale) {
    tn_kernel *k;
    size_t local;
    TN_TRY(kernel(dev, "softmax_cross_entropy_backward", &k, &local));
    return tn_launch(dev, k, tn_range_2d(local, (size_t)s->L, local, 1), tn_arg_buffer(dlogits),
                     tn_arg_buffer(logits), tn_arg_buffer(labels), tn_arg_buffer(lse), tn_arg_f32(scale),
                     tn_arg_i32(s->L), tn_arg_i32(s->V));
}
