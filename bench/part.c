#include "part.h"

#include "cell.h"
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static tn_status add_key(tn_context *ctx, tn_part *p, const tn_cost_row *row) {
    char key[1400];
    tn_row_key(row, key, sizeof key);
    TN_TRY(tn_grow(ctx, &p->keys, &p->key_capacity, p->key_count + 1, sizeof *p->keys));
    TN_TRY(tn_strdup(ctx, key, &p->keys[p->key_count]));
    p->key_count++;
    return TN_OK;
}

bool tn_part_has(const tn_part *part, const char *key) {
    for (size_t i = 0; i < part->key_count; i++)
        if (strcmp(part->keys[i], key) == 0)
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
static tn_status read_rows(tn_context *ctx, tn_part *p, char *bytes, size_t *whole) {
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
                    p->part);
                goto cleanup;
            }
        } else if (tn_row_parse(ctx, line, &row) != TN_OK) {
            status =
                tn_fail_prefix(ctx, "%s, line %d (move the file away or choose another -o)", p->part, number);
            goto cleanup;
        } else {
            TN_GO(add_key(ctx, p, &row));
            p->measured += strcmp(row.status, "ok") == 0;
        }
        *whole = (size_t)(end + 1 - bytes);
    }
cleanup:
    free(header);
    return status;
}

static tn_status take_up(tn_context *ctx, tn_part *p) {
    char *bytes = NULL;
    size_t size, whole;
    TN_TRY(tn_file_read(ctx, p->part, &bytes, &size));
    tn_status status = read_rows(ctx, p, bytes, &whole);
    if (status == TN_OK && whole < size && ftruncate(fileno(p->stream), (off_t)whole) != 0)
        status =
            tn_fail(ctx, TN_ERR_OUTPUT, "cannot cut the torn last line off %s: %s", p->part, strerror(errno));
    if (status == TN_OK && whole == 0)
        tn_rows_header(p->stream);
    tn_free(ctx, bytes);
    return status;
}

tn_status tn_part_open(tn_context *ctx, const char *path, tn_row_format format, tn_part *out) {
    tn_status status = TN_OK;
    *out = (tn_part){.stream = stdout, .format = format};
    if (!path) {
        tn_rows_begin(stdout, format);
        return TN_OK;
    }
    out->stream = NULL;
    TN_GO(tn_strdup(ctx, path, &out->path));
    TN_GO(tn_alloc(ctx, strlen(path) + 8, 1, &out->part));
    snprintf(out->part, strlen(path) + 8, "%s.part", path);
    int fd = open(out->part, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    out->stream = fd >= 0 ? fdopen(fd, "a") : NULL;
    if (!out->stream) {
        status = tn_fail(ctx, TN_ERR_OUTPUT, "cannot write %s: %s; try another folder", out->part,
                         strerror(errno));
        goto cleanup;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        status = tn_fail(ctx, TN_ERR_OUTPUT, "another sweep is writing %s; choose another -o", out->part);
        goto cleanup;
    }
    TN_GO(take_up(ctx, out));
    return TN_OK;
cleanup:
    tn_part_close(ctx, out);
    return status;
}

tn_status tn_part_add(tn_context *ctx, tn_part *p, const tn_cost_row *row) {
    tn_rows_write(p->stream, p->part ? TN_ROW_CSV : p->format, p->written++, row);
    bool bad = fflush(p->stream) != 0 || ferror(p->stream) || (p->part && fsync(fileno(p->stream)) != 0);
    return bad ? tn_fail(ctx, TN_ERR_OUTPUT, "cannot write %s: %s; is the disk full?",
                         p->part ? p->part : "stdout", strerror(errno))
               : TN_OK;
}

/* The rows of the part in the format of the file. */
static tn_status convert(tn_context *ctx, const tn_part *p, char *bytes) {
    tn_outfile out;
    tn_status status = TN_OK;
    int index = 0;
    TN_TRY(tn_outfile_open(ctx, p->path, &out));
    tn_rows_begin(out.stream, p->format);
    for (char *line = strchr(bytes, '\n') + 1, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        tn_cost_row row;
        *end = '\0';
        TN_GO(tn_row_parse(ctx, line, &row));
        tn_rows_write(out.stream, p->format, index++, &row);
    }
    tn_rows_end(out.stream, p->format);
    status = tn_outfile_commit(ctx, &out);
cleanup:
    tn_outfile_abandon(ctx, &out);
    return status;
}

tn_status tn_part_finish(tn_context *ctx, tn_part *p) {
    char *bytes;
    size_t size;
    if (!p->part)
        tn_rows_end(stdout, p->format);
    if (p->part && p->format != TN_ROW_CSV) {
        TN_TRY(tn_file_read(ctx, p->part, &bytes, &size));
        tn_status status = convert(ctx, p, bytes);
        tn_free(ctx, bytes);
        if (status == TN_OK)
            unlink(p->part);
        return status;
    }
    if (!p->part)
        return TN_OK;
    if (rename(p->part, p->path) != 0)
        return tn_fail(ctx, TN_ERR_OUTPUT, "cannot rename %s to %s: %s", p->part, p->path, strerror(errno));
    return TN_OK;
}

void tn_part_close(tn_context *ctx, tn_part *p) {
    if (p->stream && p->stream != stdout)
        fclose(p->stream);
    for (size_t i = 0; i < p->key_count; i++)
        tn_free(ctx, p->keys[i]);
    tn_free(ctx, p->keys);
    tn_free(ctx, p->path);
    tn_free(ctx, p->part);
    *p = (tn_part){0};
}
