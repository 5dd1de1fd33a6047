#include "survey_run.h"

#include "clock.h"

#include <math.h>
#include <string.h>

/* How much longer or shorter than reckoned the pieces of a stage take here. */
typedef struct pace {
    double took, reckoned;
} pace;

static double factor_of(const pace *p) {
    const double factor = (p->took + 1) / (p->reckoned + 1);
    return factor < 0.2 ? 0.2 : factor > 50 ? 50 : factor;
}

static bool is_open(const tn_survey *s, const tn_survey_item *item) {
    const bool planned = item->tier <= s->tier || (s->fills && item->stage == TN_SURVEY_VERIFY);
    return planned && (item->state == TN_SURVEY_PENDING || item->state == TN_SURVEY_CUT);
}

static void show(const tn_survey *s, const tn_survey_item *item) {
    tn_progress(s->ctx, "%d:%d %3.0f of %.0f s, %s: %s", s->info->platform, s->info->index,
                tn_survey_spent(s), 60 * s->minutes, tn_survey_stage_kinds[item->stage].name, item->name);
}

/* Ops differ much in how long they take to verify, and a cell may hang: none may have all of its stage's
 * time. */
static double timeout_of(const tn_survey *s, const tn_survey_item *item, double left, double stage_s) {
    if (item->stage == TN_SURVEY_VERIFY)
        return fmin(left, fmax(6, 0.2 * stage_s));
    if (item->is_cell)
        return fmin(left, fmax(fmax(15, 0.6 * stage_s), 6 * tn_survey_about(s, item)));
    if (item->stage == TN_SURVEY_CEILINGS) /* what all estimates rest on */
        return fmax(left, 0.15 * tn_survey_limit(s));
    return left;
}

static tn_status run_piece(tn_survey *s, tn_survey_item *item, double timeout_s, pace *p) {
    const double reckoned = tn_survey_about(s, item), before = tn_clock_seconds();
    show(s, item);
    tn_status status = tn_survey_piece(s, item, timeout_s);
    const double took = tn_clock_seconds() - before;
    item->seconds += took;
    s->stage_s[item->stage] += took;
    p->took += took;
    p->reckoned += reckoned;
    s->failed += item->state == TN_SURVEY_FAILED;
    TN_TRY(status);
    return tn_survey_save(s);
}

/* Begun where it should end in time; of verifying, which is cut where it does not, whatever may be done. */
static bool is_worth_beginning(const tn_survey_item *item, double about, double left) {
    if (item->stage == TN_SURVEY_VERIFY)
        return left > 2;
    if (item->stage == TN_SURVEY_TUNE || item->stage == TN_SURVEY_RECALL)
        return left >= tn_survey_stage_kinds[item->stage].least_s;
    return about <= left;
}

/* Until `end` on this process's clock, with `slack_s` for what is under way then. */
static tn_status run_stage(tn_survey *s, tn_survey_stage stage, double end, double slack_s) {
    const double stage_s = end - tn_clock_seconds();
    pace p = {0};
    if (stage_s < tn_survey_stage_kinds[stage].least_s)
        return TN_OK;
    for (size_t i = 0; i < s->plan.count; i++) {
        tn_survey_item *item = &s->plan.items[i];
        if (item->stage != stage || !is_open(s, item) || item->note[0])
            continue;
        const double left = end - tn_clock_seconds(), about = tn_survey_about(s, item) * factor_of(&p);
        if (tn_interrupted())
            return TN_ERR_INTERRUPTED;
        if (is_worth_beginning(item, about, left))
            TN_TRY(run_piece(s, item, timeout_of(s, item, left + slack_s, stage_s), &p));
        else
            item->nominal_s = fmax(item->nominal_s, about); /* what it would take here, for the reader */
    }
    return TN_OK;
}

static bool has_open(const tn_survey *s, tn_survey_stage stage) {
    for (size_t i = 0; i < s->plan.count; i++)
        if (s->plan.items[i].stage == stage && is_open(s, &s->plan.items[i]))
            return true;
    return false;
}

/* Every stage its share of what is left when it begins: what one does not need goes to those behind it. */
static tn_status run_shares(tn_survey *s) {
    for (int stage = 0; stage < TN_SURVEY_STAGES; stage++) {
        bool has[TN_SURVEY_STAGES];
        for (int i = 0; i < TN_SURVEY_STAGES; i++)
            has[i] = has_open(s, (tn_survey_stage)i);
        if (!has[stage])
            continue;
        const double now = tn_clock_seconds(), left = tn_survey_limit(s) - tn_survey_spent(s),
                     share = tn_survey_share(has, (tn_survey_stage)stage, left);
        const double slack = fmin(0.25 * share, left - share);
        TN_TRY(run_stage(s, (tn_survey_stage)stage, now + share, fmax(0, slack)));
    }
    return TN_OK;
}

/* What is left in the end goes to pieces that did not fit into their stage's share, the most telling first.
 * Tuning is none: rows that are there were measured without it. */
static tn_status run_rest(tn_survey *s) {
    static const tn_survey_stage order[] = {TN_SURVEY_LAYER,  TN_SURVEY_DECODE, TN_SURVEY_RECALL,
                                            TN_SURVEY_STEP,   TN_SURVEY_PARTS,  TN_SURVEY_OPS,
                                            TN_SURVEY_VERIFY, TN_SURVEY_PEERS};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        const double left = tn_survey_limit(s) - tn_survey_spent(s);
        if (has_open(s, order[i]) && left > tn_survey_stage_kinds[order[i]].least_s)
            TN_TRY(run_stage(s, order[i], tn_clock_seconds() + left, 0));
    }
    /* And then to programs that a longer survey would verify: that adds no cell. */
    s->fills = true;
    const double left = tn_survey_limit(s) - tn_survey_spent(s);
    tn_status status = left > tn_survey_stage_kinds[TN_SURVEY_VERIFY].least_s
                           ? run_stage(s, TN_SURVEY_VERIFY, tn_clock_seconds() + left, 0)
                           : TN_OK;
    s->fills = false;
    return status;
}

tn_status tn_survey_measure(tn_survey *s) {
    tn_status status = run_shares(s);
    if (status == TN_OK)
        status = run_rest(s);
    tn_progress_end(s->ctx);
    if (status != TN_ERR_INTERRUPTED)
        return status;
    TN_TRY(tn_survey_save(s));
    return tn_fail(s->ctx, TN_ERR_INTERRUPTED,
                   "stopped after %.0f of %.0f s; %s has what is done, and the same command goes on",
                   tn_survey_spent(s), 60 * s->minutes, s->folder);
}

tn_status tn_survey_untried_rows(tn_survey *s) {
    for (size_t i = 0; i < s->plan.count; i++) {
        const tn_survey_item *item = &s->plan.items[i];
        tn_cost_row row;
        char reason[200];
        if (!item->is_cell || item->state != TN_SURVEY_PENDING || item->tier > s->tier)
            continue;
        tn_sweep_cell_identify(&item->cell, 1, s->o->cpu_model, &row);
        if (tn_survey_rows_find(&s->files[item->file], &row))
            continue;
        tn_shard_print(&s->o->shard, row.shard);
        snprintf(
            reason, sizeof reason,
            "not tried: the survey's time was up; it would take about %.0f s, and a longer --minutes goes on",
            item->nominal_s);
        tn_row_set_status(&row, "timeout", reason);
        TN_TRY(tn_survey_rows_put(&s->files[item->file], &row));
    }
    return TN_OK;
}
