/* The search of `turnout tune`, apart from any device: from a set of defaults on, one tunable after the
 * other, each of its candidates against the best set so far, round after round until none wins or the time is
 * up. */
#ifndef TN_TUNE_SEARCH_H
#define TN_TUNE_SEARCH_H

#include "tune_set.h"

typedef struct tn_tune_gain {
    double ratio, q1, q3; /* time of the best / time of the candidate, with quartiles: above 1 where the
                             candidate is faster */
    bool loses;           /* at one of the shapes it is clearly slower, whatever it wins elsewhere */
    int n;                /* pairs of batches */
} tn_tune_gain;

/* By more than the quartiles, and by a hundredth. */
bool tn_tune_wins(const tn_tune_gain *gain);

typedef struct tn_tune_judge {
    void *data;
    /* Whether a set may be timed at all: asked once a set. */
    tn_status (*accept)(void *data, const tn_tune_set *set, bool *accepted);
    tn_status (*compare)(void *data, const tn_tune_set *best, const tn_tune_set *candidate,
                         tn_tune_gain *out);
    bool (*has_time)(void *data);
    bool (*had_turn)(void *data, const tn_tune_set *set); /* before this search began; NULL: none had */
    const tn_tune_set *first;                             /* has its turn before all others; NULL: none */
} tn_tune_judge;

typedef struct tn_tune_found {
    tn_tune_set best;
    int seen, accepted; /* sets besides the first */
    bool whole;         /* false: the time was up before every candidate had its turn */
} tn_tune_found;

tn_status tn_tune_search(tn_context *ctx, const tn_tune_space *space, const tn_tune_set *start,
                         const tn_tune_judge *judge, tn_tune_found *out);

#endif
