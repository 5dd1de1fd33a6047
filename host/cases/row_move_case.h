/* What the cases of row_gather and row_scatter share. Each gathers in one pass, R listed rows of N side by
 * side, and in the other brings R rows to where the list says, among N. */
#ifndef TN_ROW_MOVE_CASE_H
#define TN_ROW_MOVE_CASE_H

#include "case.h"

enum { DIM_R, DIM_N, DIM_D };
enum { FORWARD, BACKWARD };
enum { T_OUT, T_IN, T_ROWS };

extern const char *const tn_row_move_dims[], *const tn_row_move_passes[];
void tn_row_move_draw(tn_rng *rng, tn_shape *shape);
/* R distinct rows in ascending order. */
void tn_row_move_fill(tn_rng *rng, const tn_shape *shape, int pass, tn_tensor *tensors);

/* `op`: its name, for the message. */
tn_status tn_row_move_check(tn_context *ctx, const char *op, const tn_shape *shape);
/* T_OUT, T_IN and T_ROWS of a pass that gathers, or of one that brings rows to their places. */
int tn_row_move_tensors(const tn_shape *shape, int pass, bool gathers, tn_tensor *tensors);
/* Is row `row` one of those listed? */
bool tn_row_move_lists(const tn_shape *shape, const tn_tensor *tensors, size_t row);
/* Does element o of the result come from element i of T_IN? `any`: does any element? */
bool tn_row_move_takes(const tn_shape *shape, const tn_tensor *tensors, bool gathers, bool any, size_t o,
                       size_t i);

#endif
