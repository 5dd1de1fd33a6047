/* What the variants of embedding agree on. Private to host/ops. */
#ifndef TN_EMBEDDING_VARIANTS_H
#define TN_EMBEDDING_VARIANTS_H

#include "embedding.h"
#include "variant.h"

enum { TN_EMBEDDING_FORWARD, TN_EMBEDDING_BACKWARD };

/* The key of a plan. */
typedef struct tn_embedding_key {
    int64_t N, D, V, C;
} tn_embedding_key;

typedef struct tn_embedding_args {
    tn_buffer *y; /* forward */
    const tn_buffer *table, *tokens, *more, *codes;
    tn_buffer *dtable; /* backward */
    const tn_buffer *dy, *order, *start;
} tn_embedding_args;

extern const tn_variant tn_embedding_groups, tn_embedding_threads;

#endif
