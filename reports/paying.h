/* From decode rows: the context from which routing pays. A routed token reads the whole cache and any other
 * none of it, so the longer the context, the more of attention's time routing saves. */
#ifndef TN_PAYING_H
#define TN_PAYING_H

#include "breakeven.h"

typedef struct tn_paying_point {
    double context, speedup; /* attention / routed */
} tn_paying_point;

typedef struct tn_paying_bound {
    tn_breakeven_kind kind; /* FOUND: from `context` on; ALWAYS: at every measured context, of which it is the
                               least; NEVER: not at the longest, which it is */
    double context;
} tn_paying_bound;

typedef struct tn_paying {
    const tn_breakeven *of; /* borrowed: device, B, D, H, K, contexts; its `context` is one of those below */
    double rho;
    tn_paying_bound from;
    tn_paying_point *points; /* [count], contexts rising */
    size_t count, capacity;
} tn_paying;

typedef struct tn_payings {
    tn_context *ctx;
    tn_paying *items; /* a layer after the other; by ρ within one */
    size_t count, capacity;
} tn_payings;

/* The context behind which no speed-up is below 1, by a straight line between the logarithms of contexts and
 * of speed-ups. Contexts rise; count ≥ 1. */
tn_paying_bound tn_paying_solve(const tn_paying_point *points, size_t count);
/* Of every layer and every ρ among `found` (compacted, of decoding), which must outlive `out`. */
tn_status tn_payings_make(const tn_breakevens *found, tn_payings *out);
void tn_payings_free(tn_payings *p); /* fine on a zeroed one */

/* "2300", "≤ 1024", "> 262144" */
void tn_paying_text(const tn_paying_bound *bound, char *text, size_t size);

#endif
