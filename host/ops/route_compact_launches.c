/* Three launches: items count the routed positions of a tile, one work-group scans the counts, items place.
 */
#include "route_compact_variants.h"

enum { TILE, LOCAL, SCAN };
static const tn_tunable tunables[] = {
    [TILE] = TN_TUNABLE("TILE", "positions of a work-item", 4096, 256, 0, 64, 256, 1024, 4096, 16384),
    [LOCAL] = TN_TUNABLE_LOCAL(64),
    [SCAN] = TN_TUNABLE("SCAN", "work-items that add up the counts", 1, 256, 0, 1, 16, 64, 256),
};

typedef struct plan {
    tn_kernel *count, *scan, *place, *keys;
    tn_range over_count, over_scan, over_place, over_keys;
    int64_t tiles;
    size_t scanners;
    tn_route_compact_widen widen;
} plan;
_Static_assert(sizeof(plan) <= TN_PLAN_BYTES, "route_compact's plan");

static tn_status keys_plan(tn_device *dev, const tn_route_compact_key *s, size_t local, plan *p) {
    TN_TRY(tn_kernel_get(dev, "route_compact_threads", "route_compact_keys", NULL, &p->keys));
    p->over_keys = tn_range_2d((size_t)s->T, (size_t)s->B, tn_kernel_group(p->keys, local), 1);
    return TN_OK;
}

static tn_status make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    const tn_route_compact_key *s = shape;
    const size_t B = (size_t)s->B, local = (size_t)values[LOCAL];
    tn_options options = {""};
    plan *p = out;
    if (pass == TN_ROUTE_COMPACT_KEYS)
        return keys_plan(dev, s, local, p);
    TN_TRY(tn_route_compact_widen_plan(dev, s, values[TILE], values[LOCAL], &p->widen));
    tn_options_int(&options, "TILE", values[TILE]);
    TN_TRY(tn_kernel_get(dev, "route_compact_threads", "route_compact_count", &options, &p->count));
    TN_TRY(tn_kernel_get(dev, "route_compact_threads", "route_compact_scan", &options, &p->scan));
    TN_TRY(tn_kernel_get(dev, "route_compact_threads", "route_compact_place", &options, &p->place));
    p->tiles = tn_ceil_div(s->T, values[TILE]);
    p->scanners = tn_kernel_group(p->scan, (size_t)values[SCAN]);
    p->over_count = tn_range_2d((size_t)p->tiles, B, tn_kernel_group(p->count, local), 1);
    p->over_scan = tn_range_1d(p->scanners, p->scanners);
    p->over_place = tn_range_2d((size_t)p->tiles, B, tn_kernel_group(p->place, local), 1);
    return TN_OK;
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *plan_, const void *args) {
    const tn_route_compact_key *s = shape;
    const tn_route_compact_args *a = args;
    const plan *p = plan_;
    const size_t bytes = (size_t)(s->B * p->tiles) * 4;
    const tn_buffer *mask = a->mask;
    tn_buffer *counts, *lasts;
    if (pass == TN_ROUTE_COMPACT_KEYS)
        return tn_launch(dev, p->keys, p->over_keys, tn_arg_buffer(a->kv_start), tn_arg_buffer(a->kv_rows),
                         tn_arg_buffer(a->rows_count), tn_arg_buffer(a->keys_count), tn_arg_buffer(a->start),
                         tn_arg_buffer(a->last), tn_arg_i32(s->B), tn_arg_i32(s->T));
    TN_TRY(tn_route_compact_widen_run(dev, s, &p->widen, &mask));
    TN_TRY(tn_device_scratch(dev, 0, bytes, &counts));
    TN_TRY(tn_device_scratch(dev, 1, bytes, &lasts));
    TN_TRY(tn_launch(dev, p->count, p->over_count, tn_arg_buffer(counts), tn_arg_buffer(lasts),
                     tn_arg_buffer(mask), tn_arg_i32(s->B), tn_arg_i32(s->T), tn_arg_i32(p->tiles)));
    TN_TRY(tn_launch(dev, p->scan, p->over_scan, tn_arg_buffer(a->start), tn_arg_buffer(a->last),
                     tn_arg_buffer(counts), tn_arg_buffer(lasts), tn_arg_local(p->scanners * 4),
                     tn_arg_i32(s->B), tn_arg_i32(p->tiles)));
    return tn_launch(dev, p->place, p->over_place, tn_arg_buffer(a->rows), tn_arg_buffer(a->slot),
                     tn_arg_buffer(counts), tn_arg_buffer(a->start), tn_arg_buffer(mask), tn_arg_i32(s->B),
                     tn_arg_i32(s->T), tn_arg_i32(p->tiles));
}

const tn_variant tn_route_compact_launches = {.name = "launches",
                                              .style = TN_STYLE_THREADS,
                                              .portable = true,
                                              .tunable_count = sizeof tunables / sizeof tunables[0],
                                              .tunables = tunables,
                                              .plan = make,
                                              .run = run};
