#include "csv_table.h"

#include "csv_text.h"
#include "text_file.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct reader {
    tn_csv *table;
    long line;    /* of the file, from 1 */
    size_t cells; /* of the row being read */
    size_t begun; /* cells of the table before this row */
} reader;

tn_status tn_csv_flaw_add(tn_csv *t, long line, const char *column, const char *value, tn_row_use use,
                          const char *format, ...) {
    TN_TRY(tn_grow(t->ctx, &t->flaws, &t->flaw_capacity, t->flaw_count + 1, sizeof *t->flaws));
    tn_csv_flaw *flaw = &t->flaws[t->flaw_count++];
    *flaw = (tn_csv_flaw){.line = line, .column = column, .use = use};
    size_t length = strlen(value);
    if (length >= sizeof flaw->value) /* cut where a character begins */
        for (length = sizeof flaw->value - 4; ((unsigned char)value[length] & 0xC0) == 0x80;)
            length--;
    snprintf(flaw->value, sizeof flaw->value, "%.*s%s", (int)length, value, value[length] ? "…" : "");
    va_list args;
    va_start(args, format);
    vsnprintf(flaw->why, sizeof flaw->why, format, args);
    va_end(args);
    return TN_OK;
}

void tn_csv_flaw_text(const tn_csv *t, const tn_csv_flaw *flaw, char *text, size_t size) {
    if (flaw->column)
        snprintf(text, size, "%s, line %ld: %s '%s': %s", t->path, flaw->line, flaw->column, flaw->value,
                 flaw->why);
    else
        snprintf(text, size, "%s, line %ld: %s", t->path, flaw->line, flaw->why);
}

static tn_status on_cell(void *user, long line, const char *text, size_t size) {
    reader *r = user;
    tn_csv *t = r->table;
    if (size > TN_CSV_LONGEST_CELL)
        return tn_fail(
            t->ctx, TN_ERR_INPUT,
            "%s: the cell that ends on line %ld has %zu bytes, and none that was written here has so "
            "many; look for a quote that is not closed",
            t->path, line, size);
    if (t->cell_count >= TN_CSV_MOST_CELLS)
        return tn_fail(
            t->ctx, TN_ERR_INPUT,
            "%s, line %ld: more than %d million cells; split the file and name its parts one by one", t->path,
            line, TN_CSV_MOST_CELLS / 1000000);
    TN_TRY(tn_grow(t->ctx, &t->cells, &t->cell_capacity, t->cell_count + 1, sizeof *t->cells));
    TN_TRY(tn_grow(t->ctx, &t->text, &t->text_capacity, t->text_size + size + 1, 1));
    t->cells[t->cell_count++] = t->text_size;
    memcpy(t->text + t->text_size, text, size + 1);
    t->text_size += size + 1;
    r->cells++;
    return TN_OK;
}

/* Cell `i` of the row being read. */
static const char *cell_of(const reader *r, size_t i) {
    return r->table->text + r->table->cells[r->begun + i];
}

static void drop_cells(reader *r, size_t kept) {
    tn_csv *t = r->table;
    if (kept >= r->cells)
        return;
    t->text_size = t->cells[r->begun + kept];
    t->cell_count = r->begun + kept;
    r->cells = kept;
}

static bool empty_from(const reader *r, size_t first) {
    for (size_t i = first; i < r->cells; i++)
        if (*cell_of(r, i))
            return false;
    return true;
}

/* Cells that a spreadsheet puts behind the last column are no columns. */
static void trim_header(reader *r) {
    size_t named = r->cells;
    while (named > 1 && !*cell_of(r, named - 1))
        named--;
    drop_cells(r, named);
}

/* "a;b;c" as one cell: semicolons or tabs between what should be cells. */
static tn_status check_separator(const reader *r) {
    const char *text = cell_of(r, 0);
    bool tabs = strchr(text, '\t') != NULL;
    if (r->cells > 2 || (!tabs && !strchr(text, ';')))
        return TN_OK;
    return tn_fail(
        r->table->ctx, TN_ERR_INPUT,
        "%s, line %ld: %s stand between the cells, as a spreadsheet of another language or setting saves "
        "them; save it with commas between cells and points in numbers",
        r->table->path, r->line, tabs ? "tabs" : "semicolons");
}

static bool is_header_again(const reader *r) {
    const tn_csv *t = r->table;
    if (r->cells != t->columns || t->line_count == 0)
        return false;
    for (size_t i = 0; i < r->cells; i++)
        if (strcmp(cell_of(r, i), tn_csv_name(t, i)) != 0)
            return false;
    return true;
}

/* Rows that hold nothing; `*left_out` where the row is one of them. */
static tn_status leave_out(reader *r, bool *left_out) {
    tn_csv *t = r->table;
    const char *why = NULL, *first = cell_of(r, 0);
    bool header = t->columns == 0;
    if (*first == '#' && (header || r->cells != t->columns || empty_from(r, 1)))
        why = "a comment, left out";
    else if (empty_from(r, 0) && r->cells > 1)
        why = "a row of empty cells, left out";
    else if (is_header_again(r))
        why = "the header again: two files in one, read as one";
    *left_out = why != NULL;
    return why ? tn_csv_flaw_add(t, r->line, NULL, "", TN_ROW_USED, "%s", why) : TN_OK;
}

static tn_status take_row(reader *r) {
    tn_csv *t = r->table;
    if (t->columns == 0) {
        TN_TRY(check_separator(r));
        trim_header(r);
        t->columns = r->cells;
    }
    if (r->cells != t->columns)
        return tn_fail(
            t->ctx, TN_ERR_INPUT,
            "%s, line %ld: %zu cells where the header names %zu columns; the file is damaged or cut off, "
            "delete that line or write the file again",
            t->path, r->line, r->cells, t->columns);
    TN_TRY(tn_grow(t->ctx, &t->lines, &t->line_capacity, t->line_count + 1, sizeof *t->lines));
    t->lines[t->line_count++] = r->line;
    return TN_OK;
}

static tn_status on_row(void *user, long line) {
    reader *r = user;
    tn_csv *t = r->table;
    bool left_out = false;
    r->line = line;
    if (t->columns > 0 && r->cells > t->columns && empty_from(r, t->columns))
        drop_cells(r, t->columns); /* what a spreadsheet puts behind the last column */
    TN_TRY(leave_out(r, &left_out));
    if (left_out)
        drop_cells(r, 0);
    else
        TN_TRY(take_row(r));
    r->cells = 0;
    r->begun = t->cell_count;
    return TN_OK;
}

/* A CSV of ours has no control characters. */
static tn_status check_bytes(tn_csv *t, const char *bytes, size_t size) {
    long line = 1;
    if (size == 0)
        return tn_fail(t->ctx, TN_ERR_INPUT, "%s is empty; run the command that should have filled it again",
                       t->path);
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c == 0x7F || (c < 0x20 && c != '\t' && c != '\r' && c != '\n'))
            return tn_fail(
                t->ctx, TN_ERR_INPUT,
                "%s, line %ld: binary data, not CSV text (byte 0x%02X); name a .csv file or a run folder",
                t->path, line, c);
        line += c == '\n';
    }
    if (bytes[size - 1] == '\n')
        return TN_OK;
    if (!memchr(bytes, '\n', size) && memchr(bytes, '\r', size))
        return tn_fail(
            t->ctx, TN_ERR_INPUT,
            "%s: its lines end in CR alone, as old spreadsheets wrote them; save it with line feeds",
            t->path);
    return tn_fail(
        t->ctx, TN_ERR_INPUT,
        "%s, line %ld: the last line is cut off; delete it, or let the command that wrote the file go on "
        "(where a spreadsheet saved it and the line is whole, end it with a line break)",
        t->path, line);
}

static tn_status check_header(tn_csv *t) {
    if (t->columns == 0)
        return tn_fail(t->ctx, TN_ERR_INPUT, "%s holds blank lines only; write it again", t->path);
    for (size_t c = 0; c < t->columns; c++) {
        if (!*tn_csv_name(t, c))
            return tn_fail(t->ctx, TN_ERR_INPUT, "%s, line %ld: column %zu has no name; write the file again",
                           t->path, t->lines[0], c + 1);
        if (tn_csv_column(t, tn_csv_name(t, c)) != (int)c)
            return tn_fail(t->ctx, TN_ERR_INPUT,
                           "%s, line %ld: column '%.100s' stands twice in the header; write the file again",
                           t->path, t->lines[0], tn_csv_name(t, c));
    }
    int schema = tn_csv_column(t, "schema");
    bool bits = tn_csv_column(t, "bucket") >= 0;
    for (size_t row = 0; schema >= 0 && row < t->rows; row++) {
        const char *text = tn_csv_text(t, row, schema);
        if (strcmp(text, "schema") == 0)
            return tn_fail(
                t->ctx, TN_ERR_INPUT,
                "%s, line %ld: a second header, with other columns: two files in one; name them one by "
                "one",
                t->path, t->lines[row + 1]);
        if (strcmp(text, bits ? TN_CSV_BITS_SCHEMA : TN_CSV_COST_SCHEMA) != 0)
            return tn_fail(
                t->ctx, TN_ERR_INPUT,
                "%s, line %ld: schema '%.100s' is unknown, this version reads %s; read it with the "
                "version that wrote it",
                t->path, t->lines[row + 1], text, bits ? TN_CSV_BITS_SCHEMA : TN_CSV_COST_SCHEMA);
    }
    return TN_OK;
}

static tn_status read_bytes(tn_csv *t, const char *bytes, size_t size) {
    reader r = {.table = t};
    const tn_csv_handlers handlers = {.user = &r, .cell = on_cell, .row = on_row, .trim = true};
    TN_TRY(check_bytes(t, bytes, size));
    TN_TRY(tn_csv_parse(t->ctx, t->path, bytes, size, &handlers));
    t->rows = t->line_count ? t->line_count - 1 : 0;
    return check_header(t);
}

tn_status tn_csv_of_bytes(tn_context *ctx, const char *path, const char *bytes, size_t size,
                          const long *lines, size_t rows, tn_csv *out) {
    *out = (tn_csv){.ctx = ctx, .kept = true};
    tn_status status = tn_strdup(ctx, path, &out->path);
    if (status == TN_OK)
        status = read_bytes(out, bytes, size);
    if (status == TN_OK && lines && out->rows != rows)
        status = tn_fail(ctx, TN_ERR_INPUT, "%s: %zu rows were stored and %zu are read; store the file anew",
                         path, rows, out->rows);
    if (status == TN_OK && lines)
        memcpy(out->lines + 1, lines, rows * sizeof *lines);
    if (status != TN_OK)
        tn_csv_free(out);
    return status;
}

tn_status tn_csv_read_cells(tn_context *ctx, const char *path, tn_csv *out) {
    *out = (tn_csv){.ctx = ctx};
    tn_text_file file;
    TN_TRY(tn_text_read(ctx, path, &file));
    tn_status status = TN_OK;
    TN_GO(tn_strdup(ctx, path, &out->path));
    if (file.mended > 0)
        TN_GO(tn_csv_flaw_add(out, file.line, NULL, "", TN_ROW_USED,
                              "%zu byte%s from here on %s no UTF-8, each stands as U+FFFD now", file.mended,
                              file.mended == 1 ? "" : "s", file.mended == 1 ? "is" : "are"));
    TN_GO(read_bytes(out, file.bytes, file.size));
cleanup:
    tn_free(ctx, file.bytes);
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
        tn_free(t->ctx, t->flaws);
        tn_free(t->ctx, t->uses);
        tn_free(t->ctx, t->labels);
    }
    *t = (tn_csv){0};
}

tn_status tn_csv_append(tn_csv *t, tn_csv *more) {
    const size_t cells = more->rows * t->columns, rows = t->rows + more->rows;
    unsigned char *uses = NULL;
    tn_status status = TN_OK;
    TN_GO(tn_grow(t->ctx, &t->text, &t->text_capacity, t->text_size + more->text_size, 1));
    TN_GO(tn_grow(t->ctx, &t->cells, &t->cell_capacity, t->cell_count + cells, sizeof *t->cells));
    TN_GO(tn_grow(t->ctx, &t->lines, &t->line_capacity, t->line_count + more->rows, sizeof *t->lines));
    TN_GO(tn_alloc(t->ctx, rows, 1, &uses));
    for (size_t row = 0; row < rows; row++)
        uses[row] = (unsigned char)(row < t->rows ? tn_csv_use(t, row) : tn_csv_use(more, row - t->rows));
    memcpy(t->text + t->text_size, more->text, more->text_size);
    for (size_t i = 0; i < cells; i++)
        t->cells[t->cell_count++] = t->text_size + more->cells[more->columns + i];
    for (size_t row = 0; row < more->rows; row++)
        t->lines[t->line_count++] = more->lines[row + 1];
    t->text_size += more->text_size;
    t->rows = rows;
    tn_free(t->ctx, t->uses);
    t->uses = uses;
    tn_csv_free(more);
cleanup:
    return status;
}

tn_status tn_csv_set(tn_csv *t, size_t row, int column, const char *text) {
    const size_t size = strlen(text) + 1;
    TN_TRY(tn_grow(t->ctx, &t->text, &t->text_capacity, t->text_size + size, 1));
    memcpy(t->text + t->text_size, text, size);
    t->cells[(row + 1) * t->columns + (size_t)column] = t->text_size;
    t->text_size += size;
    return TN_OK;
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
                       "%s, line 1: these are no %s, %d column%s missing: %s%s; see docs/schema.md", t->path,
                       what, count, count == 1 ? " is" : "s are", missing, count > 6 ? ", …" : "");
    return TN_OK;
}

int tn_csv_column(const tn_csv *t, const char *name) {
    for (size_t c = 0; c < t->columns; c++) {
        const char *own = tn_csv_name(t, c);
        if (*own == *name &&
            strcmp(own, name) == 0) /* asked for each cell of many rows: mostly without a call */
            return (int)c;
    }
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
    /* strtod takes blanks in front, 0x1F and "nan" too */
    bool ok = *text && *end == '\0' && isfinite(value) && text[strspn(text, "+-.0123456789eE")] == '\0';
    *out = ok ? value : NAN;
    return ok;
}

void tn_csv_device(const tn_csv *t, size_t row, char *text, size_t size) {
    const char *cores = tn_csv_text(t, row, tn_csv_column(t, "cores"));
    bool one = strcmp(cores, "1") == 0,
         cold = strcmp(tn_csv_text(t, row, tn_csv_column(t, "cache")), "cold") == 0;
    const char *name = t->labels ? t->labels[row] : tn_csv_text(t, row, tn_csv_column(t, "device"));
    snprintf(text, size, "%s%s%s%s%s", name, *cores ? ", " : "", cores,
             !*cores ? ""
             : one   ? " core"
                     : " cores",
             cold ? ", cold caches" : "");
}

bool tn_shard_of_text(const char *text, long *index, long *count) {
    size_t before = strspn(text, "0123456789");
    if (before == 0 || before > 7 || text[before] != '/')
        return false;
    size_t behind = strspn(text + before + 1, "0123456789");
    *index = strtol(text, NULL, 10);
    *count = strtol(text + before + 1, NULL, 10);
    return behind > 0 && behind <= 7 && !text[before + 1 + behind] && *index >= 1 && *index <= *count &&
           *count <= TN_CSV_MOST_PARTS;
}

bool tn_shard_row(const tn_csv *t, size_t row) {
    long index, count;
    return tn_shard_of_text(tn_csv_text(t, row, tn_csv_column(t, "shard")), &index, &count);
}

bool tn_csv_same(const tn_csv *a, const tn_csv *b) {
    struct stat one, other;
    if (!a->kept && !b->kept && stat(a->path, &one) == 0 && stat(b->path, &other) == 0 &&
        one.st_dev == other.st_dev && one.st_ino == other.st_ino)
        return true;
    return a->columns == b->columns && a->cell_count == b->cell_count && a->text_size == b->text_size &&
           memcmp(a->text, b->text, a->text_size) == 0;
}

tn_row_use tn_csv_use(const tn_csv *t, size_t row) {
    if (t->uses)
        return (tn_row_use)t->uses[row];
    return strcmp(tn_csv_text(t, row, tn_csv_column(t, "status")), "ok") == 0 ? TN_ROW_USED
                                                                              : TN_ROW_NOT_MEASURED;
}
