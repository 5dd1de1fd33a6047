/* What the variants of causal_conv agree on. Private to host/ops. */
#ifndef TN_CAUSAL_CONV_VARIANTS_H
#define TN_CAUSAL_CONV_VARIANTS_H

#include "causal_conv.h"
#include "variant.h"

enum { TN_CAUSAL_CONV_FORWARD, TN_CAUSAL_CONV_BACKWARD };

/* The key of a plan. */
typedef struct tn_causal_conv_key {
    int64_t B, T, D, K;
    int64_t silu, in_place; /* in_place: the gradient is added to what stands in du */
} tn_causal_conv_key;

typedef struct tn_causal_conv_args {
    tn_buffer *y;              /* forward */
    tn_buffer *du, *dw, *db;   /* backward */
    const tn_buffer *dy, *add; /* add: NULL when absent */
    const tn_buffer *u, *w, *b;
    tn_partial_sums *later; /* NULL: sums are done at once */
} tn_causal_conv_args;

/* The launches of any variant's kernels. `parts`: partial sums of the gradients of taps and bias. */
tn_status tn_causal_conv_launch_forward(tn_device *dev, const tn_causal_conv_key *s, tn_kernel *kernel,
                                        tn_range range, const tn_causal_conv_args *a);
tn_status tn_causal_conv_launch_backward(tn_device *dev, const tn_causal_conv_key *s, tn_kernel *kernel,
                                         tn_range range, int64_t parts, const tn_causal_conv_args *a);

extern const tn_variant tn_causal_conv_wide, tn_causal_conv_groups, tn_causal_conv_threads;

#endif
