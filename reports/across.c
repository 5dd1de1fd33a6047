#include "across.h"

#include "statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* As of a comparison: over all works together, how often equal devices may be told apart. */
static const double false_calls = 0.05;

/* From run to run, of each device that has several runs of something. */
static tn_status find_between(tn_across *a, size_t column) {
    tn_across_device *d = &a->devices[column];
    double *all = NULL;
    size_t count = 0;
    d->between = a->options.noise_pct >= 0 ? log1p(a->options.noise_pct / 100) : TN_LINEUP_ASSUMED;
    if (a->options.noise_pct >= 0)
        return TN_OK;
    for (int pass = 0; pass < 2; pass++) {
        if (pass == 1 && count > 0)
            TN_TRY(tn_alloc(a->lineup.ctx, count, sizeof *all, &all));
        if (pass == 1 && count == 0)
            break;
        count = 0;
        for (size_t i = 0; i < a->lineup.cell_count; i++)
            if (a->lineup.cells[i].column == column)
                count += tn_times_differences(&a->lineup.cells[i].times, pass ? all + count : NULL);
    }
    d->repeated = count > 0;
    if (d->repeated)
        d->between = tn_median(all, count) / TN_DIFFERENCE_OF_RUNS;
    tn_free(a->lineup.ctx, all);
    return TN_OK;
}

static int by_time(const void *x, const void *y) {
    const tn_across_place *a = x, *b = y;
    if (a->ms != b->ms)
        return a->ms < b->ms ? -1 : 1;
    return (a->cell->column > b->cell->column) - (a->cell->column < b->cell->column);
}

static tn_status gather(tn_across *a, size_t *pairs) {
    tn_lineup *l = &a->lineup;
    size_t used = 0;
    *pairs = 0;
    TN_TRY(tn_alloc(l->ctx, l->cell_count, sizeof *a->places, &a->places));
    TN_TRY(tn_alloc(l->ctx, l->work_count, sizeof *a->works, &a->works));
    for (size_t w = 0; w < l->work_count; w++) {
        tn_across_work *to = &a->works[a->count];
        *to = (tn_across_work){.work = &l->works[w], .places = &a->places[used]};
        for (size_t i = 0; i < to->work->count; i++) {
            const tn_lineup_cell *cell = &to->work->cells[i];
            if (cell->times.count > 0)
                to->places[to->count++] =
                    (tn_across_place){.cell = cell, .ms = tn_times_typical(&cell->times)};
        }
        if (to->count < 2) {
            a->alone += to->count;
            continue;
        }
        qsort(to->places, to->count, sizeof *to->places, by_time);
        used += to->count;
        *pairs += to->count - 1;
        a->count++;
    }
    return TN_OK;
}

/* What another run of either device may add to their ratio. */
static double between_of(const tn_across *a, const tn_lineup_cell *x, const tn_lineup_cell *y) {
    const tn_times_list *lists[] = {&x->times, &y->times};
    const tn_lineup_cell *cells[] = {x, y};
    double square = 0;
    for (int i = 0; i < 2; i++) {
        double own = a->options.noise_pct >= 0 ? 0 : tn_times_scatter(&lists[i], 1);
        double between = fmax(a->devices[cells[i]->column].between, own);
        square += between * between / (double)lists[i]->count;
    }
    return sqrt(square);
}

static tn_status weigh(tn_across *a, double z) {
    const double threshold = log1p(a->options.threshold_pct / 100);
    for (size_t w = 0; w < a->count; w++) {
        tn_across_work *work = &a->works[w];
        const tn_lineup_cell *first = work->places[0].cell;
        for (size_t i = 1; i < work->count; i++) {
            tn_across_place *p = &work->places[i];
            TN_TRY(tn_ratio_estimate(a->lineup.ctx, &first->times, &p->cell->times, z, &p->ratio));
            tn_ratio_widen(&p->ratio, z * between_of(a, first, p->cell));
            p->call = tn_ratio_call(&p->ratio, threshold);
        }
        work->sure = work->places[1].call == TN_CALL_SLOWER;
    }
    return TN_OK;
}

static tn_status count_up(tn_across *a) {
    double *behind;
    TN_TRY(tn_alloc(a->lineup.ctx, a->count + 1, sizeof *behind, &behind));
    for (size_t d = 0; d < a->lineup.column_count; d++) {
        tn_across_device *device = &a->devices[d];
        for (size_t w = 0; w < a->count; w++)
            for (size_t i = 0; i < a->works[w].count; i++) {
                const tn_across_place *p = &a->works[w].places[i];
                if (p->cell->column != d)
                    continue;
                behind[device->measured++] = p->ms / a->works[w].places[0].ms;
                device->fastest += i == 0;
                device->sure += i == 0 && a->works[w].sure;
            }
        device->behind = device->measured ? tn_median(behind, device->measured) : NAN;
    }
    tn_free(a->lineup.ctx, behind);
    return TN_OK;
}

static tn_status none_common(const tn_across *a) {
    const tn_lineup *l = &a->lineup;
    char list[1024] = "";
    size_t used = 0;
    if (l->column_count < 2)
        return tn_fail(l->ctx, TN_ERR_INPUT,
                       "all rows are of one device, %s; --across device wants files of two devices or more",
                       l->column_count ? l->columns[0].name : "none");
    for (size_t i = 0; i < l->column_count && used < sizeof list; i++)
        used +=
            (size_t)snprintf(list + used, sizeof list - used, "%s%.200s", i ? "; " : "", l->columns[i].name);
    return tn_fail(
        l->ctx, TN_ERR_INPUT,
        "no work was measured on two of the devices (%s): the same level, op, pass, mixer, shape, rho and "
        "schedule; run the same bench or sweep on each",
        list);
}

tn_status tn_across_make(tn_context *ctx, const char *const *paths, size_t count, bool any_host,
                         const tn_lineup_options *options, tn_across *out) {
    size_t pairs;
    *out = (tn_across){.options = *options};
    TN_TRY(tn_lineup_make(ctx, paths, count, TN_LINEUP_DEVICES, any_host, &out->lineup));
    tn_status status = TN_OK;
    TN_GO(tn_alloc(ctx, out->lineup.column_count, sizeof *out->devices, &out->devices));
    TN_GO(gather(out, &pairs));
    TN_GO(out->count > 0 ? TN_OK : none_common(out));
    for (size_t d = 0; d < out->lineup.column_count; d++)
        TN_GO(find_between(out, d));
    TN_GO(weigh(out, tn_two_sided(false_calls / (double)pairs))); /* Bonferroni */
    status = count_up(out);
cleanup:
    if (status != TN_OK)
        tn_across_free(out);
    return status;
}

void tn_across_free(tn_across *a) {
    if (a->lineup.ctx) {
        tn_free(a->lineup.ctx, a->devices);
        tn_free(a->lineup.ctx, a->places);
        tn_free(a->lineup.ctx, a->works);
    }
    tn_lineup_free(&a->lineup);
    *a = (tn_across){0};
}
