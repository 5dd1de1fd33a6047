/* Tuning in processes of their own: a set of values that crashes, hangs or loses the device costs that set,
 * and another process goes on behind it. This process opens no device. */
#ifndef TN_TUNE_APART_H
#define TN_TUNE_APART_H

#include "tune.h"
#include "tune_cover.h"

typedef struct tn_tune_apart {
    tn_context *ctx;
    const tn_device_info *info;
    tn_style style;
    const char *program; /* whose hidden command `trial` is run */
    double silence_s;    /* a set that takes longer is given up */
} tn_tune_apart;

/* As tn_tune_op, and tn_tune_cover of a variant; a set that ended its process counts as wrong. */
tn_status tn_tune_apart_op(const tn_tune_apart *apart, const tn_case *c, const tn_tune_options *options,
                           tn_tune_report *out);
tn_status tn_tune_apart_cover(const tn_tune_apart *apart, const tn_case *c, const tn_tune_space *space,
                              const tn_tune_cover_options *options, tn_tune_tally *out);

/* The other side, in the process that `trial` is: one of these jobs, its journal on stdout, a line a word.
 * `argument` is what the calling process put there. */
tn_status tn_tune_trial(tn_device *dev, const tn_case *c, const char *job, const char *argument);

#endif
