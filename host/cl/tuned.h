/* The tuned file: what `turnout tune` found best on a device, one JSON file a device and driver.
 *
 * It stands in $TURNOUT_TUNED_DIR, else $XDG_CACHE_HOME/turnout/tuned, else ~/.cache/turnout/tuned, under a
 * hash of platform, device, driver and version, and is read when a device is opened; TURNOUT_TUNED=0 leaves
 * it alone. A file that is broken, of another device or of another version of the program is told on stderr
 * and not used; neither are the values of an op whose kernels have changed since. */
#ifndef TN_TUNED_H
#define TN_TUNED_H

#include "device.h"

enum { TN_TUNED_VALUES = 16, TN_TUNED_MOST = 256, TN_TUNED_LARGEST = 1 << 30 };

/* Values of one variant for one pass and class of shapes. Without a pass they hold for all passes and
 * classes, without a variant for each that has a tunable of the name: what passes share (TN_TUNABLE_LAYOUT),
 * and all that files of schema turnout-tuned-1 hold, which are read for one version. */
typedef struct tn_tuned_entry {
    char op[40], pass[24], shapes[24], variant[24]; /* shapes: the class; "" where an op has none */
    bool wins; /* this variant is taken for the pass and class; false: where another does not fit */
    int count; /* of values */
    struct {
        char name[24];
        int value; /* 0 to TN_TUNED_LARGEST */
    } values[TN_TUNED_VALUES];
    double ratio, ratio_q1, ratio_q3; /* time with the defaults / time with these, over the shapes timed */
    int n;                            /* pairs of batches behind the ratio */
} tn_tuned_entry;

typedef struct tn_tuned {
    char path[1024]; /* "" when there is no folder for it, or TURNOUT_TUNED=0 */
    char utc[24];
    int count; /* 0: no file, or nothing beat the defaults */
    tn_tuned_entry entries[TN_TUNED_MOST];
    char stale[256]; /* ops that were left out because their kernels have changed, "gemm, gelu" */
} tn_tuned;

/* Reads the file of a device. No file: TN_OK and a count of 0. TN_ERR_INPUT when it cannot be used. */
tn_status tn_tuned_read(tn_context *ctx, const tn_device_info *info, tn_tuned *out);
/* Can tn_tuned_store write? Makes the folder. TN_ERR_OUTPUT or TN_ERR_WRITE with the reason: asked before a
 * search, which takes minutes. */
tn_status tn_tuned_check(tn_context *ctx, const tn_device_info *info);
/* Puts an op's entries into the file, in the place of all that it had; other ops stay if they are still good.
 * Written aside and renamed, so that a reader sees the old file or the new one. */
tn_status tn_tuned_store(tn_context *ctx, const tn_device_info *info, const char *op,
                         const tn_tuned_entry *entries, int count);

/* "7 ops, 2026-01-31T12:00:00Z (FILE)", or "" when there are none. */
void tn_tuned_describe(const tn_tuned *tuned, char *text, size_t size);

/* The entry whose variant is to be taken, NULL where there is none. */
const tn_tuned_entry *tn_tuned_winner(const tn_tuned *tuned, const char *op, const char *pass,
                                      const char *shapes);
/* A value for a variant; `pass` NULL: of those that hold for all passes alone. */
bool tn_tuned_value(const tn_tuned *tuned, const char *op, const char *variant, const char *pass,
                    const char *shapes, const char *name, int *value);
/* Does without an op's entries from now on, in this process: the tuner sets out from the defaults. */
void tn_tuned_leave(tn_device *dev, const char *op);

#endif
