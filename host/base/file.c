#include "file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

tn_status tn_outfile_open(tn_context *ctx, const char *path, tn_outfile *out) {
    *out = (tn_outfile){.stream = stdout};
    if (!path || strcmp(path, "-") == 0)
        return TN_OK;
    out->stream = NULL;
    tn_status status = TN_OK;
    TN_GO(tn_strdup(ctx, path, &out->path));
    TN_GO(tn_alloc(ctx, strlen(path) + 32, 1, &out->aside));
    snprintf(out->aside, strlen(path) + 32, "%s.part-%ld", path, (long)getpid());
    struct stat info;
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
        status = tn_fail(ctx, TN_ERR_OUTPUT, "cannot write %s: it is a folder; name a file", path);
        goto cleanup;
    }
    out->stream = fopen(out->aside, "wb");
    if (!out->stream) {
        status =
            tn_fail(ctx, TN_ERR_OUTPUT, "cannot write %s: %s; try another folder", path, strerror(errno));
        goto cleanup;
    }
    ctx->live++;
    return TN_OK;
cleanup:
    tn_free(ctx, out->path);
    tn_free(ctx, out->aside);
    *out = (tn_outfile){0};
    return status;
}

static void outfile_release(tn_context *ctx, tn_outfile *out) {
    if (out->path)
        ctx->live--; /* the stream */
    tn_free(ctx, out->path);
    tn_free(ctx, out->aside);
    *out = (tn_outfile){0};
}

tn_status tn_outfile_commit(tn_context *ctx, tn_outfile *out) {
    if (!out->path) {
        bool bad = out->stream && (fflush(out->stream) != 0 || ferror(out->stream));
        *out = (tn_outfile){0};
        return bad ? tn_fail(ctx, TN_ERR_OUTPUT, "cannot write to stdout: %s", strerror(errno)) : TN_OK;
    }
    bool bad = ferror(out->stream) || fflush(out->stream) != 0 || fsync(fileno(out->stream)) != 0;
    int error = errno;
    if (fclose(out->stream) != 0 && !bad) {
        bad = true;
        error = errno;
    }
    if (!bad && rename(out->aside, out->path) != 0) {
        bad = true;
        error = errno;
    }
    tn_status status = TN_OK;
    if (bad) {
        unlink(out->aside);
        status =
            tn_fail(ctx, TN_ERR_OUTPUT, "cannot write %s: %s; is the disk full?", out->path, strerror(error));
    }
    outfile_release(ctx, out);
    return status;
}

void tn_outfile_abandon(tn_context *ctx, tn_outfile *out) {
    if (!out->path)
        return;
    fclose(out->stream);
    unlink(out->aside);
    outfile_release(ctx, out);
}

tn_status tn_file_read(tn_context *ctx, const char *path, char **bytes, size_t *size) {
    *bytes = NULL;
    struct stat info;
    FILE *stream = fopen(path, "rb");
    if (!stream)
        return tn_fail(ctx, TN_ERR_INPUT, "cannot read %s: %s", path, strerror(errno));
    if (fstat(fileno(stream), &info) != 0 || !S_ISREG(info.st_mode)) {
        fclose(stream);
        return tn_fail(ctx, TN_ERR_INPUT, "cannot read %s: not a regular file", path);
    }
    *size = (size_t)info.st_size;
    tn_status status = tn_alloc(ctx, *size + 1, 1, bytes);
    if (status == TN_OK && fread(*bytes, 1, *size, stream) != *size) {
        tn_free(ctx, *bytes);
        *bytes = NULL;
        status = tn_fail(ctx, TN_ERR_INPUT, "cannot read %s: it ended early", path);
    }
    fclose(stream);
    return status;
}

tn_status tn_folder_make(tn_context *ctx, const char *path) {
    char *copy;
    TN_TRY(tn_strdup(ctx, path, &copy));
    tn_status status = TN_OK;
    for (char *p = copy + 1;; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char kept = *p;
        *p = '\0';
        struct stat info;
        if (mkdir(copy, 0777) != 0 && (errno != EEXIST || stat(copy, &info) != 0 || !S_ISDIR(info.st_mode)))
            status = tn_fail(ctx, TN_ERR_OUTPUT, "cannot make the folder %s: %s", copy,
                             errno == EEXIST ? "a file of that name is in the way" : strerror(errno));
        *p = kept;
        if (kept == '\0' || status != TN_OK)
            break;
    }
    tn_free(ctx, copy);
    return status;
}

bool tn_file_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0;
}

tn_status tn_path_join(tn_context *ctx, const char *folder, const char *name, char **out) {
    size_t length = strlen(folder) + strlen(name) + 2;
    TN_TRY(tn_alloc(ctx, length, 1, out));
    size_t end = strlen(folder);
    snprintf(*out, length, "%s%s%s", folder, end && folder[end - 1] == '/' ? "" : "/", name);
    return TN_OK;
}
