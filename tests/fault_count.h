/* Which call is to fail. Calls are numbered by where they come from: a call path is the chain of return
 * addresses in the program itself, and path number n is the n-th that was seen for the first time. So a loop
 * of ten thousand launches is a few paths, each of which can be made to fail at its first turn or at a later
 * one. FAULT_STATE names a file of a tn_fault_state that every process of a command maps: children count on.
 */
#ifndef TN_FAULT_COUNT_H
#define TN_FAULT_COUNT_H

#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { TN_FAULT_PATHS = 1 << 15, TN_FAULT_DEPTH = 24 };

typedef struct tn_fault_state {
    int path;      /* whose call fails, from 1; 0: none, calls are counted only */
    int turn;      /* which of its calls, from 1 */
    int and_after; /* not 0: every call behind it fails too, as those of a device that is lost */
    int paths, calls, failed;
    char name[64]; /* of the first call that failed */
    struct {
        uint64_t hash;
        int path, turns;
    } table[TN_FAULT_PATHS];
} tn_fault_state;

/* NULL where it cannot be mapped. */
static inline tn_fault_state *tn_fault_map(const char *file) {
    int fd = file ? open(file, O_RDWR) : -1;
    void *at =
        fd >= 0 ? mmap(NULL, sizeof(tn_fault_state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (fd >= 0)
        close(fd);
    return at == MAP_FAILED ? NULL : at;
}

static inline int tn_fault_first(struct dl_phdr_info *info, size_t size, void *out) {
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD && (info->dlpi_phdr[i].p_flags & PF_X)) {
            uintptr_t *range = out;
            range[0] = info->dlpi_addr;
            range[1] = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            range[2] = range[1] + info->dlpi_phdr[i].p_memsz;
        }
    return 1; /* the program comes first: no further object */
}

static inline uint64_t tn_fault_hash(const char *name) {
    static uintptr_t program[3]; /* base, and where its code lies */
    void *frames[TN_FAULT_DEPTH];
    uint64_t hash = 1469598103934665603ull;
    if (!program[2])
        dl_iterate_phdr(tn_fault_first, program);
    int depth = backtrace(frames, TN_FAULT_DEPTH);
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 1099511628211ull;
    for (int i = 0; i < depth; i++) {
        uintptr_t at = (uintptr_t)frames[i];
        if (at >= program[1] && at < program[2])
            hash = (hash ^ (at - program[0])) * 1099511628211ull;
    }
    return hash ? hash : 1;
}

/* Counts one more call of `name`; true where it is to fail. */
static inline bool tn_fault_now(const char *name) {
    static tn_fault_state *state;
    static __thread bool inside; /* what this calls is not counted */
    if (inside)
        return false;
    inside = true;
    if (!state)
        state = tn_fault_map(getenv("FAULT_STATE"));
    tn_fault_state *s = state;
    if (!s)
        abort(); /* a setting that cannot be read must not look like a program that is well */
    uint64_t hash = tn_fault_hash(name);
    size_t slot = hash % TN_FAULT_PATHS;
    bool found = false;
    for (size_t tries = 0; !found && tries < TN_FAULT_PATHS; tries++) {
        uint64_t empty = 0;
        found = __atomic_load_n(&s->table[slot].hash, __ATOMIC_ACQUIRE) == hash;
        if (!found && __atomic_compare_exchange_n(&s->table[slot].hash, &empty, hash, false, __ATOMIC_ACQ_REL,
                                                  __ATOMIC_ACQUIRE)) {
            s->table[slot].path = __atomic_add_fetch(&s->paths, 1, __ATOMIC_RELAXED);
            found = true;
        }
        if (!found)
            slot = empty == hash ? slot : (slot + 1) % TN_FAULT_PATHS;
    }
    if (!found)
        abort(); /* the table is too small */
    __atomic_add_fetch(&s->calls, 1, __ATOMIC_RELAXED);
    int turn = __atomic_add_fetch(&s->table[slot].turns, 1, __ATOMIC_RELAXED);
    bool fails = (s->path > 0 && s->table[slot].path == s->path && turn == s->turn) ||
                 (s->and_after && __atomic_load_n(&s->failed, __ATOMIC_RELAXED) > 0);
    if (fails && __atomic_add_fetch(&s->failed, 1, __ATOMIC_RELAXED) == 1)
        strncpy(s->name, name, sizeof s->name - 1);
    inside = false;
    return fails;
}

#endif
