/* Inside bench: the shapes of an op that a sweep's axes ask for. */
#ifndef TN_CELL_SHAPES_H
#define TN_CELL_SHAPES_H

#include "cell_list.h"
#include "shapes.h"

/* Axes into `shape`, which comes from bench/shapes: B, T, D, H, K (taps: beside T only) where the op has a
 * dimension of that name, Dh = D / H where it has a head width, and rows by `rho` where it names them (R, k,
 * permille) beside positions (B and T, or N); without `rho` they keep their share of the positions. Values
 * below 0 (rho: NaN) leave a dimension alone. TN_ERR_ARG where the op refuses the result. */
typedef struct tn_cell_dims {
    int64_t B, T, D, H, K;
    double rho;
} tn_cell_dims;
tn_status tn_cell_shape_apply(tn_context *ctx, const tn_case *c, const tn_cell_dims *dims, tn_shape *shape);

#endif
