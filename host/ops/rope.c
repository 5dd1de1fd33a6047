#include "rope.h"

#include "rope_variants.h"

static const char *const passes[] = {"forward", "backward", NULL};
static const tn_variant *const variants[] = {&tn_rope_threads, NULL};
const tn_op tn_rope_op = {
    .name = "rope", .passes = passes, .shape_bytes = sizeof(tn_rope_key), .variants = variants};

static tn_status turn(tn_device *dev, int pass, const tn_rope_shape *s, tn_buffer *y, const tn_buffer *x,
                      const tn_buffer *rows) {
    tn_rope_key key = {s->R, s->T, s->H, s->Dh};
    tn_rope_args args = {y, x, rows, s->base, s->count};
    if (s->Dh < 2 || s->Dh % 2 || !(s->base > 1) || s->T < 1)
        return tn_fail(
            tn_device_context(dev), TN_ERR_ARG,
            "rope with head width %lld, base %g, T = %lld: the width must be even, the base above 1, T "
            "at least 1",
            (long long)s->Dh, s->base, (long long)s->T);
    TN_TRY(tn_op_rows(dev, &tn_rope_op, pass, &key, &args.count, &key.R));
    return key.R > 0 ? tn_op_run(dev, &tn_rope_op, pass, &key, &args) : TN_OK;
}

tn_status tn_rope_counts(tn_device *dev, const tn_rope_shape *s, bool *counts) {
    return tn_op_counts(dev, &tn_rope_op, TN_ROPE_FORWARD, &(tn_rope_key){s->R, s->T, s->H, s->Dh}, counts);
}

tn_status tn_rope_forward(tn_device *dev, const tn_rope_shape *s, tn_buffer *y, const tn_buffer *x,
                          const tn_buffer *rows) {
    return turn(dev, TN_ROPE_FORWARD, s, y, x, rows);
}

tn_status tn_rope_backward(tn_device *dev, const tn_rope_shape *s, tn_buffer *dx, const tn_buffer *dy,
                           const tn_buffer *rows) {
    return turn(dev, TN_ROPE_BACKWARD, s, dx, dy, rows);
}
