/* One mixer of the model, alone: what routing costs and saves against dense attention of the same shape. */
#ifndef TN_LAYER_H
#define TN_LAYER_H

#include "op.h"

typedef struct tn_layer_shape {
    int64_t B, T, D, H, K;
    double rho;        /* exactly ⌈rho·T⌉ rows of every sequence are routed; ignored by other mixers */
    const char *mixer; /* "conv", "attention", "routed" */
    const char *pass;  /* "forward", "backward", "step": one after the other */
} tn_layer_shape;

/* Times the layer and, for a routed one, dense attention in turn with it. Fills times, work and the dense_*
 * columns of a row whose identity (device, shape, seed) is already set. */
tn_status tn_layer_measure(tn_device *dev, const tn_layer_shape *shape, const tn_bench_options *options,
                           tn_cost_row *row);

#endif
