/* bits.csv: what bytes of held-out text cost in each run of a study, by where they stand. Columns:
 * docs/schema.md. */
#ifndef TN_BITS_TABLE_H
#define TN_BITS_TABLE_H

#include <jansson.h>

#include "csv_table.h"

extern const char *const tn_bits_columns[]; /* in the order of the file; NULL ends; only ever appended */

/* TN_ERR_INPUT for a file that lacks columns or holds another schema. A row with a number that is none is a
 * flaw of the table and is left out of what follows. */
tn_status tn_bits_read(tn_context *ctx, const char *path, tn_csv *out);
tn_status tn_bits_check(tn_csv *t); /* the same of a table that is read */
/* Appends an object a row that is used to `rows`: {file, name, run, mixer, routing, length, seed, by, bucket,
 * bytes, bits_per_byte, routed_pct, window}, null where a cell is empty. */
void tn_bits_json(const tn_csv *t, json_t *rows);

#endif
