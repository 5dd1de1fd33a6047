/* Inside bench/levels: one layer with its inputs, as it is timed. */
#ifndef TN_LAYER_RUN_H
#define TN_LAYER_RUN_H

#include "layer.h"

typedef struct layer_side {
    tn_model *model;
    tn_workspace *ws;
    const tn_input *in;
    const tn_buffer *x, *dmid;
    tn_buffer *dx;
    tn_gate gate;
} layer_side;

typedef struct layer_run {
    tn_context *ctx;
    tn_device *dev;
    const tn_layer_shape *shape;
    tn_input in;
    layer_side mine, dense; /* dense: the attention mixer with the same weights */
    tn_buffer *x, *dmid, *dx;
    float *host_x, *host_dmid; /* [B·T,D] */
    uint8_t *mask;             /* [B·T] rows wanted */
    int watched;               /* launches that were watched so far */
    bool sampled;              /* not every row was held against the reference */
} layer_run;

/* ctx, dev, shape and in are set. Inputs and weights from `seed`; with_dense: the attention mixer beside it.
 * To be freed also where it fails. */
tn_status tn_layer_run_make(layer_run *r, uint64_t seed, bool with_dense);
void tn_layer_run_free(layer_run *r);

bool tn_layer_run_has_forward(const layer_run *r);
bool tn_layer_run_has_backward(const layer_run *r);
tn_status tn_layer_run_forward(tn_device *dev, void *side);
tn_status tn_layer_run_backward(tn_device *dev, void *side);
/* Does row n take the global track? Compacted, if it is wanted; of whole blocks, if any of its block is;
 * masked, and dense, in any case. */
bool tn_layer_run_takes(const layer_run *r, const tn_mixer_pass *pass, int64_t n);

/* x and dmid hold their rows in reverse order, so that as many rows are routed, but others: what a pass on
 * them leaves behind is wrong for x and dmid. */
tn_status tn_layer_run_other(layer_run *r);
tn_status tn_layer_run_usual(layer_run *r); /* x and dmid as they are timed */

#endif
