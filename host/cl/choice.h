/* What of a device decides which variant and which values an op gets: settings, tried values, plans. Shared
 * by the files of host/cl only. */
#ifndef TN_CL_CHOICE_H
#define TN_CL_CHOICE_H

#include "tunable.h"
#include "tuned.h"
#include "variant.h"

/* What is known of one tunable (tunable.c). */
typedef struct tn_tunable_row {
    char op[40], name[24];
    const char *op_at, *name_at; /* where these stood when they were looked up last: never read */
    bool is_asked, is_tried, is_tuned, is_fixed;
    int cpu_default, gpu_default; /* when op code asked last */
    tn_tunable_source source;     /* of what it was given */
    int tried, tuned;
} tn_tunable_row;

enum { TN_TUNABLE_ROWS = 256 };
typedef struct tn_tunables {
    tn_tunable_row rows[TN_TUNABLE_ROWS];
    int count;
} tn_tunables;

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

/* The row of a tunable, made when there is none; NULL when the table is full, and then defaults hold. */
tn_tunable_row *tn_tunable_row_make(const tn_device *dev, const char *op, const char *name);
/* Takes the values of the tuned file over, if there is one for this device. What cannot be used is told on
 * stderr and left. */
void tn_tuned_load(tn_device *dev);

#endif
