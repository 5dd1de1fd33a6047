/* The files of both sides as rows. */
#include "comparison.h"

#include "csv_read.h"
#include "database_read.h"
#include "file.h"

#include <dirent.h>
#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

size_t tn_comparison_add_text(char *name, size_t used, int column, const char *text) {
    char *end;
    double value = strtod(text, &end);
    if (used >= TN_COMPARISON_NAME)
        return used;
    size_t left = TN_COMPARISON_NAME - used;
    if (column == TN_COLUMN_cache && !*text)
        text = "warm";
    if (*text && !*end)
        return used + (size_t)snprintf(name + used, left, "%.12g\x1f", value);
    return used + (size_t)snprintf(name + used, left, "%s\x1f", text);
}

/* One row is one measurement: what cannot be, or is there twice, is not compared. */
static tn_status check_flaws(tn_comparison *c, const tn_csv *t) {
    char text[512];
    const tn_csv_flaw *first = NULL;
    size_t damaged = 0;
    for (size_t i = 0; i < t->flaw_count; i++) {
        if (t->flaws[i].use == TN_ROW_DAMAGED) {
            first = first ? first : &t->flaws[i];
            damaged++;
        } else {
            c->notes += t->flaws[i].use == TN_ROW_USED; /* past a ceiling or not, times are times */
        }
    }
    if (!first)
        return TN_OK;
    tn_csv_flaw_text(t, first, text, sizeof text);
    if (damaged > 1)
        return tn_fail(c->ctx, TN_ERR_INPUT,
                       "%s (and %zu more like it); measure again, or use the file as it was written", text,
                       damaged - 1);
    return tn_fail(c->ctx, TN_ERR_INPUT, "%s; measure again, or use the file as it was written", text);
}

static tn_status check_twice(tn_comparison *c, const tn_compared_table *table) {
    for (const tn_compared_table *other = c->tables; other < table; other++) {
        if (!tn_csv_same(&other->csv, &table->csv))
            continue;
        if (other->side == table->side)
            return tn_fail(c->ctx, TN_ERR_INPUT,
                           "%s and %s on the %s side hold the same rows: that is one run, and taken for two "
                           "it makes the "
                           "interval too narrow; name each run once",
                           other->csv.path, table->csv.path, table->side ? "new" : "old");
        c->same_files = true;
    }
    return TN_OK;
}

/* What every table of a side must pass, now that it is among the others. */
static tn_status take_table(tn_comparison *c, const tn_compared_table *table) {
    TN_TRY(tn_csv_need_cost(&table->csv));
    TN_TRY(check_flaws(c, &table->csv));
    TN_TRY(check_twice(c, table));
    return tn_shards_add(&c->shards[table->side], &c->tables[c->table_count - 1].csv);
}

typedef struct side_of {
    tn_comparison *c;
    int side;
} side_of;

static tn_status take_kept(void *user, tn_csv *t) {
    const side_of *to = user;
    tn_comparison *c = to->c;
    TN_TRY(tn_grow(c->ctx, &c->tables, &c->table_capacity, c->table_count + 1, sizeof *c->tables));
    c->tables[c->table_count] = (tn_compared_table){*t, to->side};
    *t = (tn_csv){0};
    return take_table(c, &c->tables[c->table_count++]);
}

static tn_status read_database(tn_comparison *c, int side, const char *name) {
    side_of to = {c, side};
    return tn_database_read(c->ctx, name, &(tn_database_reader){.user = &to, .table = take_kept});
}

/* `several`: the side has other files, so that a part of a grid may be without a cell, a header alone. */
static tn_status read_csv(tn_comparison *c, int side, const char *path, bool several) {
    TN_TRY(tn_grow(c->ctx, &c->tables, &c->table_capacity, c->table_count + 1, sizeof *c->tables));
    tn_compared_table *table = &c->tables[c->table_count];
    table->side = side;
    TN_TRY(tn_csv_read(c->ctx, path, &table->csv));
    if (several && table->csv.rows == 0 && tn_csv_column(&table->csv, "shard") >= 0) {
        tn_csv_free(&table->csv);
        tn_warn(c->ctx, "%s holds a header and no rows: a shard without a cell", path);
        return TN_OK;
    }
    c->table_count++;
    return take_table(c, table);
}

static bool is_folder(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static int is_cost_file(const struct dirent *entry) {
    return fnmatch("cost*.csv", entry->d_name, 0) == 0;
}

/* Puts one name of a list into the stream, or those of a folder's files. */
static tn_status put_names(tn_context *ctx, FILE *stream, const char *name) {
    struct dirent **entries;
    if (!is_folder(name)) {
        fprintf(stream, "%s%s", ftell(stream) > 0 ? "," : "", name);
        return TN_OK;
    }
    int count = scandir(name, &entries, is_cost_file, alphasort);
    tn_status status = count > 0
                           ? TN_OK
                           : tn_fail(ctx, TN_ERR_INPUT,
                                     "the folder %s holds no cost*.csv; name the folder that the parts of a "
                                     "sweep were written into, or its files",
                                     name);
    for (int i = 0; i < count; i++) {
        if (status == TN_OK && strchr(entries[i]->d_name, ','))
            status = tn_fail(ctx, TN_ERR_INPUT, "%s/%s has a comma in its name; rename it", name,
                             entries[i]->d_name);
        fprintf(stream, "%s%s/%s", ftell(stream) > 0 ? "," : "", name, entries[i]->d_name);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return status;
}

tn_status tn_comparison_names(tn_context *ctx, const char *names, char **out) {
    char *copy = NULL, *text = NULL;
    const char *name;
    size_t size;
    *out = NULL;
    FILE *stream = open_memstream(&text, &size);
    tn_status status = stream ? tn_strdup(ctx, names, &copy)
                              : tn_fail(ctx, TN_ERR_MEMORY, "out of host memory for the names of files");
    for (char *rest = copy; status == TN_OK && (name = tn_comparison_next(&rest)) != NULL;)
        status = put_names(ctx, stream, name);
    if (stream && fclose(stream) != 0 && status == TN_OK)
        status = tn_fail(ctx, TN_ERR_MEMORY, "out of host memory for the names of files");
    if (status == TN_OK)
        status = tn_strdup(ctx, text, out);
    free(text);
    tn_free(ctx, copy);
    return status;
}

static tn_status warn_of(void *user, const tn_shard_place *at, const char *why) {
    tn_warn(user, "%s, line %ld: %s", at->file, at->line, why);
    return TN_OK;
}

const char *tn_comparison_next(char **list) {
    char *name = *list, *comma = name ? strchr(name, ',') : NULL;
    if (name && comma && tn_file_exists(name))
        comma = NULL;
    *list = comma ? comma + 1 : NULL;
    if (comma)
        *comma = '\0';
    return name;
}

tn_status tn_comparison_read(tn_comparison *c, int side, const char *names) {
    char *copy;
    const char *name;
    size_t before = c->table_count;
    TN_TRY(tn_strdup(c->ctx, names, &copy));
    tn_status status = TN_OK;
    for (char *rest = copy; status == TN_OK && (name = tn_comparison_next(&rest)) != NULL;) {
        size_t length = strlen(name);
        if (tn_database_named(name))
            status = read_database(c, side, name);
        else if (length < 6 || strcmp(name + length - 6, ".jsonl") != 0)
            status = read_csv(c, side, name, strcmp(names, name) != 0);
    }
    tn_free(c->ctx, copy);
    if (status == TN_OK && c->table_count == before)
        status = tn_fail(c->ctx, TN_ERR_ARG, "'%s' names samples alone; name the CSV they belong to as well",
                         names);
    if (status == TN_OK)
        status = tn_shards_one_build(&c->shards[side]);
    return status == TN_OK ? tn_shards_notes(&c->shards[side], warn_of, c->ctx) : status;
}

static void read_times(const tn_csv *t, size_t row, tn_times *out) {
    double n;
    (void)tn_csv_number(t, row, tn_csv_column(t, "n"), &n);
    out->n = (int64_t)n;
    (void)tn_csv_number(t, row, tn_csv_column(t, "wall_ms"), &out->median);
    (void)tn_csv_number(t, row, tn_csv_column(t, "wall_ms_q1"), &out->q1);
    (void)tn_csv_number(t, row, tn_csv_column(t, "wall_ms_q3"), &out->q3);
    if (tn_csv_number(t, row, tn_csv_column(t, "drift_pct"), &out->drift))
        out->drift /= 100;
}

static const char *text_of(const tn_compared_run *run, const char *column) {
    return tn_csv_text(run->table, run->row, tn_csv_column(run->table, column));
}

/* Two runs of one work and build that began in the same second and have every number in common. */
static tn_status check_again(const tn_compared_side *side, const tn_compared_run *run, const tn_times *t) {
    for (size_t i = 0; i < side->times.count; i++) {
        const tn_times *other = &side->times.items[i];
        bool alike = other->n == t->n && other->median == t->median &&
                     (other->q1 == t->q1 || (isnan(other->q1) && isnan(t->q1))) &&
                     (other->q3 == t->q3 || (isnan(other->q3) && isnan(t->q3)));
        alike = alike && strcmp(text_of(&side->runs[i], "version"), text_of(run, "version")) == 0;
        if (alike && strcmp(text_of(&side->runs[i], "utc"), text_of(run, "utc")) == 0)
            return tn_fail(
                run->table->ctx, TN_ERR_INPUT,
                "%s, line %ld, and %s, line %ld, are one measurement (%s, n %lld, wall_ms %g), and taken for "
                "two it makes the interval too narrow; leave one out",
                side->runs[i].table->path, side->runs[i].table->lines[side->runs[i].row + 1],
                run->table->path, run->table->lines[run->row + 1], text_of(run, "utc"), (long long)t->n,
                t->median);
    }
    return TN_OK;
}

static const char *cell_of(const tn_csv *t, size_t row, int column) {
    return tn_csv_text(t, row, tn_csv_column(t, tn_cost_columns[column].name));
}

static tn_status find_row(tn_comparison *c, const tn_csv *t, size_t row, size_t device, size_t *out) {
    char name[TN_COMPARISON_NAME];
    size_t used = (size_t)snprintf(name, sizeof name, "%zu\x1f", device), before = c->names.count;
    for (int k = 0; k < TN_COLUMNS; k++)
        if (tn_cost_columns[k].uses & TN_COL_WORK)
            used = tn_comparison_add_text(name, used, k, cell_of(t, row, k));
    TN_TRY(tn_names_add(&c->names, name, out));
    if (*out < before)
        return TN_OK;
    TN_TRY(tn_grow(c->ctx, &c->rows, &c->capacity, c->count + 1, sizeof *c->rows));
    tn_compared_row *fresh = &c->rows[c->count++];
    fresh->name = tn_names_text(&c->names, *out);
    fresh->device = device;
    for (int k = 0; k < TN_COLUMNS; k++)
        if (tn_cost_columns[k].uses & (TN_COL_DEVICE | TN_COL_WORK))
            fresh->key[k] = cell_of(t, row, k);
    return TN_OK;
}

static tn_status add_row(tn_comparison *c, const tn_compared_table *table, size_t row) {
    const tn_csv *t = &table->csv;
    const char *status = tn_csv_text(t, row, tn_csv_column(t, "status"));
    size_t device, at;
    TN_TRY(tn_devices_find(&c->seen[table->side], t, row, &device));
    TN_TRY(find_row(c, t, row, c->place[table->side][device], &at));
    tn_compared_side *side = &c->rows[at].side[table->side];
    if (strcmp(status, "ok") != 0) {
        if (!side->status || strcmp(side->status, "ok") == 0) {
            side->status = status;
            side->reason = tn_csv_text(t, row, tn_csv_column(t, "reason"));
        }
        return TN_OK;
    }
    tn_times times = {0};
    tn_compared_run run = {t, row};
    read_times(t, row, &times);
    TN_TRY(check_again(side, &run, &times));
    TN_TRY(tn_grow(c->ctx, &side->runs, &side->run_capacity, side->times.count + 1, sizeof run));
    TN_TRY(tn_grow(c->ctx, &side->times.items, &side->times.capacity, side->times.count + 1, sizeof times));
    side->runs[side->times.count] = run;
    side->times.items[side->times.count++] = times;
    side->status = side->status ? side->status : "ok";
    return TN_OK;
}

tn_status tn_comparison_rows(tn_comparison *c) {
    for (size_t f = 0; f < c->table_count; f++)
        for (size_t row = 0; row < c->tables[f].csv.rows; row++)
            TN_TRY(add_row(c, &c->tables[f], row));
    return TN_OK;
}
