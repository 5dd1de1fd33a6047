/* A survey: one device, one command. Its kernels verified and tuned, its ceilings, ops, layers, steps and
 * decoding timed, recall models trained and evaluated near and far, all within so many minutes; in the end a
 * verdict. Every piece of work is a program in a process of its own with a deadline, so that one that hangs
 * or crashes costs that piece. A survey that was stopped goes on. */
#ifndef TN_SURVEY_H
#define TN_SURVEY_H

#include "device.h"
#include "shard.h"

enum { TN_SURVEY_LEAST_MINUTES = 2, TN_SURVEY_USUAL_MINUTES = 10, TN_SURVEY_MOST_MINUTES = 10080 };

typedef struct tn_survey_options {
    const char *program; /* this program's own path */
    const char *folder;  /* of the survey; NULL with a dry run: nothing is there yet */
    double minutes;      /* all devices together */
    bool each;           /* a folder a device below `folder`, as with -d all */
    bool json;           /* of a dry run */
    tn_shard shard;      /* count 0: the whole survey */
    const char *cpu_model;
    const tn_device_info *const *devices;
    int device_count;
} tn_survey_options;

/* TN_ERR_ARG where the minutes are too few for so many devices; asked before the two below. */
tn_status tn_survey_check(tn_context *ctx, const tn_survey_options *options);
/* Into the folder: survey.json, cost.csv, parts.csv, step.csv, decode.csv, peers.csv where there are peers,
 * study.csv and runs/, tuned/, report.html, survey.md. TN_ERR_ARG where the folder holds something else or a
 * survey of another device; TN_ERR_OUTPUT while another
 * survey writes there; TN_ERR_INTERRUPTED after Ctrl-C, all saved; TN_ERR_CHECK at the end where a kernel is
 * wrong; TN_ERR_DEVICE where nothing could be measured. */
tn_status tn_survey_run(tn_context *ctx, const tn_survey_options *options);
/* What it would do, and each stage's share of the time, to stdout: nothing is run or written. */
tn_status tn_survey_show(tn_context *ctx, const tn_survey_options *options);

#endif
