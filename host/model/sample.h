/* A token out of a row of logits. On the host, in double and in one order, so that what is taken is a
 * function of the logits, the seed and the position alone. */
#ifndef TN_SAMPLE_H
#define TN_SAMPLE_H

#include <stdint.h>

typedef struct tn_sampling {
    double
        temperature; /* logits are divided by it; 0: the largest is taken, of equal ones the lowest token */
    int64_t top_k;   /* of so many likeliest tokens, of equal ones the lower first; 0: of all */
    uint64_t seed;   /* of Philox, with the position as index */
} tn_sampling;

/* logits: [V], finite; room: [V], for the call alone. position: of the token that is taken, from 0. */
int32_t tn_sample(const tn_sampling *s, const float *logits, int64_t V, int64_t position, int32_t *room);

#endif
