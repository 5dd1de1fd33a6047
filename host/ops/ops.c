#include "ops.h"

#include <string.h>

/* Weak: an op that is not yet a table of variants is NULL here. */
#define TN_OP(name) extern const tn_op tn_##name##_op __attribute__((weak));
#include "op_list.def"
#undef TN_OP

#define TN_OP(name) &tn_##name##_op,
const tn_op *const tn_ops[] = {
#include "op_list.def"
};
#undef TN_OP
const int tn_op_count = sizeof tn_ops / sizeof tn_ops[0];

const tn_op *tn_op_find(const char *name) {
    for (int i = 0; i < tn_op_count; i++)
        if (tn_ops[i] && strcmp(tn_ops[i]->name, name) == 0)
            return tn_ops[i];
    return NULL;
}
