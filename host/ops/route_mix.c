#include "route_mix.h"

#include "launch.h"

static tn_status kernel(tn_device *dev, const char *name, int64_t N, tn_kernel **out, tn_range *range) {
    tn_options options = {""};
    int64_t rows = tn_tunable_ask(dev, "route_mix", "ROWS", 16, 1);
    tn_options_int(&options, "ROWS", (long)rows);
    TN_TRY(tn_kernel_get(dev, "route_mix", name, &options, out));
    size_t local = tn_kernel_group(*out, (size_t)tn_tunable_ask(dev, "route_mix", "LOCAL", 1, 64));
    *range = tn_range_1d((size_t)((N + rows - 1) / rows), local);
    return TN_OK;
}

tn_status tn_route_mix_forward(tn_device *dev, const tn_route_mix_shape *s, tn_buffer *y,
                               const tn_buffer *res, const tn_buffer *c, const tn_buffer *o,
                               const tn_buffer *p, const tn_buffer *h, const tn_buffer *slot) {
    tn_kernel *k;
    tn_range range;
    TN_TRY(kernel(dev, "route_mix_forward", s->N, &k, &range));
    return tn_launch(dev, k, range, tn_arg_buffer(y), tn_arg_buffer(res), tn_arg_buffer(c), tn_arg_buffer(o),
                     tn_arg_buffer(p), tn_arg_buffer(h), tn_arg_buffer(slot), tn_arg_i32(s->N),
                     tn_arg_i32(s->D), tn_arg_i32(s->hard));
}

tn_status tn_route_mix_few(tn_device *dev, const tn_route_mix_shape *s, tn_buffer *y, const tn_buffer *res,
                           const tn_buffer *o, const tn_buffer *p, const tn_buffer *rows,
                           const tn_buffer *h) {
    tn_options options = {""};
    tn_kernel *k;
    if (s->R == 0)
        return TN_OK;
    TN_TRY(tn_kernel_get(dev, "route_mix", "route_mix_few", &options, &k));
    size_t local = tn_kernel_group(k, (size_t)tn_tunable_ask(dev, "route_mix", "LOCAL", 1, 64));
    return tn_launch(dev, k, tn_range_1d((size_t)s->R, local), tn_arg_buffer(y), tn_arg_buffer(res),
                     tn_arg_buffer(o), tn_arg_buffer(p), tn_arg_buffer(rows), tn_arg_buffer(h),
                     tn_arg_i32(s->R), tn_arg_i32(s->D));
}

tn_status tn_route_mix_backward(tn_device *dev, const tn_route_mix_shape *s, tn_buffer *dc, tn_buffer *dout,
                                tn_buffer *dp, const tn_buffer *dy, const tn_buffer *c, const tn_buffer *o,
                                const tn_buffer *p, const tn_buffer *h, const tn_buffer *slot) {
    tn_kernel *k;
    tn_range range;
    TN_TRY(kernel(dev, "route_mix_backward", s->N, &k, &range));
    return tn_launch(dev, k, range, tn_arg_buffer(dc), tn_arg_buffer(dout), tn_arg_buffer(dp),
                     tn_arg_buffer(dy), tn_arg_buffer(c), tn_arg_buffer(o), tn_arg_buffer(p),
                     tn_arg_buffer(h), tn_arg_buffer(slot), tn_arg_i32(s->N), tn_arg_i32(s->D),
                     tn_arg_i32(s->hard));
}
