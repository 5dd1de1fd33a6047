#include "route_compact.h"

#include "route_compact_variants.h"

static const char *const passes[] = {"forward", NULL};
static const tn_variant *const variants[] = {&tn_route_compact_groups, &tn_route_compact_single,
                                             &tn_route_compact_launches, NULL};
const tn_op tn_route_compact_op = {.name = "route_compact",
                                   .passes = passes,
                                   .shape_bytes = sizeof(tn_route_compact_key),
                                   .variants = variants};

tn_status tn_route_compact_widen_plan(tn_device *dev, const tn_route_compact_key *s, int tile, int local,
                                      tn_route_compact_widen *out) {
    const int64_t share = (tile > s->block ? tile / s->block : 1) * s->block;
    tn_options options = {""};
    if (s->block == 1)
        return TN_OK;
    out->items = tn_ceil_div(s->T, share);
    tn_options_int(&options, "TILE", tile);
    tn_options_int(&options, "BLOCK", (long)s->block);
    TN_TRY(tn_kernel_get(dev, "route_compact_threads", "route_compact_widen", &options, &out->kernel));
    out->range =
        tn_range_2d((size_t)out->items, (size_t)s->B, tn_kernel_group(out->kernel, (size_t)local), 1);
    return TN_OK;
}

tn_status tn_route_compact_widen_run(tn_device *dev, const tn_route_compact_key *s,
                                     const tn_route_compact_widen *p, const tn_buffer **mask) {
    tn_buffer *wide;
    if (!p->kernel)
        return TN_OK;
    TN_TRY(tn_device_scratch(dev, 2, (size_t)(s->B * s->T), &wide));
    TN_TRY(tn_launch(dev, p->kernel, p->range, tn_arg_buffer(wide), tn_arg_buffer(*mask), tn_arg_i32(s->B),
                     tn_arg_i32(s->T), tn_arg_i32(p->items)));
    *mask = wide;
    return TN_OK;
}

tn_status tn_route_compact_forward(tn_device *dev, const tn_route_compact_shape *s, tn_buffer *rows,
                                   tn_buffer *start, tn_buffer *slot, tn_buffer *last,
                                   const tn_buffer *mask) {
    return tn_op_run(dev, &tn_route_compact_op, TN_ROUTE_COMPACT_FORWARD,
                     &(tn_route_compact_key){s->B, s->T, s->block > 1 ? s->block : 1},
                     &(tn_route_compact_args){rows, start, slot, last, mask});
}

tn_status tn_route_compact_keys(tn_device *dev, const tn_route_compact_shape *s, tn_buffer *kv_start,
                                tn_buffer *kv_rows, tn_buffer *rows_count, tn_buffer *keys_count,
                                tn_buffer *start, tn_buffer *last) {
    return tn_op_run(dev, &tn_route_compact_op, TN_ROUTE_COMPACT_KEYS, &(tn_route_compact_key){s->B, s->T, 1},
                     &(tn_route_compact_args){.start = start,
                                              .last = last,
                                              .kv_start = kv_start,
                                              .kv_rows = kv_rows,
                                              .rows_count = rows_count,
                                              .keys_count = keys_count});
}
