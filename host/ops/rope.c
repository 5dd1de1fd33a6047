#include "rope.h"

#include "rope_variants.h"

static const char *const passes[] = {"forward", "backward", NULL};
static const tn_variant *const variants[] = {&tn_rope_threads, NULL};
const tn_op tn_rope_op = {
    .name = "rope", .passes = passes, .shape_bytes = sizeof(tn_rope_key), .variants = variants};

static tn_status turn(tn_device *dev, int pass, const tn_rope_shape *s, const tn_rope_args *args) {
    if (s->Dh < 2 || s->Dh % 2 || !(s->base > 1) || s->T < 1)
        return tn_fail(
            tn_device_context(dev), TN_ERR_ARG,
            "rope with head width %lld, base %g, T = %lld: the width must be even, the base above 1, T "
            "at least 1",
            (long long)s->Dh, s->base, (long long)s->T);
    return tn_op_run(dev, &tn_rope_op, pass, &(tn_rope_key){s->R, s->T, s->H, s->Dh}, args);
}

tn_status tn_rope_forward(tn_device *dev, const tn_rope_shape *s, tn_buffer *y, const tn_buffer *x,
                          const tn_buffer *rows) {
    return turn(dev, TN_ROPE_FORWARD, s, &(tn_rope_args){y, x, rows, s->base});
}

tn_status tn_rope_backward(tn_device *dev, const tn_rope_shape *s, tn_buffer *dx, const tn_buffer *dy,
                           const tn_buffer *rows) {
    return turn(dev, TN_ROPE_BACKWARD, s, &(tn_rope_args){dx, dy, rows, s->base});
}
