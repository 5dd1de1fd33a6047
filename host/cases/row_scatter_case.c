#include "row_move_case.h"

#include "row_scatter.h"
#include "row_scatter_ref.h"

static tn_status check(tn_context *ctx, const tn_shape *s) {
    return s->v[DIM_R] <= s->v[DIM_N] ? TN_OK : tn_fail(ctx, TN_ERR_ARG, "row_scatter: R is at most N");
}

static int tensors(const tn_shape *s, int pass, tn_tensor *t) {
    size_t R = (size_t)s->v[DIM_R], N = (size_t)s->v[DIM_N], D = (size_t)s->v[DIM_D];
    if (pass == FORWARD) {
        t[T_OUT] = (tn_tensor){"y", TN_F32, TN_INOUT, N * D};
        t[T_IN] = (tn_tensor){"x", TN_F32, TN_IN, R * D};
    } else {
        t[T_OUT] = (tn_tensor){"dx", TN_F32, TN_OUT, R * D};
        t[T_IN] = (tn_tensor){"dy", TN_F32, TN_IN, N * D};
    }
    t[T_ROWS] = (tn_tensor){"rows", TN_I32, TN_IN, R};
    return 3;
}

static tn_status run(tn_device *dev, const tn_shape *shape, int pass, tn_tensor *t) {
    tn_row_scatter_shape s = {shape->v[DIM_R], shape->v[DIM_N], shape->v[DIM_D]};
    return (pass == FORWARD ? tn_row_scatter_forward : tn_row_scatter_backward)(
        dev, &s, t[T_OUT].buffer, t[T_IN].buffer, t[T_ROWS].buffer);
}

static void reference(const tn_shape *s, int pass, tn_tensor *t) {
    (pass == FORWARD ? tn_row_scatter_forward_ref : tn_row_scatter_backward_ref)(
        s->v[DIM_R], s->v[DIM_D], t[T_OUT].f64, t[T_IN].f64, t[T_ROWS].i32);
}

static bool sees(const tn_shape *s, int pass, const tn_tensor *t, int out, size_t o, int in, size_t i) {
    size_t D = (size_t)s->v[DIM_D], R = (size_t)s->v[DIM_R];
    const int32_t *rows = t[T_ROWS].i32;
    if (in == T_IN && pass == FORWARD)
        return out == TN_ANY_OUTPUT || (o % D == i % D && (size_t)rows[i / D] == o / D);
    bool listed = false; /* what lies where a row goes is replaced */
    for (size_t r = 0; r < R; r++)
        listed |= (size_t)rows[r] == i / D;
    if (pass == FORWARD)
        return !listed && (out == TN_ANY_OUTPUT || o == i);
    return out == TN_ANY_OUTPUT ? listed : o % D == i % D && (size_t)rows[o / D] == i / D;
}

static double flops(const tn_shape *s, int pass) {
    (void)s;
    (void)pass;
    return 0;
}

static double bytes(const tn_shape *s, int pass) {
    (void)pass;
    return 4 * ((double)s->v[DIM_R] * (double)s->v[DIM_D] * 2 + (double)s->v[DIM_R]);
}

const tn_case tn_case_row_scatter = {.op = "row_scatter",
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
