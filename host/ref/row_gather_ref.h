/* Rows of a list out of a tensor. */
#ifndef TN_ROW_GATHER_REF_H
#define TN_ROW_GATHER_REF_H

#include <stdint.h>

/* y[r,d] = x[rows[r],d] */
void tn_row_gather_forward_ref(int64_t R, int64_t D, double *y /* [R,D] */, const double *x /* [N,D] */,
                               const int32_t *rows /* [R] */);
/* dx[rows[r],d] += dy[r,d]; rows distinct */
void tn_row_gather_backward_ref(int64_t R, int64_t D, double *dx /* [N,D] */, const double *dy /* [R,D] */,
                                const int32_t *rows /* [R] */);

#endif
