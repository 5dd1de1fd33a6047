#include "route_capacity.h"

#include "launch.h"

tn_status tn_route_capacity_forward(tn_device *dev, const tn_route_capacity_shape *s, tn_buffer *mask,
                                    const tn_buffer *p) {
    tn_kernel *k;
    TN_TRY(tn_kernel_get(dev, "route_capacity", "route_capacity_forward", NULL, &k));
    size_t local = tn_kernel_group(k, (size_t)tn_tunable(dev, "route_capacity", "LOCAL", 1, 16));
    return tn_launch(dev, k, tn_range_1d((size_t)s->B, local), tn_arg_buffer(mask), tn_arg_buffer(p),
                     tn_arg_i32(s->B), tn_arg_i32(s->T), tn_arg_i32(s->k < s->T ? s->k : s->T));
}
