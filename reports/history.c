#include "history.h"

#include "statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* As of a comparison. */
static const double false_calls = 0.05, notable_shift = 0.02, most_rows = 0.75;
enum { ENOUGH_ROWS = 5 };

const char *tn_change_name(tn_change_kind kind) {
    static const char *const names[TN_CHANGE_KINDS] = {"broken", "slower", "faster", "slower once",
                                                       "faster once"};
    return names[kind];
}

static tn_history_step *step_of(const tn_history *h, size_t device, size_t column) {
    return &h->steps[device * h->lineup.column_count + column];
}

/* The cell before `i` that has times; NULL: none. */
static const tn_lineup_cell *cell_before(const tn_lineup_work *work, size_t i) {
    while (i-- > 0)
        if (work->cells[i].times.count > 0)
            return &work->cells[i];
    return NULL;
}

/* ---- how far one run tells of the next ---- */

static tn_status between_runs(tn_history *h, size_t device) {
    double *all = NULL;
    size_t count = 0;
    for (int pass = 0; pass < 2; pass++) {
        if (pass == 1)
            TN_TRY(tn_alloc(h->lineup.ctx, count + 1, sizeof *all, &all));
        count = 0;
        for (size_t i = 0; i < h->lineup.cell_count; i++)
            if (h->lineup.cells[i].device == device)
                count += tn_times_differences(&h->lineup.cells[i].times, pass ? all + count : NULL);
    }
    h->between[device] = count ? tn_median(all, count) / TN_DIFFERENCE_OF_RUNS : NAN;
    tn_free(h->lineup.ctx, all);
    return TN_OK;
}

typedef struct scattered {
    double *log, *known; /* [works] of a step's rows: the ratio, and the square of what the batches explain */
    size_t count;
} scattered;

static tn_status gather_step(tn_history *h, size_t device, size_t column, scattered *s) {
    s->count = 0;
    for (size_t w = 0; w < h->lineup.work_count; w++) {
        const tn_lineup_work *work = &h->lineup.works[w];
        for (size_t i = 0; work->device == device && i < work->count; i++) {
            const tn_lineup_cell *cell = &work->cells[i], *before = cell_before(work, i);
            tn_ratio r;
            if (cell->column != column || cell->times.count == 0 || !before)
                continue;
            TN_TRY(tn_ratio_estimate(h->lineup.ctx, &before->times, &cell->times, h->z, &r));
            double error = (r.log_high - r.log_low) / (2 * h->z);
            s->log[s->count] = r.log;
            s->known[s->count++] = error * error;
        }
    }
    return TN_OK;
}

/* What the rows of a step have in common, and how they scatter around it: as comparison.c has it. */
static void weigh_step(tn_history_step *step, scattered *s) {
    size_t down = 0, finite = 0;
    step->rows = s->count;
    for (size_t i = 0; i < s->count; i++) {
        step->up += s->log[i] > 0;
        down += s->log[i] < 0;
    }
    step->log_shift = s->count ? tn_median(s->log, s->count) : 0;
    step->common = s->count >= ENOUGH_ROWS && fabs(step->log_shift) >= log1p(notable_shift) &&
                   (double)(step->log_shift > 0 ? step->up : down) >= most_rows * (double)s->count;
    for (size_t i = 0; i < s->count; i++) {
        if (!isfinite(s->known[i]))
            continue;
        s->log[finite] = fabs(s->log[i] - step->log_shift) / 0.6745;
        s->known[finite++] = s->known[i];
    }
    step->known = finite >= ENOUGH_ROWS;
    if (step->known) {
        double sigma = tn_median(s->log, finite);
        step->between = sqrt(fmax(0, sigma * sigma - tn_median(s->known, finite)) / 2);
    }
}

static tn_status weigh_steps(tn_history *h) {
    tn_context *ctx = h->lineup.ctx;
    scattered s = {0};
    tn_status status = tn_alloc(ctx, h->lineup.cell_count, sizeof *s.log, &s.log);
    if (status == TN_OK)
        status = tn_alloc(ctx, h->lineup.cell_count, sizeof *s.known, &s.known);
    for (size_t d = 0; status == TN_OK && d < h->lineup.devices.count; d++) {
        status = between_runs(h, d);
        for (size_t c = 1; status == TN_OK && c < h->lineup.column_count; c++) {
            status = gather_step(h, d, c, &s);
            if (status == TN_OK)
                weigh_step(step_of(h, d, c), &s);
        }
    }
    tn_free(ctx, s.known);
    tn_free(ctx, s.log);
    return status;
}

/* --relative: each version's times less what it has in common with those before. */
static void divide(tn_history *h) {
    for (size_t i = 0; i < h->lineup.cell_count; i++) {
        tn_lineup_cell *cell = &h->lineup.cells[i];
        double shift = 0;
        for (size_t c = 1; c <= cell->column; c++) {
            const tn_history_step *step = step_of(h, cell->device, c);
            shift += step->rows >= ENOUGH_ROWS ? step->log_shift : 0;
        }
        for (size_t k = 0; k < cell->times.count; k++) {
            tn_times *t = &cell->times.items[k];
            t->median *= exp(-shift);
            t->q1 *= exp(-shift);
            t->q3 *= exp(-shift);
        }
    }
}

/* ---- one work, version after version ---- */

/* The runs of versions that are taken together. */
typedef struct stretch {
    tn_times_list runs;
    size_t first, last; /* columns */
} stretch;

static tn_status add_cell(tn_context *ctx, stretch *s, const tn_lineup_cell *cell) {
    if (s->runs.count == 0)
        s->first = cell->column;
    s->last = cell->column;
    TN_TRY(tn_grow(ctx, &s->runs.items, &s->runs.capacity, s->runs.count + cell->times.count,
                   sizeof *s->runs.items));
    memcpy(s->runs.items + s->runs.count, cell->times.items, cell->times.count * sizeof *cell->times.items);
    s->runs.count += cell->times.count;
    return TN_OK;
}

static double between_of(const tn_history *h, const tn_lineup_work *work, size_t column,
                         const tn_times_list *a, const tn_times_list *b) {
    const tn_history_step *step = step_of(h, work->device, column);
    const tn_times_list *const lists[] = {a, b};
    if (h->options.noise_pct >= 0)
        return log1p(h->options.noise_pct / 100);
    double device = !isnan(h->between[work->device]) ? h->between[work->device]
                    : step->known                    ? step->between
                                                     : TN_LINEUP_ASSUMED;
    return fmax(device, tn_times_scatter(lists, 2));
}

static tn_status hold(const tn_history *h, const tn_lineup_work *work, size_t column,
                      const tn_times_list *before, const tn_times_list *after, tn_ratio *ratio,
                      tn_call *call) {
    TN_TRY(tn_ratio_estimate(h->lineup.ctx, before, after, h->z, ratio));
    tn_ratio_widen(ratio, h->z * between_of(h, work, column, before, after) *
                              sqrt(1 / (double)before->count + 1 / (double)after->count));
    *call = tn_ratio_call(ratio, log1p(h->options.threshold_pct / 100));
    return TN_OK;
}

static bool differs(tn_call call) {
    return call == TN_CALL_SLOWER || call == TN_CALL_FASTER;
}

static tn_status add_change(tn_history *h, const tn_change *change) {
    TN_TRY(tn_grow(h->lineup.ctx, &h->changes, &h->capacity, h->count + 1, sizeof *h->changes));
    h->changes[h->count++] = *change;
    return TN_OK;
}

static tn_change change_of(const tn_lineup_work *work, tn_call call, bool sure, const stretch *before,
                           const stretch *after, const tn_ratio *ratio) {
    return (tn_change){.work = work,
                       .kind = call == TN_CALL_SLOWER ? (sure ? TN_CHANGE_SLOWER : TN_CHANGE_SLOWER_ONCE)
                                                      : (sure ? TN_CHANGE_FASTER : TN_CHANGE_FASTER_ONCE),
                       .since = after->first,
                       .first = before->first,
                       .before = before->last,
                       .before_ms = tn_times_typical(&before->runs),
                       .after_ms = tn_times_typical(&after->runs),
                       .before_runs = before->runs.count,
                       .after_runs = after->runs.count,
                       .ratio = *ratio};
}

static const tn_lineup_cell *cell_after(const tn_lineup_work *work, size_t i) {
    while (++i < work->count)
        if (work->cells[i].times.count > 0)
            return &work->cells[i];
    return NULL;
}

typedef enum outcome { STANDS, ONCE, PASSES } outcome;

/* Whether a difference of one run is one of the next version too, held against the same runs before: that
 * version by itself, and both together, for which `after`, `ratio` and `call` stand then. */
static tn_status confirm(tn_history *h, const tn_lineup_work *work, size_t i, const stretch *before,
                         tn_call wanted, outcome *out) {
    const tn_lineup_cell *next = cell_after(work, i);
    const double threshold = log1p(h->options.threshold_pct / 100);
    const bool several = work->cells[i].times.count > 1;
    *out = several ? STANDS : ONCE;
    if (several || !next)
        return TN_OK;
    tn_ratio one, both;
    tn_call alone, together;
    stretch pooled = {0};
    tn_status status = TN_OK;
    TN_GO(add_cell(h->lineup.ctx, &pooled, &work->cells[i]));
    TN_GO(add_cell(h->lineup.ctx, &pooled, next));
    TN_GO(hold(h, work, next->column, &before->runs, &next->times, &one, &alone));
    TN_GO(hold(h, work, work->cells[i].column, &before->runs, &pooled.runs, &both, &together));
    bool likewise = wanted == TN_CALL_SLOWER ? one.log > threshold : one.log < -threshold;
    *out = alone == wanted || (together == wanted && likewise) ? STANDS : PASSES;
cleanup:
    tn_free(h->lineup.ctx, pooled.runs.items);
    return status;
}

/* `before`: the versions since the last change; what it is then is left in it. */
static tn_status follow_cell(tn_history *h, const tn_lineup_work *work, size_t i, stretch *before) {
    tn_context *ctx = h->lineup.ctx;
    const tn_lineup_cell *cell = &work->cells[i];
    stretch after = {0};
    tn_ratio ratio;
    tn_call call;
    outcome out;
    tn_status status = TN_OK;
    TN_GO(add_cell(ctx, &after, cell));
    TN_GO(hold(h, work, cell->column, &before->runs, &after.runs, &ratio, &call));
    if (!differs(call)) {
        status = add_cell(ctx, before, cell);
        goto cleanup;
    }
    TN_GO(confirm(h, work, i, before, call, &out));
    if (out == PASSES) {
        h->passing++;
        goto cleanup;
    }
    const tn_change change = change_of(work, call, out == STANDS, before, &after, &ratio);
    TN_GO(add_change(h, &change));
    if (out == STANDS) {
        before->runs.count = 0;
        status = add_cell(ctx, before, cell);
    }
cleanup:
    tn_free(ctx, after.runs.items);
    return status;
}

/* Many small steps, none of which is told from noise: the first third of the runs' versions against the last.
 */
static tn_status follow_slope(tn_history *h, const tn_lineup_work *work, size_t measured) {
    tn_context *ctx = h->lineup.ctx;
    const size_t third = measured / 3;
    stretch early = {0}, late = {0};
    tn_ratio ratio;
    tn_call call;
    size_t at = 0;
    tn_status status = TN_OK;
    if (third < 2)
        return TN_OK;
    for (size_t i = 0; i < work->count; i++) {
        if (work->cells[i].times.count == 0)
            continue;
        if (at < third)
            TN_GO(add_cell(ctx, &early, &work->cells[i]));
        else if (at >= measured - third)
            TN_GO(add_cell(ctx, &late, &work->cells[i]));
        at++;
    }
    TN_GO(hold(h, work, late.first, &early.runs, &late.runs, &ratio, &call));
    if (differs(call)) {
        tn_change change = change_of(work, call, true, &early, &late, &ratio);
        change.gradual = true;
        status = add_change(h, &change);
    }
cleanup:
    tn_free(ctx, early.runs.items);
    tn_free(ctx, late.runs.items);
    return status;
}

/* The newest version that has it is not ok, and one before was. */
static tn_status follow_failure(tn_history *h, const tn_lineup_work *work) {
    const tn_lineup_cell *last = &work->cells[work->count - 1], *before = cell_before(work, work->count - 1);
    size_t since = work->count - 1;
    if (last->times.count > 0 || !before)
        return TN_OK;
    while (work->cells[since - 1].times.count == 0)
        since--;
    return add_change(h, &(tn_change){.work = work,
                                      .kind = TN_CHANGE_BROKEN,
                                      .since = work->cells[since].column,
                                      .first = before->column,
                                      .before = before->column,
                                      .before_ms = tn_times_typical(&before->times),
                                      .after_ms = NAN,
                                      .before_runs = before->times.count,
                                      .reason = last->reason});
}

static tn_status follow_work(tn_history *h, const tn_lineup_work *work) {
    stretch before = {0};
    size_t own = h->count, measured = 0;
    tn_status status = TN_OK;
    for (size_t i = 0; i < work->count && status == TN_OK; i++) {
        if (work->cells[i].times.count == 0)
            continue;
        status =
            measured++ ? follow_cell(h, work, i, &before) : add_cell(h->lineup.ctx, &before, &work->cells[i]);
    }
    tn_free(h->lineup.ctx, before.runs.items);
    if (status == TN_OK && h->count == own)
        status = follow_slope(h, work, measured);
    if (status == TN_OK)
        status = follow_failure(h, work);
    TN_TRY(status);
    h->followed += work->count > 1;
    h->steady += work->count > 1 && h->count == own;
    if (h->count > own) {
        h->changes[h->count - 1].last = true;
        h->now[h->changes[h->count - 1].kind]++;
    }
    return TN_OK;
}

/* ---- all ---- */

static int by_weight(const void *a, const void *b) {
    const tn_change *x = a, *y = b;
    if (x->last != y->last)
        return x->last ? -1 : 1;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    double p = fabs(x->ratio.log), q = fabs(y->ratio.log);
    if (p != q)
        return p > q ? -1 : 1;
    return (x->work > y->work) - (x->work < y->work);
}

static tn_status begin(tn_history *h) {
    tn_lineup *l = &h->lineup;
    size_t pairs = 0, measured;
    for (size_t w = 0; w < l->work_count; w++) {
        measured = 0;
        for (size_t i = 0; i < l->works[w].count; i++)
            measured += l->works[w].cells[i].times.count > 0;
        pairs += measured > 1 ? measured - 1 : 0;
    }
    if (l->column_count < 2)
        return tn_fail(l->ctx, TN_ERR_INPUT,
                       "all rows are of one version, %s; --history wants files of two versions or more",
                       l->column_count ? l->columns[0].name : "none");
    if (pairs == 0)
        return tn_fail(
            l->ctx, TN_ERR_INPUT,
            "no work was measured by two versions on one device; devices are told apart by platform, name, "
            "host and PCI address, --any-host takes those of one name on several machines for one");
    h->z = tn_two_sided(false_calls / (double)pairs); /* Bonferroni */
    TN_TRY(tn_alloc(l->ctx, l->devices.count * l->column_count, sizeof *h->steps, &h->steps));
    return tn_alloc(l->ctx, l->devices.count, sizeof *h->between, &h->between);
}

tn_status tn_history_make(tn_context *ctx, const char *const *paths, size_t count, bool any_host,
                          const tn_lineup_options *options, tn_history *out) {
    *out = (tn_history){.options = *options};
    TN_TRY(tn_lineup_make(ctx, paths, count, TN_LINEUP_VERSIONS, any_host, &out->lineup));
    tn_status status = TN_OK;
    TN_GO(begin(out));
    TN_GO(weigh_steps(out));
    if (options->relative)
        divide(out);
    for (size_t w = 0; w < out->lineup.work_count; w++)
        TN_GO(follow_work(out, &out->lineup.works[w]));
    if (out->count > 0)
        qsort(out->changes, out->count, sizeof *out->changes, by_weight);
cleanup:
    if (status != TN_OK)
        tn_history_free(out);
    return status;
}

void tn_history_free(tn_history *h) {
    if (h->lineup.ctx) {
        tn_free(h->lineup.ctx, h->changes);
        tn_free(h->lineup.ctx, h->steps);
        tn_free(h->lineup.ctx, h->between);
    }
    tn_lineup_free(&h->lineup);
    *h = (tn_history){0};
}
