/* What the variants of route_mix agree on. Private to host/ops. */
#ifndef TN_ROUTE_MIX_VARIANTS_H
#define TN_ROUTE_MIX_VARIANTS_H

#include "route_mix.h"
#include "variant.h"

/* FEW, the pass for listed rows, belongs to the forward one and has no name. */
enum { TN_ROUTE_MIX_FORWARD, TN_ROUTE_MIX_BACKWARD, TN_ROUTE_MIX_FEW };

/* The key of a plan. Not R: another number of listed rows comes with every step. */
typedef struct tn_route_mix_key {
    int64_t N, D, added; /* added: 0 or 1 */
} tn_route_mix_key;

typedef struct tn_route_mix_args {
    int64_t R;
    bool hard;
    tn_buffer *y; /* forward */
    const tn_buffer *res;
    const tn_buffer *rows;     /* FEW */
    const tn_buffer *count;    /* FEW, where a variant has it `counted`: i32 [1] or NULL */
    tn_buffer *dc, *dout, *dp; /* backward */
    const tn_buffer *dy;
    const tn_buffer *c, *o, *p, *h, *slot;
} tn_route_mix_args;

extern const tn_variant tn_route_mix_threads, tn_route_mix_groups;

#endif
