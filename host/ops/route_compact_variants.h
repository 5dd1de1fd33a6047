/* What the variants of route_compact agree on. Private to host/ops. */
#ifndef TN_ROUTE_COMPACT_VARIANTS_H
#define TN_ROUTE_COMPACT_VARIANTS_H

#include "route_compact.h"
#include "variant.h"

/* KEYS belongs to the forward pass and has no name. */
enum { TN_ROUTE_COMPACT_FORWARD, TN_ROUTE_COMPACT_KEYS };

/* The key of a plan. */
typedef struct tn_route_compact_key {
    int64_t B, T, block; /* block: 1 when positions are alone */
} tn_route_compact_key;

typedef struct tn_route_compact_args {
    tn_buffer *rows, *start, *slot, *last;
    const tn_buffer *mask;
    tn_buffer *kv_start, *kv_rows, *rows_count, *keys_count; /* KEYS, which reads start and last */
} tn_route_compact_args;

/* Rounding of the mask to blocks, a launch in front of either variant's: no kernel where positions are alone.
 */
typedef struct tn_route_compact_widen {
    tn_kernel *kernel;
    tn_range range;
    int64_t items;
} tn_route_compact_widen;
tn_status tn_route_compact_widen_plan(tn_device *dev, const tn_route_compact_key *s, int tile, int local,
                                      tn_route_compact_widen *out);
/* *mask: what is to be compacted from here on, in scratch 2 where it was widened. */
tn_status tn_route_compact_widen_run(tn_device *dev, const tn_route_compact_key *s,
                                     const tn_route_compact_widen *p, const tn_buffer **mask);

extern const tn_variant tn_route_compact_groups, tn_route_compact_single, tn_route_compact_launches;

#endif
