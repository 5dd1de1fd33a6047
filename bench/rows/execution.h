/* The words of the column `schedule`: how a routed layer is run. */
#ifndef TN_EXECUTION_H
#define TN_EXECUTION_H

#include <stdbool.h>

typedef enum tn_execution {
    TN_EXECUTION_COMPACTED, /* the global track for routed rows alone */
    TN_EXECUTION_MASKED,    /* both tracks for all rows, then a hard choice */
    TN_EXECUTION_BLOCKS     /* the global track for whole blocks of rows of which any is routed */
} tn_execution;
/* By execution; NULL ends. */
extern const char *const tn_execution_names[];
const char *tn_execution_name(tn_execution execution);
bool tn_execution_parse(const char *name, tn_execution *out);

#endif
