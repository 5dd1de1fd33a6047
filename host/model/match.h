/* How many of the last tokens stood before, in the same order, in their sequence: what a model whose config
 * has `match` adds to a token's embedding. O(T · most) for a sequence, whatever its tokens are. */
#ifndef TN_MATCH_H
#define TN_MATCH_H

#include "context.h"

typedef struct tn_match {
    int64_t most, room; /* tokens that there is room for */
    int64_t count;      /* tokens that were added */
    size_t slot_count;  /* a power of two, at least twice the runs of tokens that can be told apart */
    int32_t *slots;     /* [slot_count] position · most + length − 1 of a run's first place, −1: empty */
} tn_match;

/* Room for sequences of T tokens, T · most at most 2³¹⁻¹, most at most TN_MODEL_MAX_MATCH; none is there.
 * Caller frees. */
tn_status tn_match_make(tn_context *ctx, int64_t T, int64_t most, tn_match *out);
void tn_match_free(tn_context *ctx, tn_match *m); /* fine on a zeroed one */
/* One token at a time: none is there any more; then token t, t = m->count < m->room, gives its code as below.
 */
void tn_match_clear(tn_match *m);
int32_t tn_match_add(tn_match *m, const int32_t *tokens /* [t + 1] */);
/* As after the first `count`; tokens still has all that were added. O(most) for each that goes. */
void tn_match_cut(tn_match *m, const int32_t *tokens, int64_t count);
/* codes[t]: the largest k ≤ most for which tokens t − k + 1 … t stood somewhere before, ending before t; they
 * may overlap. tokens: [T], any numbers. */
void tn_match_find(tn_match *m, const int32_t *tokens, int64_t T, int32_t *codes);

#endif
