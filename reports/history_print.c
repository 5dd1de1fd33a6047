#include "history.h"

#include "work_text.h"

#include <math.h>
#include <string.h>

static const char *version_of(const tn_history *h, size_t column) {
    const char *name = h->lineup.columns[column].name;
    return *name ? name : "no version";
}

static const char *device_of(const tn_history *h, const tn_change *c) {
    return h->lineup.devices.items[c->work->device].label;
}

static tn_status before_cell(tn_text_table *table, const tn_history *h, const tn_change *c) {
    return c->first == c->before
               ? tn_text_table_cell(table, "%s", version_of(h, c->before))
               : tn_text_table_cell(table, "%s to %s", version_of(h, c->first), version_of(h, c->before));
}

static tn_status change_row(tn_text_table *table, const tn_history *h, const tn_change *c, bool device) {
    char text[256];
    TN_TRY(tn_text_table_cell(table, "%s%s", tn_change_name(c->kind), c->last ? "" : ", not any more"));
    if (device)
        TN_TRY(tn_text_table_cell(table, "%s", device_of(h, c)));
    tn_work_what(c->work->key, text, sizeof text);
    TN_TRY(tn_text_table_cell(table, "%s", text));
    tn_work_shape(c->work->key, text, sizeof text);
    TN_TRY(tn_text_table_cell(table, "%s", text));
    TN_TRY(tn_text_table_cell(table, "%s%s", c->gradual ? "little by little, by " : "",
                              version_of(h, c->since)));
    TN_TRY(tn_text_table_cell(table, "%.10s", h->lineup.columns[c->since].since));
    TN_TRY(before_cell(table, h, c));
    TN_TRY(tn_text_table_cell(table, "%.4g", c->before_ms));
    if (c->kind == TN_CHANGE_BROKEN) {
        for (int i = 0; i < 2; i++)
            TN_TRY(tn_text_table_cell(table, "%s", ""));
        TN_TRY(tn_text_table_cell(table, "%s", c->reason ? c->reason : ""));
    } else {
        TN_TRY(tn_text_table_cell(table, "%.4g", c->after_ms));
        TN_TRY(tn_text_table_cell(table, "%.3f", exp(c->ratio.log)));
        TN_TRY(tn_text_table_cell(table, "%.3f to %.3f", exp(c->ratio.log_low), exp(c->ratio.log_high)));
    }
    return tn_text_table_cell(table, "%zu, %zu", c->before_runs, c->after_runs);
}

static tn_status print_changes(const tn_history *h, FILE *stream, tn_table_format format) {
    static const char *const titles[] = {"change",   "device",       "what",     "shape",
                                         "since",    "date",         "before",   "before ms",
                                         "after ms", "after/before", "interval", "runs"};
    enum { TITLES = sizeof titles / sizeof *titles };
    const char *chosen[TITLES];
    const bool device = h->lineup.devices.count > 1;
    size_t columns = 0;
    tn_text_table *table;
    if (h->count == 0)
        return TN_OK;
    for (size_t i = 0; i < TITLES; i++)
        if (device || i != 1)
            chosen[columns++] = titles[i];
    TN_TRY(tn_text_table_make(h->lineup.ctx, chosen, columns, &table));
    tn_status status = TN_OK;
    for (size_t i = 0; i < h->count; i++)
        TN_GO(change_row(table, h, &h->changes[i], device));
    status = tn_text_table_print(table, stream, format);
    fputc('\n', stream);
cleanup:
    tn_text_table_free(table);
    return status;
}

/* Versions at which the rows of a device go one way together. */
static void print_steps(const tn_history *h, FILE *stream) {
    const size_t columns = h->lineup.column_count;
    for (size_t d = 0; d < h->lineup.devices.count; d++)
        for (size_t c = 1; c < columns; c++) {
            const tn_history_step *step = &h->steps[d * columns + c];
            if (step->common)
                fprintf(
                    stream,
                    "%s, %s: the rows together run %.1f %% %s than in the version before (median of %zu): "
                    "machine, not "
                    "kernel?%s\n",
                    h->lineup.devices.items[d].label, version_of(h, c), 100 * expm1(fabs(step->log_shift)),
                    step->log_shift > 0 ? "slower" : "faster", step->rows,
                    h->options.relative ? " Taken out of the times above." : " --relative takes that out.");
        }
}

static void print_counts(const tn_history *h, FILE *stream) {
    const size_t *now = h->now;
    print_steps(h, stream);
    fprintf(stream,
            "%zu works followed over %zu versions (%s to %s) on %zu device%s: %zu slower, %zu faster, %zu "
            "not ok any more, %zu "
            "without a change of more than %g %% for certain.",
            h->followed, h->lineup.column_count, version_of(h, 0), version_of(h, h->lineup.column_count - 1),
            h->lineup.devices.count, h->lineup.devices.count == 1 ? "" : "s", now[TN_CHANGE_SLOWER],
            now[TN_CHANGE_FASTER], now[TN_CHANGE_BROKEN], h->steady, h->options.threshold_pct);
    if (now[TN_CHANGE_SLOWER_ONCE] + now[TN_CHANGE_FASTER_ONCE])
        fprintf(stream,
                " Seen in one run of the newest version alone, and not counted: %zu slower, %zu faster; "
                "measure again.",
                now[TN_CHANGE_SLOWER_ONCE], now[TN_CHANGE_FASTER_ONCE]);
    if (h->passing)
        fprintf(stream, " Differences of one run that the next version did not have: %zu.", h->passing);
    fputc('\n', stream);
}

/* ---- data ---- */

static tn_status real_cell(tn_text_table *table, double value) {
    return isfinite(value) ? tn_text_table_cell(table, "%.6g", value) : tn_text_table_cell(table, "%s", "");
}

static tn_status data_row(tn_text_table *table, const tn_history *h, const tn_change *c) {
    const bool broken = c->kind == TN_CHANGE_BROKEN;
    TN_TRY(tn_text_table_cell(table, "%s", tn_change_name(c->kind)));
    TN_TRY(tn_text_table_cell(table, "%s", device_of(h, c)));
    for (int k = 0; k < TN_COLUMNS; k++)
        if (tn_cost_columns[k].uses & TN_COL_WORK)
            TN_TRY(tn_text_table_cell(table, "%s", c->work->key[k]));
    TN_TRY(tn_text_table_cell(table, "%s", h->lineup.columns[c->since].name));
    TN_TRY(tn_text_table_cell(table, "%s", h->lineup.columns[c->since].since));
    TN_TRY(tn_text_table_cell(table, "%s", h->lineup.columns[c->first].name));
    TN_TRY(tn_text_table_cell(table, "%s", h->lineup.columns[c->before].name));
    TN_TRY(real_cell(table, c->before_ms));
    TN_TRY(real_cell(table, broken ? NAN : c->after_ms));
    TN_TRY(real_cell(table, broken ? NAN : exp(c->ratio.log)));
    TN_TRY(real_cell(table, broken ? NAN : exp(c->ratio.log_low)));
    TN_TRY(real_cell(table, broken ? NAN : exp(c->ratio.log_high)));
    TN_TRY(tn_text_table_cell(table, "%zu", c->before_runs));
    TN_TRY(tn_text_table_cell(table, "%zu", c->after_runs));
    TN_TRY(tn_text_table_cell(table, "%s", c->gradual ? "1" : "0"));
    TN_TRY(tn_text_table_cell(table, "%s", c->last ? "1" : "0"));
    return tn_text_table_cell(table, "%s", c->reason ? c->reason : "");
}

static tn_status print_data(const tn_history *h, FILE *stream, tn_table_format format) {
    static const char *const results[] = {
        "since",     "since_utc",  "before_first", "before_last", "before_ms", "after_ms", "ratio",
        "ratio_low", "ratio_high", "before_runs",  "after_runs",  "gradual",   "last",     "reason"};
    enum { RESULTS = sizeof results / sizeof *results };
    const char *titles[2 + TN_COLUMNS + RESULTS] = {"change", "device"};
    size_t count = 2;
    tn_text_table *table;
    for (int k = 0; k < TN_COLUMNS; k++)
        if (tn_cost_columns[k].uses & TN_COL_WORK)
            titles[count++] = tn_cost_columns[k].name;
    memcpy(titles + count, results, sizeof results);
    TN_TRY(tn_text_table_make(h->lineup.ctx, titles, count + RESULTS, &table));
    tn_status status = TN_OK;
    for (size_t i = 0; i < h->count; i++)
        TN_GO(data_row(table, h, &h->changes[i]));
    status = tn_text_table_print(table, stream, format);
cleanup:
    tn_text_table_free(table);
    return status;
}

tn_status tn_history_print(const tn_history *h, FILE *stream, tn_table_format format) {
    if (format == TN_TABLE_CSV || format == TN_TABLE_JSON) {
        TN_TRY(print_data(h, stream, format));
        if (!h->lineup.ctx->quiet)
            print_counts(h, stderr);
        return TN_OK;
    }
    TN_TRY(print_changes(h, stream, format));
    print_counts(h, stream);
    return tn_printed(h->lineup.ctx, stream);
}
