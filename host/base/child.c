#include "child.h"

#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct pipes {
    int out[2], err[2]; /* err: −1 where it has this process's stderr */
} pipes;

/* Until when it may live; with `silence_s`, so long behind each word. */
typedef struct limit {
    double deadline, silence_s;
} limit;

static void close_one(int *fd) {
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void close_all(pipes *p) {
    for (int i = 0; i < 2; i++) {
        close_one(&p->out[i]);
        close_one(&p->err[i]);
    }
}

/* In the child, between fork and exec: only calls that are safe there. */
static void become(char *const *argv, const pipes *p, pid_t parent) {
    setpgid(0,
            0); /* so that it and all it starts can be killed at once, and Ctrl-C reaches the parent alone */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127); /* the parent died before prctl */
    int null = open("/dev/null", O_RDONLY);
    if (null < 0 || dup2(null, 0) < 0 || dup2(p->out[1], 1) < 0 || (p->err[1] >= 0 && dup2(p->err[1], 2) < 0))
        _exit(127);
    signal(SIGPIPE, SIG_DFL);
    execv(argv[0], argv);
    _exit(127);
}

/* Keeps the end of what was written to stderr: the last words say why. */
static void keep_tail(char *tail, size_t size, const char *more, size_t count) {
    size_t have = strlen(tail), room = size - 1;
    if (count >= room) {
        more += count - room;
        count = room;
    }
    if (have + count > room) {
        size_t drop = have + count - room;
        memmove(tail, tail + drop, have - drop);
        have -= drop;
    }
    memcpy(tail + have, more, count);
    tail[have + count] = '\0';
}

static tn_status take_output(tn_context *ctx, tn_child_result *r, const char *more, size_t count) {
    TN_TRY(tn_grow(ctx, &r->output, &r->output_capacity, r->output_size + count + 1, 1));
    memcpy(r->output + r->output_size, more, count);
    r->output_size += count;
    r->output[r->output_size] = '\0';
    return TN_OK;
}

static tn_status drain(tn_context *ctx, int *fd, bool is_error, tn_child_result *r) {
    char block[4096];
    ssize_t got = read(*fd, block, sizeof block);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return TN_OK;
    if (got <= 0) {
        close_one(fd);
        return TN_OK;
    }
    for (ssize_t i = 0; is_error && i < got; i++)
        if (block[i] == '\0')
            block[i] = ' ';
    if (!is_error)
        return take_output(ctx, r, block, (size_t)got);
    keep_tail(r->error, sizeof r->error, block, (size_t)got);
    return TN_OK;
}

/* Reads until both pipes are closed, the time is up or Ctrl-C came. */
static tn_status watch(tn_context *ctx, pipes *p, limit *until, tn_child_result *r) {
    while (p->out[0] >= 0 || p->err[0] >= 0) {
        struct pollfd fds[2] = {{.fd = p->out[0], .events = POLLIN}, {.fd = p->err[0], .events = POLLIN}};
        double left = until->deadline - tn_clock_seconds();
        if (left <= 0 || tn_interrupted()) {
            r->interrupted = tn_interrupted();
            r->timed_out = !r->interrupted;
            return TN_OK;
        }
        int ready = poll(fds, 2, left > 0.2 ? 200 : 1 + (int)(1e3 * left));
        if (ready <= 0)
            continue;
        if (fds[0].revents && until->silence_s > 0)
            until->deadline = tn_clock_seconds() + until->silence_s;
        if (fds[0].revents)
            TN_TRY(drain(ctx, &p->out[0], false, r));
        if (fds[1].revents)
            TN_TRY(drain(ctx, &p->err[0], true, r));
    }
    return TN_OK;
}

/* Collects the dead process. One that a driver holds in the kernel cannot be killed: it is left behind. */
static void collect(pid_t pid, double deadline, tn_child_result *r) {
    int state = 0;
    bool killed = r->timed_out || r->interrupted;
    double start = tn_clock_seconds();
    if (killed)
        kill(-pid, SIGKILL);
    while (waitpid(pid, &state, WNOHANG) == 0) {
        double now = tn_clock_seconds();
        if (!killed && now > deadline) { /* closed its pipes and hangs in an exit handler */
            r->timed_out = killed = true;
            start = now;
            kill(-pid, SIGKILL);
        }
        if (killed && now - start > 5)
            return;
        usleep(2000);
    }
    kill(-pid, SIGKILL); /* what it may have started */
    r->signal = WIFSIGNALED(state) ? WTERMSIG(state) : 0;
    r->code = WIFEXITED(state) ? WEXITSTATUS(state) : 0;
}

static tn_status run(tn_context *ctx, char *const *argv, double timeout_s, bool is_watched,
                     tn_child_result *out) {
    pipes p = {{-1, -1}, {-1, -1}};
    double start = tn_clock_seconds();
    limit until = {start + timeout_s, is_watched ? timeout_s : 0};
    pid_t parent = getpid();
    *out = (tn_child_result){0};
    if (pipe2(p.out, O_CLOEXEC) != 0 || (!is_watched && pipe2(p.err, O_CLOEXEC) != 0)) {
        close_all(&p);
        return tn_fail(ctx, TN_ERR_MEMORY, "cannot make a pipe: %s", strerror(errno));
    }
    pid_t pid = fork();
    if (pid < 0) {
        close_all(&p);
        return tn_fail(ctx, TN_ERR_MEMORY, "cannot start a process: %s", strerror(errno));
    }
    if (pid == 0)
        become(argv, &p, parent);
    setpgid(pid, pid); /* in both, so that it is done whichever runs first */
    close_one(&p.out[1]);
    close_one(&p.err[1]);
    tn_status status = watch(ctx, &p, &until, out);
    if (status != TN_OK)
        out->interrupted = true; /* to be killed */
    collect(pid, until.deadline, out);
    close_all(&p);
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

const char *tn_signal_name(int number) {
    switch (number) {
    case SIGSEGV:
        return "SIGSEGV";
    case SIGABRT:
        return "SIGABRT";
    case SIGBUS:
        return "SIGBUS";
    case SIGFPE:
        return "SIGFPE";
    case SIGILL:
        return "SIGILL";
    case SIGKILL:
        return "SIGKILL";
    case SIGTERM:
        return "SIGTERM";
    default:
        return "a signal";
    }
}
