#include "lock.h"

#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is locked, as its user calls it. */
typedef struct target {
    const char *name;
    bool folder;
} target;

static tn_status taken(tn_context *ctx, const target *t, int file) {
    char owner[200] = "";
    ssize_t size = pread(file, owner, sizeof owner - 1, 0);
    owner[size > 0 ? size : 0] = '\0';
    owner[strcspn(owner, "\n")] = '\0';
    return tn_fail(ctx, TN_ERR_OUTPUT,
                   "another process%s%s%s is writing %s%s; wait until it has ended, or name another %s",
                   owner[0] ? " (" : "", owner, owner[0] ? ")" : "", t->folder ? "into " : "", t->name,
                   t->folder ? "folder" : "file");
}

/* The one that had it before may have removed the file between our opening and locking it. */
static bool is_still_there(int file, const char *path) {
    struct stat mine, named;
    return fstat(file, &mine) == 0 && stat(path, &named) == 0 && mine.st_ino == named.st_ino &&
           mine.st_dev == named.st_dev;
}

static tn_status take(tn_context *ctx, const target *t, const char *path, int *file) {
    for (;;) {
        *file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (*file < 0)
            return tn_fail(ctx, TN_ERR_OUTPUT, "cannot write %s%s: %s", t->folder ? "into " : "", t->name,
                           strerror(errno));
        if (flock(*file, LOCK_EX | LOCK_NB) != 0) {
            bool other = errno == EWOULDBLOCK;
            if (!other)
                tn_warn(ctx, "%s cannot be locked: %s; see to it that nothing else writes there", t->name,
                        strerror(errno));
            tn_status status = other ? taken(ctx, t, *file) : TN_OK;
            close(*file);
            *file = -1;
            return status;
        }
        if (is_still_there(*file, path))
            return TN_OK;
        close(*file);
    }
}

static void sign(int file) {
    char text[200], host[100] = "";
    if (gethostname(host, sizeof host - 1) != 0)
        host[0] = '\0';
    int length = snprintf(text, sizeof text, "process %ld on %s\n", (long)getpid(), host);
    /* Who cannot sign holds the lock all the same. */
    if (ftruncate(file, 0) != 0 || pwrite(file, text, (size_t)length, 0) != length)
        errno = 0;
}

/* Takes over `path`, of the file that is locked in the end. */
static tn_status hold(tn_context *ctx, const target *t, char *path, tn_lock *out) {
    int file = -1;
    tn_status status = take(ctx, t, path, &file);
    if (status != TN_OK || file < 0) {
        tn_free(ctx, path);
        return status;
    }
    sign(file);
    *out = (tn_lock){.ctx = ctx, .path = path, .file = file};
    return TN_OK;
}

tn_status tn_lock_take(tn_context *ctx, const char *folder, tn_lock *out) {
    char *path;
    *out = (tn_lock){.file = -1};
    TN_TRY(tn_path_join(ctx, folder, ".lock", &path));
    return hold(ctx, &(target){folder, true}, path, out);
}

tn_status tn_lock_take_file(tn_context *ctx, const char *name, tn_lock *out) {
    char *file, *path;
    *out = (tn_lock){.file = -1};
    TN_TRY(tn_output_path(ctx, name, &file));
    if (!file)
        return TN_OK;
    const size_t size = strlen(file) + 8;
    tn_status status = tn_alloc(ctx, size, 1, &path);
    if (status == TN_OK) {
        snprintf(path, size, "%s.lock", file);
        status = hold(ctx, &(target){name, false}, path, out);
    }
    tn_free(ctx, file);
    return status;
}

void tn_lock_release(tn_lock *lock) {
    if (!lock->ctx)
        return;
    unlink(lock->path); /* while it is held: nobody else can hold the file that goes */
    close(lock->file);
    tn_free(lock->ctx, lock->path);
    *lock = (tn_lock){.file = -1};
}
