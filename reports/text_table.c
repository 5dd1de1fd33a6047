#include "text_table.h"

#include "csv_text.h"

#include "text_file.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct tn_text_table {
    tn_context *ctx;
    size_t columns, count, capacity; /* count: cells so far, the titles among them */
    char **cells;                    /* [count], row by row */
};

static tn_status append(tn_text_table *t, const char *text) {
    TN_TRY(tn_grow(t->ctx, &t->cells, &t->capacity, t->count + 1, sizeof *t->cells));
    TN_TRY(tn_strdup(t->ctx, text ? text : "", &t->cells[t->count]));
    t->count++;
    return TN_OK;
}

tn_status tn_text_table_make(tn_context *ctx, const char *const *titles, size_t columns,
                             tn_text_table **out) {
    *out = NULL;
    if (columns == 0)
        return tn_fail(ctx, TN_ERR_ARG, "a table needs at least one column");
    tn_text_table *t;
    TN_TRY(tn_alloc(ctx, 1, sizeof *t, &t));
    *t = (tn_text_table){.ctx = ctx, .columns = columns};
    tn_status status = tn_text_table_add_row(t, titles);
    if (status != TN_OK) {
        tn_text_table_free(t);
        return status;
    }
    *out = t;
    return TN_OK;
}

void tn_text_table_free(tn_text_table *t) {
    if (!t)
        return;
    tn_context *ctx = t->ctx;
    for (size_t i = 0; i < t->count; i++)
        tn_free(ctx, t->cells[i]);
    tn_free(ctx, t->cells);
    tn_free(ctx, t);
}

tn_status tn_text_table_add_row(tn_text_table *t, const char *const *cells) {
    if (t->count % t->columns != 0)
        return tn_fail(t->ctx, TN_ERR_ARG, "a row of the table is begun and not yet full");
    for (size_t c = 0; c < t->columns; c++)
        TN_TRY(append(t, cells[c]));
    return TN_OK;
}

tn_status tn_text_table_cell(tn_text_table *t, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return append(t, text);
}

size_t tn_text_width(const char *text) {
    size_t width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xC0) != 0x80; /* bytes that continue a code point do not count */
    return width;
}

/* A number, alone or before a unit that holds no further digits: "12", "-0.3 %", "1.2×", but not "0:1" or
 * "64x3". */
static bool is_quantity(const char *cell, bool alone) {
    const char *p = cell + (*cell == '-' || *cell == '+');
    if (!(*p >= '0' && *p <= '9') && !(p[0] == '.' && p[1] >= '0' && p[1] <= '9'))
        return false;
    char *end;
    double value = strtod(cell, &end);
    return alone ? *end == '\0' && isfinite(value) && p[1] != 'x' : strpbrk(end, "0123456789:") == NULL;
}

/* Words in a column of numbers that do not make it one of words. */
static bool is_absent(const char *cell) {
    static const char *const words[] = {"", "-", "–", "unmeasured", "unknown", "never", "always"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(cell, words[i]) == 0)
            return true;
    return false;
}

static bool column_is_numeric(const tn_text_table *t, size_t column) {
    bool seen = false;
    for (size_t i = t->columns + column; i < t->count; i += t->columns) {
        if (is_quantity(t->cells[i], false))
            seen = true;
        else if (!is_absent(t->cells[i]))
            return false;
    }
    return seen;
}

static void pad(FILE *stream, size_t count, char with) {
    while (count-- > 0)
        fputc(with, stream);
}

/* In Markdown a bar would end the cell and a line break the row. */
static void put_markdown(FILE *stream, const char *text) {
    for (; *text; text++) {
        if (*text == '|')
            fputs("\\|", stream);
        else
            fputc(*text == '\n' ? ' ' : *text, stream);
    }
}

static size_t cell_width(const char *text, bool markdown) {
    size_t width = tn_text_width(text);
    for (; markdown && *text; text++)
        width += *text == '|';
    return width;
}

static void print_rule(FILE *stream, const size_t *width, const bool *right, size_t columns, bool markdown) {
    for (size_t c = 0; c < columns; c++) {
        fputs(markdown ? (c ? " " : "| ") : (c ? "  " : ""), stream);
        pad(stream, width[c] - (markdown && right[c]), '-');
        fputs(markdown && right[c] ? ":" : "", stream);
        fputs(markdown ? " |" : "", stream);
    }
    fputc('\n', stream);
}

static void print_row(FILE *stream, char **cells, const size_t *width, const bool *right, size_t columns,
                      bool markdown) {
    while (!markdown && columns > 1 && !*cells[columns - 1])
        columns--; /* no blanks at the end of a line */
    for (size_t c = 0; c < columns; c++) {
        size_t blanks = width[c] - cell_width(cells[c], markdown);
        bool last = c + 1 == columns && !markdown;
        fputs(markdown ? (c ? " " : "| ") : (c ? "  " : ""), stream);
        pad(stream, right[c] ? blanks : 0, ' ');
        if (markdown)
            put_markdown(stream, cells[c]);
        else
            fputs(cells[c], stream);
        pad(stream, right[c] || last ? 0 : blanks, ' ');
        fputs(markdown ? " |" : "", stream);
    }
    fputc('\n', stream);
}

static tn_status print_aligned(const tn_text_table *t, FILE *stream, bool markdown) {
    size_t *width = NULL;
    bool *right = NULL;
    tn_status status = TN_OK;
    TN_GO(tn_alloc(t->ctx, t->columns, sizeof *width, &width));
    TN_GO(tn_alloc(t->ctx, t->columns, sizeof *right, &right));
    for (size_t c = 0; c < t->columns; c++) {
        width[c] = markdown ? 3 : 1;
        right[c] = column_is_numeric(t, c);
    }
    for (size_t i = 0; i < t->count; i++) {
        size_t w = cell_width(t->cells[i], markdown);
        if (w > width[i % t->columns])
            width[i % t->columns] = w;
    }
    for (size_t i = 0; i < t->count && !ferror(stream); i += t->columns) {
        print_row(stream, t->cells + i, width, right, t->columns, markdown);
        if (i == 0)
            print_rule(stream, width, right, t->columns, markdown);
    }
cleanup:
    tn_free(t->ctx, width);
    tn_free(t->ctx, right);
    return status;
}

static void print_csv(const tn_text_table *t, FILE *stream) {
    for (size_t i = 0; i < t->count && !ferror(stream); i++) {
        if (i % t->columns != 0)
            fputc(',', stream);
        tn_csv_write_cell(stream, t->cells[i]);
        if ((i + 1) % t->columns == 0)
            fputc('\n', stream);
    }
}

static json_t *cell_json(const char *cell) {
    if (!*cell)
        return json_null();
    if (!is_quantity(cell, true))
        return tn_text_json(cell);
    char *end;
    long long whole = strtoll(cell, &end, 10);
    return *end == '\0' ? json_integer(whole) : json_real(strtod(cell, NULL));
}

static tn_status print_json(const tn_text_table *t, FILE *stream) {
    json_t *rows = json_array();
    int bad = 0;
    for (size_t i = t->columns; i < t->count; i += t->columns) {
        json_t *row = json_object();
        for (size_t c = 0; c < t->columns; c++)
            bad |= json_object_set_new(row, t->cells[c], cell_json(t->cells[i + c]));
        bad |= json_array_append_new(rows, row);
    }
    if (!bad)
        (void)json_dumpf(rows, stream,
                         JSON_INDENT(2) | JSON_REAL_PRECISION(12)); /* tn_printed looks at the stream */
    fputc('\n', stream);
    json_decref(rows);
    return bad ? tn_fail(t->ctx, TN_ERR_MEMORY, "out of host memory for the table as JSON") : TN_OK;
}

tn_status tn_text_table_print(const tn_text_table *t, FILE *stream, tn_table_format format) {
    if (t->count % t->columns != 0)
        return tn_fail(t->ctx, TN_ERR_ARG, "the last row of the table lacks %zu of %zu cells",
                       t->columns - t->count % t->columns, t->columns);
    if (format == TN_TABLE_CSV)
        print_csv(t, stream);
    else if (format == TN_TABLE_JSON)
        TN_TRY(print_json(t, stream));
    else
        TN_TRY(print_aligned(t, stream, format == TN_TABLE_MARKDOWN));
    return tn_printed(t->ctx, stream);
}

tn_status tn_printed(tn_context *ctx, FILE *stream) {
    int before = errno; /* of the write that failed, where the stream refused on the way */
    errno = 0;
    bool failed = ferror(stream);
    if (fflush(stream) == 0 && !failed)
        return TN_OK;
    int reason = errno ? errno : before;
    tn_fail(ctx, TN_ERR_WRITE, "cannot write%s: %s", stream == stdout ? " to stdout" : " the output",
            reason ? strerror(reason) : "the stream refused");
    errno = reason; /* for who looks at the stream again */
    return TN_ERR_WRITE;
}

tn_status tn_table_format_parse(tn_context *ctx, const char *name, tn_table_format *out) {
    static const struct {
        const char *name;
        tn_table_format format;
    } known[] = {{"text", TN_TABLE_TEXT},
                 {"md", TN_TABLE_MARKDOWN},
                 {"markdown", TN_TABLE_MARKDOWN},
                 {"csv", TN_TABLE_CSV},
                 {"json", TN_TABLE_JSON}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(name, known[i].name) == 0) {
            *out = known[i].format;
            return TN_OK;
        }
    }
    return tn_fail(ctx, TN_ERR_ARG, "'%s' is no format of a table; try text, md, csv or json", name);
}

tn_table_format tn_table_format_of_path(const char *path) {
    const char *dot = path ? strrchr(path, '.') : NULL;
    tn_context quiet = {.quiet = true};
    tn_table_format format = TN_TABLE_TEXT;
    if (dot)
        (void)tn_table_format_parse(&quiet, dot + 1, &format); /* another ending means text */
    return format;
}
