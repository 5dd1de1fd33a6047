/* Inside study: how the parts of a plan are put together. */
#ifndef TN_STUDY_ITEMS_H
#define TN_STUDY_ITEMS_H

#include "study_plan.h"

/* Adds an item trained and evaluated on `task`; `label` names its kind within the task. The pointer is good
 * until the next call. */
tn_status tn_study_add(tn_study_plan *plan, const tn_study_options *o, tn_study_part part,
                       const tn_task_config *task, const char *label, const char *mixer, tn_study_item **out);
/* "recall126-routed-s1" */
void tn_study_name_run(const tn_task_config *t, const char *mixer, char run[TN_STUDY_NAME]);
/* The name of the row of a run that is evaluated as it was trained: "seed-recall126-routed-s1". */
void tn_study_name_row(tn_study_part part, const char *run, char name[TN_STUDY_NAME]);
/* Operations of one sequence's forward pass. */
double tn_study_sequence_flops(const tn_model_config *m, int64_t T, bool training);

/* The part text of one seed (text_plan.c). */
tn_status tn_study_add_text(tn_study_plan *plan, const tn_study_options *o, int64_t seed);

#endif
