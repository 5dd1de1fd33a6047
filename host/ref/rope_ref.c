#include "rope_ref.h"

#include <math.h>

void tn_rope_ref(int64_t R, int64_t T, int64_t H, int64_t Dh, double base, double sign, double *y,
                 const double *x, const int32_t *rows) {
    for (int64_t r = 0; r < R; r++)
        for (int64_t h = 0; h < H; h++)
            for (int64_t i = 0; i < Dh / 2; i++) {
                double angle = sign * (double)(rows[r] % T) * pow(base, -2.0 * (double)i / (double)Dh);
                int64_t at = (r * H + h) * Dh + i;
                double a = x[at], b = x[at + Dh / 2];
                y[at] = a * cos(angle) - b * sin(angle);
                y[at + Dh / 2] = a * sin(angle) + b * cos(angle);
            }
}
