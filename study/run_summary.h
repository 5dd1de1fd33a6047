/* What is known of a run once it is evaluated: summary.json of a run folder, a row of study.csv, what eval
 * --json prints. */
#ifndef TN_RUN_SUMMARY_H
#define TN_RUN_SUMMARY_H

#include "evaluate.h"
#include "savings.h"
#include "trainer.h"
#include "tunable.h"

typedef struct tn_run_summary {
    tn_train_config config; /* of the run; its task is the one evaluated */
    tn_model_config model;  /* as the checkpoint says */
    int64_t params;
    tn_device_info device;
    tn_text_facts text; /* of the task text */
    tn_evaluation evaluation;
    tn_savings savings;
    int64_t steps;  /* trained; −1: no run's config beside the checkpoint */
    double train_s; /* NaN: unknown */
    tn_tunable_source
        tunables; /* where their values came from in this evaluation: other values, other last bits */
} tn_run_summary;

/* Evaluates `count` held-out sequences of c->task with the model and measures its savings. Where the
 * attention mixer was left out, or does not fit in the device's memory, what is measured against it is NaN.
 * How long a pass of it would take is a guess: this model's own time by the operations of both. */
tn_status tn_run_summary_make(tn_model *m, const tn_train_config *c, int64_t count,
                              const tn_savings_options *timing, tn_run_summary *out);
/* One JSON object, fields as in docs/schema.md. */
struct json_t *tn_run_summary_json(const tn_run_summary *s); /* caller gives it back with json_decref */
tn_status tn_run_summary_write(tn_context *ctx, const tn_run_summary *s, FILE *stream);
tn_status tn_run_summary_save(tn_context *ctx, const tn_run_summary *s, const char *path);
/* A few lines for people. */
void tn_run_summary_print(const tn_run_summary *s, FILE *stream);

#endif
