#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *kind_of(mode_t mode) {
    return S_ISDIR(mode)                    ? "it is a folder; name a file"
           : S_ISFIFO(mode)                 ? "it is a pipe; write it to a file first"
           : S_ISCHR(mode) || S_ISBLK(mode) ? "it is a device; name a file"
                                            : "it is no regular file";
}

tn_status tn_file_read(tn_context *ctx, const char *path, char **bytes, size_t *size) {
    *bytes = NULL;
    struct stat info;
    /* Without waiting: a FIFO that nobody writes would never open. */
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return tn_fail(ctx, TN_ERR_INPUT, "cannot read %s: %s", path, strerror(errno));
    bool known = fstat(fd, &info) == 0;
    FILE *stream = known && S_ISREG(info.st_mode) ? fdopen(fd, "rb") : NULL;
    if (!stream) {
        close(fd);
        return tn_fail(ctx, TN_ERR_INPUT, "cannot read %s: %s", path,
                       known && !S_ISREG(info.st_mode) ? kind_of(info.st_mode) : "no memory");
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
