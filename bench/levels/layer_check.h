/* Inside bench/levels: the verification of a layer. */
#ifndef TN_LAYER_CHECK_H
#define TN_LAYER_CHECK_H

#include "layer_run.h"

/* One pass of both sides at the shape that is timed, on buffers that hold what another input left, against
 * the reference: mid of every row, or of some where that takes too long; the gradients of x and of every
 * parameter, all of their elements, for a dmid that is what the timed pass has or, where that takes too long,
 * zero but for those rows. */
tn_status tn_layer_run_check(layer_run *r);
/* What that was, for the column `verified`. */
const char *tn_layer_run_verified(const layer_run *r);

#endif
