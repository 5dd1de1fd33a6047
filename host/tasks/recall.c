/* Associative recall over a distance: position 0 a key, 1 its value, fillers, position T−1 the key again. */
#include "kinds.h"

void tn_recall_sequence(const tn_task *task, tn_rng *rng, tn_sequence s) {
    int64_t T = task->length;
    int32_t key = (int32_t)tn_rng_below(rng, TN_RECALL_KINDS);
    int32_t value = TN_RECALL_KINDS + (int32_t)tn_rng_below(rng, TN_RECALL_KINDS);
    s.tokens[0] = key;
    s.tokens[1] = value;
    for (int64_t t = 2; t < T - 1; t++)
        s.tokens[t] = 2 * TN_RECALL_KINDS + (int32_t)tn_rng_below(rng, TN_RECALL_KINDS);
    s.tokens[T - 1] = key;
    s.labels[T - 1] = value;
    s.oracle[T - 1] = 1;
}
