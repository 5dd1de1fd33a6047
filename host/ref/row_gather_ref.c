#include "row_gather_ref.h"

void tn_row_gather_forward_ref(int64_t R, int64_t D, double *y, const double *x, const int32_t *rows) {
    for (int64_t r = 0; r < R; r++)
        for (int64_t d = 0; d < D; d++)
            y[r * D + d] = x[rows[r] * D + d];
}

void tn_row_gather_backward_ref(int64_t R, int64_t D, double *dx, const double *dy, const int32_t *rows) {
    for (int64_t r = 0; r < R; r++)
        for (int64_t d = 0; d < D; d++)
            dx[rows[r] * D + d] += dy[r * D + d];
}
