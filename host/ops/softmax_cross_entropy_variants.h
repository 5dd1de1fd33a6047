/* What the variants of softmax_cross_entropy agree on. Private to host/ops. */
#ifndef TN_SOFTMAX_CROSS_ENTROPY_VARIANTS_H
#define TN_SOFTMAX_CROSS_ENTROPY_VARIANTS_H

#include "softmax_cross_entropy.h"
#include "variant.h"

enum { TN_SOFTMAX_CROSS_ENTROPY_FORWARD, TN_SOFTMAX_CROSS_ENTROPY_BACKWARD };

/* The key of a plan. */
typedef struct tn_softmax_cross_entropy_key {
    int64_t L, V;
} tn_softmax_cross_entropy_key;

typedef struct tn_softmax_cross_entropy_args {
    tn_buffer *loss, *lse_out, *predicted; /* forward */
    tn_buffer *dlogits;                    /* backward */
    const tn_buffer *lse;
    double scale;
    const tn_buffer *logits, *labels;
} tn_softmax_cross_entropy_args;

tn_status tn_softmax_cross_entropy_launch_backward(tn_device *dev, const tn_softmax_cross_entropy_key *s,
                                                   const tn_launch_plan *p,
                                                   const tn_softmax_cross_entropy_args *a);

extern const tn_variant tn_softmax_cross_entropy_threads, tn_softmax_cross_entropy_groups;

#endif
