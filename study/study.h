/* Runs a plan: trains what is not trained, evaluates it, writes a row. A study that was stopped or killed
 * goes on where it was; a run that fails is a row that says so. */
#ifndef TN_STUDY_H
#define TN_STUDY_H

#include "device.h"
#include "study_plan.h"

typedef struct tn_study_result {
    int rows, kept, ok, skipped, errors; /* of the plan; kept: there before this call, and no error */
} tn_study_result;

/* Into `path`: study.csv, study.md, study.json and runs/. seconds: for timing an evaluation, 0: about two.
 * TN_ERR_ARG where the folder is of another study; TN_ERR_INTERRUPTED after Ctrl-C, all saved; TN_ERR_DEVICE
 * at the end where a row is an error. */
tn_status tn_study_run(tn_context *ctx, const tn_study_options *o, const char *path, double seconds,
                       const tn_device_list *list, const tn_device_info *device, tn_study_result *out);

#endif
