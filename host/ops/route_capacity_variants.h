/* What the variants of route_capacity agree on. Private to host/ops. */
#ifndef TN_ROUTE_CAPACITY_VARIANTS_H
#define TN_ROUTE_CAPACITY_VARIANTS_H

#include "route_capacity.h"
#include "variant.h"

/* The key of a plan. */
typedef struct tn_route_capacity_key {
    int64_t B, T;
} tn_route_capacity_key;

typedef struct tn_route_capacity_args {
    int64_t k; /* at most T */
    tn_buffer *mask;
    const tn_buffer *p;
} tn_route_capacity_args;

extern const tn_variant tn_route_capacity_groups, tn_route_capacity_threads;

#endif
