#include "conv_track_variants.h"

static const char *const passes[] = {"forward", "backward", NULL};
static const tn_variant *const variants[] = {&tn_conv_track_fused, &tn_conv_track_composed, NULL};

static int pass_of_choice(int pass, const void *shape) {
    return ((const tn_conv_track_key *)shape)->training ? TN_CONV_TRACK_BACKWARD : pass;
}

const tn_op tn_conv_track_op = {.name = "conv_track",
                                .passes = passes,
                                .pass_of_choice = pass_of_choice,
                                .shape_bytes = sizeof(tn_conv_track_key),
                                .variants = variants};

tn_status tn_conv_track_is_fused(tn_device *dev, const tn_conv_track_shape *s, bool training, bool *fused) {
    const tn_conv_track_key key = {s->B, s->T, s->D, s->K, training};
    const tn_variant *variant;
    TN_TRY(tn_op_variant(dev, &tn_conv_track_op, TN_CONV_TRACK_FORWARD, &key, &variant));
    *fused = variant == &tn_conv_track_fused;
    return TN_OK;
}

tn_status tn_conv_track_forward(tn_device *dev, const tn_conv_track_shape *s, bool training, tn_buffer *c,
                                const tn_conv_track_saved *saved, const tn_buffer *x,
                                const tn_conv_track_weights *w, const tn_buffer *add) {
    return tn_op_run(
        dev, &tn_conv_track_op, TN_CONV_TRACK_FORWARD, &(tn_conv_track_key){s->B, s->T, s->D, s->K, training},
        &(tn_conv_track_args){.shape = s, .c = c, .x = x, .add = add, .weights = w, .saved = saved});
}

tn_status tn_conv_track_backward(tn_device *dev, const tn_conv_track_shape *s, tn_buffer *du,
                                 const tn_conv_track_weights *grads, tn_buffer *ds, const tn_buffer *dc,
                                 const tn_conv_track_weights *w, const tn_conv_track_saved *saved,
                                 tn_partial_sums *later) {
    return tn_op_run(dev, &tn_conv_track_op, TN_CONV_TRACK_BACKWARD,
                     &(tn_conv_track_key){s->B, s->T, s->D, s->K, true},
                     &(tn_conv_track_args){.shape = s,
                                           .du = du,
                                           .ds = ds,
                                           .dc = dc,
                                           .grads = grads,
                                           .weights = w,
                                           .saved = saved,
                                           .later = later});
}
