/* Inside bench/levels: the verification of a step. */
#ifndef TN_STEP_CHECK_H
#define TN_STEP_CHECK_H

#include "step_run.h"

/* The pass that is timed, on the shape that is timed and on what another batch left, against the reference of
 * the whole model: logits and loss of labelled rows, the gradient of every parameter, and what the update
 * makes of them. Where the reference takes too long for the batch as it is, labels stand early in few
 * sequences: rows behind a label have no part in its gradient. A compacted pass is run several times, each
 * with other labels, until a gradient has come through both tracks of every layer. Weights and moments stay
 * as they are. Fills s->verified. */
tn_status tn_step_check(tn_step *s);

#endif
