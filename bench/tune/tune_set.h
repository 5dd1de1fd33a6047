/* Sets of values for the tunables of an op's variants: what the tuner chooses among, and what is verified
 * before it may. */
#ifndef TN_TUNE_SET_H
#define TN_TUNE_SET_H

#include "case.h"

enum { TN_TUNE_VALUES = 16, TN_TUNE_ANY_VARIANT = -1 };

/* One value a row of the space that the set is of. */
typedef struct tn_tune_set {
    int variant; /* index into the op's table; TN_TUNE_ANY_VARIANT: whichever is chosen */
    int values[TN_VARIANT_TUNABLES];
} tn_tune_set;

/* The candidates a row: those of the table and the defaults of both styles, ascending. A count of 0: there is
 * nothing to try, the value is that of `start`. */
typedef struct tn_tune_space {
    const tn_op *op;
    int variant, tunables;
    const tn_tunable *rows[TN_VARIANT_TUNABLES];
    int count[TN_VARIANT_TUNABLES], values[TN_VARIANT_TUNABLES][TN_TUNE_VALUES];
    tn_tune_set start, other; /* the defaults of the device's style, and of the other one */
} tn_tune_space;

/* Of one variant, all its tunables; of TN_TUNE_ANY_VARIANT: what the passes and classes share
 * (TN_TUNABLE_LAYOUT). What only CPUs' compilers take is 0 elsewhere, and nothing to try. */
void tn_tune_space_make(const tn_device_info *info, tn_style style, const tn_op *op, int variant,
                        tn_tune_space *out);
/* Leaves those that passes share at the values that `shared`, a set of their space, has. */
void tn_tune_space_share(tn_tune_space *space, const tn_tune_space *of, const tn_tune_set *shared);
/* Number of sets: the product of the counts. And of those that differ from the start in one value. */
double tn_tune_space_size(const tn_tune_space *space);
int tn_tune_space_candidates(const tn_tune_space *space);
/* A set of random candidates. */
void tn_tune_set_draw(const tn_tune_space *space, tn_rng *rng, tn_tune_set *out);

bool tn_tune_set_equal(const tn_tune_space *space, const tn_tune_set *a, const tn_tune_set *b);
/* "TURNOUT_TUNE=gemm.VW=16,gemm.NV=2", behind "TURNOUT_VARIANT=gemm=few " where the op has several. */
void tn_tune_set_print(const tn_tune_space *space, const tn_tune_set *set, char *text, size_t size);
/* "LANES 16 -> 8, ROWS 16 -> 32"; "its defaults" where they are equal. */
void tn_tune_set_changes(const tn_tune_space *space, const tn_tune_set *from, const tn_tune_set *to,
                         char *text, size_t size);
/* A set as one word, for another process: "0:16,2", and back. false where the text is none of an op's. */
void tn_tune_set_encode(const tn_tune_space *space, const tn_tune_set *set, char *text, size_t size);
bool tn_tune_set_decode(const tn_tune_space *space, const char *text, tn_tune_set *out);
/* Which variant the word is of. */
bool tn_tune_set_variant(const tn_op *op, const char *text, int *variant);

/* The op takes this variant and these values, until tn_tunable_untry(dev, op->name). */
tn_status tn_tune_set_try(tn_device *dev, const tn_tune_space *space, const tn_tune_set *set);

typedef enum tn_tune_outcome {
    TN_TUNE_RIGHT,
    TN_TUNE_REFUSED, /* the device cannot: group too large, memory, an unsupported combination */
    TN_TUNE_WRONG    /* a wrong result, or a kernel that does not build or run */
} tn_tune_outcome;
/* What verifying with a set ended in. */
tn_tune_outcome tn_tune_outcome_of(tn_status status);
/* Holds every pass against its reference with this set on `cases` random shapes that it fits, from number
 * `first` of the seed on; on fewer where few fit. TN_OK whatever the outcome, its reason in ctx->message; a
 * failure only after Ctrl-C and when the device is lost. `*fitted`: shapes that it took. Ends with nothing
 * tried. */
tn_status tn_tune_set_verify(tn_device *dev, const tn_case *c, const tn_tune_space *space,
                             const tn_tune_set *set, uint64_t seed, int first, int cases, int *fitted,
                             tn_tune_outcome *outcome);

#endif
