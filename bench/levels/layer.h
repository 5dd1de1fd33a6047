/* One mixer of the model, alone: what routing costs and saves against dense attention of the same shape. */
#ifndef TN_LAYER_H
#define TN_LAYER_H

#include "bench_op.h"
#include "execution.h"
#include "mixer.h"

typedef struct tn_layer_shape {
    int64_t B, T, D, H, K;
    int64_t G;  /* heads of keys and values; 0: H */
    double rho; /* exactly ⌈rho·T⌉ rows of every sequence are routed; ignored by other mixers */
    tn_execution execution; /* of a routed layer */
    const char *mixer;      /* "conv", "attention", "routed" */
    const char *pass;       /* "forward", "backward", "step": one after the other */
} tn_layer_shape;

/* Times the layer and, for a routed one, dense attention in turn with it. Fills times, work and the dense_*
 * columns of a row whose identity (device, shape, seed) is already set. */
tn_status tn_layer_measure(tn_device *dev, const tn_layer_shape *shape, const tn_bench_options *options,
                           tn_cost_row *row);

/* The layer itself, without a dense one beside it: inputs and weights from `seed`, its output verified. */
typedef struct tn_layer tn_layer;
tn_status tn_layer_open(tn_device *dev, const tn_layer_shape *shape, uint64_t seed, tn_layer **out);
void tn_layer_close(tn_layer *layer); /* NULL is fine */
tn_status tn_layer_forward(tn_device *dev, void *layer);
tn_status tn_layer_forward_other(tn_layer *layer);    /* on another input, which routes other rows */
const char *tn_layer_verified(const tn_layer *layer); /* as the column of that name */
tn_status tn_layer_part(tn_layer *layer, tn_mixer_part part);
tn_status tn_layer_parts_run(tn_layer *layer);     /* each of them, as checks watch it (tn_launch_watch) */
const tn_buffer *tn_layer_output(tn_layer *layer); /* [B·T,D], borrowed */
/* Of a whole forward pass; `keys` as the column of that name. */
tn_status tn_layer_work(const tn_layer *layer, double *flops, double *bytes, const char **keys);

#endif
