#include "work_text.h"

#include "cost_columns.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* "layer routed forward compacted", "gemm nn vs openblas 0.3" */
void tn_work_what(const char *const *key, char *text, size_t size) {
    const char *level = key[TN_COLUMN_level], *mixer = key[TN_COLUMN_mixer];
    bool op = strcmp(level, "op") == 0, step = strcmp(level, "step") == 0; /* a step's pass says so */
    const char *words[] = {
        op || step ? "" : level, op || !*mixer ? key[TN_COLUMN_op] : mixer, key[TN_COLUMN_pass],
        key[TN_COLUMN_schedule], *key[TN_COLUMN_peer] ? "beside" : "",      key[TN_COLUMN_peer],
        key[TN_COLUMN_part]};
    size_t used = 0;
    *text = '\0';
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (*words[i] && used < size)
            used += (size_t)snprintf(text + used, size - used, "%s%s", used ? " " : "", words[i]);
}

void tn_work_shape(const char *const *key, char *text, size_t size) {
    static const int dims[] = {TN_COLUMN_B, TN_COLUMN_T, TN_COLUMN_D, TN_COLUMN_H, TN_COLUMN_rho};
    size_t used = 0;
    snprintf(text, size, "%s", key[TN_COLUMN_shape]);
    if (*text)
        return;
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++)
        if (*key[dims[i]] && used < size)
            used += (size_t)snprintf(text + used, size - used, "%s%s=%s", used ? "," : "",
                                     tn_cost_columns[dims[i]].name, key[dims[i]]);
}
