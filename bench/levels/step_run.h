/* Inside bench: a step as it is timed, and its verification. */
#ifndef TN_STEP_RUN_H
#define TN_STEP_RUN_H

#include "step.h"
#include "trainer.h"

struct tn_step {
    tn_context *ctx;
    tn_task *task;
    tn_model *model;
    tn_workspace *ws;
    tn_batch batch;
    int32_t *label_rows, *labels; /* [B·T] */
    tn_input in;
    tn_optimizer optimizer;
    tn_gate gate;
    int64_t done;
    double flops;                 /* of a step, as executed; known once it is verified */
    char verified[64];            /* what was, for the column of that name */
    int watched_from, watched_to; /* numbers of the launches of a watched pass: tn_launch_watch */
};

/* Forward, loss and, of a model that trains, backward of an input. routes [layers,B,T]: NULL where nobody
 * wants them. */
tn_status tn_step_gradient(tn_step *s, const tn_input *in, tn_gate gate, uint8_t *routes);

/* The pass that is timed, on the shape that is timed and on what another batch left, against the reference of
 * the whole model: logits and loss of labelled rows, the gradient of every parameter, and what the update
 * makes of them. Where the reference takes too long for the batch as it is, labels stand early in few
 * sequences: rows behind a label have no part in its gradient. A compacted pass is run several times, each
 * with other labels, until a gradient has come through both tracks of every layer. Weights and moments stay
 * as they are. Fills s->verified. */
tn_status tn_step_check(tn_step *s);

#endif
