/* The mixer of one layer by itself, and the parts that it is made of: for the model, and for who times or
 * checks a layer alone. */
#ifndef TN_MIXER_H
#define TN_MIXER_H

#include "model.h"

/* The mixer of one layer: mid = x + mixer(norm₁(x)), with stats and routes as in tn_model_forward. */
tn_status tn_mixer_forward(tn_workspace *ws, const tn_input *in, tn_gate gate, int64_t layer,
                           const tn_buffer *x);
/* dx = gradient at x from dmid; parameter gradients are there once tn_mixer_sums_finish has been called.
 * penalty as in tn_model_backward. */
tn_status tn_mixer_backward(tn_workspace *ws, const tn_input *in, tn_gate gate, int64_t layer, tn_buffer *dx,
                            const tn_buffer *dmid, const tn_buffer *x, double penalty);
/* Adds up what a backward pass has left for later: gradients of weights. */
tn_status tn_mixer_sums_finish(tn_workspace *ws);

/* What a compacted pass through a routed mixer is made of, in its order. */
typedef enum tn_mixer_part {
    TN_PART_CONV_TRACK,  /* norm₁, router, convolution and W_c where one launch does them; else they are: */
    TN_PART_NORM,        /* norm₁ */
    TN_PART_ROUTER,      /* p and h of every row */
    TN_PART_COMPACTION,  /* list of routed rows, read back, plan of k and v rows */
    TN_PART_CONVOLUTION, /* dwconv and SiLU */
    TN_PART_CONVOLUTION_OUT, /* W_c */
    TN_PART_GATHER,          /* inputs of q, and of k and v where they are no prefix */
    TN_PART_PROJECTIONS,     /* q, k, v; absorbed: q */
    TN_PART_ATTENTION,
    TN_PART_OUTPUT,  /* W_o */
    TN_PART_SCATTER, /* mixing of the two tracks and the residual */
    TN_PARTS
} tn_mixer_part;
/* One part by itself: its inputs are what the parts before it, or a whole forward pass with at least one
 * routed row, left. */
tn_status tn_mixer_part_forward(tn_workspace *ws, const tn_input *in, int64_t layer, const tn_buffer *x,
                                tn_mixer_part part);

/* What the last pass through a layer left. */
typedef struct tn_mixer_pass {
    tn_buffer *mid;     /* [B·T,D], borrowed */
    const tn_buffer *p; /* [B·T], borrowed */
    int64_t R, P,
        block;     /* rows that took the global track; rows of k and v; routing was rounded to so many rows */
    bool dense;    /* all rows took the global track */
    bool absorbed; /* keys and values are rows of u (attention_absorb.h) */
} tn_mixer_pass;
/* Where the device alone knows R and P (they are −1 then): reads them, which waits for it. */
tn_status tn_mixer_count(tn_workspace *ws, int64_t layer);
tn_mixer_pass tn_mixer_last(tn_workspace *ws, int64_t layer);

/* Writes 1000 over every float of every layer and of every gradient that is not a parameter's: what a pass
 * does not write then shows. Lists of rows stay, for a number that is none would send a kernel anywhere. */
tn_status tn_workspace_spoil(tn_workspace *ws);

#endif
