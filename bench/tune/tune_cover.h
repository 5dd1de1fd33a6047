/* Verifying what the tuner may choose: sets in which any two values of two tunables stand together at least
 * once. */
#ifndef TN_TUNE_COVER_H
#define TN_TUNE_COVER_H

#include "tune_set.h"

typedef struct tn_tune_cover_options {
    int most;  /* sets; 0: until every pair has stood together */
    int cases; /* random shapes a set, other ones for each set */
    uint64_t seed;
    /* A cover that goes on: what became of its first sets, a letter each: 'r'ight, re'f'used, 'w'rong, 'l'ost
     * with its process. NULL: from the first. */
    const char *done;
    /* Told of each set before its turn with a letter of 0, and of what became of it. NULL: nobody is. */
    void (*tell)(void *data, char letter, const tn_tune_set *set);
    void *tell_data;
} tn_tune_cover_options;

typedef struct tn_tune_tally {
    int sets, refused, wrong;
    int pairs, left; /* pairs of values there are; those that no set had in the end */
} tn_tune_tally;

/* Of one variant, the defaults of both styles first. A wrong set is told on stderr, a refused one as
 * progress. TN_OK whatever is found; a failure only after Ctrl-C or when memory runs out. */
tn_status tn_tune_cover(tn_device *dev, const tn_case *c, const tn_tune_space *space,
                        const tn_tune_cover_options *options, tn_tune_tally *out);

#endif
