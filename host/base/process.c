#include "process.h"

#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void close_one(int *fd) {
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* In the child, between fork and exec: `out` and `err` become its stdout and stderr (−1: as they are). */
static void become(const char *const *argv, const tn_process_setup *setup, int out, int err, pid_t parent) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127); /* the parent died before prctl */
    int in = setup->talks ? out : open("/dev/null", O_RDONLY);
    if (in < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || (err >= 0 && dup2(err, 2) < 0))
        _exit(127);
    signal(SIGPIPE, SIG_DFL);
    for (char *const *variable = setup->environment; variable && *variable; variable++)
        putenv(*variable);
    execvp(argv[0], (char *const *)argv);
    dprintf(2, "cannot be started: %s", strerror(errno));
    _exit(127);
}

tn_status tn_process_start(tn_context *ctx, const char *const *argv, const tn_process_setup *setup,
                           tn_process *out) {
    int talk[2] = {-1, -1}, complaints[2] = {-1, -1};
    pid_t parent = getpid(), pid = -1;
    *out = (tn_process){.talk = -1, .complaints = -1};
    int failed =
        setup->talks ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, talk) : pipe2(talk, O_CLOEXEC);
    failed = failed || (!setup->own_stderr && pipe2(complaints, O_CLOEXEC) != 0);
    if (!failed)
        pid = fork();
    if (pid == 0)
        become(argv, setup, talk[1], complaints[1], parent);
    int error = errno;
    close_one(&talk[1]);
    close_one(&complaints[1]);
    if (pid < 0) {
        close_one(&talk[0]);
        close_one(&complaints[0]);
        return tn_fail(ctx, TN_ERR_MEMORY, "cannot %s: %s", failed ? "make a pipe" : "start a process",
                       strerror(error));
    }
    setpgid(pid, pid); /* in both, so that it is done whichever runs first */
    out->pid = pid;
    out->talk = talk[0];
    out->complaints = complaints[0];
    return TN_OK;
}

static void read_complaints(tn_process *p) {
    char block[sizeof p->tail];
    ssize_t got = read(p->complaints, block, sizeof block - 1);
    if (got <= 0) {
        if (got == 0 || (errno != EINTR && errno != EAGAIN))
            close_one(&p->complaints);
        return;
    }
    size_t have = strlen(p->tail), more = (size_t)got, room = sizeof p->tail - 1;
    for (size_t i = 0; i < more; i++)
        block[i] = block[i] == '\0' ? ' ' : block[i];
    if (have + more > room) {
        size_t drop = have + more - room;
        memmove(p->tail, p->tail + drop, have - drop);
        have -= drop;
    }
    memcpy(p->tail + have, block, more);
    p->tail[have + more] = '\0';
}

tn_process_event tn_process_wait(tn_process *p, double deadline) {
    struct pollfd fds[2] = {{.fd = p->talk, .events = POLLIN}, {.fd = p->complaints, .events = POLLIN}};
    double left = deadline - tn_clock_seconds();
    if (tn_interrupted())
        return TN_PROCESS_STOPPED;
    if (left <= 0)
        return TN_PROCESS_LATE;
    if (poll(fds, 2, left > 0.2 ? 200 : 1 + (int)(1e3 * left)) <= 0)
        return TN_PROCESS_SILENT;
    if (fds[1].revents)
        read_complaints(p);
    return fds[0].revents ? TN_PROCESS_SAYS : TN_PROCESS_SILENT;
}

void tn_process_close_talk(tn_process *p) {
    close_one(&p->talk);
}

bool tn_process_ended(const tn_process *p, double patience, tn_process_end *out) {
    *out = (tn_process_end){0};
    for (double start = tn_clock_seconds();;) {
        siginfo_t info = {0};
        if (waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == p->pid) {
            *(info.si_code == CLD_EXITED ? &out->code : &out->signal) = info.si_status;
            return true;
        }
        if (tn_clock_seconds() - start > patience)
            return false;
        usleep(1000);
    }
}

/* What is left of stderr, without waiting for a grandchild that may hold it open. */
static void read_last_words(tn_process *p) {
    struct pollfd fd = {.fd = p->complaints, .events = POLLIN};
    double start = tn_clock_seconds();
    while (p->complaints >= 0 && tn_clock_seconds() - start < 1 && poll(&fd, 1, 20) > 0)
        read_complaints(p);
}

tn_process_end tn_process_collect(tn_process *p, double deadline) {
    tn_process_end end = {0};
    int state = 0;
    double killed_at = 0;
    while (p->pid && waitpid(p->pid, &state, WNOHANG) == 0) {
        double now = tn_clock_seconds();
        if (!end.killed && now >= deadline) {
            end.killed = true;
            killed_at = now;
            kill(-p->pid, SIGKILL);
        }
        if (end.killed && now - killed_at > 5)
            break; /* a driver holds it in the kernel: it is left behind */
        usleep(2000);
    }
    if (p->pid)
        kill(-p->pid, SIGKILL); /* what it may have started */
    end.signal = WIFSIGNALED(state) ? WTERMSIG(state) : 0;
    end.code = WIFEXITED(state) ? WEXITSTATUS(state) : 0;
    read_last_words(p);
    close_one(&p->talk);
    close_one(&p->complaints);
    p->pid = 0;
    return end;
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
