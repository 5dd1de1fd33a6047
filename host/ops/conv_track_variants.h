/* What the variants of conv_track agree on. Private to host/ops. */
#ifndef TN_CONV_TRACK_VARIANTS_H
#define TN_CONV_TRACK_VARIANTS_H

#include "conv_track.h"
#include "variant.h"

enum { TN_CONV_TRACK_FORWARD, TN_CONV_TRACK_BACKWARD };

/* The key of a plan. */
typedef struct tn_conv_track_key {
    int64_t B, T, D, K;
    int64_t training; /* 1 in backward, and in a forward pass that one follows */
} tn_conv_track_key;

typedef struct tn_conv_track_args {
    const tn_conv_track_shape *shape;
    tn_buffer *c;                       /* forward */
    const tn_buffer *x, *add;           /* forward */
    tn_buffer *du, *ds;                 /* backward */
    const tn_buffer *dc;                /* backward */
    const tn_conv_track_weights *grads; /* backward */
    const tn_conv_track_weights *weights;
    const tn_conv_track_saved *saved;
    tn_partial_sums *later;
} tn_conv_track_args;

extern const tn_variant tn_conv_track_fused, tn_conv_track_composed;

#endif
