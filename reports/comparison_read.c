#include "comparison.h"

#include "file.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES_SCHEMA "turnout-samples-1"

const char *const tn_key_columns[TN_KEYS + 1] = {
    "platform", "device", "level", "op",       "pass",  "mixer", "B",    "T",     "D",     "H",
    "Dh",       "K",      "rho",   "schedule", "shape", "peer",  "part", "cores", "cache", NULL};

enum { NAME_SIZE = 2048 };

/* Where samples of a row go: the run that has its date, key and median. */
typedef struct claim {
    size_t row, run;
    const char *utc;
} claim;

typedef struct reading {
    tn_comparison *c;
    int side;
    claim *claims; /* one a row of the side that is ok */
    size_t count, capacity;
} reading;

/* A key of a row as text, which a file without the column lacks. */
static const char *key_text(int key, const char *text) {
    return key == TN_KEY_CACHE && !*text ? "warm" : text;
}

/* One more field of a row's name; numbers written in different ways are the same number. */
static size_t add_text(char *name, size_t used, const char *text) {
    char *end;
    double number = strtod(text, &end);
    if (used >= NAME_SIZE)
        return used;
    if (*text && !*end)
        return used + (size_t)snprintf(name + used, NAME_SIZE - used, "%.12g\x1f", number);
    return used + (size_t)snprintf(name + used, NAME_SIZE - used, "%s\x1f", text);
}

static tn_status find_row(tn_comparison *c, const char *name, size_t *out) {
    for (*out = 0; *out < c->count; ++*out)
        if (strcmp(c->rows[*out].name, name) == 0)
            return TN_OK;
    TN_TRY(tn_grow(c->ctx, &c->rows, &c->capacity, c->count + 1, sizeof *c->rows));
    TN_TRY(tn_strdup(c->ctx, name, &c->rows[c->count].name));
    c->count++;
    return TN_OK;
}

static tn_status read_times(const tn_csv *t, size_t row, tn_times *out) {
    double n;
    bool good = tn_csv_number(t, row, tn_csv_column(t, "n"), &n) && n >= 1 && n < 1e9;
    good &= tn_csv_number(t, row, tn_csv_column(t, "wall_ms"), &out->median) && out->median > 0;
    (void)tn_csv_number(t, row, tn_csv_column(t, "wall_ms_q1"), &out->q1);
    (void)tn_csv_number(t, row, tn_csv_column(t, "wall_ms_q3"), &out->q3);
    if (tn_csv_number(t, row, tn_csv_column(t, "drift_pct"), &out->drift))
        out->drift /= 100;
    good &= !(out->q1 > out->median) && !(out->q3 < out->median);
    out->n = good ? (int64_t)n : 0;
    return good ? TN_OK
                : tn_fail(t->ctx, TN_ERR_INPUT,
                          "%s, line %ld: a row that is ok has n '%s' and wall_ms '%s', quartiles '%s' and "
                          "'%s'; these "
                          "are no times, measure it again",
                          t->path, t->lines[row + 1], tn_csv_text(t, row, tn_csv_column(t, "n")),
                          tn_csv_text(t, row, tn_csv_column(t, "wall_ms")),
                          tn_csv_text(t, row, tn_csv_column(t, "wall_ms_q1")),
                          tn_csv_text(t, row, tn_csv_column(t, "wall_ms_q3")));
}

static tn_status add_row(reading *r, const tn_csv *t, size_t row) {
    tn_comparison *c = r->c;
    char name[NAME_SIZE];
    size_t used = 0, at;
    const char *status = tn_csv_text(t, row, tn_csv_column(t, "status"));
    for (int k = 0; k < TN_KEYS; k++)
        used = add_text(name, used, key_text(k, tn_csv_text(t, row, tn_csv_column(t, tn_key_columns[k]))));
    TN_TRY(find_row(c, name, &at));
    tn_compared_row *compared = &c->rows[at];
    tn_compared_side *side = &compared->side[r->side];
    for (int k = 0; k < TN_KEYS && !compared->key[k]; k++)
        compared->key[k] = tn_csv_text(t, row, tn_csv_column(t, tn_key_columns[k]));
    if (strcmp(status, "ok") != 0) {
        if (!side->status || strcmp(side->status, "ok") == 0) {
            side->status = status;
            side->reason = tn_csv_text(t, row, tn_csv_column(t, "reason"));
        }
        return TN_OK;
    }
    tn_times times = {0};
    TN_TRY(read_times(t, row, &times));
    TN_TRY(tn_grow(c->ctx, &side->times.items, &side->times.capacity, side->times.count + 1, sizeof times));
    side->times.items[side->times.count++] = times;
    side->status = side->status ? side->status : "ok";
    TN_TRY(tn_grow(c->ctx, &r->claims, &r->capacity, r->count + 1, sizeof *r->claims));
    r->claims[r->count++] = (claim){at, side->times.count - 1, tn_csv_text(t, row, tn_csv_column(t, "utc"))};
    return TN_OK;
}

static tn_status read_csv(reading *r, const char *path) {
    tn_comparison *c = r->c;
    TN_TRY(tn_grow(c->ctx, &c->tables, &c->table_capacity, c->table_count + 1, sizeof *c->tables));
    tn_csv *t = &c->tables[c->table_count];
    TN_TRY(tn_csv_read_cost(c->ctx, path, t));
    c->table_count++;
    for (size_t row = 0; row < t->rows; row++)
        TN_TRY(add_row(r, t, row));
    return TN_OK;
}

static void name_of(const json_t *line, char *name) {
    size_t used = 0;
    for (int k = 0; k < TN_KEYS; k++) {
        char number[40] = "";
        const json_t *value = json_object_get(line, tn_key_columns[k]);
        if (json_is_number(value))
            snprintf(number, sizeof number, "%.12g", json_number_value(value));
        used = add_text(name, used, key_text(k, json_is_string(value) ? json_string_value(value) : number));
    }
}

/* False where one is no time. */
static bool numbers_of(const json_t *list, double *out) {
    size_t i;
    const json_t *value;
    json_array_foreach(list, i, value) {
        out[i] = json_number_value(value);
        if (!json_is_number(value) || !(out[i] > 0) || !isfinite(out[i]))
            return false;
    }
    return true;
}

/* The run that these samples are of; NULL where none is. */
static tn_times *claimed(const reading *r, const char *name, const char *utc, double median, int64_t n) {
    for (size_t i = 0; i < r->count; i++) {
        const claim *k = &r->claims[i];
        tn_compared_row *row = &r->c->rows[k->row];
        tn_times *t = &row->side[r->side].times.items[k->run];
        if (!t->ms && t->n == n && strcmp(k->utc, utc) == 0 && strcmp(row->name, name) == 0 &&
            fabs(t->median - median) <= 1e-4 * median)
            return t;
    }
    return NULL;
}

/* One line; `*words`: what is wrong with it, NULL when nothing is. */
static tn_status take_line(reading *r, const json_t *line, const char **words) {
    tn_context *ctx = r->c->ctx;
    const char *schema = json_string_value(json_object_get(line, "schema"));
    const char *utc = json_string_value(json_object_get(line, "utc"));
    const json_t *list = json_object_get(line, "wall_ms");
    size_t n = json_array_size(list);
    char name[NAME_SIZE];
    double *ms, *sorted;
    *words = NULL;
    if (!schema || strcmp(schema, SAMPLES_SCHEMA) != 0 || !utc || n == 0) {
        *words = "this is no line of " SAMPLES_SCHEMA;
        return TN_OK;
    }
    TN_TRY(tn_alloc(ctx, n, sizeof *ms, &ms));
    tn_status status = tn_alloc(ctx, n, sizeof *sorted, &sorted);
    if (status == TN_OK && !numbers_of(list, ms)) {
        *words = "a value of wall_ms is no time";
    } else if (status == TN_OK) {
        name_of(line, name);
        memcpy(sorted, ms, n * sizeof *ms);
        tn_times *t = claimed(r, name, utc, tn_median_of(sorted, n), (int64_t)n);
        r->c->strays += t == NULL;
        if (t) {
            t->ms = ms;
            ms = NULL;
        }
    }
    tn_free(ctx, sorted);
    tn_free(ctx, ms);
    return status;
}

static tn_status read_samples(reading *r, const char *path) {
    tn_context *ctx = r->c->ctx;
    char *text;
    size_t size;
    long number = 1;
    TN_TRY(tn_file_read(ctx, path, &text, &size));
    tn_status status = TN_OK;
    for (const char *at = text, *end = text + size; status == TN_OK && at < end; number++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        const char *words = "the last line is cut off";
        json_error_t error;
        if (stop) {
            json_t *line = json_loadb(at, (size_t)(stop - at), 0, &error);
            status = line ? take_line(r, line, &words) : TN_OK;
            words = line ? words : error.text;
            json_decref(line);
        }
        if (status == TN_OK && words)
            status = tn_fail(ctx, TN_ERR_INPUT,
                             "%s, line %ld: %s; delete the file, or go without it by --quartiles", path,
                             number, words);
        at = stop ? stop + 1 : end;
    }
    tn_free(ctx, text);
    return status;
}

static bool ends_in(const char *text, const char *ending) {
    size_t length = strlen(text), tail = strlen(ending);
    return length >= tail && strcmp(text + length - tail, ending) == 0;
}

/* X.jsonl beside X.csv. */
static tn_status read_beside(reading *r, const char *path) {
    char *beside;
    if (!ends_in(path, ".csv"))
        return TN_OK;
    TN_TRY(tn_alloc(r->c->ctx, strlen(path) + 3, 1, &beside));
    snprintf(beside, strlen(path) + 3, "%.*s.jsonl", (int)strlen(path) - 4, path);
    tn_status status = tn_file_exists(beside) ? read_samples(r, beside) : TN_OK;
    tn_free(r->c->ctx, beside);
    return status;
}

/* The names of a list one after the other, split at commas unless the whole is a file's name. */
static const char *next_name(char **list) {
    char *name = *list, *comma = name ? strchr(name, ',') : NULL;
    if (name && comma && tn_file_exists(name))
        comma = NULL;
    *list = comma ? comma + 1 : NULL;
    if (comma)
        *comma = '\0';
    return name;
}

static tn_status read_names(reading *r, const char *names, tn_status (*read)(reading *, const char *),
                            bool samples) {
    char *copy;
    TN_TRY(tn_strdup(r->c->ctx, names, &copy));
    tn_status status = TN_OK;
    const char *name;
    for (char *rest = copy; status == TN_OK && (name = next_name(&rest)) != NULL;)
        if (ends_in(name, ".jsonl") == samples)
            status = read(r, name);
    tn_free(r->c->ctx, copy);
    return status;
}

tn_status tn_comparison_read(tn_comparison *c, int side, const char *names) {
    reading r = {.c = c, .side = side};
    size_t before = c->table_count;
    tn_status status = read_names(&r, names, read_csv, false);
    if (status == TN_OK && c->table_count == before)
        status = tn_fail(c->ctx, TN_ERR_ARG, "'%s' names samples alone; name the CSV they belong to as well",
                         names);
    if (status == TN_OK && !c->options.quartiles)
        status = strstr(names, ".jsonl") ? read_names(&r, names, read_samples, true)
                                         : read_names(&r, names, read_beside, false);
    tn_free(c->ctx, r.claims);
    return status;
}
