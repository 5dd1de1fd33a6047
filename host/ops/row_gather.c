#include "row_gather.h"

#include "launch.h"

static tn_status launch(tn_device *dev, const tn_row_gather_shape *s, const char *name, tn_buffer *to,
                        const tn_buffer *from, const tn_buffer *rows) {
    tn_options options = {""};
    tn_kernel *k;
    int64_t tall = tn_tunable(dev, "row_gather", "ROWS", 16, 1);
    if (s->R == 0)
        return TN_OK;
    tn_options_int(&options, "ROWS", (long)tall);
    TN_TRY(tn_kernel_get(dev, "row_gather", name, &options, &k));
    size_t local = tn_kernel_group(k, (size_t)tn_tunable(dev, "row_gather", "LOCAL", 1, 64));
    return tn_launch(
        dev, k, tn_range_2d((size_t)((s->R + tall - 1) / tall), (size_t)((s->D + 15) / 16), local, 1),
        tn_arg_buffer(to), tn_arg_buffer(from), tn_arg_buffer(rows), tn_arg_i32(s->R), tn_arg_i32(s->D));
}

tn_status tn_row_gather_forward(tn_device *dev, const tn_row_gather_shape *s, tn_buffer *y,
                                const tn_buffer *x, const tn_buffer *rows) {
    return launch(dev, s, "row_gather_forward", y, x, rows);
}

tn_status tn_row_gather_backward(tn_device *dev, const tn_row_gather_shape *s, tn_buffer *dx,
                                 const tn_buffer *dy, const tn_buffer *rows) {
    return launch(dev, s, "row_gather_backward", dx, dy, rows);
}
