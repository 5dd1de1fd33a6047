#include "softmax_cross_entropy_ref.h"

#include <math.h>

void tn_softmax_cross_entropy_forward_ref(int64_t L, int64_t V, double *loss, double *lse, int32_t *predicted,
                                          const double *logits, const int32_t *labels) {
    for (int64_t l = 0; l < L; l++) {
        const double *row = logits + l * V;
        int32_t best = 0;
        double sum = 0;
        for (int32_t v = 1; v < V; v++)
            if (row[v] > row[best])
                best = v;
        for (int64_t v = 0; v < V; v++)
            sum += exp(row[v] - row[best]);
        lse[l] = row[best] + log(sum);
        predicted[l] = isnan(lse[l]) ? -1 : best;
        loss[l] = labels[l] < 0 ? 0 : lse[l] - row[labels[l]];
    }
}

void tn_softmax_cross_entropy_backward_ref(int64_t L, int64_t V, double *dlogits, const double *logits,
                                           const int32_t *labels, const double *lse, double scale) {
    for (int64_t l = 0; l < L; l++)
        for (int64_t v = 0; v < V; v++)
            dlogits[l * V + v] =
                labels[l] < 0 ? 0 : (exp(logits[l * V + v] - lse[l]) - (v == labels[l] ? 1 : 0)) * scale;
}
