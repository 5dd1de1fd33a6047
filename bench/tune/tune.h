/* Tuning one op on one device: sets timed in turn against the best so far on the op's shapes (bench/shapes).
 *
 * A set is verified on those shapes before it is timed, as far as the reference is quick there, and on random
 * ones before it is taken. */
#ifndef TN_TUNE_H
#define TN_TUNE_H

#include "tune_search.h"
#include "tuned.h"

typedef struct tn_tune_options {
    double seconds; /* for the op, all in all; a set that has begun is finished, and one has its turn */
    uint64_t seed;  /* of shapes and data */
    int cases;      /* random shapes that a set must be right on before it is taken */
    /* A search that goes on: from this set, NULL for the device's own, and without these. */
    const tn_tune_set *from, *seen;
    int seen_count;
    /* Told of each set before its turn, "begin", and behind it: "refused", "wrong", "right" or "best", the
     * best so far. "confirm" goes before the winner's last turn. NULL: nobody is. */
    void (*tell)(void *data, const char *word, const tn_tune_set *set);
    void *tell_data;
} tn_tune_options;

typedef struct tn_tune_report {
    tn_tuned_op result; /* as it goes into the tuned file; a count of 0 where nothing beat the defaults */
    tn_tune_set best;
    int seen, refused, wrong; /* sets besides the defaults; a wrong one is told on stderr */
    bool whole;               /* false: the time was up before every candidate had its turn */
    int workloads;            /* shapes × passes that were timed */
    double seconds;
} tn_tune_report;

/* The values of `best`, what they gain, and of which op: as it goes into the tuned file. */
void tn_tune_result_fill(const tn_case *c, const tn_tune_set *best, const tn_tune_gain *gain,
                         tn_tuned_op *out);

/* The winner is held once more against the defaults, longer, and verified on shapes not seen before; what
 * does not stand that is not a winner. */
tn_status tn_tune_op(tn_device *dev, const tn_case *c, const tn_tune_space *space,
                     const tn_tune_options *options, tn_tune_report *out);

#endif
