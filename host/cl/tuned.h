/* The tuned file: what `turnout tune` found best on a device, one JSON file a device and driver.
 *
 * It stands in $TURNOUT_TUNED_DIR, else $XDG_CACHE_HOME/turnout/tuned, else ~/.cache/turnout/tuned, under a
 * hash of platform, device, driver and version, and is read when a device is opened; TURNOUT_TUNED=0 leaves
 * it alone. A file that is broken, of another device or of another version of the program is told on stderr
 * and not used; neither are the values of an op whose kernels have changed since. */
#ifndef TN_TUNED_H
#define TN_TUNED_H

#include "device.h"

enum { TN_TUNED_VALUES = 16, TN_TUNED_OPS = 64, TN_TUNED_LARGEST = 1 << 30 };

typedef struct tn_tuned_op {
    char op[40]; /* "gemm", or a class of its shapes, "gemm:few" */
    int count;   /* of values; 0: nothing beat the defaults */
    struct {
        char name[24];
        int value; /* 0 to TN_TUNED_LARGEST */
    } values[TN_TUNED_VALUES];
    double ratio, ratio_q1, ratio_q3; /* time with the defaults / time with these, over the shapes timed */
    int n;                            /* pairs of batches behind the ratio */
} tn_tuned_op;

typedef struct tn_tuned {
    char path[1024]; /* "" when there is no folder for it, or TURNOUT_TUNED=0 */
    char utc[24];
    int count; /* 0: no file */
    tn_tuned_op ops[TN_TUNED_OPS];
    char stale[256]; /* ops that were left out because their kernels have changed, "gemm, gelu" */
} tn_tuned;

/* Reads the file of a device. No file: TN_OK and a count of 0. TN_ERR_INPUT when it cannot be used. */
tn_status tn_tuned_read(tn_context *ctx, const tn_device_info *info, tn_tuned *out);
/* Can tn_tuned_store write? Makes the folder. TN_ERR_OUTPUT or TN_ERR_WRITE with the reason: asked before a
 * search, which takes minutes. */
tn_status tn_tuned_check(tn_context *ctx, const tn_device_info *info);
/* Puts `count` ops into the file, over older values of the same; others stay if they are still good. Written
 * aside and renamed, so that a reader sees the old file or the new one. */
tn_status tn_tuned_store(tn_context *ctx, const tn_device_info *info, const tn_tuned_op *ops, int count);

/* "7 ops, 2026-01-31T12:00:00Z (FILE)", or "" when there are none. */
void tn_tuned_describe(const tn_tuned *tuned, char *text, size_t size);

#endif
