/* What the cases of row_gather and row_scatter share: which rows move, of which shapes, and how they are
 * tuned. */
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

#endif
