/* Opening the file of results: what database_store.c and database_read.c share. */
#ifndef TN_DATABASE_OPEN_H
#define TN_DATABASE_OPEN_H

#include <sqlite3.h>

#include "context.h"

typedef struct tn_sqlite {
    tn_context *ctx;
    const char *path; /* borrowed */
    sqlite3 *handle;
    bool writes, made; /* made: by this opening, so that a failure takes it away */
} tn_sqlite;

/* To read: whatever there is must be ours. To write: an empty or missing file gets the tables, an older one
 * the columns that it lacks, all within the transaction that it begins. */
tn_status tn_sqlite_open(tn_context *ctx, const char *path, bool writes, tn_sqlite *out);
/* Commits where `status` is TN_OK, else rolls back, and closes; returns the first failure. */
tn_status tn_sqlite_close(tn_sqlite *db, tn_status status);

tn_status tn_sqlite_run(tn_sqlite *db, const char *sql);
tn_status tn_sqlite_prepare(tn_sqlite *db, const char *sql, sqlite3_stmt **out);
/* One step: `*row` where there is a row. */
tn_status tn_sqlite_step(tn_sqlite *db, sqlite3_stmt *statement, bool *row);
/* The same of one that gives none; reset, with its values cleared. */
tn_status tn_sqlite_do(tn_sqlite *db, sqlite3_stmt *statement);
/* NULL or "": NULL. The text must live until the statement is reset. */
void tn_sqlite_text(sqlite3_stmt *statement, int place, const char *text);
bool tn_sqlite_of_device(int column); /* whether a column of cost rows stands with the devices */
/* The failure `code` in a sentence. */
tn_status tn_sqlite_fail(tn_sqlite *db, int code);

#endif
