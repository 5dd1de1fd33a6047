/* jansson says nothing where it lacks memory while an object is put together: a field is missing, and what is
 * written looks whole. So the program notes that it happened, and nothing counts as written after it. */
#ifndef TN_JSON_MEMORY_H
#define TN_JSON_MEMORY_H

#include "context.h"

void tn_json_memory_watch(void); /* first in a program: from here on jansson's allocations are watched */
/* TN_ERR_MEMORY where any of them has failed. */
tn_status tn_json_memory_check(tn_context *ctx);

#endif
