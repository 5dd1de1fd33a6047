#include "rms_norm.h"

#include "launch.h"

static int64_t rows_an_item(const tn_device *dev) {
    return tn_tunable(dev, "rms_norm", "ROWS", 16, 1);
}

static tn_status kernel(tn_device *dev, const char *name, tn_kernel **out) {
    tn_options options = {""};
    tn_options_int(&options, "ROWS", (long)rows_an_item(dev));
    return tn_kernel_get(dev, "rms_norm", name, &options, out);
}

static size_t group(const tn_device *dev, const tn_kernel *k) {
    return tn_kernel_group(k, (size_t)tn_tunable(dev, "rms_norm", "LOCAL", 1, 64));
}

tn_status tn_rms_norm_forward(tn_device *dev, const tn_rms_norm_shape *s, tn_buffer *y, tn_buffer *rstd,
                              const tn_buffer *x, const tn_buffer *w) {
    tn_kernel *k;
    TN_TRY(kernel(dev, "rms_norm_forward", &k));
    size_t items = (size_t)((s->N + rows_an_item(dev) - 1) / rows_an_item(dev));
    return tn_launch(dev, k, tn_range_1d(items, group(dev, k)), tn_arg_buffer(y), tn_arg_buffer(rstd),
                     tn_arg_buffer(x), tn_arg_buffer(w), tn_arg_i32(s->N), tn_arg_i32(s->D),
                     tn_arg_f32(s->eps));
}

tn_status tn_rms_norm_backward(tn_device *dev, const tn_rms_norm_shape *s, tn_buffer *dx, tn_buffer *dw,
                               const tn_buffer *dy, const tn_buffer *x, const tn_buffer *w,
                               const tn_buffer *rstd, const tn_buffer *add) {
    tn_kernel *rows, *weight;
    tn_buffer *partial;
    size_t items = (size_t)((s->N + rows_an_item(dev) - 1) / rows_an_item(dev));
    TN_TRY(kernel(dev, "rms_norm_backward", &rows));
    TN_TRY(kernel(dev, "rms_norm_weight", &weight));
    TN_TRY(tn_device_scratch(dev, 0, items * (size_t)s->D * sizeof(float), &partial));
    TN_TRY(tn_launch(dev, rows, tn_range_1d(items, group(dev, rows)), tn_arg_buffer(dx),
                     tn_arg_buffer(partial), tn_arg_buffer(dy), tn_arg_buffer(x), tn_arg_buffer(w),
                     tn_arg_buffer(rstd), tn_arg_buffer(add ? add : dy), tn_arg_i32(add != NULL),
                     tn_arg_i32(s->N), tn_arg_i32(s->D)));
    return tn_launch(dev, weight, tn_range_1d((size_t)s->D, group(dev, weight)), tn_arg_buffer(dw),
                     tn_arg_buffer(partial), tn_arg_i32((int64_t)items), tn_arg_i32(s->D));
}
