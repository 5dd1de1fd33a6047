#include "case.h"

#include "row_scatter.h"
#include "row_scatter_ref.h"

enum { DIM_R, DIM_N, DIM_D };
enum { FORWARD, BACKWARD };
enum { T_OUT, T_IN, T_ROWS };

static void draw(tn_rng *rng, tn_shape *s) {
    int64_t N = tn_rng_below(rng, 5) == 0 ? 1 : tn_rng_range(rng, 1, 200);
    uint32_t kind = tn_rng_below(rng, 4);
    s->v[DIM_N] = N;
    s->v[DIM_R] = kind == 0 ? 0 : kind == 1 ? N : tn_rng_range(rng, 1, N);
    s->v[DIM_D] = tn_rng_below(rng, 2) ? 16 * tn_rng_range(rng, 1, 8) : tn_rng_range(rng, 1, 100);
}

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

/* R distinct rows in ascending order. */
static void fill(tn_rng *rng, const tn_shape *s, int pass, tn_tensor *t) {
    (void)pass;
    int64_t r = 0, R = s->v[DIM_R], N = s->v[DIM_N];
    for (int64_t n = 0; n < N && r < R; n++)
        if (tn_rng_uniform(rng) * (double)(N - n) < (double)(R - r))
            t[T_ROWS].i32[r++] = (int32_t)n;
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

static const char *const dims[] = {"R", "N", "D", NULL};
static const char *const passes[] = {"forward", "backward", NULL};

static const tn_case_tunable tunables[] = {
    TN_CASE_TUNABLE("LANES", "lanes of a vector", 1, 4, 8, 16),
    TN_CASE_TUNABLE("ROWS", "rows of a work-item", 1, 2, 4, 8, 16, 32, 64),
    TN_CASE_TUNABLE("SPLIT", "1: a row's vectors go to neighbouring work-items", 0, 1),
    TN_CASE_TUNABLE_STREAM,
    TN_CASE_TUNABLE_LOCAL,
    {NULL},
};

const tn_case tn_case_row_scatter = {.op = "row_scatter",
                                     .dims = dims,
                                     .passes = passes,
                                     .draw = draw,
                                     .check = check,
                                     .tensors = tensors,
                                     .fill = fill,
                                     .run = run,
                                     .reference = reference,
                                     .sees = sees,
                                     .flops = flops,
                                     .bytes = bytes,
                                     .has_gradient = true,
                                     .tunables = tunables};
