/* Rows of a list put into a tensor. */
#ifndef TN_ROW_SCATTER_REF_H
#define TN_ROW_SCATTER_REF_H

#include <stdint.h>

/* y[rows[r],d] = x[r,d], other rows left alone; rows distinct */
void tn_row_scatter_forward_ref(int64_t R, int64_t D, double *y /* [N,D] */, const double *x /* [R,D] */,
                                const int32_t *rows /* [R] */);
/* dx[r,d] = dy[rows[r],d] */
void tn_row_scatter_backward_ref(int64_t R, int64_t D, double *dx /* [R,D] */, const double *dy /* [N,D] */,
                                 const int32_t *rows /* [R] */);

#endif
