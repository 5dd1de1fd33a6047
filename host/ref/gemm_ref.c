#include "gemm_ref.h"

#include <stddef.h>

void tn_gemm_ref(bool a_transposed, bool b_transposed, int64_t M, int64_t N, int64_t K, double *c,
                 const double *a, const double *b, const double *bias, const double *add) {
    for (int64_t m = 0; m < M; m++)
        for (int64_t n = 0; n < N; n++) {
            double sum = 0;
            for (int64_t k = 0; k < K; k++)
                sum += (a_transposed ? a[k * M + m] : a[m * K + k]) *
                       (b_transposed ? b[n * K + k] : b[k * N + n]);
            if (bias)
                sum += bias[n];
            c[m * N + n] = add ? sum + add[m * N + n] : sum;
        }
}

void tn_gemm_bias_backward_ref(int64_t M, int64_t N, double *db, const double *dy) {
    for (int64_t n = 0; n < N; n++) {
        db[n] = 0;
        for (int64_t m = 0; m < M; m++)
            db[n] += dy[m * N + n];
    }
}
