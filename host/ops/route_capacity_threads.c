/* A sequence of up to TILE positions is one item's; longer ones are cut into tiles, and launches follow each
 * other for every digit. */
#include "route_capacity_variants.h"

enum { TILE, WAYS, LOCAL, PICK };
static const tn_tunable tunables[] = {
    [TILE] = TN_TUNABLE("TILE", "positions of a work-item", 16384, 1024, 0, 256, 1024, 4096, 16384, 65536),
    [WAYS] = TN_TUNABLE("WAYS", "tables a work-item counts in by turns", 2, 1, 0, 1, 2, 4),
    [LOCAL] = TN_TUNABLE("LOCAL", "work-items of a work-group", 1, 32, 0, 1, 16, 32, 64),
    [PICK] = TN_TUNABLE("PICK", "work-items that look for the digit", 1, 256, 0, 1, 16, 64, 256),
};

typedef struct plan {
    int64_t tiles;
    tn_kernel *whole;               /* of one tile */
    tn_kernel *count, *pick, *mark; /* of several */
    tn_range over_whole, over_count, over_pick, over_mark;
} plan;
_Static_assert(sizeof(plan) <= TN_PLAN_BYTES, "route_capacity's plan");

static tn_status make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    const tn_route_capacity_key *s = shape;
    const size_t B = (size_t)s->B, local = (size_t)values[LOCAL];
    tn_options options = {""};
    plan *p = out;
    (void)pass;
    p->tiles = tn_ceil_div(s->T, values[TILE]);
    tn_options_int(&options, "TILE", values[TILE]);
    tn_options_int(&options, "WAYS", values[WAYS]);
    if (p->tiles <= 1) {
        TN_TRY(tn_kernel_get(dev, "route_capacity_threads", "route_capacity_short", &options, &p->whole));
        p->over_whole = tn_range_1d(B, tn_kernel_group(p->whole, local));
        return TN_OK;
    }
    const size_t tiles = (size_t)p->tiles;
    TN_TRY(tn_kernel_get(dev, "route_capacity_threads", "route_capacity_count", &options, &p->count));
    TN_TRY(tn_kernel_get(dev, "route_capacity_threads", "route_capacity_pick", &options, &p->pick));
    TN_TRY(tn_kernel_get(dev, "route_capacity_threads", "route_capacity_mark", &options, &p->mark));
    const size_t pickers = tn_kernel_group(p->pick, (size_t)values[PICK]);
    p->over_count = tn_range_2d(tiles, B, tn_kernel_group(p->count, local), 1);
    p->over_pick = tn_range_1d(B * pickers, pickers);
    p->over_mark = tn_range_2d(tiles, B, tn_kernel_group(p->mark, local), 1);
    return TN_OK;
}

static tn_status tiled(tn_device *dev, const tn_route_capacity_key *s, const plan *p,
                       const tn_route_capacity_args *a) {
    const size_t B = (size_t)s->B, tiles = (size_t)p->tiles;
    tn_buffer *counts, *found, *take;
    TN_TRY(tn_device_scratch(dev, 0, B * tiles * 256 * 4, &counts));
    TN_TRY(tn_device_scratch(dev, 1, B * 2 * 4, &found));
    TN_TRY(tn_device_scratch(dev, 2, B * tiles * 4, &take));
    for (int shift = 24; shift >= 0; shift -= 8) {
        TN_TRY(tn_launch(dev, p->count, p->over_count, tn_arg_buffer(counts), tn_arg_buffer(found),
                         tn_arg_buffer(a->p), tn_arg_i32(s->B), tn_arg_i32(s->T), tn_arg_i32(p->tiles),
                         tn_arg_i32(shift)));
        TN_TRY(tn_launch(dev, p->pick, p->over_pick, tn_arg_buffer(found), tn_arg_buffer(take),
                         tn_arg_buffer(counts), tn_arg_local(256 * 4), tn_arg_i32(s->B), tn_arg_i32(p->tiles),
                         tn_arg_i32(a->k), tn_arg_i32(shift)));
    }
    return tn_launch(dev, p->mark, p->over_mark, tn_arg_buffer(a->mask), tn_arg_buffer(found),
                     tn_arg_buffer(take), tn_arg_buffer(a->p), tn_arg_i32(s->B), tn_arg_i32(s->T),
                     tn_arg_i32(p->tiles));
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *plan_, const void *args) {
    const tn_route_capacity_key *s = shape;
    const tn_route_capacity_args *a = args;
    const plan *p = plan_;
    (void)pass;
    if (!p->whole)
        return tiled(dev, s, p, a);
    return tn_launch(dev, p->whole, p->over_whole, tn_arg_buffer(a->mask), tn_arg_buffer(a->p),
                     tn_arg_i32(s->B), tn_arg_i32(s->T), tn_arg_i32(a->k));
}

const tn_variant tn_route_capacity_threads = {.name = "threads",
                                              .style = TN_STYLE_THREADS,
                                              .portable = true,
                                              .tunable_count = sizeof tunables / sizeof tunables[0],
                                              .tunables = tunables,
                                              .plan = make,
                                              .run = run};
