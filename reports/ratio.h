/* How two sets of times compare: their ratio and how well it is known, without assuming how times are spread.
 */
#ifndef TN_RATIO_H
#define TN_RATIO_H

#include "context.h"

/* The times of one row of one run. */
typedef struct tn_times {
    int64_t n;
    double median, q1, q3; /* ms, above 0; quartiles NaN where they are not known */
    double drift;          /* share by which they rose from first to last; NaN: not known */
    double *ms;            /* [n] in order of time; NULL where only quartiles are known */
} tn_times;

typedef struct tn_times_list {
    tn_times *items; /* one a run */
    size_t count, capacity;
} tn_times_list;

typedef struct tn_ratio {
    double log, log_low, log_high; /* natural logs of new / old; infinite bounds: nothing is known */
    bool by_samples;               /* false: from quartiles */
} tn_ratio;

/* `z`: two-sided normal quantile of the interval's level (tn_two_sided). Other runs of the same program
 * may differ by more than the batches of one tell: tn_ratio_widen.
 *
 * With samples on both sides: Hodges and Lehmann's estimate, the median of all differences of logs, and the
 * interval that inverts Mann and Whitney's test. Times of one run that rise and fall together count for
 * fewer: the variance is multiplied by (1 + r) / (1 − r), r the serial correlation of their ranks (von
 * Neumann's ratio; Bartels 1982). With quartiles: difference of the logs of the medians; standard error of a
 * median 1.2533·σ/√n with σ = (ln q3 − ln q1)/1.349, Student's t with what a quartile range knows of σ; times
 * that rose by more than a tenth while they were taken may be off by half of it. */
tn_status tn_ratio_estimate(tn_context *ctx, const tn_times_list *before, const tn_times_list *after,
                            double z, tn_ratio *out);
/* The interval with an independent error of `width` on either side, for one run tells nothing of the next. */
void tn_ratio_widen(tn_ratio *ratio, double width);

/* What an interval says, a difference of less than `threshold` (of the log) being none. */
typedef enum tn_call { TN_CALL_SAME, TN_CALL_SLOWER, TN_CALL_FASTER, TN_CALL_OPEN } tn_call;
tn_call tn_ratio_call(const tn_ratio *ratio, double threshold);
/* Differences of the log between any two runs of a list, into `out` unless that is NULL; their number. */
size_t tn_times_differences(const tn_times_list *list, double *out);
/* Median of such differences → standard deviation of a run: two normal values differ by 0.954 of it in the
 * middle. */
#define TN_DIFFERENCE_OF_RUNS 0.954
/* Standard deviation of the log from run to run within the lists, pooled; 0 where none has two runs. */
double tn_times_scatter(const tn_times_list *const *lists, size_t count);

/* x with P(|X| > x) = alpha for a standard normal X; 0 < alpha < 1. */
double tn_two_sided(double alpha);
/* Geometric mean of the runs' medians. */
double tn_times_typical(const tn_times_list *list);
int64_t tn_times_total(const tn_times_list *list); /* Σ n */

#endif
