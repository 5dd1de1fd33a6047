/* All ops by name, in order of the list in kernels/CMakeLists.txt. */
#ifndef TN_OPS_H
#define TN_OPS_H

#include "variant.h"

extern const tn_op *const tn_ops[];
extern const int tn_op_count;              /* an entry is NULL where an op has no variants yet */
const tn_op *tn_op_find(const char *name); /* NULL when unknown */

#endif
