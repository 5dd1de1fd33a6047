#include "partial_file.h"

#include "build.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

void tn_row_count(const tn_cost_row *row, tn_row_tally *tally) {
    tally->ok += strcmp(row->status, "ok") == 0;
    tally->unsupported += strcmp(row->status, "unsupported") == 0;
    tally->errors += strcmp(row->status, "error") == 0;
    tally->timeouts += strcmp(row->status, "timeout") == 0;
}

static tn_status add_key(tn_context *ctx, tn_partial_file *p, const tn_cost_row *row) {
    char key[1400];
    tn_row_key(row, key, sizeof key);
    TN_TRY(tn_grow(ctx, &p->keys, &p->key_capacity, p->key_count + 1, sizeof *p->keys));
    TN_TRY(tn_strdup(ctx, key, &p->keys[p->key_count]));
    double timing = row->timing_s > 0 ? row->timing_s : -1;
    p->timing_least = p->key_count && p->timing_least < timing ? p->timing_least : timing;
    p->timing_most = p->key_count && p->timing_most > timing ? p->timing_most : timing;
    p->shards_differ = p->shards_differ || (p->key_count && strcmp(p->shard, row->shard) != 0);
    memcpy(p->shard, row->shard, sizeof p->shard);
    p->key_count++;
    if (strcmp(row->version, tn_build_version()) != 0)
        memcpy(p->other_build, row->version, sizeof p->other_build);
    tn_row_count(row, &p->kept);
    return TN_OK;
}

bool tn_partial_file_has(const tn_partial_file *partial, const char *key) {
    for (size_t i = 0; i < partial->key_count; i++)
        if (strcmp(partial->keys[i], key) == 0)
            return true;
    return false;
}

/* The header as it must stand. Caller frees with free(). */
static char *header_text(void) {
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (!stream)
        return NULL;
    tn_rows_header(stream);
    fclose(stream);
    return text;
}

/* Rows of `bytes` into keys; `*whole` is where the last whole line ends. */
static tn_status read_rows(tn_context *ctx, tn_partial_file *p, char *bytes, size_t *whole) {
    char *header = header_text(), *line = bytes, *end;
    tn_status status = TN_OK;
    *whole = 0;
    for (int number = 1; (end = strchr(line, '\n')) != NULL; number++, line = end + 1) {
        tn_cost_row row;
        *end = '\0';
        if (number == 1) {
            bool ours = header && strncmp(header, line, strlen(line)) == 0 && header[strlen(line)] == '\n';
            if (!ours) {
                status = tn_fail(
                    ctx, TN_ERR_INPUT,
                    "%s is not the unfinished file of a sweep of this version; move it away or choose "
                    "another -o",
                    p->partial);
                goto cleanup;
            }
        } else if (tn_row_parse(ctx, line, &row) != TN_OK) {
            status = tn_fail_prefix(ctx, "%s, line %d (move the file away or choose another -o)", p->partial,
                                    number);
            goto cleanup;
        } else {
            TN_GO(add_key(ctx, p, &row));
        }
        *whole = (size_t)(end + 1 - bytes);
    }
cleanup:
    free(header);
    return status;
}

static tn_status take_up(tn_context *ctx, tn_partial_file *p) {
    char *bytes = NULL;
    size_t size, whole;
    TN_TRY(tn_file_read(ctx, p->partial, &bytes, &size));
    tn_status status = read_rows(ctx, p, bytes, &whole);
    if (status == TN_OK && whole < size && ftruncate(fileno(p->stream), (off_t)whole) != 0)
        status = tn_fail(ctx, TN_ERR_OUTPUT, "cannot cut the torn last line off %s: %s", p->partial,
                         strerror(errno));
    if (status == TN_OK && whole == 0)
        tn_rows_header(p->stream);
    tn_free(ctx, bytes);
    return status;
}

/* A row of FILE, which becomes the first rows of the partial file. */
static tn_status take_row(tn_context *ctx, tn_partial_file *p, const tn_cost_row *row) {
    TN_TRY(add_key(ctx, p, row));
    tn_rows_write(p->stream, TN_ROW_CSV, p->written++, row);
    p->finished = true;
    return TN_OK;
}

static tn_status take_csv(tn_context *ctx, tn_partial_file *p, char *bytes) {
    int number = 2;
    for (char *line = strchr(bytes, '\n') + 1, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        tn_cost_row row;
        *end = '\0';
        if (tn_row_parse(ctx, line, &row) != TN_OK)
            return tn_fail_prefix(ctx, "%s, line %d (move the file away or choose another -o)", p->path,
                                  number);
        TN_TRY(take_row(ctx, p, &row));
        number++;
    }
    return TN_OK;
}

/* Other JSON than ours is no sweep's, and is replaced in the end as any file is. */
static tn_status take_json(tn_context *ctx, tn_partial_file *p, const char *bytes, size_t size) {
    json_error_t error;
    json_t *rows = json_loadb(bytes, size, 0, &error);
    tn_status status = TN_OK;
    for (size_t i = 0; i < json_array_size(rows) && status == TN_OK; i++) {
        tn_cost_row row;
        const char *schema = json_string_value(json_object_get(json_array_get(rows, i), "schema"));
        if (!schema || strcmp(schema, TN_ROW_SCHEMA) != 0)
            break;
        tn_row_from_json(json_array_get(rows, i), 0, &row);
        status = take_row(ctx, p, &row);
    }
    json_decref(rows);
    return status;
}

/* A FILE of an earlier sweep, whole or cut short: its rows need not be measured again. */
static tn_status take_finished(tn_context *ctx, tn_partial_file *p) {
    static const char csv[] = "schema,version,", table[] = "| what ";
    char *bytes;
    size_t size;
    tn_status status = TN_OK;
    if (!p->spare || !tn_file_exists(p->path))
        return TN_OK;
    TN_TRY(tn_file_read(ctx, p->path, &bytes, &size));
    if (strncmp(bytes, csv, strlen(csv)) == 0 && strchr(bytes, '\n'))
        status = take_csv(ctx, p, bytes);
    else if (bytes[0] == '[')
        status = take_json(ctx, p, bytes, size);
    else if (strncmp(bytes, table, strlen(table)) == 0)
        status =
            tn_fail(ctx, TN_ERR_INPUT,
                    "%s is a table that a sweep or bench wrote, and a table cannot be gone on with; move "
                    "it away or choose another -o",
                    p->path);
    tn_free(ctx, bytes);
    return status == TN_OK && p->finished ? tn_stream_sync(ctx, p->stream, p->partial) : status;
}

/* Whether the file that is open still has its name: another sweep may have made FILE of it meanwhile. */
static bool is_still_there(int fd, const char *path) {
    struct stat mine, named;
    return fstat(fd, &mine) == 0 && stat(path, &named) == 0 && mine.st_ino == named.st_ino &&
           mine.st_dev == named.st_dev;
}

/* Opens the partial file, made where it is missing, for this process alone. */
static tn_status take_partial(tn_context *ctx, tn_partial_file *p) {
    for (;;) {
        int fd = open(p->partial, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
        p->stream = fd >= 0 ? fdopen(fd, "a") : NULL;
        if (!p->stream)
            return tn_fail(ctx, TN_ERR_OUTPUT, "cannot write %s: %s; try another folder", p->partial,
                           strerror(errno));
        const int error = flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
        if (error == EWOULDBLOCK)
            return tn_fail(ctx, TN_ERR_OUTPUT, "another sweep is writing %s; choose another -o", p->partial);
        if (error)
            tn_warn(ctx, "%s cannot be locked: %s; see to it that no other sweep writes there", p->partial,
                    strerror(error));
        if (is_still_there(fd, p->partial))
            return TN_OK;
        fclose(p->stream);
        p->stream = NULL;
    }
}

tn_status tn_partial_file_open(tn_context *ctx, const char *path, tn_row_format format,
                               tn_partial_file *out) {
    tn_status status = TN_OK;
    *out = (tn_partial_file){.format = format};
    TN_TRY(tn_output_path(ctx, path, &out->path));
    if (!out->path) {
        TN_TRY(tn_outfile_open(ctx, path, &out->through));
        out->stream = out->through.stream;
        tn_rows_begin(out->stream, format);
        return TN_OK;
    }
    size_t size = strlen(out->path) + 8;
    TN_GO(tn_alloc(ctx, size, 1, &out->partial));
    snprintf(out->partial, size, "%s.part", out->path);
    TN_GO(take_partial(ctx, out));
    TN_GO(take_up(ctx, out));
    out->spare = out->key_count == 0;
    TN_GO(take_finished(ctx, out));
    return TN_OK;
cleanup:
    tn_partial_file_close(ctx, out);
    return status;
}

tn_status tn_partial_file_add(tn_context *ctx, tn_partial_file *p, const tn_cost_row *row) {
    tn_rows_write(p->stream, p->partial ? TN_ROW_CSV : p->format, p->written++, row);
    TN_TRY(tn_stream_sync(ctx, p->stream, p->partial ? p->partial : p->through.path));
    p->finished = p->spare = false;
    return TN_OK;
}

/* The rows of the partial file in the format of the file. */
static tn_status convert(tn_context *ctx, const tn_partial_file *p, char *bytes) {
    tn_outfile out;
    tn_status status = TN_OK;
    int index = 0;
    TN_TRY(tn_outfile_open(ctx, p->path, &out));
    tn_rows_begin(out.stream, p->format);
    char *header = strchr(bytes, '\n');
    for (char *line = header ? header + 1 : bytes, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        tn_cost_row row;
        *end = '\0';
        TN_GO(tn_row_parse(ctx, line, &row));
        tn_rows_write(out.stream, p->format, index++, &row);
    }
    tn_rows_end(out.stream, p->format);
cleanup:
    return tn_outfile_end(ctx, &out, status);
}

static tn_status write_file(tn_context *ctx, const tn_partial_file *p) {
    char *bytes;
    size_t size;
    TN_TRY(tn_file_read(ctx, p->partial, &bytes, &size));
    tn_status status = convert(ctx, p, bytes);
    tn_free(ctx, bytes);
    return status;
}

static tn_status end_through(tn_context *ctx, tn_partial_file *p) {
    tn_rows_end(p->stream, p->format);
    p->stream = NULL;
    return tn_outfile_commit(ctx, &p->through);
}

tn_status tn_partial_file_finish(tn_context *ctx, tn_partial_file *p) {
    if (!p->partial)
        return end_through(ctx, p);
    p->spare = false;
    if (p->format == TN_ROW_CSV)
        return tn_file_replace(ctx, p->partial, p->path);
    TN_TRY(write_file(ctx, p));
    unlink(p->partial);
    return TN_OK;
}

tn_status tn_partial_file_stop(tn_context *ctx, tn_partial_file *p) {
    if (!p->partial)
        return end_through(ctx, p);
    return p->spare ? TN_OK : write_file(ctx, p);
}

void tn_partial_file_close(tn_context *ctx, tn_partial_file *p) {
    if (p->partial && p->spare)
        unlink(p->partial);
    if (p->partial && p->stream)
        fclose(p->stream);
    tn_outfile_abandon(ctx, &p->through);
    for (size_t i = 0; i < p->key_count; i++)
        tn_free(ctx, p->keys[i]);
    tn_free(ctx, p->keys);
    tn_free(ctx, p->path);
    tn_free(ctx, p->partial);
    *p = (tn_partial_file){0};
}
