/* What the variants of mlp agree on. Private to host/ops. */
#ifndef TN_MLP_VARIANTS_H
#define TN_MLP_VARIANTS_H

#include "mlp.h"
#include "variant.h"

enum { TN_MLP_FORWARD, TN_MLP_BACKWARD };

/* The key of a plan. */
typedef struct tn_mlp_key {
    int64_t N, D, F;
    int64_t training; /* 1 in backward, and in a forward pass that one follows */
} tn_mlp_key;

typedef struct tn_mlp_args {
    float eps;
    tn_buffer *y;                /* forward */
    tn_buffer *dx;               /* backward */
    const tn_mlp_weights *grads; /* backward */
    const tn_buffer *dy, *x;
    const tn_mlp_weights *weights;
    const tn_mlp_saved *saved;
    tn_partial_sums *later;
} tn_mlp_args;

extern const tn_variant tn_mlp_fused, tn_mlp_fused_groups, tn_mlp_composed;

#endif
