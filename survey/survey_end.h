/* Inside survey: what stands at its end, for one device or several: verdict, survey.md, report.html. */
#ifndef TN_SURVEY_END_H
#define TN_SURVEY_END_H

#include "survey_state.h"

/* Of the folders of rows: report.html and survey.md into `folder`, the verdict to stdout and as JSON into
 * `*verdict` (NULL where no row answers anything; caller releases). `surveys`: as their survey.json say. */
tn_status tn_survey_end(tn_context *ctx, const char *folder, const char *const *folders,
                        json_t *const *surveys, size_t count, json_t **verdict);

#endif
