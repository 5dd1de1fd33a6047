/* Measured ceilings of a device, to hold kernels against: what it can do, not what its data sheet says. */
#ifndef TN_ROOFLINE_H
#define TN_ROOFLINE_H

#include "measure.h"

typedef struct tn_roofline {
    double flops;        /* fp32 multiply-adds in registers, 2 operations each, a second */
    double copy_bytes;   /* read + written a second, from and to buffers past the caches */
    double read_bytes;   /* read a second */
    double launch_s;     /* a small kernel among many queued ones */
    double round_trip_s; /* one launch and the wait for it */
} tn_roofline;

/* About two seconds, and the building of one kernel file. Every result is held against the host's before
 * its time is believed: TN_ERR_CHECK when it is wrong. */
tn_status tn_roofline_measure(tn_device *dev, tn_roofline *out);

/* The least time `flops` and `bytes` can take, max(flops / peak, bytes / bandwidth), as percent of `seconds`.
 * Bandwidth is the better of copying and reading, so that the figure does not flatter. Above 100 where the
 * work sits in a cache. 0 when a ceiling is missing. */
double tn_roofline_pct(const tn_roofline *r, double flops, double bytes, double seconds);

#endif
