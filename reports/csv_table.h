/* Strict reading of a CSV file (libcsv): every row has the cells its header names, or the file is refused. A
 * wrong number is worse than none, so nothing is guessed from a damaged file. */
#ifndef TN_CSV_TABLE_H
#define TN_CSV_TABLE_H

#include "context.h"

#define TN_CSV_COST_SCHEMA "turnout-cost-1"

typedef struct tn_csv {
    tn_context *ctx;
    char *path;           /* as given */
    size_t columns, rows; /* rows without the header */
    char *text;           /* every cell, each with a NUL behind */
    size_t text_size, text_capacity;
    size_t *cells; /* [1 + rows, columns] offsets into text, the header first */
    size_t cell_count, cell_capacity;
    long *lines; /* [1 + rows] line of the file on which a row ends, from 1 */
    size_t line_count, line_capacity;
} tn_csv;

/* TN_ERR_INPUT, naming the file, the line and the reason: missing, empty, binary, cut off in its last line, a
 * row with another number of cells than the header, a column named twice, a `schema` other than
 * TN_CSV_COST_SCHEMA. */
tn_status tn_csv_read(tn_context *ctx, const char *path, tn_csv *out);
void tn_csv_free(tn_csv *t); /* fine on a zeroed or failed table */

/* TN_ERR_INPUT, naming those that are missing, unless the header has all of `names` (NULL-ended). `what` says
 * what the file should have been, "cost rows". */
tn_status tn_csv_require(const tn_csv *t, const char *what, const char *const *names);

/* A file of cost rows: tn_csv_read, then the columns that CONTRACT promises, and at least one row. */
tn_status tn_csv_read_cost(tn_context *ctx, const char *path, tn_csv *out);
/* The columns of metrics.csv; no row is fine, for a run may just have begun. */
tn_status tn_csv_read_metrics(tn_context *ctx, const char *path, tn_csv *out);

int tn_csv_column(const tn_csv *t, const char *name); /* −1 where there is none */
const char *tn_csv_name(const tn_csv *t, size_t column);
/* "" for a column of −1: a column that older files lack reads as empty. Borrowed from the table. */
/* What a cost row was measured on: the device, and where they are not its own, cores and caches:
 * "name, 2 cores, cold caches". */
void tn_csv_device(const tn_csv *t, size_t row, char *text, size_t size);
const char *tn_csv_text(const tn_csv *t, size_t row, int column);
/* False, with NaN, where the cell is empty, is not a number or is not finite. */
bool tn_csv_number(const tn_csv *t, size_t row, int column, double *out);

#endif
