#include "comparison.h"

#include "work_text.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

static bool is_compared(const tn_compared_row *row) {
    return row->verdict == TN_VERDICT_SLOWER || row->verdict == TN_VERDICT_FASTER ||
           row->verdict == TN_VERDICT_SAME || row->verdict == TN_VERDICT_UNKNOWN;
}

/* "2 x 90" runs and samples of a side */
static void count_of(const tn_times_list *list, char *text, size_t size) {
    long long n = (long long)tn_times_total(list);
    if (list->count > 1)
        snprintf(text, size, "%lld in %zu", n, list->count);
    else
        snprintf(text, size, "%lld", n);
}

static tn_status prose_row(tn_text_table *table, const tn_compared_row *row, const char *device) {
    char text[256], other[64];
    const tn_ratio *r = &row->ratio;
    TN_TRY(tn_text_table_cell(table, "%s", tn_verdict_name(row->verdict)));
    if (device)
        TN_TRY(tn_text_table_cell(table, "%s", device));
    tn_work_what(row->key, text, sizeof text);
    TN_TRY(tn_text_table_cell(table, "%s", text));
    tn_work_shape(row->key, text, sizeof text);
    TN_TRY(tn_text_table_cell(table, "%s", text));
    TN_TRY(tn_text_table_cell(table, "%.4g", tn_times_typical(&row->side[0].times)));
    TN_TRY(tn_text_table_cell(table, "%.4g", tn_times_typical(&row->side[1].times)));
    TN_TRY(tn_text_table_cell(table, "%.3f", exp(r->log)));
    if (isfinite(r->log_low) && isfinite(r->log_high))
        TN_TRY(tn_text_table_cell(table, "%.3f to %.3f", exp(r->log_low), exp(r->log_high)));
    else
        TN_TRY(tn_text_table_cell(table, "too few"));
    count_of(&row->side[0].times, text, sizeof text);
    count_of(&row->side[1].times, other, sizeof other);
    return tn_text_table_cell(table, "%s, %s %s", text, other, r->by_samples ? "samples" : "by quartiles");
}

static tn_status print_compared(const tn_comparison *c, FILE *stream, tn_table_format format) {
    static const char *const titles[] = {"verdict", "device",  "what",     "shape", "old ms",
                                         "new ms",  "new/old", "interval", "from"};
    const char *chosen[9];
    tn_text_table *table;
    bool device = c->device_count > 1;
    size_t columns = 0, rows = 0;
    for (size_t i = 0; i < 9; i++)
        if (device || i != 1)
            chosen[columns++] = titles[i];
    TN_TRY(tn_text_table_make(c->ctx, chosen, columns, &table));
    tn_status status = TN_OK;
    for (size_t i = 0; i < c->count; i++)
        if (is_compared(&c->rows[i])) {
            TN_GO(prose_row(table, &c->rows[i], device ? c->devices[c->rows[i].device].label : NULL));
            rows++;
        }
    if (rows > 0)
        TN_GO(tn_text_table_print(table, stream, format));
cleanup:
    tn_text_table_free(table);
    return status;
}

/* Rows that are ok on one side at most, though both have them. */
static tn_status print_failed(const tn_comparison *c, FILE *stream, tn_table_format format) {
    static const char *const titles[] = {"verdict", "device", "what", "shape", "old", "new", "reason"};
    tn_text_table *table;
    size_t rows = 0;
    TN_TRY(tn_text_table_make(c->ctx, titles, 7, &table));
    tn_status status = TN_OK;
    for (size_t i = 0; i < c->count; i++) {
        const tn_compared_row *row = &c->rows[i];
        char what[256], shape[256];
        if (is_compared(row) || row->verdict == TN_VERDICT_ONLY_OLD || row->verdict == TN_VERDICT_ONLY_NEW)
            continue;
        tn_work_what(row->key, what, sizeof what);
        tn_work_shape(row->key, shape, sizeof shape);
        const tn_compared_side *side = &row->side[row->verdict != TN_VERDICT_FIXED];
        TN_GO(tn_text_table_add_row(table, (const char *[]){tn_verdict_name(row->verdict),
                                                            c->devices[row->device].label, what, shape,
                                                            row->side[0].status, row->side[1].status,
                                                            side->reason ? side->reason : ""}));
        rows++;
    }
    if (rows > 0) {
        fprintf(stream, "\nNot ok on one side or on both:\n\n");
        TN_GO(tn_text_table_print(table, stream, format));
    }
cleanup:
    tn_text_table_free(table);
    return status;
}

/* Where the two sides of a device are not the same word for word: another driver, slot or machine. */
static void print_sides(const tn_compared_device *d, FILE *stream) {
    const tn_device_id *x = d->side[0], *y = d->side[1];
    if (!x || !y ||
        (strcmp(x->name, y->name) == 0 && strcmp(x->mark, y->mark) == 0 && strcmp(x->host, y->host) == 0))
        return;
    for (int s = 0; s < 2; s++)
        fprintf(stream, "%s: %s, on %s%s%s%s", s ? "new" : "Old", d->side[s]->name,
                *d->side[s]->host ? d->side[s]->host : "a machine without name",
                *d->side[s]->mark ? ", " : "", d->side[s]->mark, s ? "\n" : "; ");
}

static void print_device(const tn_compared_device *d, bool relative, FILE *stream) {
    double percent = 100 * expm1(fabs(d->log_shift));
    const char *way = d->log_shift > 0 ? "slower" : "faster";
    if (d->rows == 0)
        return;
    print_sides(d, stream);
    if (d->common)
        fprintf(stream, "%s: the rows together run %.1f %% %s (median of %zu): machine, not kernel?",
                d->label, percent, way, d->rows);
    else
        fprintf(stream, "%s: median ratio of its %zu rows %.3f.", d->label, d->rows, exp(d->log_shift));
    if (d->divided)
        fputs(" Ratios above are after dividing by that.", stream);
    else if (relative)
        fputs(" Too few rows to judge them relative to that.", stream);
    else if (d->common)
        fputs(" --relative judges rows after dividing by that.", stream);
    if (d->between > 0)
        fprintf(stream, " From run to run of one program a row differs by about %.1f %%%s.", 100 * d->between,
                d->repeated ? "" : " (from how the ratios scatter; several runs a side tell it better)");
    fputc('\n', stream);
}

static void print_counts(const tn_comparison *c, FILE *stream) {
    const size_t *v = c->verdicts;
    size_t rows = v[TN_VERDICT_SLOWER] + v[TN_VERDICT_FASTER] + v[TN_VERDICT_SAME] + v[TN_VERDICT_UNKNOWN];
    fputc('\n', stream);
    for (size_t i = 0; i < c->device_count; i++)
        print_device(&c->devices[i], c->options.relative, stream);
    fprintf(stream, "%zu rows compared: %zu slower, %zu faster, %zu same within %g %%, %zu cannot be told.",
            rows, v[TN_VERDICT_SLOWER], v[TN_VERDICT_FASTER], v[TN_VERDICT_SAME], c->options.threshold_pct,
            v[TN_VERDICT_UNKNOWN]);
    if (v[TN_VERDICT_BROKEN] + v[TN_VERDICT_FIXED] + v[TN_VERDICT_FAILING])
        fprintf(stream, " Not ok: %zu newly, %zu as before; %zu fixed.", v[TN_VERDICT_BROKEN],
                v[TN_VERDICT_FAILING], v[TN_VERDICT_FIXED]);
    if (v[TN_VERDICT_ONLY_OLD] + v[TN_VERDICT_ONLY_NEW])
        fprintf(stream, " Only in old: %zu; only in new: %zu.", v[TN_VERDICT_ONLY_OLD],
                v[TN_VERDICT_ONLY_NEW]);
    fputc('\n', stream);
    if (v[TN_VERDICT_UNKNOWN] && isfinite(c->visible))
        fprintf(stream,
                "Half of the rows would show a difference of %.2g %%; more runs a side show smaller ones.\n",
                100 * expm1(c->visible));
}

static tn_status real_cell(tn_text_table *table, bool known, double value) {
    return known && isfinite(value) ? tn_text_table_cell(table, "%.6g", value)
                                    : tn_text_table_cell(table, "%s", "");
}

static tn_status count_cell(tn_text_table *table, const tn_compared_side *side) {
    return side->times.count ? tn_text_table_cell(table, "%lld", (long long)tn_times_total(&side->times))
                             : tn_text_table_cell(table, "%s", "");
}

static tn_status data_row(tn_text_table *table, const tn_comparison *c, const tn_compared_row *row) {
    const tn_compared_device *device = &c->devices[row->device];
    bool compared = is_compared(row);
    TN_TRY(tn_text_table_cell(table, "%s", tn_verdict_name(row->verdict)));
    for (int k = 0; k < TN_COLUMNS; k++)
        if (row->key[k])
            TN_TRY(tn_text_table_cell(table, "%s", row->key[k]));
    for (int s = 0; s < 2; s++)
        TN_TRY(real_cell(table, row->side[s].times.count > 0, tn_times_typical(&row->side[s].times)));
    TN_TRY(real_cell(table, compared, exp(row->ratio.log)));
    TN_TRY(real_cell(table, compared && isfinite(row->ratio.log_low), exp(row->ratio.log_low)));
    TN_TRY(real_cell(table, compared, exp(row->ratio.log_high)));
    TN_TRY(tn_text_table_cell(table, "%s", !compared ? "" : row->ratio.by_samples ? "samples" : "quartiles"));
    for (int s = 0; s < 2; s++) {
        TN_TRY(count_cell(table, &row->side[s]));
        TN_TRY(tn_text_table_cell(table, "%s", row->side[s].status ? row->side[s].status : ""));
    }
    const char *before = row->side[0].reason, *after = row->side[1].reason;
    TN_TRY(tn_text_table_cell(table, "%s", after ? after : before ? before : ""));
    for (int s = 0; s < 2; s++)
        TN_TRY(tn_text_table_cell(table, "%s", device->side[s] ? device->side[s]->label : ""));
    return TN_OK;
}

static tn_status print_data(const tn_comparison *c, FILE *stream, tn_table_format format) {
    static const char *const results[] = {"old_ms", "new_ms",     "ratio",      "ratio_low", "ratio_high",
                                          "from",   "old_n",      "old_status", "new_n",     "new_status",
                                          "reason", "old_device", "new_device"};
    enum { RESULTS = sizeof results / sizeof *results };
    const char *titles[1 + TN_COLUMNS + RESULTS] = {"verdict"};
    size_t count = 1;
    tn_text_table *table;
    for (int k = 0; k < TN_COLUMNS; k++)
        if (tn_cost_columns[k].uses & (TN_COL_DEVICE | TN_COL_WORK))
            titles[count++] = tn_cost_columns[k].name;
    memcpy(titles + count, results, sizeof results);
    TN_TRY(tn_text_table_make(c->ctx, titles, count + RESULTS, &table));
    tn_status status = TN_OK;
    for (size_t i = 0; i < c->count; i++)
        TN_GO(data_row(table, c, &c->rows[i]));
    status = tn_text_table_print(table, stream, format);
cleanup:
    tn_text_table_free(table);
    return status;
}

tn_status tn_comparison_print(const tn_comparison *c, FILE *stream, tn_table_format format) {
    if (format == TN_TABLE_CSV || format == TN_TABLE_JSON) {
        TN_TRY(print_data(c, stream, format));
        if (!c->ctx->quiet)
            print_counts(c, stderr);
        return TN_OK;
    }
    TN_TRY(print_compared(c, stream, format));
    TN_TRY(print_failed(c, stream, format));
    print_counts(c, stream);
    return tn_printed(c->ctx, stream);
}
