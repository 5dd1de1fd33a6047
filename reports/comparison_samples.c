/* Samples (X.jsonl) to the runs that they are of. */
#include "comparison.h"

#include "file.h"
#include "old_names.h"
#include "statistics.h"
#include "text_file.h"

#include <math.h>
#include <string.h>

#define SAMPLES_SCHEMA "turnout-samples-1"

typedef struct reading {
    tn_comparison *c;
    int side;
} reading;

static const char *text_of(const json_t *line, const char *name) {
    return json_string_value(json_object_get(line, name));
}

/* Whether a line, which names as much of a device as its row does, may be of this one. */
static bool is_of(const json_t *line, const tn_device_id *d, bool any_host) {
    const char *platform = text_of(line, "platform"), *name = text_of(line, "device"),
               *host = text_of(line, "host");
    const char *pci = text_of(line, "pci"), *selector = text_of(line, "selector");
    const char *number = selector ? strchr(selector, ':') : NULL;
    char mark[sizeof d->mark] = "";
    if (!platform || strcmp(platform, d->platform) != 0 || !name || strcmp(name, d->name) != 0 ||
        (host && !any_host && *d->host && strcmp(host, d->host) != 0)) /* none: parts of a grid */
        return false;
    if (pci && *pci)
        snprintf(mark, sizeof mark, "PCI %s", pci);
    else if (number)
        snprintf(mark, sizeof mark, "device %s", number + 1);
    return !*mark || !*d->mark || strcmp(mark, d->mark) == 0;
}

/* The row of such a device that a line names; false where there is none. */
static bool find_row(const reading *r, const json_t *line, size_t device, size_t *out) {
    char name[TN_COMPARISON_NAME];
    size_t used = (size_t)snprintf(name, sizeof name, "%zu\x1f", r->c->place[r->side][device]);
    for (int k = 0; k < TN_COLUMNS; k++) {
        char number[40] = "";
        const json_t *value = json_object_get(line, tn_cost_columns[k].name);
        if (!(tn_cost_columns[k].uses & TN_COL_WORK))
            continue;
        if (json_is_number(value))
            snprintf(number, sizeof number, "%.12g", json_number_value(value));
        used = tn_comparison_add_text(
            name, used, k, json_is_string(value) ? tn_op_current_name(json_string_value(value)) : number);
    }
    return tn_names_find(&r->c->names, name, out);
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
static tn_times *run_of(const reading *r, const json_t *line, double median, int64_t n) {
    const char *utc = text_of(line, "utc");
    const tn_devices *seen = &r->c->seen[r->side];
    for (size_t d = 0; d < seen->count; d++) {
        size_t at;
        if (!is_of(line, &seen->items[d], seen->any_host) || !find_row(r, line, d, &at))
            continue;
        tn_compared_side *side = &r->c->rows[at].side[r->side];
        for (size_t i = 0; i < side->times.count; i++) {
            const tn_compared_run *run = &side->runs[i];
            tn_times *t = &side->times.items[i];
            if (!t->ms && t->n == n && fabs(t->median - median) <= 1e-4 * median &&
                strcmp(tn_csv_text(run->table, run->row, tn_csv_column(run->table, "utc")), utc) == 0)
                return t;
        }
    }
    return NULL;
}

/* One line; `*words`: what is wrong with it, NULL when nothing is. */
static tn_status take_line(reading *r, const json_t *line, const char **words) {
    tn_context *ctx = r->c->ctx;
    const char *schema = text_of(line, "schema");
    const json_t *list = json_object_get(line, "wall_ms");
    size_t n = json_array_size(list);
    double *ms, *sorted;
    *words = NULL;
    if (!schema || strcmp(schema, SAMPLES_SCHEMA) != 0 || !text_of(line, "utc") || n == 0) {
        *words = "this is no line of " SAMPLES_SCHEMA;
        return TN_OK;
    }
    TN_TRY(tn_alloc(ctx, n, sizeof *ms, &ms));
    tn_status status = tn_alloc(ctx, n, sizeof *sorted, &sorted);
    if (status == TN_OK && !numbers_of(list, ms)) {
        *words = "a value of wall_ms is no time";
    } else if (status == TN_OK) {
        memcpy(sorted, ms, n * sizeof *ms);
        tn_times *t = run_of(r, line, tn_median(sorted, n), (int64_t)n);
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
    tn_text_file file;
    long number = 1;
    TN_TRY(tn_text_read(ctx, path, &file));
    r->c->notes += file.mended > 0;
    tn_status status = TN_OK;
    for (const char *at = file.bytes, *end = file.bytes + file.size; status == TN_OK && at < end; number++) {
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
    tn_free(ctx, file.bytes);
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

tn_status tn_comparison_samples(tn_comparison *c, int side, const char *names) {
    reading r = {.c = c, .side = side};
    char *copy;
    const char *name;
    bool named = strstr(names, ".jsonl") != NULL;
    if (c->options.quartiles)
        return TN_OK;
    TN_TRY(tn_strdup(c->ctx, names, &copy));
    tn_status status = TN_OK;
    for (char *rest = copy; status == TN_OK && (name = tn_comparison_next(&rest)) != NULL;)
        if (ends_in(name, ".jsonl") == named)
            status = named ? read_samples(&r, name) : read_beside(&r, name);
    tn_free(c->ctx, copy);
    return status;
}
