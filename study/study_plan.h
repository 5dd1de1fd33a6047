/* What a study consists of, known before anything runs: a row of study.csv an item, in the order they run. No
 * device is needed to make a plan. */
#ifndef TN_STUDY_PLAN_H
#define TN_STUDY_PLAN_H

#include "shard.h"
#include "trainer.h"

typedef enum tn_study_part {
    TN_STUDY_SEED,    /* recall over distances, every mixer, the controls at the routed run's own fraction */
    TN_STUDY_FAR,     /* trained at one distance, evaluated far beyond it */
    TN_STUDY_MQAR,    /* multi-query recall at four sizes */
    TN_STUDY_TEXT,    /* bytes of a file, routed at several capacities */
    TN_STUDY_LAMBDA,  /* recall at one distance, final λ from 0.01 to 5 */
    TN_STUDY_DEVICES, /* one checkpoint on every device */
    TN_STUDY_PARTS
} tn_study_part;

enum {
    TN_STUDY_DISTANCES = 32,
    TN_STUDY_DEVICES_MOST = 16,
    TN_STUDY_NAME = 112,
    TN_STUDY_LABEL = 40,
    TN_STUDY_SELECTOR = 24
};

typedef struct tn_study_options {
    bool parts[TN_STUDY_PARTS];
    int64_t seeds;     /* 1 … seeds */
    int64_t sequences; /* held-out, an evaluation; fewer at great lengths, see tn_study_sequences */
    int64_t steps;     /* of training; 0: the task's usual number */
    int64_t length;    /* of text; 0: the usual one */
    const char *rows;  /* patterns with commas between: the rows whose names fit one; NULL: all. Borrowed */
    /* seed: trained at each; far: trained at the first, evaluated at all; lambda, devices: the first. None:
     * the usual ones. */
    int64_t distances[TN_STUDY_DISTANCES];
    int distance_count;
    char data[TN_TASK_PATH];                                /* of text; "": no file */
    char devices[TN_STUDY_DEVICES_MOST][TN_STUDY_SELECTOR]; /* "P:D", the study's own first */
    int device_count;
    tn_shard shard; /* the part of the study that is run, see tn_study_unit */
} tn_study_options;

typedef struct tn_study_item {
    tn_study_part part;
    char name[TN_STUDY_NAME];   /* of the row: part, run, and where it is evaluated */
    char label[TN_STUDY_LABEL]; /* what it is among the rows of its task, whatever the seed */
    char run[TN_STUDY_NAME];    /* folder under DIR/runs; items of one config share it */
    tn_train_config config;
    tn_task_config task; /* evaluated */
    int64_t sequences;
    char matched[TN_STUDY_NAME]; /* item whose measured fraction a control takes (tn_study_match); "": none */
    /* Items of which the steps follow: as many as take as long as the training of `seconds_of`, by what a
     * step took in `timed`. "": the steps are given. */
    char seconds_of[TN_STUDY_NAME], timed[TN_STUDY_NAME];
    bool price_measured; /* λ is measured on the study's device before the run begins (row_price.h) */
    char attention[TN_STUDY_NAME];  /* run of the attention mixer beside it; "": none is planned */
    char device[TN_STUDY_SELECTOR]; /* where it is evaluated; "": on the study's device */
    double work;                    /* estimated operations, for the time left */
} tn_study_item;

typedef struct tn_study_plan {
    tn_context *ctx;
    tn_study_item *items;
    size_t count, capacity;
} tn_study_plan;

const char *tn_study_part_name(tn_study_part part);
/* A comma-separated list of names; TN_ERR_ARG lists what there is. */
tn_status tn_study_parts_parse(tn_context *ctx, const char *list, bool parts[TN_STUDY_PARTS]);
/* "62,126"; TN_ERR_ARG for what is no list of distances. */
tn_status tn_study_distances_parse(tn_context *ctx, const char *list, tn_study_options *o);

/* "recall126-s1": task and seed that an item trains on. All runs of one task and seed need each other: a
 * control takes its routed run's fraction, what training costs is held against the attention run's, rows of
 * several parts share a run. So they are never parted, and each shard of a study is complete in itself. */
void tn_study_unit(const tn_study_item *item, char unit[TN_STUDY_NAME]);

/* The items of the shard, which may be none. TN_ERR_ARG for the part text without data. Caller frees, also
 * after a failure. */
tn_status tn_study_plan_make(tn_context *ctx, const tn_study_options *o, tn_study_plan *out);
void tn_study_plan_free(tn_study_plan *plan);

/* The item's config with the steps that take `seconds`, where as many as it has took `timed_s`. */
tn_train_config tn_study_steps(const tn_study_item *item, double seconds, double timed_s);
/* The item's config with a control's fraction filled in from the attention % that its routed run measured. */
tn_train_config tn_study_match(const tn_study_item *item, double attention_pct);
/* How many of `sequences` are evaluated at length T: as many positions as `sequences` of 2048 have, at
 * least 8 sequences. */
int64_t tn_study_sequences(int64_t sequences, int64_t T);

#endif
