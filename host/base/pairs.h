/* Lists of k=v in one text, "B=2,T=128" or "B=2 T=128": the one reader of shapes, of the tunables in an
 * environment variable, and of whatever else is written so. */
#ifndef TN_PAIRS_H
#define TN_PAIRS_H

#include "number.h"

typedef struct tn_pairs {
    const char *at; /* the rest; NULL after the last part */
    int index;
} tn_pairs;

typedef struct tn_pair {
    tn_slice part;       /* all of it, as it stands */
    tn_slice key, value; /* value.at is NULL where the part has no separator */
    int index;           /* 1 for the first part, for messages */
} tn_pair;

tn_pairs tn_pairs_of(const char *text);
/* The next part; false after the last. Parts stand apart by a comma or by blanks, or by both; two commas with
 * nothing between, and one at either end, make an empty part, whose value.at is NULL. An empty or blank text
 * has no part. */
bool tn_pairs_next(tn_pairs *pairs, tn_pair *out);

/* A name that a list of pairs may set: a whole number or a real one, within low ≤ value ≤ high. */
typedef struct tn_pair_field {
    const char *name;
    int64_t *whole; /* else NULL, and `real` is set */
    double *real;
    double low, high;
    bool seen; /* set where it was given */
} tn_pair_field;

/* Every pair of the text into its field, in any order; what is not given stays as it is. TN_ERR_ARG, with
 * `what` in front, for a part that is no NAME=VALUE, a name that is none of the fields (they are listed), one
 * that stands twice, and a value outside its range. */
tn_status tn_pairs_read(tn_context *ctx, const char *what, const char *text, tn_pair_field *fields,
                        size_t count);

/* "capacity:0.05" → true and the slice behind the colon, where the text begins with `name` and one. */
bool tn_named_value(const char *text, const char *name, tn_slice *value);

/* The next item of a list with commas, blanks kept: "256,1..8*2". An empty text has one empty item. False
 * after the last. `*text` begins at the list and is NULL after the last item. */
bool tn_item_next(const char **text, tn_slice *item);

#endif
