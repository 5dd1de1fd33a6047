/* Work that another implementation can do too: our side of it, what is handed over, what is compared. */
#ifndef TN_PEER_WORK_H
#define TN_PEER_WORK_H

#include "case.h"

typedef struct tn_peer_task {
    const char *op, *pass; /* "forward+backward": both in turn, the second on the first's results */
    const char *inputs[6], *outputs[4]; /* tensors of the case, in the order of files; NULL ends */
} tn_peer_task;

extern const tn_peer_task tn_peer_tasks[]; /* in the order they are run in; ends with a NULL op */

typedef struct tn_peer_work {
    const tn_peer_task *task;
    tn_problem first, second;          /* second.c NULL where the task is one pass */
    tn_tensor joined[TN_CASE_TENSORS]; /* the second's, on the first's buffers where names agree */
} tn_peer_work;

/* TN_ERR_UNSUPPORTED where the shape asks for what only ours does (a bias, listed rows, masks). */
tn_status tn_peer_work_make(tn_device *dev, const tn_peer_task *task, const tn_case *c, const tn_shape *shape,
                            uint64_t seed, tn_peer_work *out);
void tn_peer_work_free(tn_peer_work *work);

tn_status tn_peer_work_run(tn_device *dev, void *work); /* one call, as tn_measure_run */
void tn_peer_work_least(const tn_peer_work *work, double *flops, double *bytes);

/* Input `index` of the task as floats. Caller frees. */
tn_status tn_peer_work_input(const tn_peer_work *work, int index, float **values, size_t *count);
size_t tn_peer_work_output_count(const tn_peer_work *work); /* values of all outputs together */
/* Uploads, runs once and reads the outputs, one behind the other. */
tn_status tn_peer_work_outputs(tn_peer_work *work, float *values);
/* The largest over the outputs of max |ours − theirs| / rms(theirs). TN_ERR_CHECK where a value is further
 * off than twice what the case allows against its reference, or no number. */
tn_status tn_peer_work_compare(const tn_peer_work *work, const char *peer, const float *ours,
                               const float *theirs, double *worst);

#endif
