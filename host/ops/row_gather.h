/* Rows of a list out of a tensor (kernels/row_gather.cl). Nothing is launched when R is 0. */
#ifndef TN_ROW_GATHER_H
#define TN_ROW_GATHER_H

#include "buffer.h"

extern const struct tn_op tn_row_gather_op;

typedef struct tn_row_gather_shape {
    int64_t R, N, D;        /* listed rows; rows and width of the tensor */
    const tn_buffer *count; /* i32 [1]: listed rows that there are, at most R (variant.h, tn_op_rows); NULL:
                               R. Borrowed */
} tn_row_gather_shape;

/* y[r] = x[rows[r]] */
tn_status tn_row_gather_forward(tn_device *dev, const tn_row_gather_shape *s, tn_buffer *y /* [R,D] */,
                                const tn_buffer *x /* [N,D] */,
                                const tn_buffer *rows /* i32 [R], each in 0..N−1 */);
/* dx[rows[r]] += dy[r]; rows must be distinct. */
tn_status tn_row_gather_backward(tn_device *dev, const tn_row_gather_shape *s, tn_buffer *dx /* [N,D] */,
                                 const tn_buffer *dy /* [R,D] */, const tn_buffer *rows /* i32 [R] */);

/* Whether the forward pass of this shape, in training the backward pass too, has its rows counted on the
 * device (s->count). */
tn_status tn_row_gather_counts(tn_device *dev, const tn_row_gather_shape *s, bool training, bool *counts);

#endif
