/* The two tracks of a routed layer put together (kernels/route_mix): y = res + c + g·(o − c), or where
 * `added` y = (res + c) + g·o, in which a routed row keeps its convolution. Soft: g = p, o holds every row.
 * Hard: g = h, y = res + o (added: (res + c) + o) or res + c exactly; o holds every row (slot NULL) or the
 * routed ones (slot from route_compact). */
#ifndef TN_ROUTE_MIX_H
#define TN_ROUTE_MIX_H

#include "buffer.h"

extern const struct tn_op tn_route_mix_op;

typedef struct tn_route_mix_shape {
    int64_t N, D, R; /* rows, width; rows of o */
    bool hard, added;
    const tn_buffer *count; /* i32 [1], of tn_route_mix_few: listed rows that there are, at most R (variant.h,
                               tn_op_rows); NULL: R. Borrowed */
} tn_route_mix_shape;

/* A routed row whose p is NaN gives NaN. */
tn_status tn_route_mix_forward(tn_device *dev, const tn_route_mix_shape *s, tn_buffer *y /* [N,D] */,
                               const tn_buffer *res /* [N,D] */, const tn_buffer *c /* [N,D] */,
                               const tn_buffer *o /* [R,D], NULL when R = 0 */, const tn_buffer *p /* [N] */,
                               const tn_buffer *h /* u8 [N] */, const tn_buffer *slot /* i32 [N] or NULL */);
/* For a hard gate where y = res + c already, as a product leaves it: y = res + o for the listed rows, those
 * of them that h has where it is given, with the bits of the pass above; where `added` y + o. */
tn_status tn_route_mix_few(tn_device *dev, const tn_route_mix_shape *s, tn_buffer *y /* [N,D] */,
                           const tn_buffer *res /* [N,D] */, const tn_buffer *o /* [R,D] */,
                           const tn_buffer *p /* [N] or NULL */, const tn_buffer *rows /* i32 [R] */,
                           const tn_buffer *h /* u8 [N] or NULL */);
/* Whether that pass has its rows counted on the device (s->count). */
tn_status tn_route_mix_few_counts(tn_device *dev, const tn_route_mix_shape *s, bool *counts);
/* Straight-through when hard: dp = Σ_d dy·(o − c), or Σ_d dy·o where `added`, for every row whose o is known,
 * 0 elsewhere. The gradient at res is dy. */
tn_status tn_route_mix_backward(tn_device *dev, const tn_route_mix_shape *s, tn_buffer *dc /* [N,D] */,
                                tn_buffer *dout /* [R,D] */, tn_buffer *dp /* [N] */,
                                const tn_buffer *dy /* [N,D] */, const tn_buffer *c, const tn_buffer *o,
                                const tn_buffer *p, const tn_buffer *h, const tn_buffer *slot);

#endif
