/* A whole forward pass of the model, routed beside attention in every row: cells of level `model`. */
#ifndef TN_MODEL_FORWARD_H
#define TN_MODEL_FORWARD_H

#include "step.h"

/* Fills times, work and the dense_* columns of a row whose identity is already set. The model is the recall
 * model with the sizes of `shape`, on a fixed batch of recall. `shape->rho` (NaN: the attention mixer) is the
 * capacity of every layer, so exactly ⌈rho·T⌉ rows a sequence are routed; such a pass is timed in turn with
 * attention of the same weights. Verified first by the logits: the compacted pass against both tracks
 * computed for all rows with the same decisions, and attention against the routed model with every row
 * routed. */
tn_status tn_model_forward_fill(tn_device *dev, const tn_step_shape *shape, const tn_bench_options *options,
                                tn_cost_row *row);

#endif
