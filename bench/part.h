/* The file of a sweep while it grows: FILE.part, a row at a time, synced; FILE once it is whole. */
#ifndef TN_PART_H
#define TN_PART_H

#include "rows.h"

typedef struct tn_part {
    FILE *stream;
    char *path, *part;    /* NULL when writing to stdout */
    tn_row_format format; /* of the whole file; the part is always CSV */
    int written;
    char **keys; /* of the rows that were there already (tn_row_key) */
    size_t key_count, key_capacity;
    size_t measured; /* of them with status ok */
} tn_part;

/* path NULL: stdout, nothing to go on with. A part that is there is read: its last line, when torn, is cut
 * off; anything else that is no row of ours is TN_ERR_INPUT, and the file is left as it was. TN_ERR_OUTPUT
 * when it cannot be written or another process writes it. */
tn_status tn_part_open(tn_context *ctx, const char *path, tn_row_format format, tn_part *out);
bool tn_part_has(const tn_part *part, const char *key);
tn_status tn_part_add(tn_context *ctx, tn_part *part, const tn_cost_row *row); /* on disk when it returns */
tn_status tn_part_finish(tn_context *ctx, tn_part *part); /* renames, or writes FILE in its format */
void tn_part_close(tn_context *ctx, tn_part *part);       /* keeps the part; fine after finish */

#endif
