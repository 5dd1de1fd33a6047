#include "gelu.h"

#include "launch.h"

static tn_status prepare(tn_device *dev, const char *name, int64_t count, tn_kernel **out, tn_range *range) {
    const int lanes = tn_tunable(dev, "gelu", "LANES", 16, 4);
    const int vectors = tn_tunable(dev, "gelu", "VECTORS", 128, 1);
    tn_options options = {""};
    tn_options_int(&options, "LANES", lanes);
    tn_options_int(&options, "VECTORS", vectors);
    TN_TRY(tn_kernel_get(dev, "gelu", name, &options, out));
    *range = tn_range_1d((size_t)((count + lanes * vectors - 1) / (lanes * vectors)),
                         tn_kernel_group(*out, (size_t)tn_tunable(dev, "gelu", "LOCAL", 1, 64)));
    return TN_OK;
}

tn_status tn_gelu_forward(tn_device *dev, int64_t count, tn_buffer *y, const tn_buffer *x) {
    tn_kernel *k;
    tn_range range;
    TN_TRY(prepare(dev, "gelu_forward", count, &k, &range));
    return tn_launch(dev, k, range, tn_arg_buffer(y), tn_arg_buffer(x), tn_arg_i32(count));
}

tn_status tn_gelu_backward(tn_device *dev, int64_t count, tn_buffer *dx, const tn_buffer *dy,
                           const tn_buffer *x) {
    tn_kernel *k;
    tn_range range;
    TN_TRY(prepare(dev, "gelu_backward", count, &k, &range));
    return tn_launch(dev, k, range, tn_arg_buffer(dx), tn_arg_buffer(dy), tn_arg_buffer(x),
                     tn_arg_i32(count));
}
