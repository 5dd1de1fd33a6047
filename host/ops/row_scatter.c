#include "row_scatter.h"

#include "row_move.h"

tn_status tn_row_scatter_forward(tn_device *dev, const tn_row_scatter_shape *s, tn_buffer *y,
                                 const tn_buffer *x, const tn_buffer *rows) {
    return tn_row_move(dev, "row_scatter", "row_scatter_forward", s->R, s->D, y, x, rows);
}

tn_status tn_row_scatter_backward(tn_device *dev, const tn_row_scatter_shape *s, tn_buffer *dx,
                                  const tn_buffer *dy, const tn_buffer *rows) {
    return tn_row_move(dev, "row_scatter", "row_scatter_backward", s->R, s->D, dx, dy, rows);
}
