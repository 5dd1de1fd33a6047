#include "survey_rows.h"

#include "build.h"
#include "file.h"

#include <string.h>

/* Parts of a layer and peers of an op are rows of one cell. */
static tn_cost_row *find(const tn_survey_rows *rows, const tn_cost_row *like) {
    char want[1400], got[1400];
    tn_row_key(like, want, sizeof want);
    for (size_t i = 0; i < rows->count; i++) {
        tn_cost_row *row = &rows->items[i];
        tn_row_key(row, got, sizeof got);
        if (strcmp(want, got) == 0 && strcmp(row->part, like->part) == 0 &&
            strcmp(row->peer, like->peer) == 0)
            return row;
    }
    return NULL;
}

const tn_cost_row *tn_survey_rows_find(const tn_survey_rows *rows, const tn_cost_row *like) {
    return find(rows, like);
}

static tn_status keep(tn_survey_rows *rows, const tn_cost_row *row) {
    tn_cost_row *there = find(rows, row);
    if (!there) {
        TN_TRY(tn_grow(rows->ctx, &rows->items, &rows->capacity, rows->count + 1, sizeof *rows->items));
        there = &rows->items[rows->count++];
    }
    *there = *row;
    return TN_OK;
}

/* The lines behind the header; a line without its end is none. */
static tn_status read_lines(tn_survey_rows *rows, char *text, bool only_ok, int *ok) {
    tn_cost_row row;
    char *line = strchr(text, '\n');
    for (line = line ? line + 1 : NULL; line && *line;) {
        char *end = strchr(line, '\n');
        if (!end)
            break;
        *end = '\0';
        TN_TRY(tn_row_parse(rows->ctx, line, &row));
        line = end + 1;
        *ok += strcmp(row.status, "ok") == 0;
        if (!only_ok || strcmp(row.status, "ok") == 0)
            TN_TRY(keep(rows, &row));
    }
    return TN_OK;
}

static tn_status check_build(const tn_survey_rows *rows) {
    for (size_t i = 0; i < rows->count; i++)
        if (strcmp(rows->items[i].version, tn_build_version()) != 0)
            return tn_fail(
                rows->ctx, TN_ERR_INPUT,
                "%s holds rows that turnout %s measured, and this is %s; go on with that build, or "
                "choose another -o",
                rows->path, rows->items[i].version, tn_build_version());
    return TN_OK;
}

tn_status tn_survey_rows_load(tn_context *ctx, const char *folder, const char *name, tn_survey_rows *out) {
    char *text = NULL;
    size_t size;
    int ok = 0;
    tn_status status = TN_OK;
    *out = (tn_survey_rows){.ctx = ctx};
    TN_TRY(tn_path_join(ctx, folder, name, &out->path));
    if (!tn_file_exists(out->path))
        return TN_OK;
    TN_GO(tn_file_read(ctx, out->path, &text, &size));
    status = read_lines(out, text, false, &ok);
    if (status != TN_OK)
        status = tn_fail_prefix(ctx, "%s", out->path);
    else
        status = check_build(out);
cleanup:
    tn_free(ctx, text);
    return status;
}

static tn_status save(const tn_survey_rows *rows) {
    tn_outfile file;
    TN_TRY(tn_outfile_open(rows->ctx, rows->path, &file));
    tn_rows_begin(file.stream, TN_ROW_CSV);
    for (size_t i = 0; i < rows->count; i++)
        tn_rows_write(file.stream, TN_ROW_CSV, (int)i, &rows->items[i]);
    tn_rows_end(file.stream, TN_ROW_CSV);
    return tn_outfile_commit(rows->ctx, &file);
}

tn_status tn_survey_rows_put(tn_survey_rows *rows, const tn_cost_row *row) {
    TN_TRY(keep(rows, row));
    return save(rows);
}

tn_status tn_survey_rows_take(tn_survey_rows *rows, const char *csv, bool only_ok, int *ok) {
    char *text;
    const size_t before = rows->count;
    *ok = 0;
    TN_TRY(tn_strdup(rows->ctx, csv, &text));
    tn_status status = read_lines(rows, text, only_ok, ok);
    tn_free(rows->ctx, text);
    TN_TRY(status);
    return rows->count > before || *ok > 0 ? save(rows) : TN_OK;
}

void tn_survey_rows_free(tn_survey_rows *rows) {
    if (rows->ctx) {
        tn_free(rows->ctx, rows->path);
        tn_free(rows->ctx, rows->items);
    }
    *rows = (tn_survey_rows){0};
}
