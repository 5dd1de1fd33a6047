#include "rms_norm.h"

#include "launch.h"

/* Rows of a work-item, and how many items that makes. */
static int64_t rows_an_item(const tn_device *dev, const tn_rms_norm_shape *s, int64_t *items) {
    const int64_t share = tn_share(s->N, tn_tunable_ask(dev, "rms_norm", "ROWS", 16, 1));
    *items = tn_ceil_div(s->N, share);
    return share;
}

static tn_status kernel(tn_device *dev, const tn_rms_norm_shape *s, const char *name, bool in_place,
                        tn_kernel **out) {
    const int lanes = tn_tunable_ask(dev, "rms_norm", "LANES", 16, 16);
    tn_options options = {""};
    tn_options_rows_ask(&options, dev, "rms_norm", lanes, s->N, s->D);
    tn_options_int(&options, "IN_PLACE", in_place);
    return tn_kernel_get(dev, "rms_norm", name, &options, out);
}

static size_t group(const tn_device *dev, const tn_kernel *k) {
    return tn_kernel_group(k, (size_t)tn_tunable_ask(dev, "rms_norm", "LOCAL", 1, 64));
}

tn_status tn_rms_norm_forward(tn_device *dev, const tn_rms_norm_shape *s, tn_buffer *y, tn_buffer *rstd,
                              const tn_buffer *x, const tn_buffer *w) {
    int64_t items, share = rows_an_item(dev, s, &items);
    tn_kernel *k;
    TN_TRY(kernel(dev, s, "rms_norm_forward", false, &k));
    return tn_launch(dev, k, tn_range_1d((size_t)items, group(dev, k)), tn_arg_buffer(y), tn_arg_buffer(rstd),
                     tn_arg_buffer(x), tn_arg_buffer(w), tn_arg_i32(share), tn_arg_i32(s->N),
                     tn_arg_i32(s->D), tn_arg_f32(s->eps));
}

tn_status tn_rms_norm_backward(tn_device *dev, const tn_rms_norm_shape *s, tn_buffer *dx, tn_buffer *dw,
                               const tn_buffer *dy, const tn_buffer *x, const tn_buffer *w,
                               const tn_buffer *rstd, const tn_buffer *add, tn_partial_sums *later) {
    int64_t items, at, share = rows_an_item(dev, s, &items);
    tn_kernel *rows;
    tn_buffer *partial;
    TN_TRY(kernel(dev, s, "rms_norm_backward", add == dx, &rows));
    TN_TRY(tn_partial_sums_place(dev, later, items * s->D, 0, &partial, &at));
    TN_TRY(tn_launch(dev, rows, tn_range_1d((size_t)items, group(dev, rows)), tn_arg_buffer(dx),
                     tn_arg_buffer(partial), tn_arg_buffer(dy), tn_arg_buffer(x), tn_arg_buffer(w),
                     tn_arg_buffer(rstd), tn_arg_buffer(add ? add : dy), tn_arg_i32(add != NULL),
                     tn_arg_i32(at), tn_arg_i32(share), tn_arg_i32(s->N), tn_arg_i32(s->D)));
    return tn_partial_sums_add(dev, later, &(tn_partial_sums_shape){items, s->D, s->D}, dw, partial, at);
}
