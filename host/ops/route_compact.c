#include "route_compact.h"

#include "launch.h"

tn_status tn_route_compact_forward(tn_device *dev, const tn_route_compact_shape *s, tn_buffer *rows,
                                   tn_buffer *start, tn_buffer *slot, tn_buffer *last,
                                   const tn_buffer *mask) {
    int64_t tile = tn_tunable(dev, "route_compact", "TILE", 4096, 1024), tiles = (s->T + tile - 1) / tile;
    size_t items = (size_t)(s->B * tiles), wanted = (size_t)tn_tunable(dev, "route_compact", "LOCAL", 1, 64);
    tn_options options = {""};
    tn_kernel *count, *scan, *place;
    tn_buffer *counts, *lasts;
    tn_options_int(&options, "TILE", (long)tile);
    TN_TRY(tn_kernel_get(dev, "route_compact", "route_compact_count", &options, &count));
    TN_TRY(tn_kernel_get(dev, "route_compact", "route_compact_scan", &options, &scan));
    TN_TRY(tn_kernel_get(dev, "route_compact", "route_compact_place", &options, &place));
    TN_TRY(tn_device_scratch(dev, 0, items * 4, &counts));
    TN_TRY(tn_device_scratch(dev, 1, items * 4, &lasts));
    TN_TRY(tn_launch(dev, count, tn_range_1d(items, tn_kernel_group(count, wanted)), tn_arg_buffer(counts),
                     tn_arg_buffer(lasts), tn_arg_buffer(mask), tn_arg_i32(s->B), tn_arg_i32(s->T),
                     tn_arg_i32(tiles)));
    TN_TRY(tn_launch(dev, scan, tn_range_1d(1, 1), tn_arg_buffer(start), tn_arg_buffer(last),
                     tn_arg_buffer(counts), tn_arg_buffer(lasts), tn_arg_i32(s->B), tn_arg_i32(tiles)));
    return tn_launch(dev, place, tn_range_1d(items, tn_kernel_group(place, wanted)), tn_arg_buffer(rows),
                     tn_arg_buffer(slot), tn_arg_buffer(counts), tn_arg_buffer(mask), tn_arg_i32(s->B),
                     tn_arg_i32(s->T), tn_arg_i32(tiles));
}
