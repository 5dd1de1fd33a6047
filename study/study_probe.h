/* One checkpoint on two devices: how far apart are they? */
#ifndef TN_STUDY_PROBE_H
#define TN_STUDY_PROBE_H

#include "device.h"
#include "task.h"

typedef struct tn_study_difference {
    int64_t decisions;    /* compared: layers · positions of all sequences */
    int64_t differ;       /* routing decisions that are not the same */
    double largest_logit; /* largest difference between two logits, all positions and the whole vocabulary */
} tn_study_difference;

enum { TN_STUDY_PROBE_SEQUENCES = 16 };

/* `count` held-out sequences of the task through model.safetensors of `folder` on both devices, which may be
 * the same one. */
tn_status tn_study_compare(tn_device *a, tn_device *b, const char *folder, const tn_task_config *task,
                           int64_t count, tn_study_difference *out);

#endif
