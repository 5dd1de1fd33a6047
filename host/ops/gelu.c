#include "gelu.h"

#include "gelu_variants.h"

static const char *const passes[] = {"forward", "backward", NULL};
static const tn_variant *const variants[] = {&tn_gelu_threads, NULL};
const tn_op tn_gelu_op = {
    .name = "gelu", .passes = passes, .shape_bytes = sizeof(tn_gelu_key), .variants = variants};

tn_status tn_gelu_forward(tn_device *dev, int64_t count, tn_buffer *y, const tn_buffer *x) {
    return tn_op_run(dev, &tn_gelu_op, TN_GELU_FORWARD, &(tn_gelu_key){count, false},
                     &(tn_gelu_args){y, NULL, x});
}

tn_status tn_gelu_backward(tn_device *dev, int64_t count, tn_buffer *dx, const tn_buffer *dy,
                           const tn_buffer *x) {
    return tn_op_run(dev, &tn_gelu_op, TN_GELU_BACKWARD, &(tn_gelu_key){count, dx == dy},
                     &(tn_gelu_args){dx, dy, x});
}
