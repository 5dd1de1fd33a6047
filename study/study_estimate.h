/* What an evaluation is going to take, by counting operations from a row of the same run at a smaller
 * distance: a guess, used only to decide what not to begin, and never written as a measurement. */
#ifndef TN_STUDY_ESTIMATE_H
#define TN_STUDY_ESTIMATE_H

#include "study_plan.h"
#include "study_rows.h"

typedef struct tn_study_estimate {
    double pass_s;       /* one pass of the attention mixer over a batch */
    double evaluation_s; /* all sequences of the item, with as large a share of rows routed as in that row */
} tn_study_estimate;

/* Zeros where no row of the run is there, or none at a smaller distance. */
tn_study_estimate tn_study_estimate_item(const tn_study_rows *rows, const tn_study_item *item);

#endif
