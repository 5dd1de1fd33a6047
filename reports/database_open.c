#include "database_open.h"

#include "cost_columns.h"
#include "database.h"
#include "file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { APPLICATION = 0x54524e4f, WAIT_MS = 3000 }; /* "TRNO" */

static tn_status kind_of(const tn_sqlite *db, tn_status writing) {
    return db->writes ? writing : TN_ERR_INPUT;
}

tn_status tn_sqlite_fail(tn_sqlite *db, int code) {
    tn_context *ctx = db->ctx;
    switch (code & 0xff) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return tn_fail(ctx, kind_of(db, TN_ERR_OUTPUT),
                       "%s is no SQLite database, or a damaged one; name one that `turnout report --sqlite` "
                       "wrote%s",
                       db->path, db->writes ? ", or a name that is free" : "");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return tn_fail(ctx, kind_of(db, TN_ERR_OUTPUT),
                       "%s is locked by another program, for %d s now; try again when that has ended",
                       db->path, WAIT_MS / 1000);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
        return tn_fail(ctx, kind_of(db, TN_ERR_OUTPUT), "%s cannot be %s: %s; is %s?", db->path,
                       db->writes ? "written" : "read", sqlite3_errstr(code & 0xff),
                       db->writes ? "the file, and the folder it stands in, yours to write"
                                  : "it yours to read");
    case SQLITE_NOMEM:
        return tn_fail(ctx, TN_ERR_MEMORY, "out of host memory for the database %s", db->path);
    case SQLITE_FULL:
        return tn_fail(ctx, TN_ERR_WRITE, "%s: the disk is full; nothing was stored, make room and try again",
                       db->path);
    default:
        return tn_fail(ctx, kind_of(db, TN_ERR_WRITE), "%s: SQLite says: %s%s", db->path,
                       db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(code),
                       db->writes ? "; nothing was stored" : "");
    }
}

tn_status tn_sqlite_run(tn_sqlite *db, const char *sql) {
    int code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? TN_OK : tn_sqlite_fail(db, code);
}

tn_status tn_sqlite_prepare(tn_sqlite *db, const char *sql, sqlite3_stmt **out) {
    int code = sqlite3_prepare_v2(db->handle, sql, -1, out, NULL);
    return code == SQLITE_OK ? TN_OK : tn_sqlite_fail(db, code);
}

tn_status tn_sqlite_step(tn_sqlite *db, sqlite3_stmt *statement, bool *row) {
    int code = sqlite3_step(statement);
    *row = code == SQLITE_ROW;
    return code == SQLITE_ROW || code == SQLITE_DONE ? TN_OK : tn_sqlite_fail(db, code);
}

tn_status tn_sqlite_do(tn_sqlite *db, sqlite3_stmt *statement) {
    bool row;
    tn_status status = tn_sqlite_step(db, statement, &row);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return status;
}

void tn_sqlite_text(sqlite3_stmt *statement, int place, const char *text) {
    if (text && *text)
        sqlite3_bind_text(statement, place, text, -1, SQLITE_STATIC);
    else
        sqlite3_bind_null(statement, place);
}

static tn_status number_of(tn_sqlite *db, const char *sql, long *out) {
    sqlite3_stmt *statement = NULL;
    bool row = false;
    tn_status status = tn_sqlite_prepare(db, sql, &statement);
    if (status == TN_OK)
        status = tn_sqlite_step(db, statement, &row);
    *out = row ? (long)sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    return status;
}

/* ---- tables ---- */

static const char tables[] =
    "CREATE TABLE files (id INTEGER PRIMARY KEY, path TEXT NOT NULL, header TEXT NOT NULL);"
    "CREATE TABLE devices (id INTEGER PRIMARY KEY, platform TEXT NOT NULL, device TEXT NOT NULL,"
    " host TEXT NOT NULL, mark TEXT NOT NULL, pci TEXT, kind TEXT, cpu TEXT,"
    " UNIQUE (platform, device, host, mark));"
    "CREATE TABLE measurements (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE,"
    " file INTEGER NOT NULL REFERENCES files, line INTEGER NOT NULL,"
    " device_id INTEGER NOT NULL REFERENCES devices, used INTEGER NOT NULL, cells TEXT NOT NULL);"
    "CREATE INDEX measurements_of_file ON measurements (file, line);"
    "CREATE TABLE runs (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, path TEXT NOT NULL,"
    " name TEXT NOT NULL, of_study INTEGER NOT NULL, task TEXT, mixer TEXT, seed TEXT, device TEXT,"
    " platform TEXT, version TEXT, status TEXT, accuracy REAL, attention_pct REAL, time_saved_pct REAL,"
    " energy_saved_pct REAL, train_s REAL, config TEXT, summary TEXT, metrics TEXT, routes TEXT);"
    "CREATE TABLE bits (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, path TEXT NOT NULL, text TEXT NOT "
    "NULL);";

bool tn_sqlite_of_device(int column) {
    return column == TN_COLUMN_platform || column == TN_COLUMN_device || column == TN_COLUMN_host ||
           column == TN_COLUMN_pci || column == TN_COLUMN_kind || column == TN_COLUMN_cpu;
}

static const char *type_of(int column) {
    switch (tn_cost_columns[column].kind) {
    case TN_COL_TEXT:
        return "TEXT";
    case TN_COL_BATCHES:
    case TN_COL_COUNT:
        return "INTEGER";
    default:
        return "REAL";
    }
}

/* Columns that this version has and the file has not, and the view of all. */
static tn_status add_columns(tn_sqlite *db) {
    char sql[200], *view;
    const size_t most = 400 + 100 * TN_COLUMNS;
    bool fresh = false;
    for (int c = 0; c < TN_COLUMNS; c++) {
        long there;
        if (tn_sqlite_of_device(c))
            continue;
        snprintf(sql, sizeof sql, "SELECT count(*) FROM pragma_table_info('measurements') WHERE name = '%s'",
                 tn_cost_columns[c].name);
        TN_TRY(number_of(db, sql, &there));
        if (there)
            continue;
        snprintf(sql, sizeof sql, "ALTER TABLE measurements ADD COLUMN \"%s\" %s", tn_cost_columns[c].name,
                 type_of(c));
        TN_TRY(tn_sqlite_run(db, sql));
        fresh = true;
    }
    if (!fresh)
        return TN_OK;
    TN_TRY(tn_alloc(db->ctx, most, 1, &view));
    size_t used =
        (size_t)snprintf(view, most,
                         "DROP VIEW IF EXISTS cost; CREATE VIEW cost AS SELECT m.id AS id, m.used AS "
                         "used, f.path AS path, m.line AS line, d.id AS device_id");
    for (int c = 0; c < TN_COLUMNS; c++)
        used += (size_t)snprintf(view + used, most - used, ", %s.\"%s\" AS \"%s\"",
                                 tn_sqlite_of_device(c) ? "d" : "m", tn_cost_columns[c].name,
                                 tn_cost_columns[c].name);
    for (int c = 0, first = 1; c < TN_COLUMNS; c++)
        if (tn_cost_columns[c].uses & TN_COL_WORK) {
            used += (size_t)snprintf(view + used, most - used, "%s coalesce(m.\"%s\", '')",
                                     first ? "," : " || '|' ||", tn_cost_columns[c].name);
            first = 0;
        }
    snprintf(
        view + used, most - used,
        " AS work FROM measurements m JOIN files f ON f.id = m.file JOIN devices d ON d.id = m.device_id;");
    tn_status status = tn_sqlite_run(db, view);
    tn_free(db->ctx, view);
    return status;
}

static tn_status make_tables(tn_sqlite *db) {
    char sql[80];
    TN_TRY(tn_sqlite_run(db, tables));
    snprintf(sql, sizeof sql, "PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION,
             TN_DATABASE_SCHEMA);
    return tn_sqlite_run(db, sql);
}

/* Ours, of this schema; or, to be written, empty. */
static tn_status check(tn_sqlite *db) {
    long application, schema, objects;
    TN_TRY(number_of(db, "SELECT count(*) FROM sqlite_master", &objects));
    TN_TRY(number_of(db, "PRAGMA application_id", &application));
    TN_TRY(number_of(db, "PRAGMA user_version", &schema));
    if (objects == 0 && application == 0)
        return db->writes ? make_tables(db)
                          : tn_fail(db->ctx, TN_ERR_INPUT,
                                    "%s is empty; fill it with `turnout report FILES --sqlite %s`", db->path,
                                    db->path);
    if (application != APPLICATION)
        return tn_fail(
            db->ctx, kind_of(db, TN_ERR_OUTPUT),
            "%s is the database of another program; name one that `turnout report --sqlite` wrote%s",
            db->path, db->writes ? ", or a name that is free" : "");
    if (schema != TN_DATABASE_SCHEMA)
        return tn_fail(
            db->ctx, kind_of(db, TN_ERR_OUTPUT),
            "%s has schema %ld, and this version of turnout knows %d; use the version that wrote it, "
            "or store the CSV files anew",
            db->path, schema, TN_DATABASE_SCHEMA);
    return TN_OK;
}

tn_status tn_sqlite_open(tn_context *ctx, const char *path, bool writes, tn_sqlite *out) {
    struct stat info;
    *out = (tn_sqlite){.ctx = ctx, .path = path, .writes = writes, .made = writes && stat(path, &info) != 0};
    if (!out->made && stat(path, &info) == 0 && !S_ISREG(info.st_mode))
        return tn_fail(ctx, kind_of(out, TN_ERR_OUTPUT),
                       "%s is no regular file, and a database has to be one", path);
    if (!writes && !tn_file_exists(path))
        return tn_fail(ctx, TN_ERR_INPUT, "there is no file %s; `turnout report FILES --sqlite %s` makes one",
                       path, path);
    char *name; /* for SQLite ":memory:" is no file, "./:memory:" is */
    TN_TRY(tn_path_join(ctx, *path == '/' ? "" : ".", path, &name));
    int code =
        sqlite3_open_v2(name, &out->handle, SQLITE_OPEN_READWRITE | (writes ? SQLITE_OPEN_CREATE : 0), NULL);
    tn_free(ctx, name);
    tn_status status = code == SQLITE_OK ? TN_OK : tn_sqlite_fail(out, code);
    if (status == TN_OK)
        sqlite3_busy_timeout(out->handle, WAIT_MS);
    if (status == TN_OK && writes && sqlite3_db_readonly(out->handle, "main") == 1)
        status = tn_sqlite_fail(out, SQLITE_READONLY);
    if (status == TN_OK)
        status = tn_sqlite_run(out, writes ? "BEGIN IMMEDIATE" : "BEGIN");
    if (status == TN_OK)
        status = check(out);
    if (status == TN_OK && writes)
        status = add_columns(out);
    return status == TN_OK ? TN_OK : tn_sqlite_close(out, status);
}

tn_status tn_sqlite_close(tn_sqlite *db, tn_status status) {
    struct stat info;
    if (!db->handle)
        return status;
    if (status == TN_OK)
        status = tn_sqlite_run(db, "COMMIT");
    if (status != TN_OK)
        sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(db->handle);
    db->handle = NULL;
    if (status != TN_OK && db->made && stat(db->path, &info) == 0 && info.st_size == 0)
        unlink(db->path);
    return status;
}
