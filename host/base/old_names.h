/* Names that ops had in an earlier version and that stand in files people keep: rows of a CSV, tuned files,
 * TURNOUT_TUNE, scripts that say --op. They are read, for one version, and never written. */
#ifndef TN_OLD_NAMES_H
#define TN_OLD_NAMES_H

#include "context.h"

/* What the op, or the part of a layer, is called today: `name` itself unless it is an old one. */
const char *tn_op_current_name(const char *name);

/* The same of what begins with an op's name, "op:class" or "op.NAME=1", into out[size], cut where it is
 * longer. */
void tn_op_current_key(const char *key, char *out, size_t size);

/* The same of each item of a list, "op.NAME=1,op=variant". Caller frees. */
tn_status tn_op_current_list(tn_context *ctx, const char *list, char **out);

#endif
