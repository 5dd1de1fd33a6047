#include "route_gate.h"

#include "launch.h"

static int64_t rows_an_item(const tn_device *dev) {
    return tn_tunable_ask(dev, "route_gate", "ROWS", 32, 1);
}

static tn_status kernel(tn_device *dev, const char *name, tn_kernel **out) {
    tn_options options = {""};
    tn_options_int(&options, "ROWS", (long)rows_an_item(dev));
    return tn_kernel_get(dev, "route_gate", name, &options, out);
}

static size_t group(const tn_device *dev, const tn_kernel *k) {
    return tn_kernel_group(k, (size_t)tn_tunable_ask(dev, "route_gate", "LOCAL", 1, 64));
}

tn_status tn_route_gate_forward(tn_device *dev, const tn_route_gate_shape *s, tn_buffer *p, tn_buffer *h,
                                const tn_buffer *u, const tn_buffer *w, const tn_buffer *b, double margin) {
    tn_kernel *k;
    size_t items = (size_t)((s->N + rows_an_item(dev) - 1) / rows_an_item(dev));
    TN_TRY(kernel(dev, "route_gate_forward", &k));
    return tn_launch(dev, k, tn_range_1d(items, group(dev, k)), tn_arg_buffer(p), tn_arg_buffer(h),
                     tn_arg_buffer(u), tn_arg_buffer(w), tn_arg_buffer(b), tn_arg_f32(margin),
                     tn_arg_i32(s->N), tn_arg_i32(s->D));
}

tn_status tn_route_gate_backward(tn_device *dev, const tn_route_gate_shape *s, tn_buffer *du, tn_buffer *dw,
                                 tn_buffer *db, const tn_buffer *dp, double dp_const, double least_slope,
                                 const tn_buffer *p, const tn_buffer *u, const tn_buffer *w,
                                 const tn_buffer *add, tn_partial_sums *later) {
    tn_kernel *rows;
    tn_buffer *partial;
    int64_t at;
    size_t items = (size_t)((s->N + rows_an_item(dev) - 1) / rows_an_item(dev));
    TN_TRY(kernel(dev, "route_gate_backward", &rows));
    TN_TRY(tn_partial_sums_place(dev, later, (int64_t)items * (s->D + 1), 0, &partial, &at));
    TN_TRY(tn_launch(dev, rows, tn_range_1d(items, group(dev, rows)), tn_arg_buffer(du),
                     tn_arg_buffer(partial), tn_arg_i32(at), tn_arg_buffer(dp), tn_arg_f32(dp_const),
                     tn_arg_f32(least_slope), tn_arg_buffer(p), tn_arg_buffer(u), tn_arg_buffer(w),
                     tn_arg_buffer(add), tn_arg_i32(s->N), tn_arg_i32(s->D)));
    tn_partial_sums_shape weight = {(int64_t)items, s->D, s->D + 1}, bias = {(int64_t)items, 1, s->D + 1};
    TN_TRY(tn_partial_sums_add(dev, later, &weight, dw, partial, at));
    return tn_partial_sums_add(dev, later, &bias, db, partial, at + s->D);
}
