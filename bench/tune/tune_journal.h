/* The journal of tuning an op: what became of each set, a line a word. The process that searches writes it;
 * the one that called it reads it, and gives it to the next where a set has ended a process.
 *
 *     unit U                        from here on: a pass and class, or what all of them share
 *     begin SET                     its turn has begun
 *     refused|wrong|right|best SET  and has ended
 *     confirm SET                   it is held against the defaults once more
 *     fell SET                      and is not better
 *     entry U WINS RATIO Q1 Q3 N SET  and is
 *     closed U                      the unit is done */
#ifndef TN_TUNE_JOURNAL_H
#define TN_TUNE_JOURNAL_H

#include "tune_search.h"
#include "tuned.h"

enum { TN_TUNE_UNITS = 40, TN_TUNE_ENTRIES = 48, TN_TUNE_VARIANTS = 16, TN_TUNE_FELL = 32 };

typedef struct tn_tune_report {
    tn_tuned_entry entries[TN_TUNE_ENTRIES]; /* as they go into the tuned file: what beat the defaults */
    int count;
    int seen, refused, wrong; /* sets besides the defaults; a wrong one is told on stderr */
    bool whole;               /* false: the time was up before every candidate had its turn */
    int workloads;            /* shapes × passes that were timed */
    double seconds;
} tn_tune_report;

typedef struct tn_tune_journal {
    tn_context *ctx;
    const tn_device_info *info;
    tn_style style;
    const tn_op *op;
    tn_tune_report *report;
    tn_tune_space shared_space;
    tn_tune_set shared; /* what passes and classes share, as far as it is found */
    bool closed[TN_TUNE_UNITS];
    int unit; /* the open one; −1: none */
    /* Of the open unit. */
    tn_tune_set *seen;
    size_t seen_count, seen_capacity;
    tn_tune_set best[TN_TUNE_VARIANTS];
    bool has_best[TN_TUNE_VARIANTS];
    tn_tune_set fell[TN_TUNE_FELL]; /* not to be confirmed again, and defaults that ended a process */
    int fell_count;
    tn_tune_set last; /* the one whose turn it is, or was */
    bool is_open, confirms;
} tn_tune_journal;

/* Unit 0 is what the passes share; 1 + pass · classes + class the others. */
int tn_tune_unit(const tn_op *op, int pass, int class_);
int tn_tune_unit_count(const tn_op *op);
/* A variant's space, or the shared one, with what is shared as found so far. */
void tn_tune_journal_space(const tn_tune_journal *journal, int variant, tn_tune_space *out);

void tn_tune_journal_begin(tn_tune_journal *journal, tn_context *ctx, const tn_device_info *info,
                           tn_style style, const tn_op *op, tn_tune_report *report);
void tn_tune_journal_end(tn_tune_journal *journal);
/* Takes a line over. One that is cut off, or none of these, is passed over. */
tn_status tn_tune_journal_take(tn_tune_journal *journal, const char *line);
/* Its process has ended: the set that was open is not to have another turn. */
void tn_tune_journal_lost(tn_tune_journal *journal);

#endif
