/* Inside survey: one device's survey while it runs, and survey.json, which says how far it is. */
#ifndef TN_SURVEY_STATE_H
#define TN_SURVEY_STATE_H

#include "cell_child.h"
#include "lock.h"
#include "survey.h"
#include "survey_plan.h"
#include "survey_rows.h"

#include <jansson.h>

#define TN_SURVEY_SCHEMA "turnout-survey-1"

typedef struct tn_survey {
    tn_context *ctx;
    const tn_survey_options *o;
    const tn_device_info *info;
    char *folder;
    double minutes; /* of this device */
    int tier;       /* pieces above it are not planned */
    tn_survey_plan plan;
    tn_survey_rows files[TN_SURVEY_FILES];
    tn_lock lock;
    json_t *device;  /* what `turnout devices --json` says of it, and of the host */
    json_t *verdict; /* sentences of it, once there are */
    tn_cell_ceilings ceilings;
    char ceilings_text[TN_ROOFLINE_TEXT];
    int recall; /* which of tn_survey_recalls; −1: not chosen yet */
    double step_dense_s, step_routed_s;
    char begun[24]; /* date of the first start */
    int starts;     /* times it was started */
    double spent_s; /* in earlier starts */
    double start;   /* tn_clock_seconds of this one */
    double stage_s[TN_SURVEY_STAGES];
    bool fills;        /* time is left for what a longer survey would verify */
    bool whole;        /* it came to its end */
    int wrong, failed; /* programs that gave wrong results; pieces that failed */
} tn_survey;

double tn_survey_spent(const tn_survey *s); /* seconds, all starts together */
double tn_survey_limit(const tn_survey *s); /* of measuring: what is behind it has a few seconds */

/* Takes the folder, making it where it is missing, and reads how far it is. */
tn_status tn_survey_open(tn_survey *s);
tn_status tn_survey_save(tn_survey *s); /* survey.json, whole */
void tn_survey_close(tn_survey *s);

/* The survey.json of a folder: NULL where there is none. TN_ERR_ARG where the folder is not empty and has
 * none; TN_ERR_INPUT where it is none of this version. Caller releases. */
tn_status tn_survey_read(tn_context *ctx, const char *folder, json_t **out);
tn_status tn_survey_write(tn_context *ctx, const char *folder, const json_t *root);

/* What was not measured, a line each: of the plan, and beyond it. */
json_t *tn_survey_left_out(const tn_survey *s);

#endif
