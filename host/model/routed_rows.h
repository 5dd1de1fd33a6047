/* How many rows a routed fraction is. */
#ifndef TN_ROUTED_ROWS_H
#define TN_ROUTED_ROWS_H

#include <stdint.h>

/* ⌈ρT⌉ of T rows, 0 ≤ ρ ≤ 1. A ρ that was made as rows / T gives these rows again: what its rounding adds to
 * a whole number is no further row. */
int64_t tn_routed_rows(double rho, int64_t T);

#endif
