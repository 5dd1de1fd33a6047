#include "study_rows.h"

#include "csv_read.h"
#include "csv_text.h"
#include "file.h"

#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const char *const tn_study_columns[TN_STUDY_COLUMNS + 1] = {"task",
                                                            "distance",
                                                            "length",
                                                            "pairs",
                                                            "mixer",
                                                            "routing",
                                                            "curriculum",
                                                            "seed",
                                                            "steps",
                                                            "params",
                                                            "device",
                                                            "platform",
                                                            "driver",
                                                            "eval_sequences",
                                                            "accuracy",
                                                            "attention_pct",
                                                            "attention_pct_layers",
                                                            "floor_pct",
                                                            "score_flops_saved_pct",
                                                            "all_flops_saved_pct",
                                                            "time_saved_pct",
                                                            "energy_saved_pct",
                                                            "eval_ms_per_sequence",
                                                            "train_s",
                                                            "status",
                                                            "reason",
                                                            "part",
                                                            "name",
                                                            "run",
                                                            "trained_distance",
                                                            "lambda",
                                                            "cross_entropy",
                                                            "bits_per_byte",
                                                            "rows_per_sequence",
                                                            "attention_pairs_pct",
                                                            "oracle_precision",
                                                            "oracle_recall",
                                                            "regret",
                                                            "phase1_s",
                                                            "phase2_s",
                                                            "steps_to_999",
                                                            "attention_eval_ms_per_sequence",
                                                            "time_saved_pct_q1",
                                                            "time_saved_pct_q3",
                                                            "energy_source",
                                                            "tuned",
                                                            "break_even_sequences",
                                                            "decisions_differ",
                                                            "decisions_compared",
                                                            "max_logit_diff",
                                                            "routed_row_ms",
                                                            "unrouted_row_ms",
                                                            "filler",
                                                            "regret_layer",
                                                            "energy_saved_pct_low",
                                                            "energy_saved_pct_high",
                                                            "version",
                                                            "shard",
                                                            "window",
                                                            "bits_last_quarter",
                                                            "label",
                                                            "trained_length",
                                                            "budget",
                                                            "us_per_token",
                                                            "win_kept_pct",
                                                            "both_kept_pct"};

static int column_of(const char *name) {
    for (int i = 0; i < TN_STUDY_COLUMNS; i++)
        if (strcmp(tn_study_columns[i], name) == 0)
            return i;
    return -1;
}

void tn_study_row_free(tn_context *ctx, tn_study_row *row) {
    for (int i = 0; i < TN_STUDY_COLUMNS; i++)
        tn_free(ctx, row->cells[i]);
    *row = (tn_study_row){{0}};
}

static tn_status set(tn_context *ctx, tn_study_row *row, int column, const char *text) {
    tn_free(ctx, row->cells[column]);
    row->cells[column] = NULL;
    if (!*text)
        return TN_OK;
    TN_TRY(tn_strdup(ctx, text, &row->cells[column]));
    for (char *p = row->cells[column]; *p; p++)
        if ((unsigned char)*p < ' ')
            *p = ' ';
    return TN_OK;
}

tn_status tn_study_row_set(tn_context *ctx, tn_study_row *row, const char *column, const char *format, ...) {
    char text[1200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return set(ctx, row, column_of(column), text);
}

tn_status tn_study_row_number(tn_context *ctx, tn_study_row *row, const char *column, double value) {
    return isfinite(value) ? tn_study_row_set(ctx, row, column, "%.9g", value)
                           : set(ctx, row, column_of(column), "");
}

const char *tn_study_row_text(const tn_study_row *row, const char *column) {
    const char *text = row->cells[column_of(column)];
    return text ? text : "";
}

double tn_study_row_value(const tn_study_row *row, const char *column) {
    char *end;
    const char *text = tn_study_row_text(row, column);
    double value = strtod(text, &end);
    return *text && !*end && isfinite(value) ? value : NAN;
}

bool tn_study_row_ok(const tn_study_row *row) {
    return strcmp(tn_study_row_text(row, "status"), "ok") == 0;
}

/* "a;b;c" */
static tn_status join(tn_context *ctx, tn_study_row *row, int column, const json_t *array) {
    char text[TN_STUDY_COLUMNS * 24] = "";
    size_t used = 0;
    for (size_t i = 0; i < json_array_size(array) && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.9g", i ? ";" : "",
                                 json_number_value(json_array_get(array, i)));
    return set(ctx, row, column, text);
}

tn_status tn_study_row_take(tn_context *ctx, tn_study_row *row, const struct json_t *summary) {
    for (int i = 0; i < TN_STUDY_COLUMNS; i++) {
        const json_t *value = json_object_get(summary, tn_study_columns[i]);
        if (json_is_array(value))
            TN_TRY(join(ctx, row, i, value));
        else if (json_is_string(value))
            TN_TRY(set(ctx, row, i, json_string_value(value)));
        else if (json_is_boolean(value))
            TN_TRY(set(ctx, row, i, json_is_true(value) ? "true" : "false"));
        else if (json_is_integer(value))
            TN_TRY(tn_study_row_set(ctx, row, tn_study_columns[i], "%lld",
                                    (long long)json_integer_value(value)));
        else if (json_is_real(value))
            TN_TRY(tn_study_row_number(ctx, row, tn_study_columns[i], json_real_value(value)));
    }
    return TN_OK;
}

void tn_study_rows_free(tn_study_rows *rows) {
    for (size_t i = 0; i < rows->count; i++)
        tn_study_row_free(rows->ctx, &rows->items[i]);
    if (rows->ctx)
        tn_free(rows->ctx, rows->items);
    *rows = (tn_study_rows){0};
}

const tn_study_row *tn_study_rows_find(const tn_study_rows *rows, const char *name) {
    for (size_t i = 0; i < rows->count; i++)
        if (strcmp(tn_study_row_text(&rows->items[i], "name"), name) == 0)
            return &rows->items[i];
    return NULL;
}

tn_status tn_study_rows_put(tn_study_rows *rows, tn_study_row *row) {
    tn_study_row *old = NULL;
    const char *name = tn_study_row_text(row, "name");
    for (size_t i = 0; i < rows->count; i++)
        if (strcmp(tn_study_row_text(&rows->items[i], "name"), name) == 0)
            old = &rows->items[i];
    if (old) {
        tn_study_row_free(rows->ctx, old);
    } else {
        TN_TRY(tn_grow(rows->ctx, &rows->items, &rows->capacity, rows->count + 1, sizeof *rows->items));
        old = &rows->items[rows->count++];
    }
    *old = *row;
    *row = (tn_study_row){{0}};
    return TN_OK;
}

static tn_status read_row(tn_study_rows *rows, const tn_csv *t, size_t index) {
    tn_study_row row = {{0}};
    tn_status status = TN_OK;
    for (size_t c = 0; status == TN_OK && c < t->columns; c++)
        status = set(rows->ctx, &row, column_of(tn_csv_name(t, c)), tn_csv_text(t, index, (int)c));
    if (status == TN_OK && tn_study_rows_find(rows, tn_study_row_text(&row, "name")))
        status = tn_fail(rows->ctx, TN_ERR_INPUT, "%s, line %ld: the row '%s' is there twice; delete one",
                         t->path, t->lines[index + 1], tn_study_row_text(&row, "name"));
    if (status == TN_OK)
        status = tn_study_rows_put(rows, &row);
    tn_study_row_free(rows->ctx, &row);
    return status;
}

tn_status tn_study_rows_load(tn_context *ctx, const char *path, tn_study_rows *out) {
    static const char *const wanted[] = {"part", "name", "run", "status", NULL};
    tn_csv t;
    *out = (tn_study_rows){.ctx = ctx};
    if (!tn_file_exists(path))
        return TN_OK;
    TN_TRY(tn_csv_read(ctx, path, &t));
    tn_status status = TN_OK;
    TN_GO(tn_csv_require(&t, "rows of a study", wanted));
    for (size_t c = 0; c < t.columns; c++)
        if (column_of(tn_csv_name(&t, c)) < 0) {
            status = tn_fail(ctx, TN_ERR_INPUT,
                             "%s has a column '%s' that this version does not write; go on with the version "
                             "that made it, or name another folder",
                             path, tn_csv_name(&t, c));
            goto cleanup;
        }
    for (size_t i = 0; i < t.rows; i++)
        TN_GO(read_row(out, &t, i));
cleanup:
    tn_csv_free(&t);
    if (status != TN_OK)
        tn_study_rows_free(out);
    return status;
}

void tn_study_rows_header(FILE *stream) {
    for (int i = 0; i < TN_STUDY_COLUMNS; i++)
        fprintf(stream, "%s%s", i ? "," : "", tn_study_columns[i]);
    fputc('\n', stream);
}

tn_status tn_study_rows_save(const tn_study_rows *rows, const char *path) {
    tn_outfile file;
    TN_TRY(tn_outfile_open(rows->ctx, path, &file));
    tn_study_rows_header(file.stream);
    for (size_t i = 0; i < rows->count; i++)
        for (int c = 0; c < TN_STUDY_COLUMNS; c++) {
            const char *text = rows->items[i].cells[c];
            tn_csv_write_cell(file.stream, text ? text : "");
            fputc(c + 1 < TN_STUDY_COLUMNS ? ',' : '\n', file.stream);
        }
    return tn_outfile_commit(rows->ctx, &file);
}
