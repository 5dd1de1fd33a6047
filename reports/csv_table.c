#include "csv_table.h"

#include "file.h"

#include <csv.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct reader {
    tn_csv *table;
    tn_status status;
    long line;    /* of the file, from 1 */
    size_t cells; /* of the row being read */
} reader;

static void on_cell(void *bytes, size_t size, void *user) {
    reader *r = user;
    tn_csv *t = r->table;
    if (r->status != TN_OK)
        return;
    r->status = tn_grow(t->ctx, &t->cells, &t->cell_capacity, t->cell_count + 1, sizeof *t->cells);
    if (r->status == TN_OK)
        r->status = tn_grow(t->ctx, &t->text, &t->text_capacity, t->text_size + size + 1, 1);
    if (r->status != TN_OK)
        return;
    t->cells[t->cell_count++] = t->text_size;
    if (size > 0)
        memcpy(t->text + t->text_size, bytes, size);
    t->text[t->text_size + size] = '\0';
    t->text_size += size + 1;
    r->cells++;
}

static void on_row(int ending, void *user) {
    reader *r = user;
    tn_csv *t = r->table;
    (void)ending;
    if (r->status != TN_OK)
        return;
    if (t->columns == 0)
        t->columns = r->cells;
    if (r->cells != t->columns) {
        r->status = tn_fail(
            t->ctx, TN_ERR_INPUT,
            "%s, line %ld: %zu cells where the header names %zu columns; the file is damaged or cut off, "
            "delete that line or write the file again",
            t->path, r->line, r->cells, t->columns);
        return;
    }
    r->cells = 0;
    r->status = tn_grow(t->ctx, &t->lines, &t->line_capacity, t->line_count + 1, sizeof *t->lines);
    if (r->status == TN_OK)
        t->lines[t->line_count++] = r->line;
}

/* Bytes of the UTF-8 sequence at `p`, 0 where it is none: a CSV of ours is UTF-8 without control characters.
 */
static size_t utf8_length(const unsigned char *p, size_t left) {
    if (*p < 0x80)
        return *p >= 0x20 || *p == '\t' || *p == '\r' || *p == '\n';
    size_t length = *p >= 0xF0 && *p <= 0xF4  ? 4
                    : *p >= 0xE0 && *p < 0xF0 ? 3
                    : *p >= 0xC2 && *p < 0xE0 ? 2
                                              : 0;
    if (length > left)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    if ((*p == 0xE0 && p[1] < 0xA0) || (*p == 0xED && p[1] > 0x9F) || (*p == 0xF0 && p[1] < 0x90) ||
        (*p == 0xF4 && p[1] > 0x8F))
        return 0; /* overlong, a surrogate, or beyond Unicode */
    return length;
}

static tn_status check_bytes(tn_csv *t, const char *bytes, size_t size) {
    long line = 1;
    if (size == 0)
        return tn_fail(t->ctx, TN_ERR_INPUT, "%s is empty; run the command that should have filled it again",
                       t->path);
    for (size_t i = 0; i < size;) {
        size_t length = utf8_length((const unsigned char *)bytes + i, size - i);
        if (length == 0)
            return tn_fail(t->ctx, TN_ERR_INPUT,
                           "%s, line %ld: binary data, not CSV text; name a .csv file or a run folder",
                           t->path, line);
        line += bytes[i] == '\n';
        i += length;
    }
    if (bytes[size - 1] != '\n')
        return tn_fail(
            t->ctx, TN_ERR_INPUT,
            "%s, line %ld: the last line is cut off; delete it, or let the command that wrote the file go on",
            t->path, line);
    return TN_OK;
}

/* A line at a time, so that a failure knows its line; a quoted cell may go over several. */
static tn_status parse(tn_csv *t, const char *bytes, size_t size) {
    struct csv_parser parser;
    reader r = {.table = t};
    if (csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI) != 0)
        return tn_fail(t->ctx, TN_ERR_MEMORY, "the CSV reader could not start");
    for (const char *at = bytes, *end = bytes + size; at < end && r.status == TN_OK;) {
        const char *next =
            (const char *)memchr(at, '\n', (size_t)(end - at)) + 1; /* check_bytes saw the last one */
        size_t length = (size_t)(next - at);
        r.line++;
        if (csv_parse(&parser, at, length, on_cell, on_row, &r) != length)
            r.status = tn_fail(t->ctx, TN_ERR_INPUT, "%s, line %ld: %s; quotes must be doubled within quotes",
                               t->path, r.line, csv_strerror(csv_error(&parser)));
        at = next;
    }
    if (r.status == TN_OK && csv_fini(&parser, on_cell, on_row, &r) != 0 && r.status == TN_OK)
        r.status = tn_fail(t->ctx, TN_ERR_INPUT,
                           "%s, line %ld: a quoted cell never ends; the file is cut off, write it again",
                           t->path, r.line);
    csv_free(&parser);
    return r.status;
}

static tn_status check_header(tn_csv *t) {
    if (t->columns == 0)
        return tn_fail(t->ctx, TN_ERR_INPUT, "%s holds blank lines only; write it again", t->path);
    for (size_t c = 0; c < t->columns; c++) {
        if (tn_csv_column(t, tn_csv_name(t, c)) != (int)c)
            return tn_fail(t->ctx, TN_ERR_INPUT,
                           "%s, line 1: column '%s' stands twice in the header; write the file again",
                           t->path, tn_csv_name(t, c));
    }
    int schema = tn_csv_column(t, "schema");
    for (size_t row = 0; schema >= 0 && row < t->rows; row++) {
        if (strcmp(tn_csv_text(t, row, schema), TN_CSV_COST_SCHEMA) != 0)
            return tn_fail(t->ctx, TN_ERR_INPUT,
                           "%s, line %ld: schema '%s' is unknown, this version reads " TN_CSV_COST_SCHEMA
                           "; read it with the version that wrote it",
                           t->path, t->lines[row + 1], tn_csv_text(t, row, schema));
    }
    return TN_OK;
}

tn_status tn_csv_read(tn_context *ctx, const char *path, tn_csv *out) {
    *out = (tn_csv){.ctx = ctx};
    char *bytes;
    size_t size;
    TN_TRY(tn_file_read(ctx, path, &bytes, &size));
    tn_status status = TN_OK;
    TN_GO(tn_strdup(ctx, path, &out->path));
    TN_GO(check_bytes(out, bytes, size));
    /* spreadsheets put a byte order mark in front */
    size_t skip = size >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    TN_GO(parse(out, bytes + skip, size - skip));
    out->rows = out->line_count ? out->line_count - 1 : 0;
    TN_GO(check_header(out));
cleanup:
    tn_free(ctx, bytes);
    if (status != TN_OK)
        tn_csv_free(out);
    return status;
}

void tn_csv_free(tn_csv *t) {
    if (t->ctx) {
        tn_free(t->ctx, t->path);
        tn_free(t->ctx, t->text);
        tn_free(t->ctx, t->cells);
        tn_free(t->ctx, t->lines);
    }
    *t = (tn_csv){0};
}

tn_status tn_csv_require(const tn_csv *t, const char *what, const char *const *names) {
    char missing[512] = "";
    int count = 0;
    for (; *names; names++) {
        if (tn_csv_column(t, *names) >= 0)
            continue;
        size_t used = strlen(missing);
        if (count < 6)
            snprintf(missing + used, sizeof missing - used, "%s%s", count ? ", " : "", *names);
        count++;
    }
    if (count > 0)
        return tn_fail(t->ctx, TN_ERR_INPUT,
                       "%s, line 1: these are no %s, %d column%s missing: %s%s; see reports/SCHEMA.md",
                       t->path, what, count, count == 1 ? " is" : "s are", missing, count > 6 ? ", …" : "");
    return TN_OK;
}

static const char *const cost_columns[] = {"schema",     "version",
                                           "utc",        "host",
                                           "cpu",        "platform",
                                           "device",     "driver",
                                           "kind",       "compute_units",
                                           "pci",        "level",
                                           "op",         "pass",
                                           "mixer",      "B",
                                           "T",          "D",
                                           "H",          "Dh",
                                           "K",          "rho",
                                           "schedule",   "status",
                                           "reason",     "n",
                                           "wall_ms",    "wall_ms_q1",
                                           "wall_ms_q3", "event_ms",
                                           "event_ok",   "flops",
                                           "bytes",      "gflops",
                                           "gbs",        "roofline_pct",
                                           "energy_j",   "energy_source",
                                           NULL};

static const char *const metrics_columns[] = {"step",
                                              "phase",
                                              "lambda",
                                              "lr",
                                              "loss",
                                              "cross_entropy",
                                              "accuracy",
                                              "attention_pct",
                                              "attention_pct_soft",
                                              "routed_rows",
                                              "step_ms",
                                              "tokens_per_s",
                                              "elapsed_s",
                                              NULL};

static tn_status read_as(tn_context *ctx, const char *path, const char *what, const char *const *names,
                         tn_csv *out) {
    TN_TRY(tn_csv_read(ctx, path, out));
    tn_status status = tn_csv_require(out, what, names);
    if (status != TN_OK)
        tn_csv_free(out);
    return status;
}

tn_status tn_csv_read_cost(tn_context *ctx, const char *path, tn_csv *out) {
    TN_TRY(read_as(ctx, path, "cost rows", cost_columns, out));
    if (out->rows > 0)
        return TN_OK;
    tn_csv_free(out);
    return tn_fail(ctx, TN_ERR_INPUT,
                   "%s holds a header and no rows; let the sweep or bench that wrote it finish", path);
}

tn_status tn_csv_read_metrics(tn_context *ctx, const char *path, tn_csv *out) {
    return read_as(ctx, path, "metrics of a run", metrics_columns, out);
}

int tn_csv_column(const tn_csv *t, const char *name) {
    for (size_t c = 0; c < t->columns; c++)
        if (strcmp(tn_csv_name(t, c), name) == 0)
            return (int)c;
    return -1;
}

const char *tn_csv_name(const tn_csv *t, size_t column) {
    return t->text + t->cells[column];
}

const char *tn_csv_text(const tn_csv *t, size_t row, int column) {
    if (column < 0)
        return "";
    return t->text + t->cells[(row + 1) * t->columns + (size_t)column];
}

bool tn_csv_number(const tn_csv *t, size_t row, int column, double *out) {
    const char *text = tn_csv_text(t, row, column);
    char *end;
    double value = strtod(text, &end);
    bool ok = *text && *end == '\0' && isfinite(value);
    *out = ok ? value : NAN;
    return ok;
}

void tn_csv_device(const tn_csv *t, size_t row, char *text, size_t size) {
    const char *cores = tn_csv_text(t, row, tn_csv_column(t, "cores"));
    bool one = strcmp(cores, "1") == 0,
         cold = strcmp(tn_csv_text(t, row, tn_csv_column(t, "cache")), "cold") == 0;
    snprintf(text, size, "%s%s%s%s%s", tn_csv_text(t, row, tn_csv_column(t, "device")), *cores ? ", " : "",
             cores,
             !*cores ? ""
             : one   ? " core"
                     : " cores",
             cold ? ", cold caches" : "");
}
