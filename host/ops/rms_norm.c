#include "rms_norm.h"

#include "rms_norm_variants.h"

static const char *const passes[] = {"forward", "backward", NULL};
static const tn_variant *const variants[] = {&tn_rms_norm_groups, &tn_rms_norm_threads, NULL};
const tn_op tn_rms_norm_op = {
    .name = "rms_norm", .passes = passes, .shape_bytes = sizeof(tn_rms_norm_key), .variants = variants};

tn_status tn_rms_norm_forward(tn_device *dev, const tn_rms_norm_shape *s, tn_buffer *y, tn_buffer *rstd,
                              const tn_buffer *x, const tn_buffer *w) {
    return tn_op_run(dev, &tn_rms_norm_op, TN_RMS_NORM_FORWARD, &(tn_rms_norm_key){s->N, s->D, false},
                     &(tn_rms_norm_args){.y = y, .rstd_out = rstd, .x = x, .w = w, .eps = s->eps});
}

tn_status tn_rms_norm_backward(tn_device *dev, const tn_rms_norm_shape *s, tn_buffer *dx, tn_buffer *dw,
                               const tn_buffer *dy, const tn_buffer *x, const tn_buffer *w,
                               const tn_buffer *rstd, const tn_buffer *add, tn_partial_sums *later) {
    return tn_op_run(
        dev, &tn_rms_norm_op, TN_RMS_NORM_BACKWARD, &(tn_rms_norm_key){s->N, s->D, add == dx},
        &(tn_rms_norm_args){
            .dx = dx, .dw = dw, .dy = dy, .x = x, .w = w, .rstd = rstd, .add = add, .later = later});
}
