/* Rotary position embedding (kernels/rope.cl), halves of a head paired: (z[i], z[i + Dh/2]) turns by the
 * angle pos·base^(-2i/Dh), pos = rows[r] % T; Su et al., "RoFormer", 2021. The angle is exact to 2^-32 of a
 * turn at every position. */
#ifndef TN_ROPE_H
#define TN_ROPE_H

#include "buffer.h"

extern const struct tn_op tn_rope_op;

#define TN_ROPE_BASE 10000 /* the model's (host/model/README.md) */

typedef struct tn_rope_shape {
    int64_t R, T, H, Dh;    /* rows, positions of a sequence, heads, head width (even) */
    double base;            /* above 1, usually 10000 */
    const tn_buffer *count; /* i32 [1]: how many of the R rows there are; NULL: all (variant.h, tn_op_rows).
                               Borrowed */
} tn_rope_shape;

/* Whether this shape has its rows counted on the device (s->count). */
tn_status tn_rope_counts(tn_device *dev, const tn_rope_shape *s, bool *counts);
/* rows: numbers in [0, B·T), of which the position is rows % T. y may be x. */
tn_status tn_rope_forward(tn_device *dev, const tn_rope_shape *s, tn_buffer *y /* [R,H·Dh] */,
                          const tn_buffer *x /* [R,H·Dh] */, const tn_buffer *rows /* i32 [R] */);
/* The rotation back, which is the gradient. dx may be dy. */
tn_status tn_rope_backward(tn_device *dev, const tn_rope_shape *s, tn_buffer *dx /* [R,H·Dh] */,
                           const tn_buffer *dy /* [R,H·Dh] */, const tn_buffer *rows /* i32 [R] */);

#endif
