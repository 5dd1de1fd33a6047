#include "database.h"

#include "cost_columns.h"
#include "csv_text.h"
#include "database_open.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { KEY = sizeof(XXH128_canonical_t), DEVICES = 4096 };

typedef struct storing {
    tn_sqlite db;
    tn_database_count *count;
    sqlite3_stmt *find, *insert, *file, *device_new, *device, *find_run, *run, *bits;
    XXH3_state_t *hash;
} storing;

/* ---- texts ---- */

/* A row of a table, `row` −1 the header, as CSV without a line feed; caller frees with free. */
static tn_status line_of(const tn_csv *t, long row, char **out) {
    size_t size;
    *out = NULL;
    FILE *stream = open_memstream(out, &size);
    for (size_t c = 0; stream && c < t->columns; c++) {
        if (c)
            fputc(',', stream);
        tn_csv_write_cell(stream, row < 0 ? tn_csv_name(t, c) : tn_csv_text(t, (size_t)row, (int)c));
    }
    if (stream && fclose(stream) == 0)
        return TN_OK;
    free(*out);
    *out = NULL;
    return tn_fail(t->ctx, TN_ERR_MEMORY, "out of host memory for the rows of a database");
}

/* All of a table; NULL where there is none. */
static tn_status table_text(const tn_csv *t, char **out) {
    size_t size;
    *out = NULL;
    if (!t->ctx)
        return TN_OK;
    FILE *stream = open_memstream(out, &size);
    tn_status status = TN_OK;
    for (long row = -1; stream && status == TN_OK && row < (long)t->rows; row++) {
        char *line;
        status = line_of(t, row, &line);
        if (status == TN_OK)
            fprintf(stream, "%s\n", line);
        free(line);
    }
    if (stream && fclose(stream) == 0 && status == TN_OK)
        return TN_OK;
    free(*out);
    *out = NULL;
    return status == TN_OK ? tn_fail(t->ctx, TN_ERR_MEMORY, "out of host memory for the tables of a run")
                           : status;
}

static void add_to_key(storing *s, const char *text) {
    XXH3_128bits_update(s->hash, text, strlen(text) + 1); /* the NUL keeps neighbours apart */
}

static void end_key(storing *s, unsigned char key[KEY]) {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(s->hash));
    memcpy(key, &canonical, KEY);
}

/* A number in one way of writing it. */
static void add_cell_to_key(storing *s, const char *text) {
    char number[40], *end;
    double value = strtod(text, &end);
    snprintf(number, sizeof number, "%.12g", value);
    add_to_key(s, *text && !*end ? number : text);
}

/* ---- cost rows ---- */

static const char *cell_of(const tn_csv *t, size_t row, int column) {
    return tn_csv_text(t, row, tn_csv_column(t, tn_cost_columns[column].name));
}

static void key_of_row(storing *s, const tn_csv *t, size_t row, const int *columns, unsigned char key[KEY]) {
    XXH3_128bits_reset(s->hash);
    for (int c = 0; c < TN_COLUMNS; c++)
        if ((tn_cost_columns[c].uses & TN_COL_SAMPLES) || c == TN_COLUMN_variant)
            add_cell_to_key(s, tn_csv_text(t, row, columns[c]));
    end_key(s, key);
}

/* What tells cards of one name and machine apart (tn_device_mark), of a part of a grid too. */
static void mark_of(const tn_csv *t, size_t row, char *mark, size_t size) {
    const char *pci = cell_of(t, row, TN_COLUMN_pci),
               *number = strchr(cell_of(t, row, TN_COLUMN_selector), ':');
    *mark = '\0';
    if (*pci)
        snprintf(mark, size, "PCI %s", pci);
    else if (number && strcmp(cell_of(t, row, TN_COLUMN_kind), "cpu") != 0)
        snprintf(mark, size, "device %s", number + 1);
}

static tn_status device_of(storing *s, const tn_csv *t, size_t row, sqlite3_int64 *out) {
    char mark[40];
    bool found;
    const char *texts[] = {cell_of(t, row, TN_COLUMN_platform), cell_of(t, row, TN_COLUMN_device),
                           cell_of(t, row, TN_COLUMN_host), mark};
    mark_of(t, row, mark, sizeof mark);
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < 4; i++)
            sqlite3_bind_text(s->device, i + 1, texts[i], -1, SQLITE_STATIC);
        TN_TRY(tn_sqlite_step(&s->db, s->device, &found));
        *out = found ? sqlite3_column_int64(s->device, 0) : 0;
        sqlite3_reset(s->device);
        if (found)
            break;
        for (int i = 0; i < 4; i++)
            sqlite3_bind_text(s->device_new, i + 1, texts[i], -1, SQLITE_STATIC);
        tn_sqlite_text(s->device_new, 5, cell_of(t, row, TN_COLUMN_pci));
        tn_sqlite_text(s->device_new, 6, cell_of(t, row, TN_COLUMN_kind));
        tn_sqlite_text(s->device_new, 7, cell_of(t, row, TN_COLUMN_cpu));
        TN_TRY(tn_sqlite_do(&s->db, s->device_new));
    }
    return TN_OK;
}

/* Whether a row is there; `*file`: the file it came in, where that has the same header; `*same`: cell for
 * cell. */
static tn_status find_row(storing *s, const unsigned char key[KEY], const char *header, const char *cells,
                          bool *there, sqlite3_int64 *file, bool *same) {
    sqlite3_bind_blob(s->find, 1, key, KEY, SQLITE_STATIC);
    TN_TRY(tn_sqlite_step(&s->db, s->find, there));
    *same = true;
    if (*there && strcmp((const char *)sqlite3_column_text(s->find, 1), header) == 0) {
        *file = sqlite3_column_int64(s->find, 0);
        *same = strcmp((const char *)sqlite3_column_text(s->find, 2), cells) == 0;
    }
    sqlite3_reset(s->find);
    return TN_OK;
}

static tn_status new_file(storing *s, const char *path, const char *header, sqlite3_int64 *out) {
    sqlite3_bind_text(s->file, 1, path, -1, SQLITE_STATIC);
    sqlite3_bind_text(s->file, 2, header, -1, SQLITE_STATIC);
    TN_TRY(tn_sqlite_do(&s->db, s->file));
    *out = sqlite3_last_insert_rowid(s->db.handle);
    return TN_OK;
}

static tn_status insert_row(storing *s, const tn_csv *t, size_t row, const int *columns,
                            const unsigned char key[KEY], sqlite3_int64 file, const char *cells) {
    sqlite3_int64 device;
    TN_TRY(device_of(s, t, row, &device));
    sqlite3_bind_blob(s->insert, 1, key, KEY, SQLITE_STATIC);
    sqlite3_bind_int64(s->insert, 2, file);
    sqlite3_bind_int64(s->insert, 3, t->lines[row + 1]);
    sqlite3_bind_int64(s->insert, 4, device);
    sqlite3_bind_int(s->insert, 5, tn_csv_use(t, row) == TN_ROW_USED);
    sqlite3_bind_text(s->insert, 6, cells, -1, SQLITE_STATIC);
    for (int c = 0, place = 7; c < TN_COLUMNS; c++)
        if (!tn_sqlite_of_device(c))
            tn_sqlite_text(s->insert, place++, tn_csv_text(t, row, columns[c]));
    s->count->rows++;
    return tn_sqlite_do(&s->db, s->insert);
}

static tn_status store_row(storing *s, const tn_csv *t, size_t row, const int *columns, const char *header,
                           sqlite3_int64 *file) {
    unsigned char key[KEY];
    char *cells;
    bool there, same;
    tn_status status = line_of(t, (long)row, &cells);
    key_of_row(s, t, row, columns, key);
    if (status == TN_OK)
        status = find_row(s, key, header, cells, &there, file, &same);
    if (status == TN_OK && there) {
        s->count->rows_known++;
        if (!same && s->count->rows_other++ == 0)
            snprintf(s->count->first_other, sizeof s->count->first_other, "%.400s, line %ld", t->path,
                     t->lines[row + 1]);
    } else if (status == TN_OK) {
        if (*file == 0)
            status = new_file(s, t->path, header, file);
        if (status == TN_OK)
            status = insert_row(s, t, row, columns, key, *file, cells);
    }
    free(cells);
    return status;
}

/* The file that rows of the table came in before, where its header is the same: one that has grown. */
static tn_status file_of(storing *s, const tn_csv *t, const int *columns, const char *header,
                         sqlite3_int64 *out) {
    unsigned char key[KEY];
    bool there, same;
    *out = 0;
    for (size_t row = 0; row < t->rows && *out == 0; row++) {
        key_of_row(s, t, row, columns, key);
        TN_TRY(find_row(s, key, header, "", &there, out, &same));
    }
    return TN_OK;
}

static tn_status store_table(storing *s, const tn_csv *t) {
    int columns[TN_COLUMNS];
    char *header;
    sqlite3_int64 file;
    for (int c = 0; c < TN_COLUMNS; c++)
        columns[c] = tn_csv_column(t, tn_cost_columns[c].name);
    TN_TRY(line_of(t, -1, &header));
    tn_status status = file_of(s, t, columns, header, &file);
    for (size_t row = 0; row < t->rows && status == TN_OK; row++)
        status = store_row(s, t, row, columns, header, &file);
    free(header);
    return status == TN_OK && tn_interrupted()
               ? tn_fail(t->ctx, TN_ERR_INTERRUPTED, "stopped; %s has nothing of it", s->db.path)
               : status;
}

/* ---- runs ---- */

typedef struct run_texts {
    char *config, *summary, *metrics, *routes; /* NULL where it has none */
} run_texts;

static tn_status json_text(tn_context *ctx, const json_t *value, char **out) {
    *out = value ? json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    return value && !*out ? tn_fail(ctx, TN_ERR_MEMORY, "out of host memory for the runs of a database")
                          : TN_OK;
}

static tn_status texts_of(tn_context *ctx, const tn_run *run, run_texts *out) {
    *out = (run_texts){0};
    TN_TRY(json_text(ctx, run->config, &out->config));
    TN_TRY(json_text(ctx, run->summary, &out->summary));
    TN_TRY(table_text(&run->metrics, &out->metrics));
    return table_text(&run->routes, &out->routes);
}

/* The first line of the metrics has the time of the first steps, which no other run has to the last digit. */
static void key_of_run(storing *s, const tn_run *run, const run_texts *texts, unsigned char key[KEY]) {
    XXH3_128bits_reset(s->hash);
    add_to_key(s, run->config ? "run" : "study");
    for (size_t c = 0; run->metrics.ctx && run->metrics.rows > 0 && c < run->metrics.columns; c++)
        add_to_key(s, tn_csv_text(&run->metrics, 0, (int)c));
    if (!run->metrics.ctx || run->metrics.rows == 0) {
        add_to_key(s, texts->config ? texts->config : "");
        add_to_key(s, texts->summary ? texts->summary : "");
    }
    end_key(s, key);
}

static bool same_text(sqlite3_stmt *statement, int column, const char *text) {
    const char *kept = (const char *)sqlite3_column_text(statement, column);
    return kept && text ? strcmp(kept, text) == 0 : !kept && !text;
}

/* Whether a run is there, as it is now or further on. */
static tn_status find_run(storing *s, const unsigned char key[KEY], const run_texts *texts, bool *known) {
    bool there;
    sqlite3_bind_blob(s->find_run, 1, key, KEY, SQLITE_STATIC);
    TN_TRY(tn_sqlite_step(&s->db, s->find_run, &there));
    *known = there && same_text(s->find_run, 0, texts->config) && same_text(s->find_run, 1, texts->summary) &&
             same_text(s->find_run, 2, texts->metrics) && same_text(s->find_run, 3, texts->routes);
    if (there && !*known && texts->metrics)
        *known = (size_t)sqlite3_column_bytes(s->find_run, 2) > strlen(texts->metrics);
    sqlite3_reset(s->find_run);
    return TN_OK;
}

static void bind_number(sqlite3_stmt *statement, int place, double value) {
    if (value == value)
        sqlite3_bind_double(statement, place, value);
    else
        sqlite3_bind_null(statement, place);
}

static tn_status put_run(storing *s, const tn_run *run, const run_texts *texts,
                         const unsigned char key[KEY]) {
    static const char *const names[] = {"task", "mixer", NULL, "device", "platform", "version", "status"};
    static const char *const numbers[] = {"accuracy", "attention_pct", "time_saved_pct", "energy_saved_pct",
                                          "train_s"};
    char seed[32] = "";
    int place = 5;
    double number = tn_run_number(run, "seed");
    if (number == number)
        snprintf(seed, sizeof seed, "%.17g", number);
    sqlite3_bind_blob(s->run, 1, key, KEY, SQLITE_STATIC);
    sqlite3_bind_text(s->run, 2, run->path, -1, SQLITE_STATIC);
    sqlite3_bind_text(s->run, 3, run->name, -1, SQLITE_STATIC);
    sqlite3_bind_int(s->run, 4, run->config == NULL);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        tn_sqlite_text(s->run, place++,
                       names[i] ? tn_run_text(run, names[i])
                       : *seed  ? seed
                                : tn_run_text(run, "seed"));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        bind_number(s->run, place++, tn_run_number(run, numbers[i]));
    tn_sqlite_text(s->run, place++, texts->config);
    tn_sqlite_text(s->run, place++, texts->summary);
    tn_sqlite_text(s->run, place++, texts->metrics);
    tn_sqlite_text(s->run, place, texts->routes);
    return tn_sqlite_do(&s->db, s->run);
}

static tn_status store_run(storing *s, const tn_run *run) {
    run_texts texts;
    unsigned char key[KEY];
    bool known = false;
    tn_status status = texts_of(s->db.ctx, run, &texts);
    if (status == TN_OK) {
        key_of_run(s, run, &texts, key);
        status = find_run(s, key, &texts, &known);
    }
    if (status == TN_OK && !known)
        status = put_run(s, run, &texts, key);
    *(known ? &s->count->runs_known : &s->count->runs) += 1;
    free(texts.config);
    free(texts.summary);
    free(texts.metrics);
    free(texts.routes);
    return status;
}

/* A table of bits as a whole, known by all that stands in it. */
static tn_status store_bits(storing *s, const tn_csv *t) {
    unsigned char key[KEY];
    char *text;
    tn_status status = table_text(t, &text);
    if (status == TN_OK) {
        XXH3_128bits_reset(s->hash);
        add_to_key(s, text);
        end_key(s, key);
        sqlite3_bind_blob(s->bits, 1, key, KEY, SQLITE_STATIC);
        sqlite3_bind_text(s->bits, 2, t->path, -1, SQLITE_STATIC);
        sqlite3_bind_text(s->bits, 3, text, -1, SQLITE_STATIC);
        status = tn_sqlite_do(&s->db, s->bits);
    }
    free(text);
    return status;
}

/* ---- all ---- */

static tn_status prepare_insert(storing *s) {
    const size_t most = 300 + 32 * TN_COLUMNS;
    char *sql;
    int columns = 0;
    TN_TRY(tn_alloc(s->db.ctx, most, 1, &sql));
    size_t used =
        (size_t)snprintf(sql, most, "INSERT INTO measurements (key, file, line, device_id, used, cells");
    for (int c = 0; c < TN_COLUMNS; c++)
        if (!tn_sqlite_of_device(c)) {
            used += (size_t)snprintf(sql + used, most - used, ", \"%s\"", tn_cost_columns[c].name);
            columns++;
        }
    used += (size_t)snprintf(sql + used, most - used, ") VALUES (?, ?, ?, ?, ?, ?");
    for (int c = 0; c < columns; c++)
        used += (size_t)snprintf(sql + used, most - used, ", ?");
    snprintf(sql + used, most - used, ")");
    tn_status status = tn_sqlite_prepare(&s->db, sql, &s->insert);
    tn_free(s->db.ctx, sql);
    return status;
}

static tn_status prepare(storing *s) {
    TN_TRY(prepare_insert(s));
    TN_TRY(tn_sqlite_prepare(
        &s->db,
        "SELECT m.file, f.header, m.cells FROM measurements m JOIN files f ON f.id = m.file "
        "WHERE m.key = ?",
        &s->find));
    TN_TRY(tn_sqlite_prepare(&s->db, "INSERT INTO files (path, header) VALUES (?, ?)", &s->file));
    TN_TRY(tn_sqlite_prepare(
        &s->db, "SELECT id FROM devices WHERE platform = ? AND device = ? AND host = ? AND mark = ?",
        &s->device));
    TN_TRY(tn_sqlite_prepare(
        &s->db,
        "INSERT INTO devices (platform, device, host, mark, pci, kind, cpu) VALUES (?, ?, ?, ?, ?, ?, ?)",
        &s->device_new));
    TN_TRY(tn_sqlite_prepare(&s->db, "SELECT config, summary, metrics, routes FROM runs WHERE key = ?",
                             &s->find_run));
    TN_TRY(
        tn_sqlite_prepare(&s->db, "INSERT OR IGNORE INTO bits (key, path, text) VALUES (?, ?, ?)", &s->bits));
    return tn_sqlite_prepare(
        &s->db,
        "INSERT INTO runs (key, path, name, of_study, task, mixer, seed, device, platform, version, status, "
        "accuracy, attention_pct, time_saved_pct, energy_saved_pct, train_s, config, summary, metrics, "
        "routes) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET "
        "path = excluded.path, name = excluded.name, device = excluded.device, platform = excluded.platform, "
        "version = excluded.version, status = excluded.status, accuracy = excluded.accuracy, attention_pct = "
        "excluded.attention_pct, time_saved_pct = excluded.time_saved_pct, energy_saved_pct = "
        "excluded.energy_saved_pct, train_s = excluded.train_s, config = excluded.config, summary = "
        "excluded.summary, metrics = excluded.metrics, routes = excluded.routes",
        &s->run);
}

static void release(storing *s) {
    sqlite3_stmt *const all[] = {s->find,   s->insert,   s->file, s->device_new,
                                 s->device, s->find_run, s->run,  s->bits};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        sqlite3_finalize(all[i]);
    XXH3_freeState(s->hash);
}

tn_status tn_database_store(tn_context *ctx, const char *path, const tn_inputs *in, tn_database_count *out) {
    storing s = {.count = out, .hash = XXH3_createState()};
    *out = (tn_database_count){0};
    if (strcmp(path, "-") == 0) {
        XXH3_freeState(s.hash);
        return tn_fail(ctx, TN_ERR_ARG, "a database cannot go to stdout; name a file, results.db");
    }
    tn_status status = s.hash ? tn_sqlite_open(ctx, path, true, &s.db)
                              : tn_fail(ctx, TN_ERR_MEMORY, "out of host memory for the database %s", path);
    if (status != TN_OK) {
        XXH3_freeState(s.hash);
        return status;
    }
    TN_GO(prepare(&s));
    for (size_t f = 0; f < in->cost_count; f++)
        TN_GO(store_table(&s, &in->costs[f]));
    for (size_t i = 0; i < in->bits_count; i++)
        TN_GO(store_bits(&s, &in->bits[i]));
    for (size_t i = 0; i < in->run_count; i++)
        TN_GO(store_run(&s, &in->runs[i]));
cleanup:
    release(&s);
    return tn_sqlite_close(&s.db, status);
}
