/* Inside bench/levels: a step as it is timed. */
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

/* The recall model and its training, with the sizes of `shape`. */
tn_status tn_step_config(tn_context *ctx, const tn_step_shape *shape, tn_train_config *out);

#endif
