/* What sets of tunables are timed on: an op's shapes (bench/shapes) in each of its passes, made once. */
#ifndef TN_TUNE_WORK_H
#define TN_TUNE_WORK_H

#include "tune_search.h"

enum { TN_TUNE_WORKS = 64, TN_TUNE_ALL = -1 };

typedef struct tn_tune_work {
    tn_problem *problem;
    int pass, class_;  /* as the op planned it */
    double work, call; /* of the reference; seconds of a call with the defaults */
    unsigned unfit;    /* bit v: variant v does not take this shape */
} tn_tune_work;

typedef struct tn_tune_works {
    tn_device *dev; /* borrowed */
    const tn_case *c;
    int count, pass, class_; /* of items, small ones first; pass and class: those that are looked at,
                                TN_TUNE_ALL for all */
    tn_tune_work items[TN_TUNE_WORKS];
    const tn_tune_set *tried; /* at present, so that calls behind one another find their plan */
} tn_tune_works;

/* With the values the device has by itself. Large shapes say what the memory does, and long ones take too
 * much of `seconds`, the time for all of the op: they are left out, but for the first of a pass. */
tn_status tn_tune_works_make(tn_device *dev, const tn_case *c, double seconds, uint64_t seed,
                             tn_tune_works *out);
void tn_tune_works_free(tn_tune_works *works);
bool tn_tune_works_has(const tn_tune_works *works, const tn_tune_work *work); /* is it looked at? */

typedef enum tn_tune_depth {
    TN_TUNE_FIRST, /* of a variant: which shapes it takes, where a call does not take much longer than by
                      default; a set that takes fewer is refused later */
    TN_TUNE_QUICK, /* before it is timed: the smallest shape */
    TN_TUNE_WHOLE  /* before it is taken: all shapes */
} tn_tune_depth;
/* Holds a set against the reference as far as that is quick. The reason in ctx->message. *fitted: how many
 * shapes it took. */
tn_tune_outcome tn_tune_works_verify(tn_tune_works *works, const tn_tune_space *space, const tn_tune_set *set,
                                     tn_tune_depth depth, int *fitted);
/* Time of `a` over that of `b`, geometric means over what both take, `seconds` of timing each. */
tn_status tn_tune_works_ratio(tn_tune_works *works, const tn_tune_space *space_a, const tn_tune_set *a,
                              const tn_tune_space *space_b, const tn_tune_set *b, double seconds,
                              tn_tune_gain *out);

#endif
