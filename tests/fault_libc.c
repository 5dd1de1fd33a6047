/* A library to preload (LD_PRELOAD) that numbers the calls that the program itself makes of malloc and its
 * kin (FAULT_KIND=memory) or of what writes files (FAULT_KIND=files), and fails the one that fault_count.h
 * names. Calls from other libraries go through: it is not drivers that are tested. A stream whose flush or
 * close fails writes into a full device, so that what the C library still held is lost as on a full disk. */
#include "fault_count.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/stat.h>

enum { RANGES_MAX = 16 };

typedef struct range {
    uintptr_t from, to;
} range;

static range ranges[RANGES_MAX]; /* code whose calls count: the program's, jansson's, libcsv's, SQLite's */
static int range_count;
static bool memory, files, ready;

static int add_ranges(struct dl_phdr_info *info, size_t size, void *data) {
    const char *name = info->dlpi_name;
    (void)size;
    (void)data;
    if (name[0] && !strstr(name, "libjansson") && !strstr(name, "libcsv") && !strstr(name, "libsqlite3"))
        return 0;
    for (int i = 0; i < info->dlpi_phnum && range_count < RANGES_MAX; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];
        if (h->p_type == PT_LOAD && (h->p_flags & PF_X))
            ranges[range_count++] =
                (range){info->dlpi_addr + h->p_vaddr, info->dlpi_addr + h->p_vaddr + h->p_memsz};
    }
    return 0;
}

__attribute__((constructor)) static void start(void) {
    const char *kind = getenv("FAULT_KIND");
    if (!kind)
        return;
    memory = strcmp(kind, "memory") == 0;
    files = strcmp(kind, "files") == 0;
    dl_iterate_phdr(add_ranges, NULL);
    ready = true;
}

static bool counted(const void *caller) {
    for (int i = 0; ready && i < range_count; i++)
        if ((uintptr_t)caller >= ranges[i].from && (uintptr_t)caller < ranges[i].to)
            return true;
    return false;
}

static bool no_memory(const void *caller, const char *name) {
    if (!memory || !counted(caller) || !tn_fault_now(name))
        return false;
    errno = ENOMEM;
    return true;
}

static bool no_disk(const void *caller, const char *name, int error) {
    if (!files || !counted(caller) || !tn_fault_now(name))
        return false;
    errno = error;
    return true;
}

#define CALLER __builtin_return_address(0)

/* glibc's own names, which need no look-up that would allocate. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *at, size_t size);

void *malloc(size_t size) {
    return no_memory(CALLER, "malloc") ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    return no_memory(CALLER, "calloc") ? NULL : __libc_calloc(count, size);
}

void *realloc(void *at, size_t size) {
    return no_memory(CALLER, "realloc") ? NULL : __libc_realloc(at, size);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

char *strdup(const char *text) {
    return no_memory(CALLER, "strdup") ? NULL : NEXT(strdup)(text);
}

static bool writes(const char *mode) {
    return mode[0] != 'r' || strchr(mode, '+');
}

FILE *fopen(const char *path, const char *mode) {
    return writes(mode) && no_disk(CALLER, "fopen", ENOSPC) ? NULL : NEXT(fopen)(path, mode);
}

FILE *fdopen(int fd, const char *mode) {
    return writes(mode) && no_disk(CALLER, "fdopen", ENOMEM) ? NULL : NEXT(fdopen)(fd, mode);
}

static bool is_written(FILE *stream) {
    int flags = stream ? fcntl(fileno(stream), F_GETFL) : -1;
    return flags != -1 && (flags & O_ACCMODE) != O_RDONLY;
}

/* From here on the stream's file is full. */
static void fill_up(FILE *stream) {
    int full = open("/dev/full", O_WRONLY);
    if (full < 0 || dup2(full, fileno(stream)) < 0)
        abort();
    close(full);
}

int fflush(FILE *stream) {
    if (is_written(stream) && no_disk(CALLER, "fflush", ENOSPC))
        fill_up(stream);
    return NEXT(fflush)(stream);
}

int fclose(FILE *stream) {
    if (is_written(stream) && no_disk(CALLER, "fclose", ENOSPC))
        fill_up(stream);
    return NEXT(fclose)(stream);
}

int fsync(int fd) {
    return no_disk(CALLER, "fsync", EIO) ? -1 : NEXT(fsync)(fd);
}

int ftruncate(int fd, off_t size) {
    return no_disk(CALLER, "ftruncate", EIO) ? -1 : NEXT(ftruncate)(fd, size);
}

int rename(const char *from, const char *to) {
    return no_disk(CALLER, "rename", EIO) ? -1 : NEXT(rename)(from, to);
}

int mkdir(const char *path, mode_t mode) {
    return no_disk(CALLER, "mkdir", ENOSPC) ? -1 : NEXT(mkdir)(path, mode);
}

ssize_t write(int fd, const void *bytes, size_t size) {
    return no_disk(CALLER, "write", ENOSPC) ? -1 : NEXT(write)(fd, bytes, size);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) {
    return no_disk(CALLER, "pwrite", ENOSPC) ? -1 : NEXT(pwrite64)(fd, bytes, size, at);
}

int fdatasync(int fd) {
    return no_disk(CALLER, "fdatasync", EIO) ? -1 : NEXT(fdatasync)(fd);
}

int ftruncate64(int fd, off64_t size) {
    return no_disk(CALLER, "ftruncate", EIO) ? -1 : NEXT(ftruncate64)(fd, size);
}

#define DEFINE_OPEN(name)                                                                                    \
    int name(const char *path, int flags, ...) {                                                             \
        mode_t mode = 0;                                                                                     \
        if (flags & O_CREAT) {                                                                               \
            va_list arguments;                                                                               \
            va_start(arguments, flags);                                                                      \
            mode = va_arg(arguments, mode_t);                                                                \
            va_end(arguments);                                                                               \
        }                                                                                                    \
        if ((flags & O_ACCMODE) != O_RDONLY && no_disk(CALLER, "open", ENOSPC))                              \
            return -1;                                                                                       \
        return NEXT(name)(path, flags, mode);                                                                \
    }
DEFINE_OPEN(open)
DEFINE_OPEN(open64)
