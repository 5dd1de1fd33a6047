#include "summary_table.h"

#include "breakeven.h"
#include "inputs.h"
#include "paying.h"

#include <math.h>
#include <string.h>

static bool is_prose(tn_table_format format) {
    return format == TN_TABLE_TEXT || format == TN_TABLE_MARKDOWN;
}

/* A number that is not there is a dash to people and an empty cell in a file. */
static tn_status number_cell(tn_text_table *table, double value, const char *printed,
                             tn_table_format format) {
    if (isfinite(value))
        return tn_text_table_cell(table, printed, value);
    return tn_text_table_cell(table, "%s", is_prose(format) ? "–" : "");
}

/* Whether what a run saved means anything: not where it is held against itself, nor where it went wrong. */
static bool has_savings(const tn_run *run) {
    const bool own =
        strcmp(tn_run_text(run, "mixer"), "attention") == 0 && !(tn_run_number(run, "window") > 0);
    return !own && strcmp(tn_run_text(run, "status"), "ok") == 0;
}

/* A percentage with its quartiles where it has them; a word ("unmeasured") stays one. Against itself nothing
 * is saved, and where 0 lies between the quartiles nothing is told. */
static tn_status saving_cell(tn_text_table *table, const tn_run *run, const char *field,
                             tn_table_format format) {
    char name[64];
    const char *word = tn_run_text(run, field);
    double value = tn_run_number(run, field);
    if (*word)
        return tn_text_table_cell(table, "%s", word);
    if (!has_savings(run) && isfinite(value))
        return tn_text_table_cell(table, "%s", is_prose(format) ? "n/a" : "");
    snprintf(name, sizeof name, "%s_q1", field);
    double low = tn_run_number(run, name);
    snprintf(name, sizeof name, "%s_q3", field);
    double high = tn_run_number(run, name);
    if (!is_prose(format) || !isfinite(low) || !isfinite(high))
        return number_cell(table, value, "%.1f", format);
    if (fmin(low, high) <= 0 && fmax(low, high) >= 0)
        return tn_text_table_cell(table, "n/a (%.1f … %.1f)", low, high);
    return tn_text_table_cell(table, "%.1f (%.1f … %.1f)", value, low, high);
}

/* Files have the quartiles as columns of their own. */
static tn_status quartile_cell(tn_text_table *table, const tn_run *run, const char *field,
                               tn_table_format format) {
    return number_cell(table, has_savings(run) ? tn_run_number(run, field) : NAN, "%.1f", format);
}

/* Files keep the contract's units: accuracy as a fraction. */
static tn_status run_row(tn_text_table *table, const tn_run *run, tn_table_format format) {
    double accuracy = tn_run_number(run, "accuracy");
    const char *state = !run->summary ? "not evaluated" : tn_run_text(run, "status");
    TN_TRY(tn_text_table_cell(table, "%s", run->name));
    if (is_prose(format))
        TN_TRY(number_cell(table, 100 * accuracy, "%.1f", format));
    else
        TN_TRY(number_cell(table, accuracy, "%.6g", format));
    TN_TRY(number_cell(table, tn_run_number(run, "attention_pct"), "%.3g", format));
    TN_TRY(number_cell(table, tn_run_number(run, "floor_pct"), "%.3g", format));
    TN_TRY(saving_cell(table, run, "score_flops_saved_pct", format));
    TN_TRY(saving_cell(table, run, "all_flops_saved_pct", format));
    TN_TRY(saving_cell(table, run, "time_saved_pct", format));
    TN_TRY(saving_cell(table, run, "energy_saved_pct", format));
    TN_TRY(tn_text_table_cell(table, "%s", is_prose(format) && strcmp(state, "ok") == 0 ? "" : state));
    if (is_prose(format))
        return TN_OK;
    TN_TRY(quartile_cell(table, run, "time_saved_pct_q1", format));
    return quartile_cell(table, run, "time_saved_pct_q3", format);
}

/* The order in which a newcomer meets them: the cheap track, the costly one, the one that chooses, the
 * controls. */
static int mixer_rank(const tn_run *run) {
    static const char *const order[] = {"conv", "attention", "routed"};
    int rank = 0;
    while (rank < 3 && strcmp(tn_run_text(run, "mixer"), order[rank]) != 0)
        rank++;
    return rank;
}

static tn_status print_runs(const tn_inputs *in, FILE *stream, tn_table_format format) {
    static const char *const short_titles[] = {
        "run", "accuracy %", "attention %", "floor %", "score FLOPs", "all FLOPs", "time", "energy", "note"};
    static const char *const long_titles[] = {"run",
                                              "accuracy",
                                              "attention_pct",
                                              "floor_pct",
                                              "score_flops_saved_pct",
                                              "all_flops_saved_pct",
                                              "time_saved_pct",
                                              "energy_saved_pct",
                                              "status",
                                              "time_saved_pct_q1",
                                              "time_saved_pct_q3"};
    tn_text_table *table;
    bool prose = is_prose(format);
    TN_TRY(tn_text_table_make(in->ctx, prose ? short_titles : long_titles, prose ? 9 : 11, &table));
    tn_status status = TN_OK;
    for (int rank = 0; rank <= 3; rank++)
        for (size_t i = 0; i < in->run_count; i++)
            if (mixer_rank(&in->runs[i]) == rank)
                TN_GO(run_row(table, &in->runs[i], format));
    TN_GO(tn_text_table_print(table, stream, format));
cleanup:
    tn_text_table_free(table);
    return status;
}

/* Up to where compacted is the faster one; stands in its own rows alone. */
static tn_status beats_cell(tn_text_table *table, bool compacted, bool measured,
                            const tn_breakeven_bound *bound, tn_table_format format) {
    char text[32];
    if (!compacted || !measured)
        return tn_text_table_cell(table, "%s", compacted ? "not measured" : is_prose(format) ? "–" : "");
    tn_breakeven_text(bound, text, sizeof text);
    return tn_text_table_cell(table, "%s", text);
}

/* Of decoding, which has no T. */
static tn_status context_cell(tn_text_table *table, const tn_breakeven *b, tn_table_format format) {
    if (b->context > 0 && strcmp(b->contexts, "ragged") == 0)
        return tn_text_table_cell(table, "up to %.0f", b->context);
    return number_cell(table, b->context, "%.0f", format);
}

static tn_status breakeven_row(tn_text_table *table, const tn_breakeven *b, tn_table_format format) {
    char text[32], interval[80];
    const tn_breakeven_point *first = &b->points[0];
    tn_breakeven_text(&b->even, text, sizeof text);
    tn_breakeven_interval_text(b, interval, sizeof interval);
    bool compacted = strcmp(b->execution, "compacted") == 0;
    TN_TRY(tn_text_table_cell(table, "%s", b->device));
    TN_TRY(tn_text_table_cell(table, "%s", b->execution));
    TN_TRY(number_cell(table, b->T, "%.0f", format));
    TN_TRY(context_cell(table, b, format));
    TN_TRY(number_cell(table, b->D, "%.0f", format));
    TN_TRY(tn_text_table_cell(table, "%s", text));
    TN_TRY(tn_text_table_cell(table, "%s", interval));
    TN_TRY(tn_text_table_cell(table, "%.3g", first->rho));
    if (isfinite(first->speedup_q1) && isfinite(first->speedup_q3))
        TN_TRY(tn_text_table_cell(table, "%.3g× (%.3g … %.3g)", first->speedup, first->speedup_q1,
                                  first->speedup_q3));
    else
        TN_TRY(tn_text_table_cell(table, "%.3g×", first->speedup));
    TN_TRY(number_cell(table, first->ideal, "%.3g×", format));
    TN_TRY(number_cell(table, first->share_pct, "%.0f", format));
    TN_TRY(number_cell(table, b->masked_speedup, "%.3g×", format));
    TN_TRY(beats_cell(table, compacted, isfinite(b->masked_speedup), &b->compact, format));
    /* decoding has no blocks */
    return beats_cell(table, compacted && !(b->context > 0), b->has_blocks, &b->skip, format);
}

static tn_status print_breakevens(const tn_breakevens *found, FILE *stream, tn_table_format format) {
    static const char *const titles[] = {"device",
                                         "execution",
                                         "T",
                                         "context",
                                         "D",
                                         "break-even ρ*",
                                         "ρ* by quartiles",
                                         "at smallest ρ",
                                         "faster",
                                         "ideal",
                                         "share of ideal %",
                                         "masked",
                                         "compacted beats it below ρ",
                                         "beats block-skipping below ρ"};
    tn_text_table *table;
    TN_TRY(tn_text_table_make(found->ctx, titles, sizeof titles / sizeof titles[0], &table));
    tn_status status = TN_OK;
    for (size_t i = 0; i < found->count; i++)
        TN_GO(breakeven_row(table, &found->items[i], format));
    TN_GO(tn_text_table_print(table, stream, format));
cleanup:
    tn_text_table_free(table);
    return status;
}

/* Where there is decoding; for people alone. */
static tn_status print_paying(const tn_breakevens *found, FILE *stream, tn_table_format format) {
    static const char *const titles[] = {
        "device", "B", "D", "contexts", "routed ρ", "pays from context", "measured", "faster at the longest"};
    tn_payings all;
    tn_text_table *table = NULL;
    tn_status status = TN_OK;
    char text[32];
    TN_GO(tn_payings_make(found, &all));
    if (all.count == 0)
        goto cleanup;
    TN_GO(tn_text_table_make(found->ctx, titles, sizeof titles / sizeof titles[0], &table));
    for (size_t i = 0; i < all.count; i++) {
        const tn_paying *p = &all.items[i];
        const tn_paying_point *last = &p->points[p->count - 1];
        tn_paying_text(&p->from, text, sizeof text);
        TN_GO(tn_text_table_cell(table, "%s", p->of->device));
        TN_GO(number_cell(table, p->of->B, "%.0f", format));
        TN_GO(number_cell(table, p->of->D, "%.0f", format));
        TN_GO(tn_text_table_cell(table, "%s", p->of->contexts));
        TN_GO(tn_text_table_cell(table, "%.3g", p->rho));
        TN_GO(tn_text_table_cell(table, "%s", text));
        TN_GO(tn_text_table_cell(table, "%.0f to %.0f", p->points[0].context, last->context));
        TN_GO(tn_text_table_cell(table, "%.3g×", last->speedup));
    }
    fputs("\n", stream);
    TN_GO(tn_text_table_print(table, stream, format));
    fputs("\nA token at a time: from that context on a routed layer is faster than attention.\n", stream);
cleanup:
    tn_text_table_free(table);
    tn_payings_free(&all);
    return status;
}

tn_status tn_summary_print(tn_context *ctx, const char *folder, FILE *stream, tn_table_format format,
                           bool warn) {
    bool prose = is_prose(format);
    tn_inputs in;
    tn_breakevens found = {.ctx = ctx};
    TN_TRY(tn_inputs_read(ctx, &folder, 1, &in));
    tn_status status = TN_OK;
    if (warn)
        tn_inputs_warn(&in);
    for (size_t i = 0; i < in.cost_count; i++)
        TN_GO(tn_breakevens_add(ctx, &in.costs[i], &found));
    if (in.run_count > 0) {
        TN_GO(print_runs(&in, stream, format));
        if (prose)
            fputs("\nSaved against the same model with attention in every row, on the same device in the "
                  "same run; in brackets the quartiles.\nn/a: the run is that model, or 0 lies between the "
                  "quartiles.\n",
                  stream);
    }
    if (found.count > 0 && (prose || in.run_count == 0)) {
        if (prose && in.run_count > 0)
            fputs("\n", stream);
        TN_GO(print_breakevens(&found, stream, format));
        if (prose)
            fputs(
                "\nρ is the share of rows that take attention; below ρ* a routed layer is faster than a "
                "dense one.\nBy quartiles: where the lower and the upper quartile of the ratio of batches "
                "cross 1; the spread within a run, no confidence interval.\nMasked: both tracks for all "
                "rows, then a choice, as fast at every ρ. Block-skipping: attention for whole blocks of rows "
                "of which any is routed.\nEvaluation, inference and compacted steps of training always run "
                "compacted.\n",
                stream);
        if (prose)
            TN_GO(print_paying(&found, stream, format));
    }
    status = tn_printed(ctx, stream);
cleanup:
    tn_breakevens_free(&found);
    tn_inputs_free(&in);
    return status;
}
