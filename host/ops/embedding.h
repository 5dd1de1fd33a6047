/* Token embedding (kernels/embedding/): y[n] = table[tokens[n]], and + more[codes[n]] where a position has a
 * code too. The backward pass adds up the positions of each token in ascending order, found once on the host
 * by tn_embedding_index, so no two work-items write the same row; it is run once more for the codes' table.
 */
#ifndef TN_EMBEDDING_H
#define TN_EMBEDDING_H

#include "buffer.h"

extern const struct tn_op tn_embedding_op;

typedef struct tn_embedding_shape {
    int64_t N, D, V; /* positions, width, rows of the table */
    int64_t C;       /* forward: rows of the codes' table; 0: there is none */
} tn_embedding_shape;

/* Tokens must lie in [0, V), codes in [0, C): the caller has checked them. more and codes are NULL where C is
 * 0. */
tn_status tn_embedding_forward(tn_device *dev, const tn_embedding_shape *s, tn_buffer *y /* [N,D] */,
                               const tn_buffer *table /* [V,D] */, const tn_buffer *tokens /* i32 [N] */,
                               const tn_buffer *more /* [C,D] */, const tn_buffer *codes /* i32 [N] */);
/* Rows of unused tokens become zero. */
tn_status tn_embedding_backward(tn_device *dev, const tn_embedding_shape *s, tn_buffer *dtable /* [V,D] */,
                                const tn_buffer *dy /* [N,D] */, const tn_buffer *order /* i32 [N] */,
                                const tn_buffer *start /* i32 [V+1] */);

/* Counting sort on the host: order holds the positions of token 0, then of token 1, …, ascending in each;
 * token v owns order[start[v]] to order[start[v+1] - 1]. Tokens in [0, V). */
void tn_embedding_index(const int32_t *tokens /* [N] */, int64_t N, int64_t V, int32_t *order /* [N] */,
                        int32_t *start /* [V+1] */);

#endif
