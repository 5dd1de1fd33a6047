/* CSV (RFC 4180) by libcsv: how a cell is written, and how bytes are read as cells and rows. */
#ifndef TN_CSV_TEXT_H
#define TN_CSV_TEXT_H

#include "context.h"

/* One cell, quoted where a comma, a quote or a line break stands in it, quotes doubled. Whoever writes puts
 * the commas and line feeds; a failure is the stream's. */
void tn_csv_write_cell(FILE *to, const char *text);

/* What is called while bytes are read; the first that fails ends the reading. `line`: the one that the cell
 * or row ends on, from 1. */
typedef struct tn_csv_handlers {
    void *user;
    tn_status (*cell)(void *user, long line, const char *text,
                      size_t size);          /* a NUL behind; borrowed for the call */
    tn_status (*row)(void *user, long line); /* may be NULL; blank lines are no rows */
    bool trim;                               /* drop blanks around a cell that is not quoted */
} tn_csv_handlers;

/* All of `bytes`, whose last line may lack its line feed. TN_ERR_INPUT where a quote stands within a cell, or
 * one is never closed; `name` says of what, NULL: of a row. */
tn_status tn_csv_parse(tn_context *ctx, const char *name, const char *bytes, size_t size,
                       const tn_csv_handlers *handlers);

#endif
