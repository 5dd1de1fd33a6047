/* All ops by name, in order of the list in kernels/CMakeLists.txt. */
#ifndef TN_OPS_H
#define TN_OPS_H

#include "variant.h"

extern const tn_op *const tn_ops[];
extern const int tn_op_count;
const tn_op *tn_op_find(const char *name); /* NULL when unknown */

/* TURNOUT_VARIANT ("OP=VARIANT,…") and TURNOUT_TUNE ("OP.NAME=1,OP/VARIANT.NAME=1,…") as they stand:
 * TN_ERR_ARG with what there is where they name no op, variant or tunable, or a value is no integer from 0
 * on. */
tn_status tn_ops_environment_check(tn_context *ctx);

#endif
