/* The launch that row_gather and row_scatter share: whole rows from one tensor to another by a list. */
#ifndef TN_ROW_MOVE_H
#define TN_ROW_MOVE_H

#include "buffer.h"

/* Kernel `name` of `op` over R listed rows of width D, with op's tunables LANES, ROWS, SPLIT, STREAM and
 * LOCAL. Nothing is launched when R is 0. */
tn_status tn_row_move(tn_device *dev, const char *op, const char *name, int64_t R, int64_t D, tn_buffer *to,
                      const tn_buffer *from, const tn_buffer *rows /* i32 [R] */);

#endif
