/* What the variants of route_gate agree on. Private to host/ops. */
#ifndef TN_ROUTE_GATE_VARIANTS_H
#define TN_ROUTE_GATE_VARIANTS_H

#include "route_gate.h"
#include "variant.h"

enum { TN_ROUTE_GATE_FORWARD, TN_ROUTE_GATE_BACKWARD };

/* The key of a plan. */
typedef struct tn_route_gate_key {
    int64_t N, D;
} tn_route_gate_key;

typedef struct tn_route_gate_args {
    tn_buffer *p_out, *h; /* forward */
    const tn_buffer *b;
    double margin;
    tn_buffer *du, *dw, *db;                /* backward */
    const tn_buffer *dp, *p, *add, *priced; /* add, priced: NULL when absent */
    double dp_const, least_slope;
    tn_partial_sums *later; /* NULL: sums are done at once */
    const tn_buffer *u, *w;
} tn_route_gate_args;

extern const tn_variant tn_route_gate_threads, tn_route_gate_groups;

#endif
