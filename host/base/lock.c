#include "lock.h"

#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static tn_status taken(tn_context *ctx, const char *folder, int file) {
    char owner[200] = "";
    ssize_t size = pread(file, owner, sizeof owner - 1, 0);
    owner[size > 0 ? size : 0] = '\0';
    owner[strcspn(owner, "\n")] = '\0';
    return tn_fail(
        ctx, TN_ERR_OUTPUT,
        "another process%s%s%s is writing into %s; wait until it has ended, or name another folder",
        owner[0] ? " (" : "", owner, owner[0] ? ")" : "", folder);
}

/* The one that had it before may have removed the file between our opening and locking it. */
static bool is_still_there(int file, const char *path) {
    struct stat mine, named;
    return fstat(file, &mine) == 0 && stat(path, &named) == 0 && mine.st_ino == named.st_ino &&
           mine.st_dev == named.st_dev;
}

static tn_status take(tn_context *ctx, const char *folder, const char *path, int *file) {
    for (;;) {
        *file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (*file < 0)
            return tn_fail(ctx, TN_ERR_OUTPUT, "cannot write into %s: %s", folder, strerror(errno));
        if (flock(*file, LOCK_EX | LOCK_NB) != 0) {
            bool other = errno == EWOULDBLOCK;
            if (!other)
                tn_warn(ctx, "%s cannot be locked: %s; see to it that nothing else writes there", folder,
                        strerror(errno));
            tn_status status = other ? taken(ctx, folder, *file) : TN_OK;
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

tn_status tn_lock_take(tn_context *ctx, const char *folder, tn_lock *out) {
    *out = (tn_lock){.file = -1};
    char *path;
    TN_TRY(tn_path_join(ctx, folder, ".lock", &path));
    int file = -1;
    tn_status status = take(ctx, folder, path, &file);
    if (status != TN_OK || file < 0) {
        tn_free(ctx, path);
        return status;
    }
    sign(file);
    *out = (tn_lock){.ctx = ctx, .path = path, .file = file};
    return TN_OK;
}

void tn_lock_release(tn_lock *lock) {
    if (!lock->ctx)
        return;
    unlink(lock->path); /* while it is held: nobody else can hold the file that goes */
    close(lock->file);
    tn_free(lock->ctx, lock->path);
    *lock = (tn_lock){.file = -1};
}
