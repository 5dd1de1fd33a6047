#include "gelu.h"

#include "launch.h"

static tn_status prepare(tn_device *dev, const char *name, int64_t count, bool in_place, tn_kernel **out,
                         tn_range *range, int64_t *share) {
    const int lanes = tn_tunable_ask(dev, "gelu", "LANES", 16, 4);
    const int vectors = tn_tunable_ask(dev, "gelu", "VECTORS", 128, 1); /* the least that is worth an item */
    tn_options options = {""};
    *share = tn_share(tn_ceil_div(count, lanes), vectors) * lanes;
    tn_options_int(&options, "LANES", lanes);
    tn_options_int(&options, "STREAM", !in_place && tn_stream(dev, "gelu", 4.0 * (double)count));
    TN_TRY(tn_kernel_get(dev, "gelu", name, &options, out));
    *range = tn_range_1d((size_t)tn_ceil_div(count, *share),
                         tn_kernel_group(*out, (size_t)tn_tunable_ask(dev, "gelu", "LOCAL", 1, 64)));
    return TN_OK;
}

tn_status tn_gelu_forward(tn_device *dev, int64_t count, tn_buffer *y, const tn_buffer *x) {
    tn_kernel *k;
    tn_range range;
    int64_t share;
    TN_TRY(prepare(dev, "gelu_forward", count, false, &k, &range, &share));
    return tn_launch(dev, k, range, tn_arg_buffer(y), tn_arg_buffer(x), tn_arg_i32(share), tn_arg_i32(count));
}

tn_status tn_gelu_backward(tn_device *dev, int64_t count, tn_buffer *dx, const tn_buffer *dy,
                           const tn_buffer *x) {
    tn_kernel *k;
    tn_range range;
    int64_t share;
    TN_TRY(prepare(dev, "gelu_backward", count, dx == dy, &k, &range, &share));
    return tn_launch(dev, k, range, tn_arg_buffer(dx), tn_arg_buffer(dy), tn_arg_buffer(x), tn_arg_i32(share),
                     tn_arg_i32(count));
}
