#include "embedding_ref.h"

void tn_embedding_forward_ref(int64_t N, int64_t D, double *y, const double *table, const int32_t *tokens,
                              const double *more, const int32_t *codes) {
    for (int64_t n = 0; n < N; n++)
        for (int64_t d = 0; d < D; d++)
            y[n * D + d] = table[tokens[n] * D + d] + (codes ? more[codes[n] * D + d] : 0);
}

void tn_embedding_backward_ref(int64_t D, int64_t V, double *dtable, const double *dy, const int32_t *order,
                               const int32_t *start) {
    for (int64_t v = 0; v < V; v++)
        for (int64_t d = 0; d < D; d++) {
            dtable[v * D + d] = 0;
            for (int32_t i = start[v]; i < start[v + 1]; i++)
                dtable[v * D + d] += dy[order[i] * D + d];
        }
}
