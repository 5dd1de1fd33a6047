/* Small tables for people and for scripts: a title row and rows of cells, printed aligned, as Markdown, CSV
 * or JSON. */
#ifndef TN_TEXT_TABLE_H
#define TN_TEXT_TABLE_H

#include <stdio.h>

#include "context.h"

typedef enum tn_table_format {
    TN_TABLE_TEXT, /* columns padded with blanks; columns of numbers stand to the right */
    TN_TABLE_MARKDOWN,
    TN_TABLE_CSV, /* cells with a comma, quote or line break are quoted */
    TN_TABLE_JSON /* an array of objects named by the titles; plain numbers as numbers, empty cells as null */
} tn_table_format;

typedef struct tn_text_table tn_text_table;

/* `titles` are copied. At least one column. Caller frees with tn_text_table_free. */
tn_status tn_text_table_make(tn_context *ctx, const char *const *titles, size_t columns, tn_text_table **out);
void tn_text_table_free(tn_text_table *t); /* NULL is fine */

/* A whole row, `columns` cells, copied; NULL is an empty cell. TN_ERR_ARG inside a row begun with
 * tn_text_table_cell. */
tn_status tn_text_table_add_row(tn_text_table *t, const char *const *cells);
/* The next cell, left to right; a row ends by itself after the last column. */
tn_status tn_text_table_cell(tn_text_table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* TN_ERR_ARG when the last row is not full; TN_ERR_WRITE when the stream refuses. */
tn_status tn_text_table_print(const tn_text_table *t, FILE *stream, tn_table_format format);

/* What was printed has left the buffer: TN_ERR_WRITE with the system's reason where it could not (a full
 * disk, a closed pipe). */
tn_status tn_printed(tn_context *ctx, FILE *stream);

/* "text", "md" (or "markdown"), "csv", "json"; TN_ERR_ARG names them otherwise. */
tn_status tn_table_format_parse(tn_context *ctx, const char *name, tn_table_format *out);
/* By the ending of a file name; TN_TABLE_TEXT where it says nothing or `path` is NULL. */
tn_table_format tn_table_format_of_path(const char *path);

/* Columns a text takes on a terminal: its code points, for the symbols used here are all one wide. */
size_t tn_text_width(const char *text);

#endif
