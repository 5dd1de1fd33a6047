/* A file of cost rows of a survey, whole on disk after every row: kept in memory, written aside, renamed. */
#ifndef TN_SURVEY_ROWS_H
#define TN_SURVEY_ROWS_H

#include "rows.h"

typedef struct tn_survey_rows {
    tn_context *ctx;
    char *path;
    tn_cost_row *items;
    size_t count, capacity;
} tn_survey_rows;

/* No file: no rows. TN_ERR_INPUT for what is no CSV of cost rows, and for rows of another build. */
tn_status tn_survey_rows_load(tn_context *ctx, const char *folder, const char *name, tn_survey_rows *out);
/* The row, in the place of one of the same cell, and the file. */
tn_status tn_survey_rows_put(tn_survey_rows *rows, const tn_cost_row *row);
/* Every row of a program's stdout, a CSV with its header, or those alone that are ok; `*ok`: how many are. */
tn_status tn_survey_rows_take(tn_survey_rows *rows, const char *csv, bool only_ok, int *ok);
const tn_cost_row *tn_survey_rows_find(const tn_survey_rows *rows, const tn_cost_row *like); /* or NULL */
void tn_survey_rows_free(tn_survey_rows *rows); /* fine on a zeroed one */

#endif
