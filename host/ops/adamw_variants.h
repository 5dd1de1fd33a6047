/* What the variants of adamw agree on. Private to host/ops. */
#ifndef TN_ADAMW_VARIANTS_H
#define TN_ADAMW_VARIANTS_H

#include "adamw.h"
#include "variant.h"

/* The key of a plan. */
typedef struct tn_adamw_key {
    int64_t n;
} tn_adamw_key;

typedef struct tn_adamw_args {
    const tn_adamw_shape *s;
    tn_buffer *p, *m, *v;
    const tn_buffer *g, *grad_scale;
} tn_adamw_args;

extern const tn_variant tn_adamw_threads;

#endif
