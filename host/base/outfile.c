/* Where outputs go and how they get there: the rule of file.h. */
#include "file.h"

#include "aside.h"
#include "json_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct target {
    int descriptor; /* −1: none, `name` is what will be written */
    bool through;   /* written as it is, not replaced */
    bool exists;
    struct stat info; /* of what exists */
    char name[PATH_MAX];
} target;

/* The folder a name stands in, "." where it says none. */
static void folder_of(const char *path, char *out, size_t size) {
    const char *slash = strrchr(path, '/');
    if (!slash)
        snprintf(out, size, ".");
    else
        snprintf(out, size, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

/* The number of the descriptor that /proc/self/fd/N is, by whatever links the folder was reached; else −1. */
static int descriptor_of(const char *path) {
    char folder[PATH_MAX], real[PATH_MAX], own[64];
    const char *slash = strrchr(path, '/'), *number = slash ? slash + 1 : "";
    size_t digits = strspn(number, "0123456789");
    folder_of(path, folder, sizeof folder);
    snprintf(own, sizeof own, "/proc/%ld/fd", (long)getpid());
    if (digits == 0 || digits > 6 || number[digits] || !realpath(folder, real) || strcmp(real, own) != 0)
        return -1;
    return atoi(number);
}

/* Follows links until what is no link; false where they lead nowhere. The last may name what is not there. */
static bool follow(const char *path, target *t) {
    char link[PATH_MAX], folder[PATH_MAX], next[PATH_MAX];
    struct stat info;
    *t = (target){.descriptor = -1};
    if ((size_t)snprintf(t->name, sizeof t->name, "%s", path) >= sizeof t->name) {
        errno = ENAMETOOLONG;
        return false;
    }
    for (int links = 0; links < 40; links++) {
        t->descriptor = descriptor_of(t->name);
        if (t->descriptor >= 0) {
            t->through = true;
            t->exists = fstat(t->descriptor, &t->info) == 0;
            return true;
        }
        ssize_t length = readlink(t->name, link, sizeof link - 1);
        if (length < 0) { /* no link, or nothing: what stops the way there shows when it is opened */
            t->exists = stat(t->name, &t->info) == 0;
            t->through = t->exists && !S_ISREG(t->info.st_mode) && !S_ISDIR(t->info.st_mode);
            return true;
        }
        link[length] = '\0';
        folder_of(t->name, folder, sizeof folder);
        int need = link[0] == '/' ? snprintf(next, sizeof next, "%s", link)
                                  : snprintf(next, sizeof next, "%s/%s", folder, link);
        if (need >= (int)sizeof next) {
            errno = ENAMETOOLONG;
            return false;
        }
        if (stat(t->name, &t->info) == 0 && stat(next, &info) != 0) { /* another process's /proc/PID/fd/N */
            t->exists = t->through = true;
            return true;
        }
        memcpy(t->name, next, sizeof next);
    }
    errno = ELOOP;
    return false;
}

static bool is_writable(int descriptor) {
    int flags = fcntl(descriptor, F_GETFL);
    return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
}

tn_status tn_stdout_need(tn_context *ctx) {
    return is_writable(STDOUT_FILENO)
               ? TN_OK
               : tn_fail(ctx, TN_ERR_WRITE,
                         "stdout is closed, and what is asked for would go there; send it to a file, or to "
                         "/dev/null");
}

void tn_descriptors_fill(void) {
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) /* the lowest free number is fd: those below are open */
            (void)!open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY);
}

/* NULL and "-" too. TN_ERR_OUTPUT for what cannot be written. */
static tn_status aim(tn_context *ctx, const char *path, target *t) {
    *t = (target){.descriptor = STDOUT_FILENO, .through = true};
    if (path && strcmp(path, "-") != 0 && !follow(path, t))
        return tn_fail(ctx, TN_ERR_OUTPUT, "cannot write %s: %s", path, strerror(errno));
    if (t->descriptor == STDOUT_FILENO)
        return tn_stdout_need(ctx);
    if (t->descriptor >= 0)
        return is_writable(t->descriptor)
                   ? TN_OK
                   : tn_fail(ctx, TN_ERR_OUTPUT, "cannot write %s: it is not open for writing", path);
    if (t->exists && S_ISDIR(t->info.st_mode))
        return tn_fail(ctx, TN_ERR_OUTPUT, "cannot write %s: it is a folder; name a file", path);
    if (t->exists && access(t->name, W_OK) != 0)
        return tn_fail(ctx, TN_ERR_OUTPUT, "cannot write %s: %s; name another file", path, strerror(errno));
    return TN_OK;
}

tn_status tn_output_path(tn_context *ctx, const char *path, char **file) {
    target t;
    *file = NULL;
    TN_TRY(aim(ctx, path, &t));
    return t.through ? TN_OK : tn_strdup(ctx, t.name, file);
}

tn_status tn_output_check(tn_context *ctx, const char *path) {
    tn_outfile file;
    target t;
    TN_TRY(aim(ctx, path, &t));
    if (t.through)
        return TN_OK;
    TN_TRY(tn_outfile_open(ctx, path, &file));
    fputc('\n', file.stream); /* a full disk opens files gladly */
    tn_status status = tn_outfile_check(ctx, &file);
    tn_outfile_abandon(ctx, &file);
    return status;
}

/* A FIFO without a reader is told and waited for. */
static int open_through(tn_context *ctx, const target *t, const char *path) {
    if (t->descriptor >= 0)
        return fcntl(t->descriptor, F_DUPFD_CLOEXEC, 3);
    int fd = open(t->name, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd >= 0) { /* a full pipe is waited for, not refused */
        int flags = fcntl(fd, F_GETFL);
        (void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    } else if (errno == ENXIO && S_ISFIFO(t->info.st_mode)) {
        tn_warn(ctx, "%s is a pipe that nobody reads yet; waiting for a reader", path);
        fd = open(t->name, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    }
    return fd;
}

/* A new file beside the one that it will replace, with that one's owner and mode. */
static int open_aside(const target *t, const char *aside) {
    unlink(aside); /* of a process that had this number before and was killed */
    int fd = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0 || !t->exists)
        return fd;
    if (fchown(fd, t->info.st_uid, t->info.st_gid) != 0)
        errno = 0; /* only root may give files away: the new one is ours, then */
    if (fchmod(fd, t->info.st_mode & 07777) == 0)
        return fd;
    close(fd);
    unlink(aside);
    return -1;
}

tn_status tn_outfile_open(tn_context *ctx, const char *path, tn_outfile *out) {
    target t;
    *out = (tn_outfile){.stream = NULL};
    TN_TRY(aim(ctx, path, &t));
    if (t.descriptor == STDOUT_FILENO) {
        out->stream = stdout;
        return TN_OK;
    }
    int fd = -1;
    tn_status status = TN_OK;
    TN_GO(tn_strdup(ctx, t.through ? path : t.name, &out->path));
    if (t.through) {
        fd = open_through(ctx, &t, path);
    } else {
        TN_GO(tn_alloc(ctx, strlen(t.name) + 32, 1, &out->aside));
        snprintf(out->aside, strlen(t.name) + 32, "%s.part-%ld", t.name, (long)getpid());
        fd = open_aside(&t, out->aside);
    }
    int error = errno;
    out->stream = fd >= 0 ? fdopen(fd, "wb") : NULL;
    if (!out->stream) {
        if (fd >= 0)
            close(fd);
        if (fd >= 0 && out->aside)
            unlink(out->aside);
        status = tn_interrupted()
                     ? tn_fail(ctx, TN_ERR_INTERRUPTED, "stopped while waiting for a reader of %s", path)
                     : tn_fail(ctx, TN_ERR_OUTPUT, "cannot write %s: %s; try another folder", path,
                               strerror(error));
        goto cleanup;
    }
    if (out->aside)
        tn_aside_add(out->aside);
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
    if (out->aside)
        tn_aside_drop(out->aside);
    tn_free(ctx, out->path);
    tn_free(ctx, out->aside);
    *out = (tn_outfile){0};
}

/* Of a write that failed. */
static tn_status failed(tn_context *ctx, const char *path, int error) {
    const char *what = error == EPIPE    ? "its reader has gone before all was written"
                       : error == EBADF  ? "it is closed"
                       : error == ENOSPC ? "the disk is full"
                       : error == EDQUOT ? "the quota is used up"
                       : error == EFBIG  ? "it would pass the limit of a file's size"
                       : error == EIO    ? "an input or output error"
                                         : "a write failed; is the disk full?";
    return tn_fail(ctx, TN_ERR_WRITE, "cannot write to %s: %s", path ? path : "stdout", what);
}

/* Whether all of a stream could be written; *error: why not. What was refused a while ago is refused again:
 * errno of then may be another call's by now. */
static bool written(FILE *stream, int *error) {
    const int before = errno;
    const bool refused = ferror(stream) != 0;
    errno = 0;
    const bool flushed = fflush(stream) == 0;
    *error = errno ? errno : before;
    return flushed && !refused;
}

tn_status tn_outfile_check(tn_context *ctx, const tn_outfile *out) {
    int error;
    if (out->stream && !written(out->stream, &error))
        return failed(ctx, out->path, error);
    return tn_json_memory_check(ctx);
}

tn_status tn_stdout_check(tn_context *ctx) {
    return tn_outfile_check(ctx, &(tn_outfile){.stream = stdout});
}

tn_status tn_stream_sync(tn_context *ctx, FILE *stream, const char *path) {
    int error;
    TN_TRY(tn_json_memory_check(ctx));
    if (!written(stream, &error))
        return failed(ctx, path, error);
    /* EINVAL: a pipe or a terminal */
    return fsync(fileno(stream)) == 0 || errno == EINVAL ? TN_OK : failed(ctx, path, errno);
}

static void sync_folder(const char *path) {
    char folder[PATH_MAX];
    folder_of(path, folder, sizeof folder);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fsync(fd); /* some file systems have none for folders; the file itself is on disk */
    close(fd);
}

/* errno, or 0. */
static int replace(const char *from, const char *to) {
    if (rename(from, to) != 0)
        return errno;
    sync_folder(to);
    return 0;
}

tn_status tn_file_replace(tn_context *ctx, const char *from, const char *to) {
    struct stat info;
    if (stat(to, &info) == 0 && S_ISREG(info.st_mode))
        (void)chmod(from, info.st_mode & 07777); /* where it is another's the file is still the right one */
    int error = replace(from, to);
    return error ? tn_fail(ctx, TN_ERR_WRITE, "cannot rename %s to %s: %s", from, to, strerror(error))
                 : TN_OK;
}

tn_status tn_outfile_publish(tn_context *ctx, tn_outfile *out) {
    TN_TRY(tn_stream_sync(ctx, out->stream, out->path));
    if (!out->aside)
        return TN_OK;
    int error = replace(out->aside, out->path);
    if (error)
        return tn_fail(ctx, TN_ERR_WRITE, "cannot write %s: %s", out->path, strerror(error));
    tn_aside_drop(out->aside);
    tn_free(ctx, out->aside);
    out->aside = NULL;
    return TN_OK;
}

tn_status tn_outfile_commit(tn_context *ctx, tn_outfile *out) {
    tn_status status = out->path ? tn_stream_sync(ctx, out->stream, out->path) : tn_outfile_check(ctx, out);
    if (!out->path) {
        *out = (tn_outfile){0};
        return status;
    }
    if (fclose(out->stream) != 0 && status == TN_OK)
        status = failed(ctx, out->path, errno);
    int error = status == TN_OK && out->aside ? replace(out->aside, out->path) : 0;
    if (error)
        status = tn_fail(ctx, TN_ERR_WRITE, "cannot write %s: %s", out->path, strerror(error));
    if (status != TN_OK && out->aside)
        unlink(out->aside);
    outfile_release(ctx, out);
    return status;
}

tn_status tn_outfile_end(tn_context *ctx, tn_outfile *out, tn_status status) {
    if (status != TN_OK && out->stream && ferror(out->stream))
        status = tn_outfile_check(ctx, out);
    if (status == TN_OK)
        return tn_outfile_commit(ctx, out);
    tn_outfile_abandon(ctx, out);
    return status;
}

void tn_outfile_abandon(tn_context *ctx, tn_outfile *out) {
    if (!out->path)
        return;
    fclose(out->stream);
    if (out->aside)
        unlink(out->aside);
    outfile_release(ctx, out);
}

bool tn_file_same(const char *a, const char *b) {
    target x, y;
    char folder_x[PATH_MAX], folder_y[PATH_MAX];
    struct stat one, two;
    if (!follow(a, &x) || !follow(b, &y) || x.exists != y.exists)
        return false;
    if (x.exists)
        return x.info.st_dev == y.info.st_dev && x.info.st_ino == y.info.st_ino && !S_ISCHR(x.info.st_mode);
    const char *end_x = strrchr(x.name, '/'), *end_y = strrchr(y.name, '/');
    folder_of(x.name, folder_x, sizeof folder_x);
    folder_of(y.name, folder_y, sizeof folder_y);
    return strcmp(end_x ? end_x + 1 : x.name, end_y ? end_y + 1 : y.name) == 0 && stat(folder_x, &one) == 0 &&
           stat(folder_y, &two) == 0 && one.st_dev == two.st_dev && one.st_ino == two.st_ino;
}
