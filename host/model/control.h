/* Which rows a control routes: random:ρ and periodic:m decide by position alone, match:n by the tokens up to
 * there, so a pass over many rows and one over a few of them agree. */
#ifndef TN_CONTROL_H
#define TN_CONTROL_H

#include "config.h"

/* Rows first … first + count − 1 of a batch of sequences of T positions each. */
typedef struct tn_control_rows {
    uint64_t seed, index; /* stream of the random control: the run's, and the batch's or sequence's */
    int64_t T, first, count;
    const int32_t *codes; /* [count] of match:n: how many of the last tokens stood before (match.h) */
} tn_control_rows;

/* TN_ERR_ARG for the oracle mixer: the rows that it routes are the task's. */
tn_status tn_control_check(tn_context *ctx, const tn_model_config *c);
/* mask: [count], 1: routed. Of the mixers random, periodic and match alone. */
void tn_control_mask(const tn_model_config *c, const tn_control_rows *rows, int64_t layer, uint8_t *mask);

#endif
