/* A program run in a process of its own under a watchdog: what hangs is killed, what crashes is only noted.
 */
#ifndef TN_CHILD_H
#define TN_CHILD_H

#include "process.h"

typedef struct tn_child_result {
    bool timed_out, interrupted; /* killed for lasting too long; killed because of Ctrl-C */
    int signal;                  /* that ended it, 0 for none */
    int code;                    /* exit code, when it ended by itself */
    char *output;                /* all of stdout; caller frees with tn_child_free */
    size_t output_size, output_capacity;
    char error[sizeof((tn_process *)0)->tail]; /* the end of stderr */
    double seconds;
} tn_child_result;

/* argv[0] is the path of the program; NULL ends argv. Fails only when there is no process to be had; of one
 * that cannot be executed the code is 127. */
tn_status tn_child_run(tn_context *ctx, char *const *argv, double timeout_s, tn_child_result *out);
/* The same for one that reports as it goes on: it is killed after `silence_s` without a word on stdout, and
 * its stderr is this process's own. */
tn_status tn_child_watch(tn_context *ctx, char *const *argv, double silence_s, tn_child_result *out);
void tn_child_free(tn_context *ctx, tn_child_result *result);

#endif
