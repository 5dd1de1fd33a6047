/* Where the values of tunables come from, beyond tn_tunable (device.h): values tried in this process, the
 * tuned file, and which of them op code was given.
 *
 * An op may ask by a class of shapes, "gemm:few": what is not set for the class is looked up for "gemm". */
#ifndef TN_TUNABLE_H
#define TN_TUNABLE_H

#include "style.h"

typedef enum tn_tunable_source {                         /* in order of precedence, the last first */
                                 TN_TUNABLE_DEFAULT,     /* of the device's kind */
                                 TN_TUNABLE_TUNED,       /* the tuned file */
                                 TN_TUNABLE_ENVIRONMENT, /* TURNOUT_TUNE, TURNOUT_KIND */
                                 TN_TUNABLE_TRIED        /* tn_tunable_try */
} tn_tunable_source;

/* "default", "tuned", "environment", "tried" */
const char *tn_tunable_source_name(tn_tunable_source source);

/* Where the values came from that op code was last given: the highest source among those of `op` and its
 * classes; NULL: of all ops. */
tn_tunable_source tn_tunable_source_of(const tn_device *dev, const char *op);

/* A value for this process alone, above all others, until tn_tunable_untry. */
tn_status tn_tunable_try(tn_device *dev, const char *op, const char *name, int value);
bool tn_tunable_tried(const tn_device *dev, const char *op, const char *name, int *value);
void tn_tunable_untry(tn_device *dev, const char *op); /* that key alone; NULL: all */

/* What op code has asked for so far on this device. */
typedef struct tn_tunable_asked {
    const char *op, *name; /* borrowed from the device */
    int cpu_default, gpu_default;
    int device_default; /* of these, this device's (TURNOUT_KIND respected) */
    bool fixed;         /* 0 on this device, whatever is set: nothing to try */
} tn_tunable_asked;
/* false when fewer than `index` + 1 were asked for. */
bool tn_tunable_asked_at(const tn_device *dev, int index, tn_tunable_asked *out);

#endif
