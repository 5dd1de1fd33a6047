/* Values of tunables that are tried in this process, and where those came from that ops ran with (variant.h
 * has the tables). */
#ifndef TN_TUNABLE_H
#define TN_TUNABLE_H

#include "style.h"

typedef enum tn_tunable_source {                         /* in order of precedence, the last first */
                                 TN_TUNABLE_DEFAULT,     /* of the device's style */
                                 TN_TUNABLE_TUNED,       /* the tuned file */
                                 TN_TUNABLE_ENVIRONMENT, /* TURNOUT_TUNE, TURNOUT_KIND */
                                 TN_TUNABLE_TRIED        /* tn_tunable_try */
} tn_tunable_source;

/* "default", "tuned", "environment", "tried" */
const char *tn_tunable_source_name(tn_tunable_source source);

/* Where the variant and the values came from that `op` ran with last, the highest of them; NULL: of all ops.
 */
tn_tunable_source tn_tunable_source_of(const tn_device *dev, const char *op);

/* A value for this process alone, above all others, until tn_tunable_untry. */
tn_status tn_tunable_try(tn_device *dev, const char *op, const char *name, int value);
bool tn_tunable_tried(const tn_device *dev, const char *op, const char *name, int *value);
void tn_tunable_untry(tn_device *dev, const char *op); /* its variant and values; NULL: all */

#endif
