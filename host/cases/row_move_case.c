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
