/* routes.csv of a run: where its router sent each position of a few held-out sequences. */
#ifndef TN_ROUTES_H
#define TN_ROUTES_H

#include "model.h"
#include "task.h"

enum {
    TN_ROUTES_SEQUENCES = 4, /* that a run's routes.csv shows */
    TN_ROUTES_WHOLE = 256,   /* positions up to which a sequence is shown whole … */
    TN_ROUTES_ENDS = 8,      /* … beyond it rows routed or needed, and this many at both ends … */
    TN_ROUTES_TEXT = 1024 /* … and of text so many bytes in layer 0, routed or not: they are to be read */
};

/* Header and rows for held-out sequences 0 … count − 1 of the task: sequence, layer and position count from
 * 0; oracle is empty where the task does not know. The file is written whole or not at all. */
tn_status tn_routes_write(tn_model *m, const tn_task *task, int64_t count, const char *path);
extern const char tn_routes_header[]; /* with its line break */

#endif
