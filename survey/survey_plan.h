/* What a survey consists of, known before anything runs: stages with their share of the time, and of each
 * the pieces of work, the most telling first. Which pieces there are depends on the device's kind and on the
 * minutes alone, never on how fast anything went: a survey that was killed ends with the same set. */
#ifndef TN_SURVEY_PLAN_H
#define TN_SURVEY_PLAN_H

#include "shard.h"
#include "sweep_cell.h"

typedef enum tn_survey_stage {
    TN_SURVEY_CEILINGS,
    TN_SURVEY_VERIFY,
    TN_SURVEY_TUNE,
    TN_SURVEY_LAYER,
    TN_SURVEY_STEP,
    TN_SURVEY_RECALL,
    TN_SURVEY_DECODE,
    TN_SURVEY_OPS,
    TN_SURVEY_PARTS,
    TN_SURVEY_PEERS,
    TN_SURVEY_STAGES
} tn_survey_stage;

typedef struct tn_survey_stage_kind {
    const char *name, *what;
    double share;   /* of the time that it and the stages behind it have, beside theirs */
    double least_s; /* with less it is not begun */
} tn_survey_stage_kind;
extern const tn_survey_stage_kind tn_survey_stage_kinds[TN_SURVEY_STAGES];

/* Where rows of a stage go. */
typedef enum tn_survey_file {
    TN_SURVEY_COST,
    TN_SURVEY_PARTS_FILE,
    TN_SURVEY_STEP_FILE,
    TN_SURVEY_DECODE_FILE,
    TN_SURVEY_PEERS_FILE,
    TN_SURVEY_FILES,
    TN_SURVEY_NO_FILE = TN_SURVEY_FILES
} tn_survey_file;
extern const char *const tn_survey_file_names[TN_SURVEY_FILES];

typedef enum tn_survey_state {
    TN_SURVEY_PENDING,
    TN_SURVEY_DONE,
    TN_SURVEY_FAILED, /* tried; `note` says what became of it */
    TN_SURVEY_CUT     /* begun, and its time was up: what it has stays, and with more time it goes on */
} tn_survey_state;

enum { TN_SURVEY_WORDS = 24, TN_SURVEY_NAME = 240 };

/* One piece of work: a cell, or a program of `words`. */
typedef struct tn_survey_item {
    tn_survey_stage stage;
    tn_survey_file file;
    int tier; /* 1 in every survey, 2 from 4 minutes, 3 from 10, 4 from 30 */
    char name[TN_SURVEY_NAME];
    bool is_cell;
    tn_sweep_cell cell;
    char words[TN_SURVEY_WORDS][160]; /* behind the program's own path */
    int word_count;
    double nominal_s; /* on two cores of a server's CPU */
    tn_survey_state state;
    double seconds; /* it took, all tries together */
    char note[400];
} tn_survey_item;

typedef struct tn_survey_plan {
    tn_context *ctx;
    const tn_device_info *info;
    tn_survey_item *items; /* by stage, the most telling first */
    size_t count, capacity;
} tn_survey_plan;

int tn_survey_tier(double minutes);
double tn_survey_tier_minutes(int tier); /* the least minutes of a survey that has it */

/* Every piece of every tier: `tier` of an item says whether a survey of so many minutes has it. */
tn_status tn_survey_plan_make(tn_context *ctx, const tn_device_info *info, tn_survey_plan *out);
/* Leaves the pieces of a part. Ceilings, verifying and tuning are every part's, for it may be on a machine of
 * its own; a cell is in the part that it has in a sweep, any other piece in one by its name. */
void tn_survey_plan_keep(tn_survey_plan *plan, const tn_shard *shard);
void tn_survey_plan_free(tn_survey_plan *plan); /* fine on a zeroed one */

/* A recall model: trained at `distance`, evaluated there, at 510 and at 8190. */
typedef struct tn_survey_recall {
    int64_t distance, steps, sequences;
} tn_survey_recall;
enum { TN_SURVEY_RECALLS = 3 };
extern const tn_survey_recall tn_survey_recalls[TN_SURVEY_RECALLS]; /* the dearest first */
/* The words of the item of the stage recall; the folder comes behind them. */
void tn_survey_recall_words(tn_survey_item *item, const tn_device_info *info, const tn_survey_recall *recall);

/* What a stage may take of `left_s`, when the stages with `has` from this one on share it. */
double tn_survey_share(const bool has[TN_SURVEY_STAGES], tn_survey_stage stage, double left_s);

#endif
