/* Order statistics of small samples. */
#ifndef TN_STATISTICS_H
#define TN_STATISTICS_H

#include "context.h"

typedef struct tn_summary {
    int n;
    double median, q1, q3; /* 0 when n is 0 */
} tn_summary;

void tn_sort(double *values, size_t count);     /* ascending, in place; no NaN among them */
double tn_median(double *values, size_t count); /* sorts; the mean of the middle two; NaN for none */
/* Sorts `values` in place. Quantiles interpolate between neighbours: position p·(n−1) (R's type 7). */
void tn_summarise(double *values, int n, tn_summary *out);
double tn_quantile(const double *sorted, int n, double p); /* 0 ≤ p ≤ 1, n ≥ 1 */
/* (q3 − q1) / median; 0 for fewer than two values or a median of 0. */
double tn_spread(const tn_summary *s);

/* Slope of the least-squares line through (0, y[0]) … (n−1, y[n−1]) over the mean of y, times n: how much, as
 * a share, the series rose from its first to its last value. 0 for fewer than four values. */
double tn_trend(const double *y, int n);

#endif
