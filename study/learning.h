/* What learning to route took, from the metrics.csv of a run. */
#ifndef TN_LEARNING_H
#define TN_LEARNING_H

#include "context.h"

typedef struct tn_learning {
    double phase1_s, phase2_s; /* training time in each, to the last logged step of it */
    int64_t
        steps_to_999; /* first logged step from which on the training accuracy is 0.999 or more; −1: none */
} tn_learning;

tn_status tn_learning_read(tn_context *ctx, const char *path, tn_learning *out);

#endif
