/* Wall clock for measuring and names of moments for reports. */
#ifndef TN_CLOCK_H
#define TN_CLOCK_H

#include <stddef.h>

double tn_clock_seconds(void);              /* monotonic, arbitrary start */
void tn_clock_utc(char *text, size_t size); /* ISO 8601 in UTC, "2026-01-31T12:00:00Z"; size ≥ 21 */

#endif
