#include "across.h"

#include "work_text.h"

#include <math.h>
#include <string.h>

static const char *name_of(const tn_across *a, const tn_across_place *p) {
    return a->lineup.columns[p->cell->column].name;
}

static tn_status interval_cell(tn_text_table *table, double low, double high) {
    if (!isfinite(low) || !isfinite(high))
        return tn_text_table_cell(table, "too few");
    return tn_text_table_cell(table, "%.3g to %.3g", exp(low), exp(high));
}

static tn_status from_cell(tn_text_table *table, const tn_across_place *x, const tn_across_place *y) {
    char one[64], other[64];
    tn_lineup_count_text(&x->cell->times, one, sizeof one);
    tn_lineup_count_text(&y->cell->times, other, sizeof other);
    return tn_text_table_cell(table, "%s, %s", one, other);
}

static const char *called(const tn_across_work *work, const char *fastest) {
    tn_call call = work->places[1].call;
    return call == TN_CALL_SLOWER ? fastest : call == TN_CALL_SAME ? "same" : "cannot tell";
}

static tn_status work_cells(tn_text_table *table, const tn_across_work *work) {
    char text[256];
    tn_work_what(work->work->key, text, sizeof text);
    TN_TRY(tn_text_table_cell(table, "%s", text));
    tn_work_shape(work->work->key, text, sizeof text);
    return tn_text_table_cell(table, "%s", text);
}

/* Second / first, whichever is the faster. */
static tn_status pair_row(const tn_across *a, tn_text_table *table, const tn_across_work *work) {
    const tn_across_place *fast = &work->places[0], *slow = &work->places[1];
    const bool turned = fast->cell->column > slow->cell->column;
    const tn_across_place *first = turned ? slow : fast, *second = turned ? fast : slow;
    const tn_ratio *r = &slow->ratio;
    TN_TRY(work_cells(table, work));
    TN_TRY(tn_text_table_cell(table, "%.4g", first->ms));
    TN_TRY(tn_text_table_cell(table, "%.4g", second->ms));
    TN_TRY(tn_text_table_cell(table, "%.3g", turned ? exp(-r->log) : exp(r->log)));
    TN_TRY(turned ? interval_cell(table, -r->log_high, -r->log_low)
                  : interval_cell(table, r->log_low, r->log_high));
    TN_TRY(tn_text_table_cell(table, "%s", called(work, name_of(a, fast))));
    return from_cell(table, first, second);
}

static tn_status best_row(const tn_across *a, tn_text_table *table, const tn_across_work *work) {
    const tn_across_place *fast = &work->places[0], *next = &work->places[1];
    TN_TRY(work_cells(table, work));
    TN_TRY(tn_text_table_cell(table, "%s", name_of(a, fast)));
    TN_TRY(tn_text_table_cell(table, "%.4g", fast->ms));
    TN_TRY(tn_text_table_cell(table, "%s", name_of(a, next)));
    TN_TRY(tn_text_table_cell(table, "%.4g", next->ms));
    TN_TRY(tn_text_table_cell(table, "%.3g", exp(next->ratio.log)));
    TN_TRY(interval_cell(table, next->ratio.log_low, next->ratio.log_high));
    TN_TRY(tn_text_table_cell(table, "%s", called(work, "surely")));
    TN_TRY(from_cell(table, fast, next));
    return tn_text_table_cell(table, "%zu", work->count);
}

static tn_status print_works(const tn_across *a, FILE *stream, tn_table_format format) {
    const bool pair = a->lineup.column_count == 2;
    const char *names[] = {a->lineup.columns[0].name, a->lineup.columns[1].name};
    char first[600], second[600];
    snprintf(first, sizeof first, "%.550s ms", names[0]);
    snprintf(second, sizeof second, "%.550s ms", names[1]);
    const char *const two[] = {"what", "shape", first, second, "second/first", "interval", "faster", "from"};
    static const char *const many[] = {"what",         "shape",    "fastest",  "ms",   "next",   "ms",
                                       "next/fastest", "interval", "fastest?", "from", "devices"};
    tn_text_table *table;
    TN_TRY(tn_text_table_make(a->lineup.ctx, pair ? two : many,
                              pair ? sizeof two / sizeof *two : sizeof many / sizeof *many, &table));
    tn_status status = TN_OK;
    for (size_t w = 0; w < a->count; w++)
        TN_GO(pair ? pair_row(a, table, &a->works[w]) : best_row(a, table, &a->works[w]));
    status = tn_text_table_print(table, stream, format);
cleanup:
    tn_text_table_free(table);
    return status;
}

static tn_status print_devices(const tn_across *a, FILE *stream, tn_table_format format) {
    static const char *const titles[] = {
        "device", "works", "fastest in", "surely", "median, of the fastest's time", "from run to run"};
    tn_text_table *table;
    TN_TRY(tn_text_table_make(a->lineup.ctx, titles, sizeof titles / sizeof *titles, &table));
    tn_status status = TN_OK;
    for (size_t d = 0; d < a->lineup.column_count; d++) {
        const tn_across_device *device = &a->devices[d];
        if (device->measured == 0)
            continue;
        TN_GO(tn_text_table_cell(table, "%s", a->lineup.columns[d].name));
        TN_GO(tn_text_table_cell(table, "%zu", device->measured));
        TN_GO(tn_text_table_cell(table, "%zu", device->fastest));
        TN_GO(tn_text_table_cell(table, "%zu", device->sure));
        TN_GO(tn_text_table_cell(table, "%.3g", device->behind));
        TN_GO(tn_text_table_cell(table, "%.1f %% %s", 100 * device->between,
                                 device->repeated            ? "seen"
                                 : a->options.noise_pct >= 0 ? "given"
                                                             : "assumed"));
    }
    fputc('\n', stream);
    status = tn_text_table_print(table, stream, format);
cleanup:
    tn_text_table_free(table);
    return status;
}

static void print_counts(const tn_across *a, FILE *stream) {
    size_t sure = 0, same = 0;
    bool assumed = false;
    for (size_t w = 0; w < a->count; w++) {
        sure += a->works[w].sure;
        same += a->works[w].places[1].call == TN_CALL_SAME;
    }
    for (size_t d = 0; d < a->lineup.column_count; d++)
        assumed = assumed || (!a->devices[d].repeated && a->options.noise_pct < 0);
    fprintf(stream,
            "\n%zu works on %zu devices: in %zu one is the fastest for certain, in %zu the two fastest are "
            "the same within "
            "%g %%, in %zu it cannot be told.",
            a->count, a->lineup.column_count, sure, same, a->options.threshold_pct, a->count - sure - same);
    if (a->alone)
        fprintf(stream, " On one device alone: %zu.", a->alone);
    if (assumed)
        fprintf(stream,
                "\nOf one run a device nothing tells how the next one differs: %g %% are assumed. Several "
                "runs of each, or "
                "--noise, narrow the intervals.",
                100 * TN_LINEUP_ASSUMED);
    fputc('\n', stream);
}

static tn_status real_cell(tn_text_table *table, double value) {
    return isfinite(value) ? tn_text_table_cell(table, "%.6g", value) : tn_text_table_cell(table, "%s", "");
}

static tn_status data_row(const tn_across *a, tn_text_table *table, const tn_across_work *work, size_t i) {
    static const char *const calls[] = {[TN_CALL_SAME] = "same",
                                        [TN_CALL_SLOWER] = "slower",
                                        [TN_CALL_OPEN] = "cannot tell",
                                        [TN_CALL_FASTER] = "cannot tell"};
    const tn_across_place *p = &work->places[i];
    for (int k = 0; k < TN_COLUMNS; k++)
        if (work->work->key[k])
            TN_TRY(tn_text_table_cell(table, "%s", work->work->key[k]));
    TN_TRY(tn_text_table_cell(table, "%s", name_of(a, p)));
    TN_TRY(tn_text_table_cell(table, "%zu", i + 1));
    TN_TRY(real_cell(table, p->ms));
    TN_TRY(real_cell(table, exp(p->ratio.log)));
    TN_TRY(real_cell(table, i ? exp(p->ratio.log_low) : NAN));
    TN_TRY(real_cell(table, i ? exp(p->ratio.log_high) : NAN));
    TN_TRY(tn_text_table_cell(table, "%s",
                              i            ? calls[p->call]
                              : work->sure ? "fastest"
                                           : calls[work->places[1].call]));
    TN_TRY(tn_text_table_cell(table, "%zu", p->cell->times.count));
    return tn_text_table_cell(table, "%lld", (long long)tn_times_total(&p->cell->times));
}

static tn_status print_data(const tn_across *a, FILE *stream, tn_table_format format) {
    static const char *const results[] = {"device",     "place",   "ms",   "ratio", "ratio_low",
                                          "ratio_high", "verdict", "runs", "n"};
    enum { RESULTS = sizeof results / sizeof *results };
    const char *titles[TN_COLUMNS + RESULTS];
    size_t count = 0;
    tn_text_table *table;
    for (int k = 0; k < TN_COLUMNS; k++)
        if (tn_cost_columns[k].uses & TN_COL_WORK)
            titles[count++] = tn_cost_columns[k].name;
    memcpy(titles + count, results, sizeof results);
    TN_TRY(tn_text_table_make(a->lineup.ctx, titles, count + RESULTS, &table));
    tn_status status = TN_OK;
    for (size_t w = 0; w < a->count; w++)
        for (size_t i = 0; i < a->works[w].count; i++)
            TN_GO(data_row(a, table, &a->works[w], i));
    status = tn_text_table_print(table, stream, format);
cleanup:
    tn_text_table_free(table);
    return status;
}

tn_status tn_across_print(const tn_across *a, FILE *stream, tn_table_format format) {
    if (format == TN_TABLE_CSV || format == TN_TABLE_JSON) {
        TN_TRY(print_data(a, stream, format));
        if (!a->lineup.ctx->quiet)
            print_counts(a, stderr);
        return TN_OK;
    }
    TN_TRY(print_works(a, stream, format));
    TN_TRY(print_devices(a, stream, format));
    print_counts(a, stream);
    return tn_printed(a->lineup.ctx, stream);
}
