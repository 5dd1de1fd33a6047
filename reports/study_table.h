/* study.md: a study.csv as Markdown tables, a few a part. Where a run has several seeds a cell holds their
 * median and, in brackets, every seed in the order of the file. */
#ifndef TN_STUDY_TABLE_H
#define TN_STUDY_TABLE_H

#include "csv_table.h"

/* TN_ERR_INPUT when the table has not the columns of a study.csv. */
tn_status tn_study_table_print(const tn_csv *study, FILE *stream);
/* Reads the CSV at `csv` and writes the Markdown at `path`, whole or not at all. */
tn_status tn_study_table_save(tn_context *ctx, const char *csv, const char *path);

#endif
