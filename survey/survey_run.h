/* Inside survey: the pieces of a survey run one after the other, each stage within its share. */
#ifndef TN_SURVEY_RUN_H
#define TN_SURVEY_RUN_H

#include "survey_state.h"

/* Runs what is pending until the time is over; what is not reached stays pending. TN_ERR_INTERRUPTED after
 * Ctrl-C, all saved. */
tn_status tn_survey_measure(tn_survey *s);

/* One piece, killed when `timeout_s` are over: its state, note and rows. */
tn_status tn_survey_piece(tn_survey *s, tn_survey_item *item, double timeout_s);
/* Seconds that a piece takes, about, before what this stage's pieces took is reckoned in. */
double tn_survey_about(const tn_survey *s, const tn_survey_item *item);
/* Rows for the cells that no time was left for, so that a file has the same cells whatever happened. */
tn_status tn_survey_untried_rows(tn_survey *s);

#endif
