/* One piece of a survey: its process, and what becomes of its rows. */
#include "survey_run.h"

#include "child.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const double cell_s = 0.2; /* of timing a cell */

static void note(tn_survey_item *item, tn_survey_state state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void note(tn_survey_item *item, tn_survey_state state, const char *format, ...) {
    va_list args;
    item->state = state;
    va_start(args, format);
    vsnprintf(item->note, sizeof item->note, format, args);
    va_end(args);
    for (char *at = item->note; *at; at++)
        *at = *at == '\n' ? ' ' : *at;
}

/* The last line that a program said on stderr, without its own name in front. */
static const char *last_line(char *text) {
    char *end = text + strlen(text), *line;
    while (end > text && (end[-1] == '\n' || end[-1] == '\r'))
        *--end = '\0';
    line = strrchr(text, '\n');
    line = line ? line + 1 : text;
    const char *colon = strstr(line, ": ");
    return strncmp(line, "turnout ", 8) == 0 && colon ? colon + 2 : line;
}

/* A program of the item's words, `more` behind them. */
static tn_status run_program(tn_survey *s, const tn_survey_item *item, const char *more, double timeout_s,
                             tn_child_result *out) {
    char *argv[TN_SURVEY_WORDS + 3];
    int count = 0;
    argv[count++] = (char *)(uintptr_t)s->o->program;
    for (int i = 0; i < item->word_count; i++)
        argv[count++] = (char *)(uintptr_t)item->words[i];
    if (more)
        argv[count++] = (char *)(uintptr_t)more;
    argv[count] = NULL;
    return tn_child_run(s->ctx, argv, timeout_s, out);
}

/* What a program's end comes to, where it is not 0; false where that is. */
static bool went_wrong(tn_survey *s, tn_survey_item *item, tn_child_result *r, double timeout_s) {
    const char *last = last_line(r->error);
    if (r->timed_out)
        note(item, TN_SURVEY_CUT, "cut after %.0f s, which was its time", timeout_s);
    else if (r->signal)
        note(item, TN_SURVEY_FAILED, "ended by %s: %.300s", tn_signal_name(r->signal), last);
    else if (r->code == 1)
        note(item, TN_SURVEY_FAILED, "wrong: %.300s", last);
    else if (r->code)
        note(item, TN_SURVEY_FAILED, "%.300s", last);
    else
        return false;
    s->wrong += !r->timed_out && r->code == 1;
    return true;
}

static double call_s(const tn_survey *s, const tn_survey_item *item) {
    return s->ceilings.known && s->ceilings.attention_rate > 0
               ? tn_sweep_cell_flops(&item->cell) / s->ceilings.attention_rate
               : 0;
}

/* Times of a step of this length and batch, in seconds, dense and routed; false where none is measured. */
static bool steps_of(const tn_survey *s, int64_t T, double *dense, double *routed) {
    const tn_survey_rows *rows = &s->files[TN_SURVEY_STEP_FILE];
    *dense = *routed = NAN;
    for (size_t i = 0; i < rows->count; i++)
        if (rows->items[i].T == T && strcmp(rows->items[i].status, "ok") == 0)
            *(rows->items[i].rho >= 0 ? routed : dense) = 1e-3 * rows->items[i].wall_ms;
    if (isnan(*dense) && isfinite(*routed))
        *dense = 2 * *routed;
    if (isnan(*routed) && isfinite(*dense))
        *routed = *dense;
    return isfinite(*dense);
}

/* A fifth of the steps and a few more run both tracks; evaluating near and far takes what a CPU takes, scaled
 * by the device's rate of attention. NaN where neither a step nor that rate was measured. */
static double recall_s(const tn_survey *s, const tn_survey_recall *r) {
    double dense, routed, each = 0;
    const bool known = s->ceilings.known && s->ceilings.attention_rate > 0;
    const double rate = known ? s->ceilings.attention_rate : 4e10, T = (double)(r->distance + 2);
    if (steps_of(s, r->distance + 2, &dense, &routed))
        each = 0.35 * dense + 0.65 * routed;
    else if (steps_of(s, 64, &dense, &routed))
        each = (0.35 * dense + 0.65 * routed) * T / 64;
    else if (steps_of(s, 128, &dense, &routed))
        each = (0.35 * dense + 0.65 * routed) * T / 128;
    else if (known)
        each = 0.03 * 4e10 / rate * T / 128;
    else
        return NAN;
    return 3 + 1.15 * each * (double)r->steps + 8 * fmax(0.1, fmin(8, 4e10 / rate));
}

double tn_survey_about(const tn_survey *s, const tn_survey_item *item) {
    if (item->stage == TN_SURVEY_RECALL)
        return fmax(item->nominal_s, recall_s(s, &tn_survey_recalls[s->recall >= 0 ? s->recall : 1]));
    if (!item->is_cell)
        return item->nominal_s;
    const double timings = strcmp(item->cell.level, "op") == 0 ? 1 : 3, call = call_s(s, item);
    return item->nominal_s + timings * fmax(0, 5 * call - cell_s);
}

static tn_status run_cell(tn_survey *s, tn_survey_item *item, double timeout_s) {
    const tn_cell_child how = {.program = s->o->program,
                               .seed = 1,
                               .seconds = cell_s,
                               .timeout_s = timeout_s,
                               .cpu_model = s->o->cpu_model};
    char reason[TN_CELL_REASON];
    tn_cell_end end;
    tn_cost_row row;
    TN_TRY(tn_cell_child_run(s->ctx, &how, &item->cell, &s->ceilings, &row, NULL, &end, reason));
    if (end == TN_CELL_INTERRUPTED)
        return TN_ERR_INTERRUPTED;
    if (end == TN_CELL_OTHER_BUILD)
        return tn_fail(s->ctx, TN_ERR_INPUT, "%s was built anew under way: it is turnout %s now; begin again",
                       s->o->program, reason);
    tn_shard_print(&s->o->shard, row.shard);
    item->state = TN_SURVEY_DONE;
    if (strcmp(row.status, "error") == 0)
        note(item, TN_SURVEY_FAILED, "%.380s", row.reason);
    else if (strcmp(row.status, "timeout") == 0)
        note(item, TN_SURVEY_CUT, "%.380s", row.reason);
    else if (strcmp(row.status, "ok") != 0)
        note(item, TN_SURVEY_DONE, "%.40s: %.320s", row.status, row.reason);
    return tn_survey_rows_put(&s->files[item->file], &row);
}

static tn_status run_ceilings(tn_survey *s, tn_survey_item *item, double timeout_s) {
    const tn_cell_child how = {
        .program = s->o->program, .seed = 1, .seconds = cell_s, .timeout_s = timeout_s};
    char reason[TN_CELL_REASON];
    TN_TRY(tn_cell_child_ceilings(s->ctx, &how, s->info, 0, &s->ceilings, reason));
    if (tn_interrupted())
        return TN_ERR_INTERRUPTED;
    item->state = TN_SURVEY_DONE;
    if (s->ceilings.known)
        tn_roofline_print(&s->ceilings.roofline, s->ceilings_text);
    else
        note(item, TN_SURVEY_FAILED, "%.380s", reason);
    return TN_OK;
}

/* "2 shapes of 2 fitted, largest error 4.2 % of what is allowed" */
static void note_verified(tn_survey_item *item, const char *output) {
    json_t *root = json_loads(output ? output : "", 0, NULL);
    const json_t *row = json_array_get(root, 0);
    const long long fitted = (long long)json_integer_value(json_object_get(row, "fitted")),
                    cases = (long long)json_integer_value(json_object_get(row, "cases"));
    if (!row)
        note(item, TN_SURVEY_FAILED, "it said nothing of what it verified");
    else if (fitted == 0)
        note(item, TN_SURVEY_DONE, "it took none of %lld shapes here", cases);
    else
        note(item, TN_SURVEY_DONE, "%lld of %lld shapes right, largest error %.3g %% of what is allowed",
             fitted, cases, json_number_value(json_object_get(row, "worst_pct")));
    json_decref(root);
}

static tn_status run_tune(tn_survey *s, tn_survey_item *item, double timeout_s) {
    const char *off = getenv("TURNOUT_TUNED");
    char seconds[40];
    tn_child_result r;
    if (off && strcmp(off, "0") == 0) {
        note(item, TN_SURVEY_CUT, "TURNOUT_TUNED=0 is set: defaults were measured");
        return TN_OK;
    }
    snprintf(seconds, sizeof seconds, "--seconds=%.0f", fmax(1, floor(0.8 * timeout_s)));
    TN_TRY(run_program(s, item, seconds, timeout_s, &r));
    const bool interrupted = r.interrupted;
    if (!interrupted && r.timed_out) /* what it found until then is kept, op by op */
        note(item, TN_SURVEY_DONE, "cut after %.0f s; ops that were through keep what was found", timeout_s);
    else if (!interrupted && !went_wrong(s, item, &r, timeout_s))
        item->state = TN_SURVEY_DONE;
    tn_child_free(s->ctx, &r);
    return interrupted ? TN_ERR_INTERRUPTED : TN_OK;
}

/* The dearest model that should be through in time; the choice stands, for a folder has one. */
static bool choose_recall(tn_survey *s, tn_survey_item *item, double timeout_s) {
    for (int i = 0; i < TN_SURVEY_RECALLS && s->recall < 0; i++)
        if (recall_s(s, &tn_survey_recalls[i]) <= timeout_s)
            s->recall = i;
    if (s->recall < 0) {
        const tn_survey_recall *last = &tn_survey_recalls[TN_SURVEY_RECALLS - 1];
        const double seconds = recall_s(s, last);
        if (seconds > 0)
            item->nominal_s = seconds;
        else
            note(item, TN_SURVEY_CUT, "no training step was measured, so its time is not known");
        return false;
    }
    item->nominal_s = recall_s(s, &tn_survey_recalls[s->recall]);
    tn_survey_recall_words(item, s->info, &tn_survey_recalls[s->recall]);
    return true;
}

static tn_status run_recall(tn_survey *s, tn_survey_item *item, double timeout_s) {
    tn_child_result r;
    if (!choose_recall(s, item, timeout_s))
        return TN_OK;
    TN_TRY(tn_survey_save(s)); /* which model it is, before there is a part of one */
    TN_TRY(run_program(s, item, s->folder, timeout_s, &r));
    const bool interrupted = r.interrupted;
    if (!interrupted && !went_wrong(s, item, &r, timeout_s))
        item->state = TN_SURVEY_DONE;
    if (item->state == TN_SURVEY_CUT)
        note(item, TN_SURVEY_CUT,
             "cut after %.0f s; training at distance %lld goes on from its last checkpoint with a longer "
             "--minutes",
             timeout_s, (long long)tn_survey_recalls[s->recall].distance);
    tn_child_free(s->ctx, &r);
    return interrupted ? TN_ERR_INTERRUPTED : TN_OK;
}

/* Programs that print rows. Of peers that are not there no row is kept. */
static tn_status run_rows(tn_survey *s, tn_survey_item *item, double timeout_s) {
    tn_child_result r;
    int ok = 0;
    tn_status status = TN_OK;
    TN_TRY(run_program(s, item, NULL, timeout_s, &r));
    const bool interrupted = r.interrupted, peers = item->stage == TN_SURVEY_PEERS;
    const char *last = last_line(r.error);
    if (!interrupted && r.output)
        status = tn_survey_rows_take(&s->files[item->file], r.output, peers, &ok);
    if (!interrupted && peers && !r.timed_out && !r.signal && r.code != 1)
        note(item, TN_SURVEY_DONE, "%s%.300s", ok ? "" : "no peer here: ", ok ? "" : last);
    else if (!interrupted && !went_wrong(s, item, &r, timeout_s))
        item->state = TN_SURVEY_DONE;
    tn_child_free(s->ctx, &r);
    return interrupted ? TN_ERR_INTERRUPTED : status;
}

static tn_status run_verify(tn_survey *s, tn_survey_item *item, double timeout_s) {
    tn_child_result r;
    TN_TRY(run_program(s, item, NULL, timeout_s, &r));
    const bool interrupted = r.interrupted;
    if (!interrupted && !went_wrong(s, item, &r, timeout_s))
        note_verified(item, r.output);
    tn_child_free(s->ctx, &r);
    return interrupted ? TN_ERR_INTERRUPTED : TN_OK;
}

tn_status tn_survey_piece(tn_survey *s, tn_survey_item *item, double timeout_s) {
    const double most = tn_survey_limit(s) - tn_survey_spent(s), time = fmax(0.5, fmin(timeout_s, most));
    item->note[0] = '\0';
    if (item->is_cell)
        return run_cell(s, item, time);
    switch (item->stage) {
    case TN_SURVEY_CEILINGS:
        return run_ceilings(s, item, time);
    case TN_SURVEY_VERIFY:
        return run_verify(s, item, time);
    case TN_SURVEY_TUNE:
        return run_tune(s, item, time);
    case TN_SURVEY_RECALL:
        return run_recall(s, item, time);
    default:
        return run_rows(s, item, time);
    }
}
