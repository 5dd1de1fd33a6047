/* What the variants of gelu agree on. Private to host/ops. */
#ifndef TN_GELU_VARIANTS_H
#define TN_GELU_VARIANTS_H

#include "gelu.h"
#include "variant.h"

enum { TN_GELU_FORWARD, TN_GELU_BACKWARD };

/* The key of a plan. */
typedef struct tn_gelu_key {
    int64_t count, in_place;
} tn_gelu_key;

typedef struct tn_gelu_args {
    tn_buffer *y; /* or dx */
    const tn_buffer *dy, *x;
} tn_gelu_args;

extern const tn_variant tn_gelu_threads;

#endif
