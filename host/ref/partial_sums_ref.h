/* Partial sums added up. */
#ifndef TN_PARTIAL_SUMS_REF_H
#define TN_PARTIAL_SUMS_REF_H

#include <stdint.h>

/* out[i] = Σ over parts of partial[part·stride + i] */
void tn_partial_sums_forward_ref(int64_t parts, int64_t count, int64_t stride, double *out /* [count] */,
                                 const double *partial /* [parts,stride] */);

#endif
