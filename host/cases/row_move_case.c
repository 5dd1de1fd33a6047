#include "row_move_case.h"

void tn_row_move_draw(tn_rng *rng, tn_shape *s) {
    int64_t N = tn_rng_below(rng, 5) == 0 ? 1 : tn_rng_range(rng, 1, 200);
    uint32_t kind = tn_rng_below(rng, 4);
    s->v[DIM_N] = N;
    s->v[DIM_R] = kind == 0 ? 0 : kind == 1 ? N : tn_rng_range(rng, 1, N);
    s->v[DIM_D] = tn_rng_below(rng, 2) ? 16 * tn_rng_range(rng, 1, 8) : tn_rng_range(rng, 1, 100);
}

void tn_row_move_fill(tn_rng *rng, const tn_shape *s, int pass, tn_tensor *t) {
    (void)pass;
    int64_t r = 0, R = s->v[DIM_R], N = s->v[DIM_N];
    for (int64_t n = 0; n < N && r < R; n++)
        if (tn_rng_uniform(rng) * (double)(N - n) < (double)(R - r))
            t[T_ROWS].i32[r++] = (int32_t)n;
}

const char *const tn_row_move_dims[] = {"R", "N", "D", NULL};
const char *const tn_row_move_passes[] = {"forward", "backward", NULL};

tn_status tn_row_move_check(tn_context *ctx, const char *op, const tn_shape *s) {
    return s->v[DIM_R] <= s->v[DIM_N] ? TN_OK : tn_fail(ctx, TN_ERR_ARG, "%s: R is at most N", op);
}

int tn_row_move_tensors(const tn_shape *s, int pass, bool gathers, tn_tensor *t) {
    const size_t R = (size_t)s->v[DIM_R], N = (size_t)s->v[DIM_N], D = (size_t)s->v[DIM_D];
    t[T_OUT] =
        (tn_tensor){pass == FORWARD ? "y" : "dx", TN_F32, gathers ? TN_OUT : TN_INOUT, (gathers ? R : N) * D};
    t[T_IN] = (tn_tensor){pass == FORWARD ? "x" : "dy", TN_F32, TN_IN, (gathers ? N : R) * D};
    t[T_ROWS] = (tn_tensor){"rows", TN_I32, TN_IN, R};
    return 3;
}

bool tn_row_move_lists(const tn_shape *s, const tn_tensor *t, size_t row) {
    bool listed = false;
    for (size_t r = 0; r < (size_t)s->v[DIM_R]; r++)
        listed |= (size_t)t[T_ROWS].i32[r] == row;
    return listed;
}

bool tn_row_move_takes(const tn_shape *s, const tn_tensor *t, bool gathers, bool any, size_t o, size_t i) {
    const size_t D = (size_t)s->v[DIM_D];
    const int32_t *rows = t[T_ROWS].i32;
    if (any)
        return !gathers || tn_row_move_lists(s, t, i / D);
    return o % D == i % D && (gathers ? (size_t)rows[o / D] == i / D : (size_t)rows[i / D] == o / D);
}
