/* A program in a process of its own: started, listened to until a deadline, killed and collected. It gets a
 * process group of its own, so that it and all it starts can be killed at once and Ctrl-C reaches this
 * process alone, and it dies with this process. */
#ifndef TN_PROCESS_H
#define TN_PROCESS_H

#include "context.h"

#include <sys/types.h>

typedef struct tn_process_setup {
    bool talks;      /* one socket is its stdin and stdout; else stdin is empty and stdout a pipe */
    bool own_stderr; /* its stderr is this process's, and nothing of it is kept */
    char *const
        *environment; /* "NAME=value", or "NAME" where it is taken out; NULL ends; NULL: as it is here */
} tn_process_setup;

typedef struct tn_process {
    pid_t pid;       /* 0: none, or collected */
    int talk;        /* stdout, and stdin where it talks; −1: closed */
    int complaints;  /* stderr; −1: closed */
    char tail[1024]; /* the end of stderr so far: the last words say why */
} tn_process;

/* argv[0] is looked up in PATH where it has no slash; NULL ends argv. TN_ERR_MEMORY where there is no process
 * to be had; one that cannot be executed ends with code 127 and says so on stderr. */
tn_status tn_process_start(tn_context *ctx, const char *const *argv, const tn_process_setup *setup,
                           tn_process *out);

typedef enum tn_process_event {
    TN_PROCESS_SILENT, /* nothing yet: ask again */
    TN_PROCESS_SAYS,   /* `talk` can be read, or is at its end */
    TN_PROCESS_LATE,   /* past the deadline */
    TN_PROCESS_STOPPED /* Ctrl-C */
} tn_process_event;

/* Waits 0.2 s at most, and not past `deadline` (tn_clock_seconds); stderr is read into `tail` meanwhile. */
tn_process_event tn_process_wait(tn_process *p, double deadline);
void tn_process_close_talk(tn_process *p); /* fine where it is closed */

typedef struct tn_process_end {
    bool killed; /* by us: at once, or as it did not end by itself until the deadline */
    int signal,
        code; /* that ended it, and its exit code; 0 where not known: a driver holds it in the kernel */
} tn_process_end;

/* Has it ended? Waits up to `patience` seconds and leaves it to be collected. */
bool tn_process_ended(const tn_process *p, double patience, tn_process_end *out);
/* Kills it at `deadline` (0: now) where it has not ended, kills what it started, and closes both ends. `tail`
 * is whole then. Fine where it is collected. */
tn_process_end tn_process_collect(tn_process *p, double deadline);

const char *tn_signal_name(int number); /* "SIGSEGV"; "a signal" for rare ones */

#endif
