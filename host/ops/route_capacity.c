#include "route_capacity.h"

#include "launch.h"

typedef struct tn_capacity_plan {
    tn_options options;
    int64_t tile, tiles, k;
    size_t local, pickers; /* wanted */
} tn_capacity_plan;

static tn_capacity_plan plan_for(const tn_device *dev, const tn_route_capacity_shape *s) {
    tn_capacity_plan plan = {{""}, tn_tunable_ask(dev, "route_capacity", "TILE", 16384, 1024)};
    plan.tiles = (s->T + plan.tile - 1) / plan.tile;
    plan.k = s->k < s->T ? s->k : s->T;
    plan.local = (size_t)tn_tunable_ask(dev, "route_capacity", "LOCAL", 1, 32);
    plan.pickers = (size_t)tn_tunable_ask(dev, "route_capacity", "PICK", 1, 256);
    tn_options_int(&plan.options, "TILE", (long)plan.tile);
    tn_options_int(&plan.options, "WAYS", tn_tunable_ask(dev, "route_capacity", "WAYS", 2, 1));
    return plan;
}

static tn_status whole(tn_device *dev, const tn_route_capacity_shape *s, const tn_capacity_plan *plan,
                       tn_buffer *mask, const tn_buffer *p) {
    tn_kernel *k;
    TN_TRY(tn_kernel_get(dev, "route_capacity", "route_capacity_short", &plan->options, &k));
    return tn_launch(dev, k, tn_range_1d((size_t)s->B, tn_kernel_group(k, plan->local)), tn_arg_buffer(mask),
                     tn_arg_buffer(p), tn_arg_i32(s->B), tn_arg_i32(s->T), tn_arg_i32(plan->k));
}

static tn_status tiled(tn_device *dev, const tn_route_capacity_shape *s, const tn_capacity_plan *plan,
                       tn_buffer *mask, const tn_buffer *p) {
    tn_kernel *count, *pick, *mark;
    tn_buffer *counts, *found, *take;
    size_t tiles = (size_t)plan->tiles, B = (size_t)s->B;
    TN_TRY(tn_kernel_get(dev, "route_capacity", "route_capacity_count", &plan->options, &count));
    TN_TRY(tn_kernel_get(dev, "route_capacity", "route_capacity_pick", &plan->options, &pick));
    TN_TRY(tn_kernel_get(dev, "route_capacity", "route_capacity_mark", &plan->options, &mark));
    TN_TRY(tn_device_scratch(dev, 0, B * tiles * 256 * 4, &counts));
    TN_TRY(tn_device_scratch(dev, 1, B * 2 * 4, &found));
    TN_TRY(tn_device_scratch(dev, 2, B * tiles * 4, &take));
    size_t pickers = tn_kernel_group(pick, plan->pickers);
    tn_range over = tn_range_2d(tiles, B, tn_kernel_group(count, plan->local), 1);
    for (int shift = 24; shift >= 0; shift -= 8) {
        TN_TRY(tn_launch(dev, count, over, tn_arg_buffer(counts), tn_arg_buffer(found), tn_arg_buffer(p),
                         tn_arg_i32(s->B), tn_arg_i32(s->T), tn_arg_i32(plan->tiles), tn_arg_i32(shift)));
        TN_TRY(tn_launch(dev, pick, tn_range_1d(B * pickers, pickers), tn_arg_buffer(found),
                         tn_arg_buffer(take), tn_arg_buffer(counts), tn_arg_local(256 * 4), tn_arg_i32(s->B),
                         tn_arg_i32(plan->tiles), tn_arg_i32(plan->k), tn_arg_i32(shift)));
    }
    over = tn_range_2d(tiles, B, tn_kernel_group(mark, plan->local), 1);
    return tn_launch(dev, mark, over, tn_arg_buffer(mask), tn_arg_buffer(found), tn_arg_buffer(take),
                     tn_arg_buffer(p), tn_arg_i32(s->B), tn_arg_i32(s->T), tn_arg_i32(plan->tiles));
}

tn_status tn_route_capacity_forward(tn_device *dev, const tn_route_capacity_shape *s, tn_buffer *mask,
                                    const tn_buffer *p) {
    tn_capacity_plan plan = plan_for(dev, s);
    return (plan.tiles > 1 ? tiled : whole)(dev, s, &plan, mask, p);
}
