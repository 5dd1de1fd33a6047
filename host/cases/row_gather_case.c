#include "row_move_case.h"

#include "row_gather.h"
#include "row_gather_ref.h"

static tn_status check(tn_context *ctx, const tn_shape *s) {
    return tn_row_move_check(ctx, "row_gather", s);
}

static int tensors(const tn_shape *s, int pass, tn_tensor *t) {
    tn_row_move_tensors(s, pass, pass == FORWARD, t);
    if (pass == BACKWARD) /* adds */
        t[T_OUT].tol = 2e-7;
    return 3;
}

static tn_status run(tn_device *dev, const tn_shape *shape, int pass, tn_tensor *t) {
    tn_row_gather_shape s = {shape->v[DIM_R], shape->v[DIM_N], shape->v[DIM_D]};
    return (pass == FORWARD ? tn_row_gather_forward : tn_row_gather_backward)(
        dev, &s, t[T_OUT].buffer, t[T_IN].buffer, t[T_ROWS].buffer);
}

static void reference(const tn_shape *s, int pass, tn_tensor *t) {
    (pass == FORWARD ? tn_row_gather_forward_ref : tn_row_gather_backward_ref)(
        s->v[DIM_R], s->v[DIM_D], t[T_OUT].f64, t[T_IN].f64, t[T_ROWS].i32);
}

static bool sees(const tn_shape *s, int pass, const tn_tensor *t, int out, size_t o, int in, size_t i) {
    if (in == T_OUT) /* what is added to */
        return out == TN_ANY_OUTPUT || o == i;
    return tn_row_move_takes(s, t, pass == FORWARD, out == TN_ANY_OUTPUT, o, i);
}

static double flops(const tn_shape *s, int pass) {
    return pass == FORWARD ? 0 : (double)s->v[DIM_R] * (double)s->v[DIM_D];
}

static double bytes(const tn_shape *s, int pass) {
    return 4 * ((double)s->v[DIM_R] * (double)s->v[DIM_D] * (pass == FORWARD ? 2 : 3) + (double)s->v[DIM_R]);
}

const tn_case tn_case_row_gather = {.op = "row_gather",
                                    .dims = tn_row_move_dims,
                                    .passes = tn_row_move_passes,
                                    .draw = tn_row_move_draw,
                                    .check = check,
                                    .tensors = tensors,
                                    .fill = tn_row_move_fill,
                                    .run = run,
                                    .reference = reference,
                                    .sees = sees,
                                    .flops = flops,
                                    .bytes = bytes,
                                    .has_gradient = true};
