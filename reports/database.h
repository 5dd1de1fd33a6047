/* Results kept in one SQLite file: every cost row, run and device of any number of reports. CSV stays the
 * exchange format: what is read back from a database are the tables that went in, cell for cell. The tables
 * are explained in docs/schema.md. */
#ifndef TN_DATABASE_H
#define TN_DATABASE_H

#include "inputs.h"

enum { TN_DATABASE_SCHEMA = 1 }; /* PRAGMA user_version */

typedef struct tn_database_count {
    size_t rows, rows_known,
        rows_other;          /* new; there already; of these with other numbers, left as they were */
    size_t runs, runs_known; /* new or gone on; there already */
    char first_other[512];   /* where the first row with other numbers stands */
} tn_database_count;

/* Puts all rows and runs of the inputs (tn_inputs_gather) into the file, which is made where it is missing:
 * all of them or, on failure, none. What is there already changes nothing. A row is known by the columns that
 * samples name it by and its variant, a run by the first line of its metrics, a row of a study by its cells.
 * TN_ERR_OUTPUT for a file that is locked, may not be written, is no database or another program's;
 * TN_ERR_WRITE where the disk is full. */
tn_status tn_database_store(tn_context *ctx, const char *path, const tn_inputs *in, tn_database_count *out);

#endif
