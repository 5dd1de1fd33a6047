/* Lists of the command line: the values that a sweep takes along one of its axes. */
#ifndef TN_AXIS_H
#define TN_AXIS_H

#include "context.h"

enum { TN_AXIS_MAX = 64, TN_WORDS_MAX = 32 };

typedef struct tn_axis {
    double v[TN_AXIS_MAX];
    int count; /* 0: not given */
} tn_axis;

typedef struct tn_words {
    char v[TN_WORDS_MAX][48];
    int count; /* 0: not given */
} tn_words;

/* What an axis is called and may hold. */
typedef struct tn_axis_kind {
    const char *name;    /* the option, without dashes */
    const char *example; /* a list that is right, for messages */
    double low, high;    /* of a value */
    bool whole;          /* whole numbers only */
    double n;            /* what the letter N stands for; 0: nothing */
} tn_axis_kind;

/* "256,1024", "256..65536*2", "0,0.1..1+0.1": items with commas, each a value or a range by a factor or by
 * a step. Both ends of a range are in, also where no step meets the last. Values that come twice count once,
 * at their first place. TN_ERR_ARG with the offending item and an example. */
tn_status tn_axis_parse(tn_context *ctx, const tn_axis_kind *kind, const char *text, tn_axis *out);

/* Words with commas, each one of `choices` (NULL-ended). TN_ERR_ARG names the word and the choices. */
tn_status tn_words_parse(tn_context *ctx, const char *name, const char *text, const char *const *choices,
                         tn_words *out);
/* True also where none were given: no list leaves nothing out. */
bool tn_words_allow(const tn_words *words, const char *word);

#endif
