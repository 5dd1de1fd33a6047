/* General matrix product on doubles, row-major: C = op(A)·op(B) (+ bias) (+ add). */
#ifndef TN_GEMM_REF_H
#define TN_GEMM_REF_H

#include <stdbool.h>
#include <stdint.h>

/* a_transposed: A is [K,M], else [M,K]. b_transposed: B is [N,K], else [K,N]. bias [N], add [M,N]: NULL when
 * absent; add may be c. */
void tn_gemm_ref(bool a_transposed, bool b_transposed, int64_t M, int64_t N, int64_t K, double *c /* [M,N] */,
                 const double *a, const double *b, const double *bias, const double *add);
/* db[n] = Σ_m dy[m,n] */
void tn_gemm_bias_backward_ref(int64_t M, int64_t N, double *db /* [N] */, const double *dy /* [M,N] */);

#endif
