/* What a study would do, for a dry run: its rows and about how long they take. Nothing is run or written. */
#ifndef TN_STUDY_PREVIEW_H
#define TN_STUDY_PREVIEW_H

#include "device.h"
#include "study_plan.h"
#include "study_rows.h"

typedef struct tn_study_preview {
    tn_study_plan plan;
    tn_study_rows rows; /* that the folder has */
    int kept;           /* of the plan's, done already */
    double seconds;     /* of the others; NaN where nothing tells */
    bool measured;      /* by the times of the rows kept; else by a CPU's usual rate */
} tn_study_preview;

/* `path`: the study's folder, which need not be there; NULL for none. TN_ERR_ARG as tn_study_plan_make,
 * TN_ERR_INPUT for a study.csv that cannot be read. Free it in any case. */
tn_status tn_study_preview_make(tn_context *ctx, const tn_study_options *o, const char *path,
                                const tn_device_info *device, tn_study_preview *out);
void tn_study_preview_free(tn_study_preview *preview);
bool tn_study_preview_kept(const tn_study_preview *preview, size_t item);

#endif
