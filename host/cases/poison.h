/* Masked means never read into a result. What no output of a case sees is filled with NaN and with infinity,
 * and no bit of a result may move; one NaN among what is seen must come out of everything that the reference
 * lets it into, and of nothing else. The reference is held to what the case says (tn_case.sees). */
#ifndef TN_POISON_H
#define TN_POISON_H

#include "context.h"

struct tn_problem;

/* What was held to the rule so far. */
typedef struct tn_poison_tally {
    unsigned passes; /* bit p: a NaN was put into an input of pass p */
    int hidden;      /* inputs that were filled where nothing sees them */
    int seen;        /* NaNs put among what is seen */
} tn_poison_tally;

/* A problem that has been verified; `results`: what it gave, by tensor. Puts a NaN into `most` inputs at
 * most, other ones for each seed, one at a time. TN_ERR_CHECK when the device or the reference breaks the
 * rule. Ends with inputs as they were, and without a reference. */
tn_status tn_problem_poison(tn_context *ctx, struct tn_problem *problem, unsigned char *const *results,
                            uint64_t seed, int most, tn_poison_tally *tally);

#endif
