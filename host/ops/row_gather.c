#include "row_gather.h"

#include "row_move.h"

tn_status tn_row_gather_forward(tn_device *dev, const tn_row_gather_shape *s, tn_buffer *y,
                                const tn_buffer *x, const tn_buffer *rows) {
    return tn_row_move(dev, "row_gather", "row_gather_forward", s->R, s->D, y, x, rows);
}

tn_status tn_row_gather_backward(tn_device *dev, const tn_row_gather_shape *s, tn_buffer *dx,
                                 const tn_buffer *dy, const tn_buffer *rows) {
    return tn_row_move(dev, "row_gather", "row_gather_backward", s->R, s->D, dx, dy, rows);
}
