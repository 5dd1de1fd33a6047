/* A row of study.csv from what is known of an item: who it is, what was measured, and what follows from both.
 */
#ifndef TN_STUDY_FILL_H
#define TN_STUDY_FILL_H

#include "learning.h"
#include "run_summary.h"
#include "study_plan.h"
#include "study_probe.h"
#include "study_rows.h"

/* What an item is; enough for a row that only says why it failed. `config`: with a control's fraction. */
tn_status tn_study_fill_item(tn_context *ctx, const tn_study_item *item, const tn_train_config *config,
                             tn_study_row *row);
/* status error and the reason, from ctx->message. */
tn_status tn_study_fill_error(tn_context *ctx, tn_study_row *row);
/* A summary, and regret: attention % over its floor. */
tn_status tn_study_fill_summary(tn_context *ctx, const tn_run_summary *s, tn_study_row *row);
/* Cost of learning. attention_s: training time of the attention mixer on the same task, NaN: unknown. After
 * the summary. */
tn_status tn_study_fill_learning(tn_context *ctx, const tn_run_summary *s, const tn_learning *l,
                                 double attention_s, tn_study_row *row);
tn_status tn_study_fill_difference(tn_context *ctx, const tn_study_difference *d, tn_study_row *row);
/* What is kept of a win, of every row: it is held against others, which may come before it or behind.
 * *changed: a cell is another than it was. */
tn_status tn_study_fill_kept(tn_study_rows *rows, bool *changed);
/* Sequences after which routing has paid for its dearer training, from seconds of training and milliseconds a
 * sequence; NaN where nothing is saved. */
double tn_study_break_even(double routed_s, double attention_s, double routed_ms, double attention_ms);

#endif
