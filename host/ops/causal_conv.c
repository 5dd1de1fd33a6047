#include "causal_conv.h"

#include "causal_conv_variants.h"

static const char *const passes[] = {"forward", "backward", NULL};
static const tn_variant *const variants[] = {&tn_causal_conv_wide, &tn_causal_conv_groups,
                                             &tn_causal_conv_threads, NULL};
const tn_op tn_causal_conv_op = {
    .name = "causal_conv", .passes = passes, .shape_bytes = sizeof(tn_causal_conv_key), .variants = variants};

static tn_status run(tn_device *dev, int pass, const tn_causal_conv_shape *s,
                     const tn_causal_conv_args *args) {
    const tn_causal_conv_key key = {s->B, s->T, s->D, s->K, s->silu != 0, args->add && args->add == args->du};
    if (s->K < 1 || s->K > TN_CAUSAL_CONV_TAPS)
        return tn_fail(tn_device_context(dev), TN_ERR_ARG, "causal_conv with %lld taps: it takes 1 to %d",
                       (long long)s->K, TN_CAUSAL_CONV_TAPS);
    return tn_op_run(dev, &tn_causal_conv_op, pass, &key, args);
}

tn_status tn_causal_conv_forward(tn_device *dev, const tn_causal_conv_shape *s, tn_buffer *y,
                                 const tn_buffer *u, const tn_buffer *w, const tn_buffer *b) {
    return run(dev, TN_CAUSAL_CONV_FORWARD, s, &(tn_causal_conv_args){.y = y, .u = u, .w = w, .b = b});
}

tn_status tn_causal_conv_backward(tn_device *dev, const tn_causal_conv_shape *s, tn_buffer *du, tn_buffer *dw,
                                  tn_buffer *db, const tn_buffer *dy, const tn_buffer *u, const tn_buffer *w,
                                  const tn_buffer *b, const tn_buffer *add, tn_partial_sums *later) {
    return run(
        dev, TN_CAUSAL_CONV_BACKWARD, s,
        &(tn_causal_conv_args){
            .du = du, .dw = dw, .db = db, .dy = dy, .add = add, .u = u, .w = w, .b = b, .later = later});
}

tn_status tn_causal_conv_launch_forward(tn_device *dev, const tn_causal_conv_key *s, tn_kernel *kernel,
                                        tn_range range, const tn_causal_conv_args *a) {
    return tn_launch(dev, kernel, range, tn_arg_buffer(a->y), tn_arg_buffer(a->u), tn_arg_buffer(a->w),
                     tn_arg_buffer(a->b), tn_arg_i32(s->B), tn_arg_i32(s->T), tn_arg_i32(s->D));
}

tn_status tn_causal_conv_launch_backward(tn_device *dev, const tn_causal_conv_key *s, tn_kernel *kernel,
                                         tn_range range, int64_t parts, const tn_causal_conv_args *a) {
    const int64_t each = (s->K + 1) * s->D;
    const tn_partial_sums_shape taps = {parts, s->K * s->D, each}, bias = {parts, s->D, each};
    tn_buffer *partial;
    int64_t at;
    TN_TRY(tn_partial_sums_place(dev, a->later, parts * each, 0, &partial, &at));
    TN_TRY(tn_launch(dev, kernel, range, tn_arg_buffer(a->du), tn_arg_buffer(partial), tn_arg_buffer(a->dy),
                     tn_arg_buffer(a->u), tn_arg_buffer(a->w), tn_arg_buffer(a->b),
                     tn_arg_buffer(a->add ? a->add : a->dy), tn_arg_i32(a->add != NULL), tn_arg_i32(at),
                     tn_arg_i32(s->B), tn_arg_i32(s->T), tn_arg_i32(s->D)));
    TN_TRY(tn_partial_sums_add(dev, a->later, &taps, a->dw, partial, at));
    return tn_partial_sums_add(dev, a->later, &bias, a->db, partial, at + s->K * s->D);
}
