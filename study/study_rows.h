/* study.csv: one row a run evaluated somewhere, kept in memory and replaced whole on disk, so that the file
 * is complete at any moment and a row that failed can be written again. Columns: docs/schema.md. */
#ifndef TN_STUDY_ROWS_H
#define TN_STUDY_ROWS_H

#include "context.h"

/* Names in the order of the file; NULL ends. Only ever appended. */
extern const char *const tn_study_columns[];
enum { TN_STUDY_COLUMNS = 66 };

typedef struct tn_study_row {
    char *cells[TN_STUDY_COLUMNS]; /* NULL: empty */
} tn_study_row;

void tn_study_row_free(tn_context *ctx, tn_study_row *row);
/* Sets the cell of a column, which must exist. Line breaks become blanks. */
tn_status tn_study_row_set(tn_context *ctx, tn_study_row *row, const char *column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* %.9g; empty where it is not finite. */
tn_status tn_study_row_number(tn_context *ctx, tn_study_row *row, const char *column, double value);
const char *tn_study_row_text(const tn_study_row *row, const char *column); /* "" where empty */
double tn_study_row_value(const tn_study_row *row, const char *column);     /* NaN where no number */
bool tn_study_row_ok(const tn_study_row *row);                              /* status is ok */
/* Takes over every field of a summary that is a column; arrays are joined by ';'. */
struct json_t;
tn_status tn_study_row_take(tn_context *ctx, tn_study_row *row, const struct json_t *summary);

typedef struct tn_study_rows {
    tn_context *ctx;
    tn_study_row *items;
    size_t count, capacity;
} tn_study_rows;

/* No file: no rows. TN_ERR_INPUT for what is no study.csv of this version. */
tn_status tn_study_rows_load(tn_context *ctx, const char *path, tn_study_rows *out);
tn_status tn_study_rows_save(const tn_study_rows *rows, const char *path);
void tn_study_rows_free(tn_study_rows *rows);
/* By column `name`; NULL where there is none. */
const tn_study_row *tn_study_rows_find(const tn_study_rows *rows, const char *name);
/* Takes over `row`, in the place of the one with the same name where there is one. */
tn_status tn_study_rows_put(tn_study_rows *rows, tn_study_row *row);
/* The header line alone. */
void tn_study_rows_header(FILE *stream);

#endif
