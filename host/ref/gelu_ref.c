#include "gelu_ref.h"

#include <math.h>

static const double root = 0.79788456080286535588; /* √(2/π) */

void tn_gelu_forward_ref(int64_t count, double *y, const double *x) {
    for (int64_t i = 0; i < count; i++)
        y[i] = 0.5 * x[i] * (1 + tanh(root * (x[i] + 0.044715 * x[i] * x[i] * x[i])));
}

/* dy · (½(1 + tanh g) + ½x·(1 - tanh² g)·g') */
void tn_gelu_backward_ref(int64_t count, double *dx, const double *dy, const double *x) {
    for (int64_t i = 0; i < count; i++) {
        double th = tanh(root * (x[i] + 0.044715 * x[i] * x[i] * x[i]));
        double slope = root * (1 + 3 * 0.044715 * x[i] * x[i]);
        dx[i] = dy[i] * (0.5 * (1 + th) + 0.5 * x[i] * (1 - th * th) * slope);
    }
}
