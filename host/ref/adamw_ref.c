#include "adamw_ref.h"

#include <math.h>

void tn_adamw_forward_ref(int64_t n, int64_t n_decay, const tn_adamw_settings_ref *o, double *p, double *m,
                          double *v, const double *g) {
    double correct1 = 1 - pow(o->beta1, (double)o->t), correct2 = 1 - pow(o->beta2, (double)o->t);
    for (int64_t i = 0; i < n; i++) {
        double grad = g[i] * o->grad_scale;
        m[i] = o->beta1 * m[i] + (1 - o->beta1) * grad;
        v[i] = o->beta2 * v[i] + (1 - o->beta2) * grad * grad;
        double step = m[i] / correct1 / (sqrt(v[i] / correct2) + o->eps);
        p[i] -= o->lr * (step + (i < n_decay ? o->weight_decay * p[i] : 0));
    }
}
