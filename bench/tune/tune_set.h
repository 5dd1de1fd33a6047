/* Sets of values for an op's tunables, as its case lists them: what the tuner chooses among, and what is
 * verified before it may. */
#ifndef TN_TUNE_SET_H
#define TN_TUNE_SET_H

#include "case.h"
#include "tunable.h"

enum { TN_TUNE_TUNABLES = 16, TN_TUNE_VALUES = 16, TN_TUNE_UNKNOWN = -1 };

/* One value a row of tn_case.tunables; TN_TUNE_UNKNOWN: left to the device, for op code never asked. */
typedef struct tn_tune_set {
    int values[TN_TUNE_TUNABLES];
} tn_tune_set;

/* The candidates a row: those of the table and the defaults of both kinds, ascending. A count of 0: not
 * asked. */
typedef struct tn_tune_space {
    int tunables;
    int count[TN_TUNE_TUNABLES], values[TN_TUNE_TUNABLES][TN_TUNE_VALUES];
    tn_tune_set cpu, gpu; /* defaults by kind */
    tn_tune_set device;   /* of this device (TURNOUT_KIND respected) */
} tn_tune_space;

/* Runs the op's first `cases` random shapes with the defaults of both kinds, so that op code asks for what it
 * has, and fails as tn_verify_case when they are wrong; a kind that the device refuses is left out, with
 * `own_alone` the other kind.
 * TN_ERR_CHECK also when op code asks for a tunable that its case does not list. */
tn_status tn_tune_space_make(tn_device *dev, const tn_case *c, int cases, bool own_alone, tn_tune_space *out);
/* Number of sets: the product of the counts. */
double tn_tune_space_size(const tn_tune_space *space);
/* A set of random candidates. */
void tn_tune_set_draw(const tn_tune_space *space, tn_rng *rng, tn_tune_set *out);

bool tn_tune_set_equal(const tn_tune_space *space, const tn_tune_set *a, const tn_tune_set *b);
/* "gemm.VW=16,gemm.NV=2": also what TURNOUT_TUNE takes. */
void tn_tune_set_print(const tn_case *c, const tn_tune_set *set, char *text, size_t size);
/* Sets and spaces as one word, for another process: "16,2,-1", and back. false where the text is none of
 * `space`'s width; `*text` goes on behind it. */
void tn_tune_set_encode(const tn_tune_space *space, const tn_tune_set *set, char *text, size_t size);
bool tn_tune_set_decode(const tn_tune_space *space, const char **text, tn_tune_set *out);
void tn_tune_space_encode(const tn_tune_space *space, char *text, size_t size);
bool tn_tune_space_decode(const char *text, tn_tune_space *out);
/* Op code gets these values, until tn_tunable_untry(dev, c->op). */
tn_status tn_tune_set_try(tn_device *dev, const tn_case *c, const tn_tune_set *set);

typedef enum tn_tune_outcome {
    TN_TUNE_RIGHT,
    TN_TUNE_REFUSED, /* the device cannot: group too large, memory, an unsupported combination */
    TN_TUNE_WRONG    /* a wrong result, or a kernel that does not build or run */
} tn_tune_outcome;
/* What verifying with a set ended in. */
tn_tune_outcome tn_tune_outcome_of(tn_status status);
/* Holds every pass against its reference with this set on `cases` random shapes, from number `first` of the
 * seed on. TN_OK whatever the outcome, its reason in ctx->message; a failure only after Ctrl-C and
 * when the device is lost. Ends with
 * nothing tried. */
tn_status tn_tune_set_verify(tn_device *dev, const tn_case *c, const tn_tune_set *set, uint64_t seed,
                             int first, int cases, tn_tune_outcome *outcome);

#endif
