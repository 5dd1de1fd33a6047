#include "database_read.h"

#include "cost_rows.h"
#include "database_open.h"
#include "file.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { LISTED = 8 };

/* What of a database is asked for; texts within `words`. */
typedef struct part {
    char *path, *words;
    const char *device, *version, *host;
} part;

static bool ends_with(const char *text, size_t length, const char *ending) {
    size_t tail = strlen(ending);
    return length >= tail && strncasecmp(text + length - tail, ending, tail) == 0;
}

/* Characters of the file's name. */
static size_t path_length(const char *input) {
    const char *mark = strrchr(input, '?');
    return mark && !tn_file_exists(input) ? (size_t)(mark - input) : strlen(input);
}

static bool begins_as_one(const char *input, size_t length) {
    static const char magic[] = "SQLite format 3";
    char path[4096], bytes[sizeof magic];
    if (length >= sizeof path)
        return false;
    snprintf(path, sizeof path, "%.*s", (int)length, input);
    struct stat info; /* a pipe would be waited for, and what is read of it lost */
    FILE *file = stat(path, &info) == 0 && S_ISREG(info.st_mode) ? fopen(path, "rb") : NULL;
    bool is = file && fread(bytes, 1, sizeof bytes, file) == sizeof bytes &&
              memcmp(bytes, magic, sizeof bytes) == 0;
    if (file)
        fclose(file);
    return is;
}

bool tn_database_named(const char *input) {
    size_t length = path_length(input);
    return ends_with(input, length, ".db") || ends_with(input, length, ".sqlite") ||
           ends_with(input, length, ".sqlite3") || begins_as_one(input, length);
}

bool tn_database_part(const char *input) {
    return input[path_length(input)] != '\0';
}

static tn_status take_word(tn_context *ctx, const char *input, char *word, part *out) {
    char *value = strchr(word, '=');
    const char **to = NULL;
    if (value)
        *value++ = '\0';
    if (value && *value)
        to = strcmp(word, "device") == 0    ? &out->device
             : strcmp(word, "version") == 0 ? &out->version
             : strcmp(word, "host") == 0    ? &out->host
                                            : NULL;
    if (!to || *to)
        return tn_fail(
            ctx, TN_ERR_ARG,
            "'%s': behind the '?' stand device=TEXT, version=TEXT and host=TEXT, each once at most, "
            "joined by '&'",
            input);
    *to = value;
    return TN_OK;
}

static void free_part(tn_context *ctx, part *p) {
    tn_free(ctx, p->path);
    tn_free(ctx, p->words);
}

static tn_status part_of(tn_context *ctx, const char *input, part *out) {
    size_t length = path_length(input);
    char *rest;
    *out = (part){0};
    TN_TRY(tn_strdup(ctx, input, &out->path));
    out->path[length] = '\0';
    TN_TRY(tn_strdup(ctx, input[length] ? input + length + 1 : "", &out->words));
    if (input[length] && !*out->words)
        return take_word(ctx, input, out->words, out);
    for (char *word = strtok_r(out->words, "&", &rest); word; word = strtok_r(NULL, "&", &rest))
        TN_TRY(take_word(ctx, input, word, out));
    return TN_OK;
}

/* ---- cost rows ---- */

/* The file whose rows are being read. */
typedef struct gathered {
    sqlite3_int64 id;
    char *path, *bytes;
    size_t used, capacity;
    long *lines;
    size_t rows, line_capacity;
} gathered;

static tn_status put_line(tn_context *ctx, gathered *g, const char *text) {
    const size_t size = strlen(text);
    TN_TRY(tn_grow(ctx, &g->bytes, &g->capacity, g->used + size + 2, 1));
    memcpy(g->bytes + g->used, text, size);
    g->used += size;
    g->bytes[g->used++] = '\n';
    g->bytes[g->used] = '\0';
    return TN_OK;
}

static void drop(tn_context *ctx, gathered *g) {
    tn_free(ctx, g->path);
    tn_free(ctx, g->bytes);
    tn_free(ctx, g->lines);
    *g = (gathered){0};
}

/* The rows so far as a table. */
static tn_status hand_over(tn_context *ctx, gathered *g, const tn_database_reader *to) {
    tn_csv t;
    if (g->rows == 0)
        return TN_OK;
    tn_status status = tn_csv_of_bytes(ctx, g->path, g->bytes, g->used, g->lines, g->rows, &t);
    drop(ctx, g);
    TN_TRY(status);
    status = tn_cost_rows_check(&t);
    if (status == TN_OK)
        status = to->table(to->user, &t);
    tn_csv_free(&t);
    return status;
}

static const char *column_of(sqlite3_stmt *statement, int column) {
    const char *text = (const char *)sqlite3_column_text(statement, column);
    return text ? text : "";
}

static tn_status add_row(tn_context *ctx, sqlite3_stmt *statement, gathered *g,
                         const tn_database_reader *to) {
    sqlite3_int64 id = sqlite3_column_int64(statement, 0);
    if (id != g->id) {
        TN_TRY(hand_over(ctx, g, to));
        g->id = id;
        TN_TRY(tn_strdup(ctx, column_of(statement, 1), &g->path));
        TN_TRY(put_line(ctx, g, column_of(statement, 2)));
    }
    TN_TRY(tn_grow(ctx, &g->lines, &g->line_capacity, g->rows + 1, sizeof *g->lines));
    g->lines[g->rows++] = (long)sqlite3_column_int64(statement, 3);
    return put_line(ctx, g, column_of(statement, 4));
}

static tn_status read_rows(tn_sqlite *db, const part *p, const tn_database_reader *to, size_t *count) {
    sqlite3_stmt *statement = NULL;
    gathered g = {0};
    bool row = true;
    TN_TRY(tn_sqlite_prepare(
        db,
        "SELECT f.id, f.path, f.header, m.line, m.cells FROM measurements m JOIN files f ON "
        "f.id = m.file JOIN devices d ON d.id = m.device_id WHERE (?1 IS NULL OR "
        "instr(lower(d.device), lower(?1)) > 0) AND (?2 IS NULL OR instr(lower(m.version), "
        "lower(?2)) > 0) AND (?3 IS NULL OR instr(lower(d.host), lower(?3)) > 0) ORDER BY "
        "f.id, m.line, m.id",
        &statement));
    tn_sqlite_text(statement, 1, p->device);
    tn_sqlite_text(statement, 2, p->version);
    tn_sqlite_text(statement, 3, p->host);
    tn_status status = TN_OK;
    while (status == TN_OK && row) {
        status = tn_sqlite_step(db, statement, &row);
        if (status == TN_OK && row)
            status = add_row(db->ctx, statement, &g, to);
        *count += row;
    }
    if (status == TN_OK)
        status = hand_over(db->ctx, &g, to);
    drop(db->ctx, &g);
    sqlite3_finalize(statement);
    return status;
}

/* ---- runs ---- */

static tn_status read_runs(tn_sqlite *db, const part *p, const tn_database_reader *to, size_t *count) {
    sqlite3_stmt *statement = NULL;
    bool row = true;
    if (!to->run || p->host)
        return TN_OK;
    TN_TRY(tn_sqlite_prepare(
        db,
        "SELECT path, name, of_study, config, summary, metrics, routes FROM runs WHERE (?1 IS "
        "NULL OR instr(lower(device), lower(?1)) > 0) AND (?2 IS NULL OR instr(lower(version), "
        "lower(?2)) > 0) ORDER BY id",
        &statement));
    tn_sqlite_text(statement, 1, p->device);
    tn_sqlite_text(statement, 2, p->version);
    tn_status status = TN_OK;
    while (status == TN_OK && row) {
        status = tn_sqlite_step(db, statement, &row);
        if (status != TN_OK || !row)
            break;
        status =
            to->run(to->user, &(tn_database_run){.path = column_of(statement, 0),
                                                 .name = column_of(statement, 1),
                                                 .of_study = sqlite3_column_int(statement, 2) != 0,
                                                 .config = (const char *)sqlite3_column_text(statement, 3),
                                                 .summary = (const char *)sqlite3_column_text(statement, 4),
                                                 .metrics = (const char *)sqlite3_column_text(statement, 5),
                                                 .routes = (const char *)sqlite3_column_text(statement, 6)});
        ++*count;
    }
    sqlite3_finalize(statement);
    return status;
}

/* Tables of bits are of no one device or version. */
static tn_status read_bits(tn_sqlite *db, const part *p, const tn_database_reader *to, size_t *count) {
    sqlite3_stmt *statement = NULL;
    bool row = true;
    if (!to->run || p->device || p->version || p->host)
        return TN_OK;
    TN_TRY(tn_sqlite_prepare(db, "SELECT path, text FROM bits ORDER BY id", &statement));
    tn_status status = TN_OK;
    while (status == TN_OK && row) {
        tn_csv t;
        status = tn_sqlite_step(db, statement, &row);
        if (status != TN_OK || !row)
            break;
        const char *text = column_of(statement, 1);
        status = tn_csv_of_bytes(db->ctx, column_of(statement, 0), text, strlen(text), NULL, 0, &t);
        if (status == TN_OK)
            status = to->table(to->user, &t);
        tn_csv_free(&t);
        ++*count;
    }
    sqlite3_finalize(statement);
    return status;
}

/* ---- all ---- */

static tn_status none(tn_sqlite *db, const char *input) {
    char list[1024] = "";
    size_t used = 0, count = 0;
    sqlite3_stmt *statement = NULL;
    bool row = true;
    TN_TRY(tn_sqlite_prepare(db, "SELECT DISTINCT device FROM devices ORDER BY device", &statement));
    while (row && tn_sqlite_step(db, statement, &row) == TN_OK && row)
        if (count++ < LISTED && used < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%.100s", used ? ", " : "",
                                     column_of(statement, 0));
    sqlite3_finalize(statement);
    if (count == 0)
        return tn_fail(db->ctx, TN_ERR_INPUT,
                       "%s holds no row; store some with `turnout report FILES --sqlite %s`", input,
                       db->path);
    return tn_fail(db->ctx, TN_ERR_INPUT, "'%s' chooses no row; the devices in it are %s%s", input, list,
                   count > LISTED ? " …" : "");
}

tn_status tn_database_read(tn_context *ctx, const char *input, const tn_database_reader *to) {
    part p;
    tn_sqlite db;
    size_t count = 0;
    tn_status status = part_of(ctx, input, &p);
    if (status == TN_OK)
        status = tn_sqlite_open(ctx, p.path, false, &db);
    if (status == TN_OK) {
        status = read_rows(&db, &p, to, &count);
        if (status == TN_OK)
            status = read_bits(&db, &p, to, &count);
        if (status == TN_OK)
            status = read_runs(&db, &p, to, &count);
        if (status == TN_OK && count == 0)
            status = none(&db, input);
        status = tn_sqlite_close(&db, status);
    }
    free_part(ctx, &p);
    return status;
}
