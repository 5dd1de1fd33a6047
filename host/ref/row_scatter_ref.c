#include "row_scatter_ref.h"

void tn_row_scatter_forward_ref(int64_t R, int64_t D, double *y, const double *x, const int32_t *rows) {
    for (int64_t r = 0; r < R; r++)
        for (int64_t d = 0; d < D; d++)
            y[rows[r] * D + d] = x[r * D + d];
}

void tn_row_scatter_backward_ref(int64_t R, int64_t D, double *dx, const double *dy, const int32_t *rows) {
    for (int64_t r = 0; r < R; r++)
        for (int64_t d = 0; d < D; d++)
            dx[r * D + d] = dy[rows[r] * D + d];
}
