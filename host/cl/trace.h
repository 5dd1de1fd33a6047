/* Time by kernel for people who tune: with TURNOUT_TRACE=1 every launch is waited for and timed by the wall
 * clock, and a table goes to stderr when the device is closed. Waiting costs: the sum is longer than an
 * untraced run. */
#ifndef TN_TRACE_H
#define TN_TRACE_H

#include "internal.h"

bool tn_trace_on(void);
void tn_trace_add(tn_device *dev, const tn_kernel *kernel, double seconds);
void tn_trace_print(tn_device *dev);

#endif
