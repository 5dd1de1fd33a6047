/* What a sweep has, would measure, and has measured, for people to look at. */
#ifndef TN_CLI_SWEEP_SHOW_H
#define TN_CLI_SWEEP_SHOW_H

#include "sweep.h"

/* Presets, axes and columns, on stdout. */
tn_status tn_sweep_show_list(tn_context *ctx, bool json);
/* The cells and about how long they take, on stdout; runs nothing and writes nothing else. */
tn_status tn_sweep_show_cells(tn_context *ctx, const tn_sweep_options *options, bool json);
/* Rows as a table, in order of level, op, shape; sorts them. */
void tn_sweep_show_rows(FILE *to, tn_row_list *rows);
/* "about 40 s", "about 3 min", "about 2.5 h" */
void tn_show_time(double seconds, char *text, size_t size);

#endif
