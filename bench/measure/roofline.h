/* Measured ceilings of a device, to hold kernels against: what it can do, not what its data sheet says. */
#ifndef TN_ROOFLINE_H
#define TN_ROOFLINE_H

#include "measure.h"

enum { TN_ROOFLINE_SIZES = 7, TN_ROOFLINE_LEAST = 16384 };

typedef struct tn_roofline {
    double flops;        /* fp32 multiply-adds in registers, 2 operations each, a second */
    double copy_bytes;   /* read + written a second, from and to buffers past the caches */
    double read_bytes;   /* read a second */
    double launch_s;     /* a small kernel among many queued ones */
    double round_trip_s; /* one launch and the wait for it */
    /* Bytes a second that go to and from a working set of TN_ROOFLINE_LEAST · 4^i, gone through again and
     * again: the best of copying, reading and adding two arrays; none is less than that of a larger set. */
    double cached_bytes[TN_ROOFLINE_SIZES];
    tn_device *dev; /* that can be asked again; NULL: it cannot */
    int asked;      /* again, so far */
} tn_roofline;

/* About three seconds, and the building of one kernel file. Every result is held against the host's before
 * its time is believed: TN_ERR_CHECK when it is wrong. */
tn_status tn_roofline_measure(tn_device *dev, tn_roofline *out);
/* Measures once more and keeps the better of each: something else may have run the first time. Not more than
 * a few times; false where it was not done. */
bool tn_roofline_again(tn_roofline *r);

/* The least time `flops` and `bytes` can take, max(flops / peak, bytes / bandwidth), as percent of `seconds`.
 * Bandwidth is the best that was measured for so large a working set: half of `bytes`, where all that is read
 * is written too, or more. 0 when a ceiling is missing. */
double tn_roofline_pct(const tn_roofline *r, double flops, double bytes, double seconds);
double tn_roofline_bandwidth(const tn_roofline *r, double bytes); /* that bandwidth, bytes a second */

/* As text, for another process on the same device; and back: where it goes on behind the numbers, NULL where
 * they are not all there. */
enum { TN_ROOFLINE_TEXT = 300 };
void tn_roofline_print(const tn_roofline *r, char text[TN_ROOFLINE_TEXT]);
const char *tn_roofline_parse(const char *text, tn_roofline *out);

#endif
