/* What the variants of grad_clip agree on. Private to host/ops. */
#ifndef TN_GRAD_CLIP_VARIANTS_H
#define TN_GRAD_CLIP_VARIANTS_H

#include "grad_clip.h"
#include "variant.h"

/* The key of a plan. */
typedef struct tn_grad_clip_key {
    int64_t n;
} tn_grad_clip_key;

typedef struct tn_grad_clip_args {
    double max_norm;
    tn_buffer *scale, *norm;
    const tn_buffer *g;
} tn_grad_clip_args;

extern const tn_variant tn_grad_clip_threads, tn_grad_clip_groups;

#endif
