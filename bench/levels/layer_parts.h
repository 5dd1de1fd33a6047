/* Where the time of a routed layer goes: the whole, and every part of it by itself. */
#ifndef TN_LAYER_PARTS_H
#define TN_LAYER_PARTS_H

#include "layer.h"

enum { TN_LAYER_PART_ROWS = TN_PARTS + 2 }; /* the whole, its parts, what is outside kernels */

/* "T=4096" with B, D, H, K and rho where they are not 1, 64, one head of 64 (two for less than 128), 4 and
 * 0.01. TN_ERR_ARG otherwise, and where no row would be routed. The result's mixer and pass are routed and
 * forward. */
tn_status tn_layer_parts_parse(tn_context *ctx, const char *text, tn_layer_shape *out);

/* Fills up to TN_LAYER_PART_ROWS rows, the whole's first, none for a part that has no launch of its own:
 * identity, times, and for the whole its work. Rounds of the whole by the clock and of its parts, one behind
 * the other, by event times. Verified first: the whole against the naive layer, the parts by the bits of the
 * whole. A failure is one row with its reason. options->raw gets the whole's batches. */
tn_status tn_layer_parts_measure(tn_device *dev, const tn_layer_shape *shape, const tn_bench_options *options,
                                 tn_cost_row *rows /* [TN_LAYER_PART_ROWS] */, int *count);

const char *tn_layer_part_name(tn_mixer_part part);

#endif
