#include "statistics.h"

#include <math.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void tn_sort(double *values, size_t count) {
    if (count > 0)
        qsort(values, count, sizeof *values, ascending);
}

double tn_quantile(const double *sorted, int n, double p) {
    double at = p * (n - 1);
    int low = (int)at;
    if (low >= n - 1)
        return sorted[n - 1];
    return sorted[low] + (at - low) * (sorted[low + 1] - sorted[low]);
}

void tn_summarise(double *values, int n, tn_summary *out) {
    *out = (tn_summary){.n = n};
    if (n == 0)
        return;
    tn_sort(values, (size_t)n);
    out->median = tn_quantile(values, n, 0.5);
    out->q1 = tn_quantile(values, n, 0.25);
    out->q3 = tn_quantile(values, n, 0.75);
}

double tn_median(double *values, size_t count) {
    tn_sort(values, count);
    return count ? tn_quantile(values, (int)count, 0.5) : NAN;
}

double tn_spread(const tn_summary *s) {
    return s->n < 2 || s->median == 0 ? 0 : (s->q3 - s->q1) / s->median;
}

double tn_trend(const double *y, int n) {
    double mean = 0, across = 0, square = 0, middle = 0.5 * (n - 1);
    if (n < 4)
        return 0;
    for (int i = 0; i < n; i++)
        mean += y[i] / n;
    for (int i = 0; i < n; i++) {
        across += (i - middle) * (y[i] - mean);
        square += (i - middle) * (i - middle);
    }
    return mean == 0 ? 0 : across / square * n / mean;
}
