/* The file of a sweep while it grows: FILE.part, a row at a time, synced; FILE once it is whole. What is
 * written through (stdout, a pipe, a device: file.h) gets its rows as they come, and there is no partial
 * file. */
#ifndef TN_PARTIAL_FILE_H
#define TN_PARTIAL_FILE_H

#include "file.h"
#include "rows.h"

/* Rows by their status. */
typedef struct tn_row_tally {
    int ok, unsupported, errors, timeouts;
} tn_row_tally;

void tn_row_count(const tn_cost_row *row, tn_row_tally *tally);

typedef struct tn_partial_file {
    FILE *stream;
    tn_outfile through;   /* of what is written through */
    char *path, *partial; /* NULL when written through */
    tn_row_format format; /* of the whole file; the partial file is always CSV */
    int written;
    char **keys; /* of the rows that were there already (tn_row_key) */
    size_t key_count, key_capacity;
    tn_row_tally kept; /* of them */
    /* Of them: least and most timing_s; −1 where a row does not say. */
    double timing_least, timing_most;
    char other_build[sizeof((tn_cost_row *)0)->version]; /* of one that another build measured, or "" */
    char shard[sizeof((tn_cost_row *)0)->shard];         /* of the last of them */
    bool shards_differ;                                  /* it is not that of all */
    bool finished; /* they come from FILE itself, which stands until the partial file replaces it */
    bool spare;    /* the partial file holds no row that FILE has not: it goes when it is closed */
} tn_partial_file;

/* A partial file that is there is read: its last line, when torn, is cut off; anything else that is no row of
 * ours is TN_ERR_INPUT, and the file is left as it was. Without a partial file the rows of FILE are taken up,
 * where it has rows of ours (CSV or JSON; a table cannot be gone on with and is refused). TN_ERR_OUTPUT when
 * it cannot be written or another process writes it. */
tn_status tn_partial_file_open(tn_context *ctx, const char *path, tn_row_format format, tn_partial_file *out);
bool tn_partial_file_has(const tn_partial_file *partial, const char *key);
tn_status tn_partial_file_add(tn_context *ctx, tn_partial_file *partial,
                              const tn_cost_row *row); /* on disk when it returns */
tn_status tn_partial_file_finish(tn_context *ctx,
                                 tn_partial_file *partial); /* renames, or writes FILE in its format */
/* Where it ends early: FILE gets the rows that there are, the partial file stays. */
tn_status tn_partial_file_stop(tn_context *ctx, tn_partial_file *partial);
void tn_partial_file_close(tn_context *ctx,
                           tn_partial_file *partial); /* keeps the partial file; fine after finish */

#endif
