/* Raw samples: for every measured row the batches behind its median, a JSON object a line
 * (docs/schema.md). */
#ifndef TN_SAMPLES_H
#define TN_SAMPLES_H

#include "partial_file.h"

#define TN_SAMPLES_SCHEMA "turnout-samples-1"

/* One line with its line break; nothing where nothing was measured. */
tn_status tn_samples_write(tn_context *ctx, FILE *to, const tn_cost_row *row, const tn_raw *raw);
/* The columns that say what row a line is of; the rest stays empty. TN_ERR_INPUT where it is no such line. */
tn_status tn_samples_row(tn_context *ctx, const char *line, tn_cost_row *row);

/* The file of a sweep while it grows, beside the partial file that holds the rows: PATH.part, then PATH. */
typedef struct tn_samples_file {
    FILE *stream; /* NULL: none is wanted */
    tn_outfile through;
    char *path, *partial; /* NULL when written through */
} tn_samples_file;

/* path NULL: none is wanted, and the others do nothing. A line is written before its row, so at most the last
 * one belongs to no row of `rows`: it is cut off, for that row will be measured again. TN_ERR_INPUT where the
 * file is of another sweep, TN_ERR_OUTPUT where it cannot be written. */
tn_status tn_samples_open(tn_context *ctx, const char *path, const tn_partial_file *rows,
                          tn_samples_file *out);
/* `line` up to its line break, which it must have; on disk when it returns. */
tn_status tn_samples_add(tn_context *ctx, tn_samples_file *file, const char *line);
tn_status tn_samples_finish(tn_context *ctx, tn_samples_file *file); /* renames; before the rows' file is */
void tn_samples_close(tn_context *ctx, tn_samples_file *file); /* keeps the partial file; fine after finish */

#endif
