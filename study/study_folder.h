/* The folder of a study: study.json says with which options it was begun, study.csv and study.md what came
 * out, bits.csv where text costs bits (study_bits.h), runs/ holds a folder a training run. */
#ifndef TN_STUDY_FOLDER_H
#define TN_STUDY_FOLDER_H

#include "device.h"
#include "lock.h"
#include "study_plan.h"

typedef struct tn_study_folder {
    tn_context *ctx;
    char *path, *csv, *markdown, *options, *bits;
    tn_lock lock; /* held while the study runs */
} tn_study_folder;

/* Makes the folder where it is missing and takes it: TN_ERR_OUTPUT while another study writes there.
 * TN_ERR_ARG, naming what differs, where it was made with other options; seeds may grow, and parts may be
 * added. Nothing is left behind where it is refused. */
tn_status tn_study_folder_open(tn_context *ctx, const char *path, const tn_study_options *o,
                               const tn_device_info *device, tn_study_folder *out);
void tn_study_folder_close(tn_study_folder *f);
/* DIR/runs/NAME; caller frees. */
tn_status tn_study_folder_run(const tn_study_folder *f, const char *run, char **out);

#endif
