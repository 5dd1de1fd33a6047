/* Rows of a list put into a tensor (kernels/row_scatter.cl). Nothing is launched when R is 0. */
#ifndef TN_ROW_SCATTER_H
#define TN_ROW_SCATTER_H

#include "buffer.h"

extern const struct tn_op tn_row_scatter_op;

typedef struct tn_row_scatter_shape {
    int64_t R, N, D;        /* listed rows; rows and width of the tensor */
    const tn_buffer *count; /* i32 [1]: listed rows that there are, at most R (variant.h, tn_op_rows); NULL:
                               R. Borrowed */
} tn_row_scatter_shape;

/* y[rows[r]] = x[r], other rows left alone; rows must be distinct. */
tn_status tn_row_scatter_forward(tn_device *dev, const tn_row_scatter_shape *s, tn_buffer *y /* [N,D] */,
                                 const tn_buffer *x /* [R,D] */,
                                 const tn_buffer *rows /* i32 [R], each in 0..N−1 */);
/* dx[r] = dy[rows[r]] */
tn_status tn_row_scatter_backward(tn_device *dev, const tn_row_scatter_shape *s, tn_buffer *dx /* [R,D] */,
                                  const tn_buffer *dy /* [N,D] */, const tn_buffer *rows /* i32 [R] */);

#endif
