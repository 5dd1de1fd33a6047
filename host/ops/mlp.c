#include "mlp_variants.h"

static const char *const passes[] = {"forward", "backward", NULL};
static const tn_variant *const variants[] = {&tn_mlp_fused, &tn_mlp_fused_groups, &tn_mlp_composed, NULL};

static int pass_of_choice(int pass, const void *shape) {
    return ((const tn_mlp_key *)shape)->training ? TN_MLP_BACKWARD : pass;
}

const tn_op tn_mlp_op = {.name = "mlp",
                         .passes = passes,
                         .pass_of_choice = pass_of_choice,
                         .shape_bytes = sizeof(tn_mlp_key),
                         .variants = variants};

tn_status tn_mlp_is_fused(tn_device *dev, const tn_mlp_shape *s, bool training, bool *fused) {
    const tn_mlp_key key = {s->N, s->D, s->F, training};
    const tn_variant *variant;
    TN_TRY(tn_op_variant(dev, &tn_mlp_op, TN_MLP_FORWARD, &key, &variant));
    *fused = variant == &tn_mlp_fused || (variant == &tn_mlp_fused_groups && !training);
    return TN_OK;
}

tn_status tn_mlp_forward(tn_device *dev, const tn_mlp_shape *s, bool training, tn_buffer *y,
                         const tn_mlp_saved *saved, const tn_buffer *x, const tn_mlp_weights *w) {
    return tn_op_run(dev, &tn_mlp_op, TN_MLP_FORWARD, &(tn_mlp_key){s->N, s->D, s->F, training},
                     &(tn_mlp_args){.eps = s->eps, .y = y, .x = x, .weights = w, .saved = saved});
}

tn_status tn_mlp_backward(tn_device *dev, const tn_mlp_shape *s, tn_buffer *dx, const tn_mlp_weights *grads,
                          const tn_buffer *dy, const tn_buffer *x, const tn_mlp_weights *w,
                          const tn_mlp_saved *saved, tn_partial_sums *later) {
    return tn_op_run(dev, &tn_mlp_op, TN_MLP_BACKWARD, &(tn_mlp_key){s->N, s->D, s->F, true},
                     &(tn_mlp_args){.eps = s->eps,
                                    .dx = dx,
                                    .grads = grads,
                                    .dy = dy,
                                    .x = x,
                                    .weights = w,
                                    .saved = saved,
                                    .later = later});
}
