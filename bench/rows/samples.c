#include "samples.h"

#include "cost_columns.h"
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static void add_series(json_t *line, const char *name, const double *ms, int count) {
    if (count <= 0)
        return;
    json_t *list = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(list, json_real(ms[i]));
    json_object_set_new(line, name, list);
}

tn_status tn_samples_write(tn_context *ctx, FILE *to, const tn_cost_row *row, const tn_raw *raw) {
    char six[32];
    tn_cost_row shown = *row;
    if (raw->wall <= 0 || strcmp(row->status, "ok") != 0)
        return TN_OK;
    if (row->rho >= 0) { /* as the CSV has it, so that both name the same row */
        snprintf(six, sizeof six, "%.6g", row->rho);
        shown.rho = strtod(six, NULL);
    }
    json_t *line = tn_row_json(&shown, TN_COL_SAMPLES);
    json_object_set_new(line, "schema", json_string(TN_SAMPLES_SCHEMA));
    add_series(line, "wall_ms", raw->wall_ms, raw->wall);
    add_series(line, "event_ms", raw->event_ms, raw->event);
    add_series(line, row->peer[0] ? "peer_wall_ms" : "dense_wall_ms", raw->other_ms, raw->other);
    int bad = json_dumpf(line, to, JSON_REAL_PRECISION(9));
    json_decref(line);
    if (bad != 0 || fputc('\n', to) == EOF || fflush(to) != 0)
        return tn_fail(ctx, TN_ERR_WRITE, "cannot write samples: %s; is the disk full?", strerror(errno));
    return TN_OK;
}

tn_status tn_samples_row(tn_context *ctx, const char *line, tn_cost_row *row) {
    json_error_t error;
    json_t *object = json_loadb(line, strcspn(line, "\n"), 0, &error);
    const char *schema = json_string_value(json_object_get(object, "schema"));
    bool ours = schema && strcmp(schema, TN_SAMPLES_SCHEMA) == 0;
    if (ours)
        tn_row_from_json(object, TN_COL_SAMPLES, row);
    json_decref(object);
    return ours ? TN_OK : tn_fail(ctx, TN_ERR_INPUT, "a line of samples is not of " TN_SAMPLES_SCHEMA);
}

/* How many lines of the text are of rows of `rows`, one after the other from the start; `*whole` is where
 * they end, `*rest` whether whole lines stand behind the first that is not. */
static size_t lines_of(tn_context *ctx, const char *text, const tn_partial_file *rows, size_t *whole,
                       bool *rest) {
    size_t count = 0;
    const char *line = text, *end;
    *whole = 0;
    for (; (end = strchr(line, '\n')) != NULL; line = end + 1, count++) {
        tn_cost_row row;
        char key[1400] = "";
        if (tn_samples_row(ctx, line, &row) == TN_OK)
            tn_row_key(&row, key, sizeof key);
        if (!tn_partial_file_has(rows, key))
            break;
        *whole = (size_t)(end + 1 - text);
    }
    *rest = end && strchr(end + 1, '\n');
    return count;
}

/* A sweep that was killed between its two renames has its samples under their final name already. */
static void take_back(tn_context *ctx, const tn_samples_file *f, const tn_partial_file *rows) {
    char *text;
    size_t size, whole;
    bool rest;
    if (rows->key_count == 0 || tn_file_exists(f->partial) || !tn_file_exists(f->path) ||
        tn_file_read(ctx, f->path, &text, &size) != TN_OK)
        return;
    lines_of(ctx, text, rows, &whole, &rest);
    if (size > 0 && whole == size)
        (void)rename(f->path, f->partial); /* where that fails the row's samples are missed and told */
    tn_free(ctx, text);
}

static tn_status take_up(tn_context *ctx, const tn_samples_file *f, const tn_partial_file *rows) {
    char *text;
    size_t size, whole = 0, count = 0;
    bool rest = false;
    TN_TRY(tn_file_read(ctx, f->partial, &text, &size));
    if (rows->key_count > 0)
        count = lines_of(ctx, text, rows, &whole, &rest);
    tn_free(ctx, text);
    if (rest)
        return tn_fail(ctx, TN_ERR_INPUT,
                       "%s holds samples of another sweep than %s; move it away or choose another --samples",
                       f->partial, rows->partial);
    if (whole < size && ftruncate(fileno(f->stream), (off_t)whole) != 0)
        return tn_fail(ctx, TN_ERR_OUTPUT, "cannot cut the last line off %s: %s", f->partial,
                       strerror(errno));
    if (count < (size_t)rows->kept.ok)
        tn_warn(ctx, "%zu rows that %s already holds have no samples: it was begun without --samples %s",
                (size_t)rows->kept.ok - count, rows->partial, f->path);
    return TN_OK;
}

tn_status tn_samples_open(tn_context *ctx, const char *path, const tn_partial_file *rows,
                          tn_samples_file *out) {
    tn_status status = TN_OK;
    *out = (tn_samples_file){0};
    if (!path)
        return TN_OK;
    TN_TRY(tn_output_path(ctx, path, &out->path));
    if (!out->path) {
        TN_TRY(tn_outfile_open(ctx, path, &out->through));
        out->stream = out->through.stream;
        return TN_OK;
    }
    size_t size = strlen(out->path) + 8;
    TN_GO(tn_alloc(ctx, size, 1, &out->partial));
    snprintf(out->partial, size, "%s.part", out->path);
    take_back(ctx, out, rows);
    int fd = open(out->partial, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    out->stream = fd >= 0 ? fdopen(fd, "a") : NULL;
    if (!out->stream || flock(fd, LOCK_EX | LOCK_NB) != 0)
        status = tn_fail(ctx, TN_ERR_OUTPUT, "cannot write %s: %s; choose another --samples", out->partial,
                         errno == EWOULDBLOCK ? "another sweep is writing it" : strerror(errno));
    else
        status = take_up(ctx, out, rows);
cleanup:
    if (status != TN_OK)
        tn_samples_close(ctx, out);
    return status;
}

tn_status tn_samples_add(tn_context *ctx, tn_samples_file *f, const char *line) {
    if (!f->stream)
        return TN_OK;
    size_t length = strcspn(line, "\n") + 1;
    fwrite(line, 1, length, f->stream);
    return tn_stream_sync(ctx, f->stream, f->partial ? f->partial : f->through.path);
}

tn_status tn_samples_finish(tn_context *ctx, tn_samples_file *f) {
    if (!f->partial) {
        f->stream = NULL;
        return tn_outfile_commit(ctx, &f->through);
    }
    return tn_file_replace(ctx, f->partial, f->path);
}

void tn_samples_close(tn_context *ctx, tn_samples_file *f) {
    if (f->partial && f->stream)
        fclose(f->stream);
    tn_outfile_abandon(ctx, &f->through);
    tn_free(ctx, f->path);
    tn_free(ctx, f->partial);
    *f = (tn_samples_file){0};
}
