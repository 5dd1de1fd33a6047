/* What the variants of rms_norm agree on. Private to host/ops. */
#ifndef TN_RMS_NORM_VARIANTS_H
#define TN_RMS_NORM_VARIANTS_H

#include "rms_norm.h"
#include "variant.h"

enum { TN_RMS_NORM_FORWARD, TN_RMS_NORM_BACKWARD };

/* The key of a plan. */
typedef struct tn_rms_norm_key {
    int64_t N, D, in_place; /* in_place: the gradient is added to what stands in dx */
} tn_rms_norm_key;

typedef struct tn_rms_norm_args {
    tn_buffer *y, *rstd_out;          /* forward */
    tn_buffer *dx, *dw;               /* backward */
    const tn_buffer *dy, *add, *rstd; /* add: NULL when absent */
    const tn_buffer *x, *w;
    double eps;
    tn_partial_sums *later; /* NULL: sums are done at once */
} tn_rms_norm_args;

extern const tn_variant tn_rms_norm_threads, tn_rms_norm_groups;

#endif
