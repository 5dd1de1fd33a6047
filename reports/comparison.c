#include "comparison.h"

#include "statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Over all rows together: how often a comparison of two runs of the same program may call anything. */
static const double false_calls = 0.05;
/* A shift is the machine's when it is at least so large and so many rows share its direction. */
static const double notable_shift = 0.02, most_rows = 0.75;
enum { ENOUGH_ROWS = 5 };

const char *tn_verdict_name(tn_verdict verdict) {
    static const char *const names[TN_VERDICTS] = {"broken", "slower",  "cannot tell", "faster",  "same",
                                                   "fixed",  "failing", "only old",    "only new"};
    return names[verdict];
}

static bool is_ok(const tn_compared_side *side) {
    return side->status && strcmp(side->status, "ok") == 0;
}

static bool is_compared(const tn_compared_row *row) {
    return is_ok(&row->side[0]) && is_ok(&row->side[1]);
}

/* What rows are that are not compared. */
static tn_verdict verdict_of_status(const tn_compared_row *row) {
    const tn_compared_side *before = &row->side[0], *after = &row->side[1];
    if (!before->status || !after->status)
        return before->status ? TN_VERDICT_ONLY_OLD : TN_VERDICT_ONLY_NEW;
    if (!is_ok(after))
        return is_ok(before) ? TN_VERDICT_BROKEN : TN_VERDICT_FAILING;
    return TN_VERDICT_FIXED;
}

/* From run to run of one side, over all rows of a device, where a side has several: their median does not ask
 * one bad row. */
static tn_status between_runs(tn_comparison *c, size_t device) {
    size_t count = 0;
    double *all;
    for (int pass = 0; pass < 2; pass++) {
        if (pass == 1)
            TN_TRY(tn_alloc(c->ctx, count, sizeof *all, &all));
        count = 0;
        for (size_t i = 0; i < c->count; i++)
            for (int s = 0; s < 2 && c->rows[i].device == device && is_compared(&c->rows[i]); s++)
                count += tn_times_differences(&c->rows[i].side[s].times, pass ? all + count : NULL);
    }
    c->devices[device].repeated = count > 0;
    c->devices[device].between = count ? tn_median(all, count) / TN_DIFFERENCE_OF_RUNS : 0;
    tn_free(c->ctx, all);
    return TN_OK;
}

/* With one run a side: how far the ratios of a device's rows scatter around their middle, less what the
 * batches of a run explain. Half of the rows may have changed and the other half still tells. */
static tn_status between_rows(tn_comparison *c, size_t device, double z) {
    tn_compared_device *d = &c->devices[device];
    double *scatter, *known;
    size_t count = 0;
    TN_TRY(tn_alloc(c->ctx, c->count, sizeof *scatter, &scatter));
    tn_status status = tn_alloc(c->ctx, c->count, sizeof *known, &known);
    for (size_t i = 0; status == TN_OK && i < c->count; i++) {
        const tn_ratio *r = &c->rows[i].ratio;
        double error = (r->log_high - r->log_low) / (2 * z);
        if (c->rows[i].device != device || !is_compared(&c->rows[i]) || !isfinite(error))
            continue;
        scatter[count] = fabs(r->log - d->log_shift) / 0.6745;
        known[count++] = error * error;
    }
    if (status == TN_OK && count >= ENOUGH_ROWS) {
        double sigma = tn_median(scatter, count);
        d->between = sqrt(fmax(0, sigma * sigma - tn_median(known, count)) / 2); /* of each of two runs */
    }
    tn_free(c->ctx, known);
    tn_free(c->ctx, scatter);
    return status;
}

/* The device's, or where a side has several runs that of the row itself if it is larger. */
static double between_of(const tn_comparison *c, const tn_compared_row *row) {
    const tn_times_list *const lists[] = {&row->side[0].times, &row->side[1].times};
    return fmax(c->devices[row->device].between, tn_times_scatter(lists, 2));
}

static tn_status estimate(tn_comparison *c, double z) {
    for (size_t i = 0; i < c->count; i++) {
        tn_compared_row *row = &c->rows[i];
        if (is_compared(row))
            TN_TRY(tn_ratio_estimate(c->ctx, &row->side[0].times, &row->side[1].times, z, &row->ratio));
    }
    return TN_OK;
}

static void widen(tn_comparison *c, double z) {
    bool given = c->options.noise_pct >= 0;
    for (size_t i = 0; i < c->count; i++) {
        tn_compared_row *row = &c->rows[i];
        double between = given ? log1p(c->options.noise_pct / 100) : between_of(c, row);
        if (is_compared(row))
            tn_ratio_widen(&row->ratio, z * between *
                                            sqrt(1 / (double)row->side[0].times.count +
                                                 1 / (double)row->side[1].times.count));
    }
}

static tn_status find_shift(tn_comparison *c, size_t device) {
    tn_compared_device *d = &c->devices[device];
    double *logs;
    size_t down = 0;
    TN_TRY(tn_alloc(c->ctx, c->count, sizeof *logs, &logs));
    for (size_t i = 0; i < c->count; i++) {
        const tn_compared_row *row = &c->rows[i];
        if (row->device != device || !is_compared(row))
            continue;
        logs[d->rows++] = row->ratio.log;
        d->up += row->ratio.log > 0;
        down += row->ratio.log < 0;
    }
    d->log_shift = d->rows ? tn_median(logs, d->rows) : 0;
    size_t together = d->log_shift > 0 ? d->up : down;
    d->common = d->rows >= ENOUGH_ROWS && fabs(d->log_shift) >= log1p(notable_shift) &&
                (double)together >= most_rows * (double)d->rows;
    d->divided = c->options.relative && d->rows >= ENOUGH_ROWS;
    tn_free(c->ctx, logs);
    return TN_OK;
}

/* Half the width of the middle interval: what is smaller stays hidden in most rows. */
static tn_status find_visible(tn_comparison *c, size_t compared) {
    double *widths;
    size_t count = 0;
    TN_TRY(tn_alloc(c->ctx, compared, sizeof *widths, &widths));
    for (size_t i = 0; i < c->count; i++)
        if (is_compared(&c->rows[i]))
            widths[count++] = 0.5 * (c->rows[i].ratio.log_high - c->rows[i].ratio.log_low);
    c->visible = tn_median(widths, count);
    tn_free(c->ctx, widths);
    return TN_OK;
}

/* Ratios and their intervals, and what the rows of each device have in common. */
static tn_status weigh(tn_comparison *c) {
    size_t compared = 0;
    for (size_t i = 0; i < c->count; i++)
        compared += is_compared(&c->rows[i]);
    double z = tn_two_sided(false_calls / (double)(compared ? compared : 1)); /* Bonferroni */
    TN_TRY(estimate(c, z));
    for (size_t d = 0; d < c->device_count; d++) {
        TN_TRY(find_shift(c, d));
        TN_TRY(between_runs(c, d));
        if (!c->devices[d].repeated)
            TN_TRY(between_rows(c, d, z));
    }
    widen(c, z);
    return find_visible(c, compared);
}

static tn_verdict judge(const tn_ratio *r, double threshold) {
    static const tn_verdict verdicts[] = {[TN_CALL_SAME] = TN_VERDICT_SAME,
                                          [TN_CALL_SLOWER] = TN_VERDICT_SLOWER,
                                          [TN_CALL_FASTER] = TN_VERDICT_FASTER,
                                          [TN_CALL_OPEN] = TN_VERDICT_UNKNOWN};
    return verdicts[tn_ratio_call(r, threshold)];
}

static void judge_all(tn_comparison *c) {
    for (size_t i = 0; i < c->count; i++) {
        tn_compared_row *row = &c->rows[i];
        const tn_compared_device *d = &c->devices[row->device];
        if (is_compared(row) && d->divided) {
            row->ratio.log -= d->log_shift;
            row->ratio.log_low -= d->log_shift;
            row->ratio.log_high -= d->log_shift;
        }
        row->verdict = is_compared(row) ? judge(&row->ratio, log1p(c->options.threshold_pct / 100))
                                        : verdict_of_status(row);
        c->verdicts[row->verdict]++;
    }
}

static int by_verdict(const void *a, const void *b) {
    const tn_compared_row *x = a, *y = b;
    if (x->verdict != y->verdict)
        return x->verdict < y->verdict ? -1 : 1;
    double p = fabs(x->ratio.log), q = fabs(y->ratio.log);
    bool sized = x->verdict == TN_VERDICT_SLOWER || x->verdict == TN_VERDICT_FASTER;
    return sized && p != q ? (p > q ? -1 : 1) : strcmp(x->name, y->name);
}

static tn_status none_common(const tn_comparison *c, const char *before, const char *after) {
    char lists[2][2048] = {"", ""};
    for (int s = 0; s < 2; s++)
        for (size_t i = 0, used = 0; i < c->seen[s].count && used < sizeof lists[s]; i++)
            used += (size_t)snprintf(lists[s] + used, sizeof lists[s] - used, "%s%s", i ? "; " : "",
                                     c->seen[s].items[i].label);
    return tn_fail(
        c->ctx, TN_ERR_INPUT,
        "no row of %s is in %s: they measured other devices or other work; rows are matched by "
        "device, level, op, pass, mixer, shape, rho, schedule and peer. Devices of old: %s; of new: %s. "
        "--map OLD=NEW says which are one, --any-host takes those of one name on several machines for one",
        before, after, lists[0], lists[1]);
}

tn_status tn_comparison_make(tn_context *ctx, const char *before, const char *after,
                             const tn_compare_options *options, tn_comparison *out) {
    tn_status status = TN_OK;
    size_t both = 0;
    char *files[2] = {NULL, NULL};
    *out = (tn_comparison){.ctx = ctx,
                           .options = *options,
                           .names.ctx = ctx,
                           .shards = {tn_shards_none(ctx), tn_shards_none(ctx)}};
    TN_GO(tn_comparison_names(ctx, before, &files[0]));
    TN_GO(tn_comparison_names(ctx, after, &files[1]));
    TN_GO(tn_comparison_read(out, 0, files[0]));
    TN_GO(tn_comparison_read(out, 1, files[1]));
    TN_GO(tn_comparison_pair(out));
    TN_GO(tn_comparison_rows(out));
    TN_GO(tn_comparison_samples(out, 0, files[0]));
    TN_GO(tn_comparison_samples(out, 1, files[1]));
    for (size_t i = 0; i < out->count; i++)
        both += out->rows[i].side[0].status && out->rows[i].side[1].status;
    if (both == 0) {
        status = none_common(out, before, after);
        goto cleanup;
    }
    TN_GO(weigh(out));
    judge_all(out);
    qsort(out->rows, out->count, sizeof *out->rows, by_verdict);
cleanup:
    tn_free(ctx, files[0]);
    tn_free(ctx, files[1]);
    if (status != TN_OK)
        tn_comparison_free(out);
    return status;
}

void tn_comparison_free(tn_comparison *c) {
    tn_context *ctx = c->ctx;
    for (size_t i = 0; i < c->count; i++)
        for (int s = 0; s < 2; s++) {
            tn_times_list *list = &c->rows[i].side[s].times;
            for (size_t k = 0; k < list->count; k++)
                tn_free(ctx, list->items[k].ms);
            tn_free(ctx, list->items);
            tn_free(ctx, c->rows[i].side[s].runs);
        }
    for (size_t i = 0; i < c->table_count; i++)
        tn_csv_free(&c->tables[i].csv);
    for (int s = 0; s < 2 && ctx; s++) {
        tn_devices_free(&c->seen[s]);
        tn_shards_free(&c->shards[s]);
        tn_free(ctx, c->place[s]);
    }
    tn_names_free(&c->names);
    if (ctx) {
        tn_free(ctx, c->rows);
        tn_free(ctx, c->devices);
        tn_free(ctx, c->tables);
    }
    *c = (tn_comparison){0};
}
