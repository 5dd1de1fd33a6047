/* Tables that are read to be used: cells (csv_table.h), held against what rows of costs must be
 * (cost_rows.h). */
#ifndef TN_CSV_READ_H
#define TN_CSV_READ_H

#include "csv_table.h"

/* tn_csv_read_cells, then tn_cost_rows_check. */
tn_status tn_csv_read(tn_context *ctx, const char *path, tn_csv *out);

/* A file of cost rows: tn_csv_read, then the columns that CONTRACT promises, and at least one row. */
tn_status tn_csv_read_cost(tn_context *ctx, const char *path, tn_csv *out);
tn_status tn_csv_need_cost(const tn_csv *t); /* the same of a table that is read */
/* The columns of metrics.csv; no row is fine, for a run may just have begun. */
tn_status tn_csv_read_metrics(tn_context *ctx, const char *path, tn_csv *out);
tn_status tn_csv_check_metrics(tn_csv *t); /* the same of a table that is read */

#endif
