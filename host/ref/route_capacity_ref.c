#include "route_capacity_ref.h"

#include <math.h>

/* Where p stands: a NaN above every number. */
static double order_of(double p) {
    return isnan(p) ? 2 : p;
}

/* The k-th largest of n values, 1 ≤ k ≤ n: halves the range between the smallest and the largest that it can
 * be, and draws both ends in to values that occur. Comparing every pair would take minutes at a million
 * positions. */
static double kth_largest(int64_t n, int64_t k, const double *p) {
    double low = order_of(p[0]), high = low;
    for (int64_t i = 1; i < n; i++) {
        low = order_of(p[i]) < low ? order_of(p[i]) : low;
        high = order_of(p[i]) > high ? order_of(p[i]) : high;
    }
    while (low < high) {
        double middle = low + (high - low) / 2, above_least = high, below_most = low;
        int64_t above = 0;
        for (int64_t i = 0; i < n; i++) {
            double at = order_of(p[i]);
            if (at > middle) {
                above++;
                above_least = at < above_least ? at : above_least;
            } else {
                below_most = at > below_most ? at : below_most;
            }
        }
        if (above >= k)
            low = above_least;
        else
            high = below_most;
    }
    return low;
}

void tn_route_capacity_forward_ref(int64_t B, int64_t T, int64_t k, int32_t *mask, const double *p) {
    for (int64_t b = 0; b < B; b++) {
        const double *row = p + b * T;
        int64_t taken = k < T ? k : T;
        double least = taken > 0 ? kth_largest(T, taken, row) : 0;
        int64_t ties = taken; /* of the values equal to the k-th: what the larger ones leave */
        for (int64_t t = 0; t < T; t++) {
            mask[b * T + t] = taken > 0 && order_of(row[t]) > least;
            ties -= mask[b * T + t];
        }
        for (int64_t t = 0; t < T && ties > 0; t++)
            if (order_of(row[t]) == least) {
                mask[b * T + t] = 1;
                ties--;
            }
    }
}
