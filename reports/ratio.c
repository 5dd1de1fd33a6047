#include "ratio.h"

#include "statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Relative variance of a σ that was read off quartiles is 1/0.37 of the best estimate's. */
static const double quartile_efficiency = 0.37;
static const double least_sigma =
    0.002; /* equal quartiles say that the clock is coarse, not that all is known */
static const double quiet_drift = 0.1;
static const double useless = 4; /* an interval so wide says nothing */

double tn_two_sided(double alpha) {
    double low = 0, high = 40;
    for (int i = 0; i < 100; i++) {
        double middle = 0.5 * (low + high);
        *(erfc(middle * M_SQRT1_2) > alpha ? &low : &high) = middle;
    }
    return high;
}

double tn_times_typical(const tn_times_list *list) {
    double sum = 0;
    for (size_t i = 0; i < list->count; i++)
        sum += log(list->items[i].median);
    return exp(sum / (double)list->count);
}

int64_t tn_times_total(const tn_times_list *list) {
    int64_t total = 0;
    for (size_t i = 0; i < list->count; i++)
        total += list->items[i].n;
    return total;
}

/* By how much the variance of a mean grows because neighbours are alike; `sorted`: the same times in order.
 */
static double serial_factor(const double *ms, const double *sorted, size_t n) {
    double steps = 0, square = 0, before = 0;
    if (n < 4)
        return 1;
    for (size_t i = 0; i < n; i++) {
        size_t low = 0, high = n;
        while (low < high) { /* the first that is not below: ties share a rank */
            size_t middle = (low + high) / 2;
            *(sorted[middle] < ms[i] ? &low : &high) = sorted[middle] < ms[i] ? middle + 1 : middle;
        }
        double rank = (double)low - 0.5 * (double)(n - 1);
        square += rank * rank;
        steps += i ? (rank - before) * (rank - before) : 0;
        before = rank;
    }
    if (!(square > 0))
        return 1;
    double r = fmin(fmax(1 - steps / (2 * square), 0), 0.9);
    return (1 + r) / (1 - r);
}

typedef struct pooled {
    double *logs; /* [count] rising */
    size_t count;
    double factor; /* of the variance, serial_factor over the runs */
} pooled;

static tn_status pool(tn_context *ctx, const tn_times_list *list, pooled *out) {
    double *sorted;
    size_t most = (size_t)tn_times_total(list), at = 0;
    *out = (pooled){0};
    TN_TRY(tn_alloc(ctx, most, sizeof(double), &sorted));
    tn_status status = tn_alloc(ctx, most, sizeof(double), &out->logs);
    for (size_t i = 0; status == TN_OK && i < list->count; i++) {
        const tn_times *t = &list->items[i];
        size_t n = (size_t)t->n;
        memcpy(sorted, t->ms, n * sizeof *sorted);
        tn_sort(sorted, n);
        out->factor += serial_factor(t->ms, sorted, n) * (double)n / (double)most;
        for (size_t k = 0; k < n; k++)
            out->logs[at++] = log(t->ms[k]);
    }
    out->count = at;
    if (status == TN_OK)
        tn_sort(out->logs, at);
    tn_free(ctx, sorted);
    return status;
}

/* How many differences y − x are at most d. */
static double count_below(const pooled *x, const pooled *y, double d) {
    size_t j = 0;
    double count = 0;
    for (size_t i = 0; i < x->count; i++) {
        while (j < y->count && y->logs[j] <= x->logs[i] + d)
            j++;
        count += (double)j;
    }
    return count;
}

/* The k-th smallest (from 1) of all differences y − x, without writing them down. */
static double difference(const pooled *x, const pooled *y, double k) {
    double low = y->logs[0] - x->logs[x->count - 1] - 1e-9, high = y->logs[y->count - 1] - x->logs[0] + 1e-9;
    for (int i = 0; i < 60; i++) {
        double middle = 0.5 * (low + high);
        *(count_below(x, y, middle) >= k ? &high : &low) = middle;
    }
    return high;
}

static tn_status by_samples(tn_context *ctx, const tn_times_list *before, const tn_times_list *after,
                            double z, tn_ratio *out) {
    pooled x, y;
    TN_TRY(pool(ctx, before, &x));
    tn_status status = pool(ctx, after, &y);
    if (status == TN_OK) {
        double m = (double)x.count, n = (double)y.count, pairs = m * n;
        double factor = (x.factor / m + y.factor / n) / (1 / m + 1 / n);
        double k = floor(0.5 * pairs - z * sqrt(factor * pairs * (m + n + 1) / 12));
        double middle = floor(0.5 * (pairs + 1));
        out->log = 0.5 * (difference(&x, &y, middle) + difference(&x, &y, pairs + 1 - middle));
        if (k >= 1) {
            out->log_low = difference(&x, &y, k);
            out->log_high = difference(&x, &y, pairs + 1 - k);
        }
    }
    tn_free(ctx, x.logs);
    tn_free(ctx, y.logs);
    return status;
}

/* Student's quantile from the normal one: Cornish and Fisher's series, good enough where t is not huge. */
static double student(double z, double freedom) {
    double z3 = z * z * z, z5 = z3 * z * z, z7 = z5 * z * z;
    return z + (z3 + z) / (4 * freedom) + (5 * z5 + 16 * z3 + 3 * z) / (96 * freedom * freedom) +
           (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * freedom * freedom * freedom);
}

/* Variance of the log of tn_times_typical; NaN where it is not known. */
static double variance_of(const tn_times_list *list) {
    double sum = 0;
    for (size_t i = 0; i < list->count; i++) {
        const tn_times *t = &list->items[i];
        double sigma = fmax((log(t->q3) - log(t->q1)) / 1.349, least_sigma);
        if (t->n < 3 || !(t->q1 > 0) || !(t->q3 >= t->q1))
            return NAN;
        sum += 1.2533 * 1.2533 * sigma * sigma / (double)t->n;
    }
    return sum / (double)(list->count * list->count);
}

/* By how much the middle of times that rise steadily may be off, for the machine was not quiet. */
static double drift_of(const tn_times_list *list) {
    double square = 0;
    for (size_t i = 0; i < list->count; i++)
        if (fabs(list->items[i].drift) > quiet_drift)
            square += 0.25 * list->items[i].drift * list->items[i].drift;
    return sqrt(square) / (double)list->count;
}

static void by_quartiles(const tn_times_list *before, const tn_times_list *after, double z, tn_ratio *out) {
    double variance = variance_of(before) + variance_of(after);
    double known = (double)tn_times_total(before) + (double)tn_times_total(after) -
                   (double)(before->count + after->count);
    out->log = log(tn_times_typical(after)) - log(tn_times_typical(before));
    if (!isfinite(variance))
        return;
    double width = hypot(student(z, fmax(1, quartile_efficiency * known)) * sqrt(variance),
                         hypot(drift_of(before), drift_of(after)));
    if (!(width < log(useless)))
        return;
    out->log_low = out->log - width;
    out->log_high = out->log + width;
}

static bool has_samples(const tn_times_list *list) {
    for (size_t i = 0; i < list->count; i++)
        if (!list->items[i].ms)
            return false;
    return list->count > 0;
}

tn_status tn_ratio_estimate(tn_context *ctx, const tn_times_list *before, const tn_times_list *after,
                            double z, tn_ratio *out) {
    *out = (tn_ratio){.log_low = -INFINITY, .log_high = INFINITY};
    out->by_samples = has_samples(before) && has_samples(after);
    if (out->by_samples)
        TN_TRY(by_samples(ctx, before, after, z, out));
    else
        by_quartiles(before, after, z, out);
    return TN_OK;
}

void tn_ratio_widen(tn_ratio *r, double width) {
    r->log_low = r->log - hypot(r->log - r->log_low, width);
    r->log_high = r->log + hypot(r->log_high - r->log, width);
}

tn_call tn_ratio_call(const tn_ratio *r, double threshold) {
    bool differs = r->log_low > 0 || r->log_high < 0;
    if (differs && fabs(r->log) > threshold)
        return r->log > 0 ? TN_CALL_SLOWER : TN_CALL_FASTER;
    bool near = r->log_low >= -threshold && r->log_high <= threshold;
    return near || differs ? TN_CALL_SAME : TN_CALL_OPEN;
}

size_t tn_times_differences(const tn_times_list *list, double *out) {
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++)
        for (size_t k = 0; k < i; k++) {
            if (out)
                out[count] = fabs(log(list->items[i].median / list->items[k].median));
            count++;
        }
    return count;
}

double tn_times_scatter(const tn_times_list *const *lists, size_t count) {
    double square = 0, freedom = 0;
    for (size_t s = 0; s < count; s++) {
        double typical = tn_times_typical(lists[s]);
        for (size_t i = 0; i < lists[s]->count; i++) {
            double off = log(lists[s]->items[i].median / typical);
            square += off * off;
        }
        freedom += lists[s]->count ? (double)lists[s]->count - 1 : 0;
    }
    return freedom > 0 ? sqrt(square / freedom) : 0;
}
