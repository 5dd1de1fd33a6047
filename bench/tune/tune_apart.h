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

/* Seconds that a call of each op takes with its defaults, at the shape the model has of it, all its passes:
 * NAN where it is not known, since the process that timed them ended before. [tn_case_count] */
tn_status tn_tune_apart_shares(const tn_tune_apart *apart, double *seconds);
/* In which order `count` ops have their turn, the longest first, and the part of the time that each should
 * get: by `weights`, how many sets it has to try (0: it is not tuned), times its share of all their seconds.
 */
void tn_tune_order(const double *weights, const double *seconds, int count, int *order, double *shares);

/* The other side, in the process that `trial` is: one of these jobs, its journal on stdout, a line a word.
 * `argument` is what the calling process put there. */
tn_status tn_tune_share(tn_device *dev); /* the job of all ops together: a line "share OP SECONDS" each */
void tn_tune_shares_read(const char *text, double *seconds); /* back from such lines */
tn_status tn_tune_trial(tn_device *dev, const tn_case *c, const char *job, const char *argument);

#endif
