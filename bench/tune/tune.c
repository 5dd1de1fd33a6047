#include "tune.h"

#include "clock.h"
#include "launch.h"
#include "tune_cards.h"
#include "tune_work.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

typedef struct tuner {
    tn_device *dev;
    const tn_case *c;
    const tn_tune_options *options;
    tn_tune_works works;
    tn_tune_journal journal;
    double end, deadline; /* of the op; of the open unit's search */
    bool has_begun;       /* a set has had its turn */
    bool whole;
    /* Of the open unit. */
    int unit;
    const tn_tune_space *space; /* of the variant that is searched */
} tuner;

static tn_context *context_of(const tuner *t) {
    return tn_device_context(t->dev);
}

/* A line of the journal: taken here as another process would take it. */
static tn_status say(tuner *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static tn_status say(tuner *t, const char *format, ...) {
    char line[400];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (t->options->tell)
        t->options->tell(t->options->tell_data, line);
    return tn_tune_journal_take(&t->journal, line);
}

static tn_status say_set(tuner *t, const char *word, const tn_tune_space *space, const tn_tune_set *set) {
    char text[256];
    tn_tune_set_encode(space, set, text, sizeof text);
    return say(t, "%s %s", word, text);
}

/* Takes an outcome down; a wrong set is told. */
static bool is_right(const tuner *t, tn_tune_outcome outcome) {
    if (outcome == TN_TUNE_WRONG)
        tn_warn(context_of(t), "not taken: %s", context_of(t)->message);
    return outcome == TN_TUNE_RIGHT;
}

static const char *word_of(tn_tune_outcome outcome) {
    static const char *const words[] = {
        [TN_TUNE_RIGHT] = "right", [TN_TUNE_REFUSED] = "refused", [TN_TUNE_WRONG] = "wrong"};
    return words[outcome];
}

static tn_status check_random(tuner *t, const tn_tune_space *space, const tn_tune_set *set, int first,
                              int cases, tn_tune_outcome *outcome) {
    int fitted;
    return tn_tune_set_verify(t->dev, t->c, space, set, t->options->seed, first, cases, &fitted, outcome);
}

static tn_status turn(tuner *t, const tn_tune_set *set, tn_tune_depth depth, bool *accepted, int *fitted) {
    TN_TRY(say_set(t, "begin", t->space, set));
    t->has_begun = true;
    const tn_tune_outcome outcome = tn_tune_works_verify(&t->works, t->space, set, depth, fitted);
    TN_TRY(tn_device_check(t->dev)); /* for another process to go on */
    *accepted = is_right(t, outcome);
    if (!*accepted)
        TN_TRY(say_set(t, word_of(outcome), t->space, set));
    return tn_interrupted() ? tn_fail(context_of(t), TN_ERR_INTERRUPTED, "stopped while tuning") : TN_OK;
}

static tn_status accept(void *data, const tn_tune_set *set, bool *accepted) {
    int fitted;
    return turn(data, set, TN_TUNE_QUICK, accepted, &fitted);
}

static bool had_turn(void *data, const tn_tune_set *set) {
    const tuner *t = data;
    for (size_t i = 0; i < t->journal.seen_count; i++)
        if (tn_tune_set_equal(t->space, &t->journal.seen[i], set))
            return true;
    return false;
}

static bool has_time(void *data) {
    const tuner *t = data;
    return tn_clock_seconds() < t->deadline || (!t->has_begun && t->journal.report->seen == 0);
}

/* On all that is timed, and on random shapes. */
static tn_status check_whole(tuner *t, const tn_tune_set *set, bool *right, tn_tune_outcome *outcome) {
    int fitted;
    *outcome = tn_tune_works_verify(&t->works, t->space, set, TN_TUNE_WHOLE, &fitted);
    TN_TRY(tn_device_check(t->dev));
    if (*outcome == TN_TUNE_RIGHT)
        TN_TRY(check_random(t, t->space, set, 0, t->options->cases, outcome));
    *right = is_right(t, *outcome);
    return TN_OK;
}

/* A short look first: most candidates are clearly slower. One that wins must be right on random shapes too,
 * each of which costs a build of its own where widths are compiled in. */
static tn_status compare(void *data, const tn_tune_set *best, const tn_tune_set *candidate,
                         tn_tune_gain *out) {
    tuner *t = data;
    char text[512];
    tn_tune_outcome outcome = TN_TUNE_RIGHT;
    tn_status status = tn_tune_works_ratio(&t->works, t->space, best, t->space, candidate, 0.02, out);
    if (status == TN_OK && out->q3 >= 1)
        status = tn_tune_works_ratio(&t->works, t->space, best, t->space, candidate, 0.12, out);
    if (status == TN_ERR_INTERRUPTED || status == TN_ERR_LOST)
        return status;
    bool wins = status == TN_OK && tn_tune_wins(out);
    if (status != TN_OK)
        is_right(t, outcome = tn_tune_outcome_of(status));
    else if (wins)
        TN_TRY(check_whole(t, candidate, &wins, &outcome));
    out->loses = out->loses || !wins;
    TN_TRY(say_set(t, wins ? "best" : word_of(outcome), t->space, candidate));
    tn_tune_set_print(t->space, candidate, text, sizeof text);
    tn_progress(context_of(t), "%s: %.3f (%.3f..%.3f)%s", text, out->ratio, out->q1, out->q3,
                wins ? ", the best so far" : "");
    return TN_OK;
}

static bool has_fallen(const tuner *t, const tn_tune_space *space, const tn_tune_set *set) {
    for (int i = 0; i < t->journal.fell_count; i++)
        if (tn_tune_set_equal(space, &t->journal.fell[i], set))
            return true;
    return false;
}

/* Against what it would replace, longer, and on random shapes not seen before. */
static tn_status confirm(tuner *t, const tn_tune_space *space, const tn_tune_set *set,
                         const tn_tune_space *base_space, const tn_tune_set *base, bool wins) {
    tn_tune_gain gain;
    tn_tune_outcome outcome;
    char text[256];
    if (has_fallen(t, space, set))
        return TN_OK;
    TN_TRY(say_set(t, "confirm", space, set));
    TN_TRY(check_random(t, space, set, t->options->cases, wins ? 4 : 2, &outcome));
    if (!is_right(t, outcome))
        TN_TRY(say_set(t, word_of(outcome), space, set));
    if (outcome != TN_TUNE_RIGHT)
        return say_set(t, "fell", space, set);
    TN_TRY(tn_tune_works_ratio(&t->works, base_space, base, space, set, 0.3, &gain));
    if (!tn_tune_wins(&gain))
        return say_set(t, "fell", space, set);
    tn_tune_set_encode(space, set, text, sizeof text);
    return say(t, "entry %d %d %.17g %.17g %.17g %d %s", t->unit, wins, gain.ratio, gain.q1, gain.q3, gain.n,
               text);
}

static tn_status search(tuner *t, const tn_tune_space *space, int slot, tn_tune_set *best) {
    tn_tune_judge judge = {t, accept, compare, has_time, had_turn, NULL};
    tn_tune_found found;
    tn_tune_card card;
    tn_tune_set preset = space->start;
    if (tn_tune_card_of(tn_device_get_info(t->dev)->name, &card) && tn_tune_card_set(&card, space, &preset))
        judge.first = &preset;
    t->space = space;
    TN_TRY(tn_tune_search(context_of(t), space,
                          t->journal.has_best[slot] ? &t->journal.best[slot] : &space->start, &judge,
                          &found));
    t->whole = t->whole && found.whole;
    *best = found.best;
    return TN_OK;
}

/* What passes and classes share, whichever variant is chosen. */
static tn_status unit_shared(tuner *t) {
    tn_tune_space space;
    tn_tune_set best;
    t->works.pass = t->works.class_ = TN_TUNE_ALL;
    tn_tune_journal_space(&t->journal, TN_TUNE_ANY_VARIANT, &space);
    TN_TRY(search(t, &space, TN_TUNE_VARIANTS - 1, &best));
    return tn_tune_set_equal(&space, &best, &space.start)
               ? TN_OK
               : confirm(t, &space, &best, &space, &space.start, true);
}

/* One variant in a unit. */
typedef struct way {
    tn_tune_space space;
    tn_tune_set best;
    bool takes_part;
} way;

/* A variant whose defaults take more than twice the time of the best one so far is left there. */
static tn_status way_search(tuner *t, way *w, int variant, const way *champion) {
    tn_tune_gain gain = {1, 1, 1, false, 0};
    int fitted;
    bool right;
    tn_tune_journal_space(&t->journal, variant, &w->space);
    t->space = &w->space;
    w->best = w->space.start;
    w->takes_part = false;
    if (!t->journal.op->variants[1]) { /* its defaults are those that the problems were made with */
        w->takes_part = true;
        return search(t, &w->space, variant, &w->best);
    }
    if (has_fallen(t, &w->space, &w->space.start))
        return TN_OK;
    if (champion && !has_time(t)) {
        t->whole = false;
        return TN_OK;
    }
    TN_TRY(turn(t, &w->space.start, TN_TUNE_FIRST, &right, &fitted));
    if (!right || fitted == 0)
        return right ? say_set(t, "refused", &w->space, &w->space.start) : TN_OK;
    w->takes_part = true;
    TN_TRY(say_set(t, "right", &w->space, &w->space.start));
    if (champion) {
        TN_TRY(tn_tune_works_ratio(&t->works, &champion->space, &champion->best, &w->space, &w->space.start,
                                   0.02, &gain));
        w->takes_part = !(gain.q3 < 0.5);
    }
    return w->takes_part ? search(t, &w->space, variant, &w->best) : TN_OK;
}

/* Does the op take this variant by itself, wherever it fits? */
static tn_status is_usual(tuner *t, int variant, bool *usual) {
    tn_tune_space none;
    tn_tune_journal_space(&t->journal, TN_TUNE_ANY_VARIANT, &none);
    *usual = true;
    for (int i = 0; i < t->works.count; i++) {
        tn_tune_work *work = &t->works.items[i];
        if (!tn_tune_works_has(&t->works, work) || work->unfit >> variant & 1u)
            continue;
        TN_TRY(tn_tune_set_try(t->dev, &none, &t->journal.shared));
        TN_TRY(t->c->run(t->dev, &work->problem->shape, work->problem->pass, work->problem->tensors));
        *usual = *usual && tn_variant_ran(t->dev, t->c->op) == none.op->variants[variant];
    }
    tn_tunable_untry(t->dev, t->c->op);
    return tn_device_finish(t->dev);
}

static tn_status unit_close(tuner *t, way *ways, int count, int champion) {
    tn_tune_space none;
    bool usual;
    tn_tune_journal_space(&t->journal, TN_TUNE_ANY_VARIANT, &none);
    for (int v = 0; v < count; v++) {
        way *w = &ways[v];
        const bool changed = w->takes_part && !tn_tune_set_equal(&w->space, &w->best, &w->space.start);
        if (v == champion) {
            TN_TRY(is_usual(t, v, &usual));
            if (changed || !usual)
                TN_TRY(confirm(t, &w->space, &w->best, &none, &t->journal.shared, true));
        } else if (changed && tn_clock_seconds() < t->end) {
            TN_TRY(confirm(t, &w->space, &w->best, &w->space, &w->space.start, false));
        }
    }
    return TN_OK;
}

/* Every variant of one pass and class. */
static tn_status unit_search(tuner *t, int pass, int class_) {
    const tn_op *op = t->journal.op;
    tn_context *ctx = context_of(t);
    way *ways;
    tn_tune_gain gain;
    int champion = -1, count = 0;
    t->works.pass = pass;
    t->works.class_ = class_;
    TN_TRY(tn_alloc(ctx, TN_TUNE_VARIANTS, sizeof *ways, &ways));
    tn_status status = TN_OK;
    for (; op->variants[count] && count < TN_TUNE_VARIANTS - 1; count++) {
        way *w = &ways[count];
        if (!tn_variant_is_tuned(op->variants[count], pass))
            continue;
        TN_GO(way_search(t, w, count, champion < 0 ? NULL : &ways[champion]));
        if (!w->takes_part)
            continue;
        if (champion < 0) {
            champion = count;
            continue;
        }
        TN_GO(tn_tune_works_ratio(&t->works, &ways[champion].space, &ways[champion].best, &w->space, &w->best,
                                  0.12, &gain));
        if (tn_tune_wins(&gain))
            champion = count;
    }
    if (champion >= 0)
        TN_GO(unit_close(t, ways, count, champion));
cleanup:
    tn_free(ctx, ways);
    return status;
}

/* A share of the time: sets × shapes. */
static double weight_of(tuner *t, int unit) {
    const tn_op *op = t->journal.op;
    const int classes = tn_tune_unit(op, 1, 0) - 1;
    double sets = 0, shapes = 0;
    tn_tune_space space;
    t->works.pass = unit ? (unit - 1) / classes : TN_TUNE_ALL;
    t->works.class_ = unit ? (unit - 1) % classes : TN_TUNE_ALL;
    for (int i = 0; i < t->works.count; i++)
        shapes += tn_tune_works_has(&t->works, &t->works.items[i]);
    if (unit == 0) {
        sets = tn_tune_space_candidates(&t->journal.shared_space);
    } else {
        for (int v = 0; op->variants[v]; v++) {
            tn_tune_journal_space(&t->journal, v, &space);
            if (tn_variant_is_tuned(op->variants[v], t->works.pass))
                sets += tn_tune_space_candidates(&space) + (op->variants[1] != NULL);
        }
    }
    return sets * shapes;
}

static tn_status units(tuner *t) {
    const tn_op *op = t->journal.op;
    const int count = tn_tune_unit_count(op), classes = tn_tune_unit(op, 1, 0) - 1;
    double weights[TN_TUNE_UNITS], left = 0;
    if (count > TN_TUNE_UNITS)
        return tn_fail(context_of(t), TN_ERR_UNSUPPORTED, "%s has more than %d passes and classes", op->name,
                       TN_TUNE_UNITS);
    for (int unit = 0; unit < count; unit++) {
        weights[unit] = t->journal.closed[unit] ? 0 : weight_of(t, unit);
        left += weights[unit];
    }
    for (int unit = 0; unit < count; unit++) {
        if (weights[unit] <= 0)
            continue;
        const double now = tn_clock_seconds();
        t->deadline = now + 0.85 * (t->end - now) * weights[unit] / left; /* the rest is for confirming */
        left -= weights[unit];
        t->unit = unit;
        if (t->journal.unit != unit)
            TN_TRY(say(t, "unit %d", unit));
        TN_TRY(unit ? unit_search(t, (unit - 1) / classes, (unit - 1) % classes) : unit_shared(t));
        TN_TRY(say(t, "closed %d", unit));
    }
    return TN_OK;
}

static tn_status replay(tuner *t) {
    const char *at = t->options->journal;
    while (at && *at) {
        char line[400];
        const size_t length = strcspn(at, "\n");
        snprintf(line, sizeof line, "%.*s", (int)length, at);
        TN_TRY(tn_tune_journal_take(&t->journal, line));
        at += length + (at[length] == '\n');
    }
    tn_tune_journal_lost(&t->journal);
    return TN_OK;
}

/* A set whose kernels spill is not worth its time on a GPU: refused before it is launched. What the defaults,
 * which have run by now, take is allowed twice, and 1 KiB anyway. */
static void limit_private(tn_device *dev) {
    const size_t twice = 2 * tn_kernels_private_seen(dev), usual = 1024;
    if (tn_device_style(dev) == TN_STYLE_GROUPS)
        tn_kernels_limit_private(dev, twice > usual ? twice : usual);
}

tn_status tn_tune_op(tn_device *dev, const tn_case *c, const tn_tune_options *options, tn_tune_report *out) {
    tn_context *ctx = tn_device_context(dev);
    const double start = tn_clock_seconds();
    tuner t = {.dev = dev, .c = c, .options = options, .end = start + options->seconds, .whole = true};
    tn_tune_journal_begin(&t.journal, ctx, tn_device_get_info(dev), tn_device_style(dev), tn_op_find(c->op),
                          out);
    tn_tuned_leave(dev, c->op);
    tn_status status = TN_OK;
    TN_GO(replay(&t));
    TN_GO(tn_tune_works_make(dev, c, options->seconds, options->seed, &t.works));
    limit_private(dev);
    TN_GO(units(&t));
cleanup:
    tn_kernels_limit_private(dev, 0);
    out->whole = t.whole;
    out->workloads = t.works.count;
    out->seconds = tn_clock_seconds() - start;
    tn_tune_works_free(&t.works);
    tn_tune_journal_end(&t.journal);
    tn_tunable_untry(dev, c->op);
    tn_kernels_forget(dev);
    tn_progress_end(ctx);
    return status;
}
