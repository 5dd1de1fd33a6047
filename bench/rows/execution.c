#include "execution.h"

#include <string.h>

const char *const tn_execution_names[] = {[TN_EXECUTION_COMPACTED] = "compacted",
                                          [TN_EXECUTION_MASKED] = "masked",
                                          [TN_EXECUTION_BLOCKS] = "block-skipping",
                                          NULL};

const char *tn_execution_name(tn_execution execution) {
    return tn_execution_names[execution];
}

bool tn_execution_parse(const char *name, tn_execution *out) {
    for (int i = 0; tn_execution_names[i]; i++)
        if (strcmp(name, tn_execution_names[i]) == 0) {
            *out = (tn_execution)i;
            return true;
        }
    return false;
}
