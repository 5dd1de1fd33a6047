/* A task's batch as a model's input. */
#ifndef TN_INPUT_H
#define TN_INPUT_H

#include "model.h"
#include "task.h"

/* The labelled positions as a row list; label_rows and labels have room for B·T and back the result, which
 * borrows the batch. When every position has a label, label_rows stays NULL in the result. */
tn_input tn_batch_input(const tn_batch *batch, int32_t *label_rows, int32_t *labels);

#endif
