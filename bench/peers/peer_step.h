/* A training step beside another implementation's: the same weights, the same batch, the loss compared over
 * several steps, then timed in turn. */
#ifndef TN_PEER_STEP_H
#define TN_PEER_STEP_H

#include "peers.h"
#include "step.h"

/* As tn_peers_measure, for the dense step of the recall model (TN_ERR_UNSUPPORTED in the row for a compacted
 * one: nothing else does the same work). peer_max_diff is of the losses before steps 1 to 5. */
tn_status tn_peers_measure_step(tn_peers *peers, tn_device *dev, int kind, const tn_step_shape *shape,
                                const tn_bench_options *options, tn_cost_row *row);

#endif
