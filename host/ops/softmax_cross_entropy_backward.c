/* The launch of backward, whose kernel both variants share: a row is a work-item's or a work-group's by its
 * range alone. */
#include "softmax_cross_entropy_variants.h"

tn_status tn_softmax_cross_entropy_launch_backward(tn_device *dev, const tn_softmax_cross_entropy_key *s,
                                                   const tn_launch_plan *p,
                                                   const tn_softmax_cross_entropy_args *a) {
    return tn_launch(dev, p->kernel, p->range, tn_arg_buffer(a->dlogits), tn_arg_buffer(a->logits),
                     tn_arg_buffer(a->labels), tn_arg_buffer(a->lse), tn_arg_f32(a->scale), tn_arg_i32(s->L),
                     tn_arg_i32(s->V));
}
