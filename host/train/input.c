#include "input.h"

tn_input tn_batch_input(const tn_batch *batch, int32_t *label_rows, int32_t *labels) {
    int64_t N = (int64_t)batch->B * batch->T, L = 0;
    for (int64_t n = 0; n < N; n++)
        if (batch->labels[n] >= 0) {
            label_rows[L] = (int32_t)n;
            labels[L++] = batch->labels[n];
        }
    return (tn_input){.B = batch->B,
                      .T = batch->T,
                      .tokens = batch->tokens,
                      .L = L,
                      .label_rows = L == N ? NULL : label_rows,
                      .labels = labels,
                      .oracle = batch->has_oracle ? batch->oracle : NULL};
}
