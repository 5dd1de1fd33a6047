#include "row_gather.h"

#include "row_move.h"

static const char *const passes[] = {"forward", "backward", NULL};
static const tn_variant *const variants[] = {&tn_row_gather_threads, NULL};
const tn_op tn_row_gather_op = {
    .name = "row_gather", .passes = passes, .shape_bytes = sizeof(tn_row_move_key), .variants = variants};

static tn_status run(tn_device *dev, int pass, const tn_row_gather_shape *s, tn_buffer *to,
                     const tn_buffer *from, const tn_buffer *rows) {
    return tn_row_move(dev, &tn_row_gather_op, pass, (tn_row_move_key){s->R, s->D},
                       &(tn_row_move_args){to, from, rows, s->count});
}

tn_status tn_row_gather_forward(tn_device *dev, const tn_row_gather_shape *s, tn_buffer *y,
                                const tn_buffer *x, const tn_buffer *rows) {
    return run(dev, TN_ROW_MOVE_FORWARD, s, y, x, rows);
}

tn_status tn_row_gather_backward(tn_device *dev, const tn_row_gather_shape *s, tn_buffer *dx,
                                 const tn_buffer *dy, const tn_buffer *rows) {
    return run(dev, TN_ROW_MOVE_BACKWARD, s, dx, dy, rows);
}

tn_status tn_row_gather_counts(tn_device *dev, const tn_row_gather_shape *s, bool training, bool *counts) {
    const tn_row_move_key key = {s->R, s->D};
    TN_TRY(tn_op_counts(dev, &tn_row_gather_op, TN_ROW_MOVE_FORWARD, &key, counts));
    return training && *counts ? tn_op_counts(dev, &tn_row_gather_op, TN_ROW_MOVE_BACKWARD, &key, counts)
                               : TN_OK;
}
