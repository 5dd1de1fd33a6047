/* Rows of study.csv as a report takes them. */
#ifndef TN_STUDY_INPUT_H
#define TN_STUDY_INPUT_H

#include <jansson.h>

#include "csv_table.h"

/* *good: status and numbers of the row are such; each that is not becomes a flaw of the table, and the row is
 * to be left out. */
tn_status tn_study_input_check(tn_csv *t, size_t row, bool *good);
/* The row as an object, fields as in summary.json; caller releases. */
json_t *tn_study_input_json(const tn_csv *t, size_t row);

#endif
