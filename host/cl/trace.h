/* Time by kernel for people who tune, a table on stderr when the device is closed. TURNOUT_TRACE=1: every
 * launch is waited for and timed by the wall clock, which costs: the sum is longer than an untraced run.
 * TURNOUT_TRACE=events: of launches that are measured by events (bench, sweep), what these say. */
#ifndef TN_TRACE_H
#define TN_TRACE_H

#include "internal.h"

typedef enum tn_trace { TN_TRACE_OFF, TN_TRACE_WAIT, TN_TRACE_EVENTS } tn_trace;
tn_trace tn_trace_mode(void);
void tn_trace_add(tn_kernel *kernel, double seconds);
void tn_trace_print(tn_device *dev);

#endif
