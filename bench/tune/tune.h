/* Tuning one op on one device: sets timed in turn against the best so far on the op's shapes (bench/shapes).
 *
 * First what passes and classes of shapes share; then, for each pass and class, every variant from its own
 * defaults, and the best of them against each other. A set is verified on those shapes before it is timed, as
 * far as the reference is quick there, and on random ones before it is taken. */
#ifndef TN_TUNE_H
#define TN_TUNE_H

#include "tune_journal.h"

typedef struct tn_tune_options {
    double seconds;      /* for the op, all in all; a set that has begun is finished, and one has its turn */
    uint64_t seed;       /* of shapes and data */
    int cases;           /* random shapes that a set must be right on before it is taken */
    const char *journal; /* lines of a search that goes on; NULL: it begins */
    void (*tell)(void *data, const char *line); /* told of each line; NULL: nobody is */
    void *tell_data;
} tn_tune_options;

/* A winner is held once more against the defaults, longer, and verified on shapes not seen before; what does
 * not stand that is not a winner. */
tn_status tn_tune_op(tn_device *dev, const tn_case *c, const tn_tune_options *options, tn_tune_report *out);

#endif
