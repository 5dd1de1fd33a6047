#include "route_compact.h"

#include "launch.h"

static tn_range grid(const tn_kernel *k, int64_t tiles, int64_t B, size_t wanted) {
    return tn_range_2d((size_t)tiles, (size_t)B, tn_kernel_group(k, wanted), 1);
}

static tn_status whole(tn_device *dev, const tn_route_compact_shape *s, const tn_options *options,
                       tn_buffer *rows, tn_buffer *start, tn_buffer *slot, tn_buffer *last,
                       const tn_buffer *mask) {
    tn_kernel *k;
    TN_TRY(tn_kernel_get(dev, "route_compact", "route_compact_whole", options, &k));
    return tn_launch(dev, k, tn_range_1d(1, 1), tn_arg_buffer(rows), tn_arg_buffer(start),
                     tn_arg_buffer(slot), tn_arg_buffer(last), tn_arg_buffer(mask), tn_arg_i32(s->B),
                     tn_arg_i32(s->T));
}

/* `*mask` rounded to blocks, in scratch. */
static tn_status widen(tn_device *dev, const tn_route_compact_shape *s, int64_t tile, size_t wanted,
                       const tn_buffer **mask) {
    tn_options options = {""};
    tn_kernel *k;
    tn_buffer *wide;
    int64_t share = (tile > s->block ? tile / s->block : 1) * s->block, items = (s->T + share - 1) / share;
    tn_options_int(&options, "TILE", (long)tile);
    tn_options_int(&options, "BLOCK", (long)s->block);
    TN_TRY(tn_kernel_get(dev, "route_compact", "route_compact_widen", &options, &k));
    TN_TRY(tn_device_scratch(dev, 2, (size_t)(s->B * s->T), &wide));
    TN_TRY(tn_launch(dev, k, grid(k, items, s->B, wanted), tn_arg_buffer(wide), tn_arg_buffer(*mask),
                     tn_arg_i32(s->B), tn_arg_i32(s->T), tn_arg_i32(items)));
    *mask = wide;
    return TN_OK;
}

tn_status tn_route_compact_forward(tn_device *dev, const tn_route_compact_shape *s, tn_buffer *rows,
                                   tn_buffer *start, tn_buffer *slot, tn_buffer *last,
                                   const tn_buffer *mask) {
    int64_t tile = tn_tunable_ask(dev, "route_compact", "TILE", 4096, 256), tiles = (s->T + tile - 1) / tile;
    size_t wanted = (size_t)tn_tunable_ask(dev, "route_compact", "LOCAL", 1, 64),
           bytes = (size_t)(s->B * tiles) * 4;
    tn_options options = {""};
    tn_kernel *count, *scan, *place;
    tn_buffer *counts, *lasts;
    tn_options_int(&options, "TILE", (long)tile);
    if (s->block > 1)
        TN_TRY(widen(dev, s, tile, wanted, &mask));
    if (s->B * s->T <= tn_tunable_ask(dev, "route_compact", "WHOLE", 32768, 0))
        return whole(dev, s, &options, rows, start, slot, last, mask);
    TN_TRY(tn_kernel_get(dev, "route_compact", "route_compact_count", &options, &count));
    TN_TRY(tn_kernel_get(dev, "route_compact", "route_compact_scan", &options, &scan));
    TN_TRY(tn_kernel_get(dev, "route_compact", "route_compact_place", &options, &place));
    TN_TRY(tn_device_scratch(dev, 0, bytes, &counts));
    TN_TRY(tn_device_scratch(dev, 1, bytes, &lasts));
    size_t scanners = tn_kernel_group(scan, (size_t)tn_tunable_ask(dev, "route_compact", "SCAN", 1, 256));
    TN_TRY(tn_launch(dev, count, grid(count, tiles, s->B, wanted), tn_arg_buffer(counts),
                     tn_arg_buffer(lasts), tn_arg_buffer(mask), tn_arg_i32(s->B), tn_arg_i32(s->T),
                     tn_arg_i32(tiles)));
    TN_TRY(tn_launch(dev, scan, tn_range_1d(scanners, scanners), tn_arg_buffer(start), tn_arg_buffer(last),
                     tn_arg_buffer(counts), tn_arg_buffer(lasts), tn_arg_local(scanners * 4),
                     tn_arg_i32(s->B), tn_arg_i32(tiles)));
    return tn_launch(dev, place, grid(place, tiles, s->B, wanted), tn_arg_buffer(rows), tn_arg_buffer(slot),
                     tn_arg_buffer(counts), tn_arg_buffer(start), tn_arg_buffer(mask), tn_arg_i32(s->B),
                     tn_arg_i32(s->T), tn_arg_i32(tiles));
}
