/* bits.csv of a study, and what eval --bits writes: the bits of a text run by kind of place, distance and
 * position, a row a bucket. Columns: docs/schema.md. */
#ifndef TN_STUDY_BITS_H
#define TN_STUDY_BITS_H

#include "run_summary.h"

/* Header and the rows of one evaluation of text; "-" is stdout. */
tn_status tn_bits_write(tn_context *ctx, const tn_run_summary *s, const char *name, const char *path);
/* Puts the rows of `name`, a row of study.csv of the training run `run`, into the file, in the place of those
 * that it has of that name; the file is replaced whole. TN_ERR_INPUT where it is no bits.csv. */
tn_status tn_bits_put(tn_context *ctx, const tn_run_summary *s, const char *name, const char *run,
                      const char *path);

#endif
