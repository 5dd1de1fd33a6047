/* A database of results (database.h) as an input: "results.db", or a part of it:
 * "results.db?device=A40&version=0.3". */
#ifndef TN_DATABASE_READ_H
#define TN_DATABASE_READ_H

#include "csv_table.h"

/* Whether an input is a database: by its name (.db, .sqlite, .sqlite3) or its first bytes; what stands behind
 * a '?' is no part of the file's name unless there is such a file. */
bool tn_database_named(const char *input);
/* Whether such a name asks for a part. */
bool tn_database_part(const char *input);

/* Texts of a run as they were stored; NULL where it has none. */
typedef struct tn_database_run {
    const char *path, *name;
    bool of_study;
    const char *config, *summary; /* JSON */
    const char *metrics, *routes; /* CSV */
} tn_database_run;

/* What is called for each: a table of cost rows or of bits, which is taken over, in the order in which files
 * came in, then each run. `run` NULL: runs are left out. */
typedef struct tn_database_reader {
    void *user;
    tn_status (*table)(void *user, tn_csv *t);
    tn_status (*run)(void *user, const tn_database_run *run);
} tn_database_reader;

/* The parts `device`, `version` and `host` choose rows of which that text holds what is asked for; capital
 * and small letters are alike. A run has no host. TN_ERR_ARG for another word in front of '='; TN_ERR_INPUT
 * for a file that is missing, locked, no database, another program's or of another schema, and where nothing
 * is chosen: the devices that there are are listed. */
tn_status tn_database_read(tn_context *ctx, const char *input, const tn_database_reader *to);

#endif
