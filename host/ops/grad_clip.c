#include "grad_clip.h"

#include "grad_clip_variants.h"

static const char *const passes[] = {"forward", NULL};
static const tn_variant *const variants[] = {&tn_grad_clip_groups, &tn_grad_clip_threads, NULL};
const tn_op tn_grad_clip_op = {
    .name = "grad_clip", .passes = passes, .shape_bytes = sizeof(tn_grad_clip_key), .variants = variants};

tn_status tn_grad_clip_forward(tn_device *dev, int64_t n, float max_norm, tn_buffer *scale, tn_buffer *norm,
                               const tn_buffer *g) {
    if (!(max_norm > 0))
        return tn_fail(tn_device_context(dev), TN_ERR_ARG,
                       "clipping the gradient to a norm of %g: it must be above 0", (double)max_norm);
    return tn_op_run(dev, &tn_grad_clip_op, 0, &(tn_grad_clip_key){n},
                     &(tn_grad_clip_args){max_norm, scale, norm, g});
}
