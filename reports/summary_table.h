/* The newcomer's table at the end of a demo: what each run learnt, how much attention it used, what that
 * saved. */
#ifndef TN_SUMMARY_TABLE_H
#define TN_SUMMARY_TABLE_H

#include "text_table.h"

/* `folder` as tn_inputs_read takes it. A row a run: accuracy, attention % and its floor, the four savings;
 * below, where there are cost rows, the break-even ρ* of each device and T. With CSV or JSON only the runs
 * are printed, or the break-evens where there are no runs: one table a file. `warn`: say on stderr what of
 * the files was not taken as it stands. */
tn_status tn_summary_print(tn_context *ctx, const char *folder, FILE *stream, tn_table_format format,
                           bool warn);

#endif
