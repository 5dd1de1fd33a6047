/* What of a device decides which variant and which values an op gets: settings, tried values, plans. Shared
 * by the files of host/cl only. */
#ifndef TN_CL_CHOICE_H
#define TN_CL_CHOICE_H

#include "tunable.h"
#include "tuned.h"
#include "variant.h"

/* A value that is tried (tn_tunable_try). */
typedef struct tn_tried_value {
    char op[40], name[24];
    int value;
} tn_tried_value;

enum { TN_TRIED_VALUES = 128 };
typedef struct tn_tried_values {
    tn_tried_value rows[TN_TRIED_VALUES];
    int count;
} tn_tried_values;

/* The environment, as it stood when the device was opened or tn_device_settings_reload was called. */
typedef struct tn_settings {
    bool kind_forced; /* TURNOUT_KIND */
    tn_style forced_style;
    char *tune, *variant; /* TURNOUT_TUNE, TURNOUT_VARIANT; NULL when not set */
} tn_settings;

/* Which variant of an op ran last. */
typedef struct tn_ran {
    const tn_op *op;
    const tn_variant *variant;
    tn_tunable_source source;
    int pass, class_;
} tn_ran;

typedef struct tn_tried_variant {
    const tn_op *op; /* NULL: an empty row */
    const tn_variant *variant;
    bool unfit; /* when it was chosen last */
} tn_tried_variant;

typedef struct tn_plan_slot tn_plan_slot; /* variant.c */
enum { TN_PLAN_SLOTS = 1024, TN_RAN_OPS = 48, TN_TRIED_VARIANTS = 8 };

void tn_settings_free(tn_device *dev);

/* Reads the tuned file, if there is one for this device. What cannot be used is told on
 * stderr and left. */
void tn_tuned_load(tn_device *dev);

#endif
