#include "grad_clip.h"

#include "launch.h"

tn_status tn_grad_clip_forward(tn_device *dev, int64_t n, float max_norm, tn_buffer *scale, tn_buffer *norm,
                               const tn_buffer *g) {
    const int64_t lanes = tn_tunable_ask(dev, "grad_clip", "LANES", 16, 4);
    const int64_t most = tn_tunable_ask(dev, "grad_clip", "ITEMS", 256, 4096);
    const int64_t least =
        tn_tunable_ask(dev, "grad_clip", "SHARE", 128, 2); /* vectors that are worth an item */
    tn_options options = {""};
    tn_kernel *squares, *finish;
    tn_buffer *partial;
    if (!(max_norm > 0))
        return tn_fail(tn_device_context(dev), TN_ERR_ARG,
                       "clipping the gradient to a norm of %g: it must be above 0", (double)max_norm);
    const int64_t vectors = (n + lanes - 1) / lanes;
    int64_t share = (vectors + most - 1) / most;
    if (share < least)
        share = least;
    const int64_t items = (vectors + share - 1) / share;
    tn_options_int(&options, "LANES", (long)lanes);
    tn_options_int(&options, "STRIDED", tn_tunable_ask(dev, "grad_clip", "STRIDED", 0, 1));
    TN_TRY(tn_kernel_get(dev, "grad_clip", "grad_clip_squares", &options, &squares));
    TN_TRY(tn_kernel_get(dev, "grad_clip", "grad_clip_scale", &options, &finish));
    TN_TRY(tn_device_scratch(dev, 0, (size_t)items * sizeof(float), &partial));
    size_t local = tn_kernel_group(squares, (size_t)tn_tunable_ask(dev, "grad_clip", "LOCAL", 1, 64));
    TN_TRY(tn_launch(dev, squares, tn_range_1d((size_t)items, local), tn_arg_buffer(partial),
                     tn_arg_buffer(g), tn_arg_i32(items), tn_arg_i32(share), tn_arg_i32(n)));
    return tn_launch(dev, finish, tn_range_1d(1, 1), tn_arg_buffer(scale), tn_arg_buffer(norm),
                     tn_arg_buffer(partial), tn_arg_i32(items), tn_arg_f32((double)max_norm));
}
