/* What the variants of rope agree on. Private to host/ops. */
#ifndef TN_ROPE_VARIANTS_H
#define TN_ROPE_VARIANTS_H

#include "rope.h"
#include "variant.h"

enum { TN_ROPE_FORWARD, TN_ROPE_BACKWARD };

/* The key of a plan. */
typedef struct tn_rope_key {
    int64_t R, T, H, Dh;
} tn_rope_key;

typedef struct tn_rope_args {
    tn_buffer *y;
    const tn_buffer *x, *rows;
    double base;
    const tn_buffer *count; /* i32 [1] or NULL, where a variant is `counted` */
} tn_rope_args;

extern const tn_variant tn_rope_threads;

#endif
