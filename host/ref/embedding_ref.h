/* Token embedding: y[n] = table[tokens[n]] (+ more[codes[n]]); dtable[v] = Σ over n with tokens[n] = v of
 * dy[n]. */
#ifndef TN_EMBEDDING_REF_H
#define TN_EMBEDDING_REF_H

#include <stdint.h>

void tn_embedding_forward_ref(int64_t N, int64_t D, double *y /* [N,D] */, const double *table /* [V,D] */,
                              const int32_t *tokens /* [N] */, const double *more /* [C,D] */,
                              const int32_t *codes /* [N], NULL: none */);
/* Positions of token v are order[start[v]] … order[start[v+1] - 1]. */
void tn_embedding_backward_ref(int64_t D, int64_t V, double *dtable /* [V,D] */, const double *dy /* [N,D] */,
                               const int32_t *order /* [N] */, const int32_t *start /* [V+1] */);

#endif
