#include "child.h"

#include "clock.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static tn_status take_output(tn_context *ctx, tn_process *p, tn_child_result *r) {
    char block[4096];
    ssize_t got = read(p->talk, block, sizeof block);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return TN_OK;
    if (got <= 0) {
        tn_process_close_talk(p);
        return TN_OK;
    }
    TN_TRY(tn_grow(ctx, &r->output, &r->output_capacity, r->output_size + (size_t)got + 1, 1));
    memcpy(r->output + r->output_size, block, (size_t)got);
    r->output_size += (size_t)got;
    r->output[r->output_size] = '\0';
    return TN_OK;
}

/* Reads until stdout and stderr are closed, the time is up or Ctrl-C came. With `silence_s` each word on
 * stdout puts the deadline off to so long behind it. */
static tn_status watch(tn_context *ctx, tn_process *p, double *deadline, double silence_s,
                       tn_child_result *r) {
    while (p->talk >= 0 || p->complaints >= 0) {
        tn_process_event event = tn_process_wait(p, *deadline);
        r->interrupted = event == TN_PROCESS_STOPPED;
        r->timed_out = event == TN_PROCESS_LATE;
        if (r->interrupted || r->timed_out)
            return TN_OK;
        if (event != TN_PROCESS_SAYS)
            continue;
        if (silence_s > 0)
            *deadline = tn_clock_seconds() + silence_s;
        TN_TRY(take_output(ctx, p, r));
    }
    return TN_OK;
}

static tn_status run(tn_context *ctx, char *const *argv, double timeout_s, bool is_watched,
                     tn_child_result *out) {
    const tn_process_setup setup = {.own_stderr = is_watched};
    double start = tn_clock_seconds(), deadline = start + timeout_s;
    tn_process p;
    *out = (tn_child_result){0};
    TN_TRY(tn_process_start(ctx, (const char *const *)argv, &setup, &p));
    tn_status status = watch(ctx, &p, &deadline, is_watched ? timeout_s : 0, out);
    bool give_up = status != TN_OK || out->timed_out || out->interrupted;
    tn_process_end end = tn_process_collect(&p, give_up ? 0 : deadline);
    out->timed_out = out->timed_out || (end.killed && !give_up); /* it hung in an exit handler */
    out->signal = end.signal;
    out->code = end.code;
    memcpy(out->error, p.tail, sizeof out->error);
    out->seconds = tn_clock_seconds() - start;
    if (status != TN_OK)
        tn_child_free(ctx, out);
    return status;
}

tn_status tn_child_run(tn_context *ctx, char *const *argv, double timeout_s, tn_child_result *out) {
    return run(ctx, argv, timeout_s, false, out);
}

tn_status tn_child_watch(tn_context *ctx, char *const *argv, double silence_s, tn_child_result *out) {
    return run(ctx, argv, silence_s, true, out);
}

void tn_child_free(tn_context *ctx, tn_child_result *result) {
    tn_free(ctx, result->output);
    result->output = NULL;
}
