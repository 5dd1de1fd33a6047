#include "peer.h"

#include "child.h"
#include "clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINE = 4096, TAIL = 400 };

struct tn_peer {
    tn_context *ctx;
    tn_peer_limits limits;
    pid_t pid;            /* 0: dead */
    int talk, complaints; /* a socket for both directions; its stderr */
    int inputs;           /* files written for the next prepare */
    int files;            /* most that were written */
    char folder[200], name[160];
    char line[LINE]; /* what came of the next answer */
    size_t have;
    char tail[TAIL]; /* end of its stderr */
};

static void close_one(int *fd) {
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* In the child, between fork and exec. */
static void become(const char *const *argv, int talk, int complaints, pid_t parent) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || dup2(talk, 0) < 0 || dup2(talk, 1) < 0 || dup2(complaints, 2) < 0)
        _exit(127);
    signal(SIGPIPE, SIG_DFL);
    unsetenv("OPENBLAS_CORETYPE"); /* may name an old kernel */
    unsetenv("OPENBLAS_L2_SIZE");
    setenv("OPENBLAS_THREAD_TIMEOUT", "16", 1); /* 2^16 cycles; the default spins on for 100 ms */
    execvp(argv[0], (char *const *)argv);
    dprintf(2, "cannot be started: %s", strerror(errno));
    _exit(127);
}

static tn_status make_folder(tn_peer *p) {
    const char *where = getenv("TMPDIR");
    if (!where || !where[0] || strpbrk(where, " \t\n") || strlen(where) > 150)
        where = "/tmp"; /* a line holds paths with blanks between them */
    snprintf(p->folder, sizeof p->folder, "%s/turnout-peer-XXXXXX", where);
    if (mkdtemp(p->folder))
        return TN_OK;
    p->folder[0] = '\0';
    return tn_fail(p->ctx, TN_ERR_OUTPUT, "cannot make a folder in %s for a peer's files: %s", where,
                   strerror(errno));
}

static tn_status spawn(tn_peer *p, const char *const *argv) {
    int talk[2] = {-1, -1}, complaints[2] = {-1, -1};
    pid_t parent = getpid();
    p->talk = p->complaints = -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, talk) != 0)
        return tn_fail(p->ctx, TN_ERR_MEMORY, "cannot make a socket pair: %s", strerror(errno));
    p->talk = talk[0];
    pid_t pid = pipe2(complaints, O_CLOEXEC) == 0 ? fork() : -1;
    if (pid == 0)
        become(argv, talk[1], complaints[1], parent);
    close_one(&talk[1]);
    close_one(&complaints[1]);
    p->complaints = complaints[0];
    if (pid < 0)
        return tn_fail(p->ctx, TN_ERR_MEMORY, "cannot start a process: %s", strerror(errno));
    setpgid(pid, pid);
    p->pid = pid;
    return TN_OK;
}

tn_status tn_peer_start(tn_context *ctx, const char *const *argv, const tn_peer_limits *limits,
                        tn_peer **out) {
    tn_peer *p;
    TN_TRY(tn_alloc(ctx, 1, sizeof *p, out));
    p = *out;
    p->ctx = ctx;
    p->talk = p->complaints = -1;
    p->limits = limits ? *limits : (tn_peer_limits){0};
    p->limits.prepare_s = p->limits.prepare_s > 0 ? p->limits.prepare_s : 240;
    p->limits.answer_s = p->limits.answer_s > 0 ? p->limits.answer_s : 60;
    const char *program = argv[1] ? argv[1] : argv[0], *slash = strrchr(program, '/');
    snprintf(p->name, sizeof p->name, "%s", slash ? slash + 1 : program);
    tn_status status = make_folder(p);
    if (status == TN_OK)
        status = spawn(p, argv);
    if (status != TN_OK) {
        tn_peer_stop(p);
        *out = NULL;
    }
    return status;
}

static void read_complaints(tn_peer *p) {
    char block[TAIL];
    ssize_t got = p->complaints >= 0 ? read(p->complaints, block, sizeof block - 1) : -1;
    if (got <= 0) {
        if (got == 0 || errno != EINTR)
            close_one(&p->complaints);
        return;
    }
    size_t have = strlen(p->tail), more = (size_t)got, room = sizeof p->tail - 1;
    for (size_t i = 0; i < more; i++)
        block[i] = block[i] == '\0' ? ' ' : block[i];
    if (have + more > room) { /* the last words say why */
        size_t drop = have + more - room;
        memmove(p->tail, p->tail + drop, have - drop);
        have -= drop;
    }
    memcpy(p->tail + have, block, more);
    p->tail[have + more] = '\0';
}

/* What is left of its stderr, without waiting for a grandchild that may hold it open. */
static void last_words(tn_peer *p) {
    struct pollfd fd = {.fd = p->complaints, .events = POLLIN};
    while (p->complaints >= 0 && poll(&fd, 1, 20) > 0)
        read_complaints(p);
}

/* Kills and collects it; one that a driver holds in the kernel is left behind. */
static void end(tn_peer *p) {
    if (!p->pid)
        return;
    kill(-p->pid, SIGKILL);
    for (int i = 0; i < 2500 && waitpid(p->pid, NULL, WNOHANG) == 0; i++)
        usleep(2000);
    last_words(p);
    close_one(&p->talk);
    close_one(&p->complaints);
    p->pid = 0;
}

/* Has it ended? Waits up to `patience` seconds for that and leaves it to be collected. */
static bool has_ended(const tn_peer *p, double patience, siginfo_t *info) {
    for (double start = tn_clock_seconds();;) {
        *info = (siginfo_t){0};
        if (waitid(P_PID, (id_t)p->pid, info, WEXITED | WNOHANG | WNOWAIT) == 0 && info->si_pid == p->pid)
            return true;
        if (tn_clock_seconds() - start > patience)
            return false;
        usleep(1000);
    }
}

/* It closed its end: how it died, then its last words. */
static tn_status died(tn_peer *p, const char *doing) {
    siginfo_t info;
    char how[64] = "went away";
    if (has_ended(p, 1, &info) && info.si_code == CLD_EXITED)
        snprintf(how, sizeof how, "ended with code %d", info.si_status);
    else if (info.si_pid == p->pid)
        snprintf(how, sizeof how, "died of %s", tn_signal_name(info.si_status));
    end(p);
    return tn_fail(p->ctx, TN_ERR_DEVICE, "the peer %s %s at '%s'%s%s", p->name, how, doing,
                   p->tail[0] ? ": " : "", p->tail);
}

static tn_status nonsense(tn_peer *p, const char *doing, const char *answer) {
    end(p);
    return tn_fail(p->ctx, TN_ERR_DEVICE, "the peer %s answered '%.60s' to '%s', which is no answer", p->name,
                   answer, doing);
}

/* One line into `out`, without its line break. */
static tn_status read_line(tn_peer *p, const char *doing, double patience, char *out) {
    double deadline = tn_clock_seconds() + patience;
    for (;;) {
        char *stop = memchr(p->line, '\n', p->have);
        if (stop) {
            size_t length = (size_t)(stop - p->line);
            memcpy(out, p->line, length);
            out[length] = '\0';
            p->have -= length + 1;
            memmove(p->line, stop + 1, p->have);
            return TN_OK;
        }
        double left = deadline - tn_clock_seconds();
        if (tn_interrupted())
            return tn_fail(p->ctx, TN_ERR_INTERRUPTED, "stopped while a peer worked");
        if (left <= 0) {
            end(p);
            return tn_fail(p->ctx, TN_ERR_DEVICE, "the peer %s gave no answer to '%s' within %g s", p->name,
                           doing, patience);
        }
        struct pollfd fds[2] = {{.fd = p->talk, .events = POLLIN}, {.fd = p->complaints, .events = POLLIN}};
        if (poll(fds, 2, left > 0.2 ? 200 : 1 + (int)(1e3 * left)) <= 0)
            continue;
        if (fds[1].revents)
            read_complaints(p);
        if (!fds[0].revents)
            continue;
        if (p->have == sizeof p->line)
            return nonsense(p, doing, "a line without end");
        ssize_t got = recv(p->talk, p->line + p->have, sizeof p->line - p->have, 0);
        if (got == 0 || (got < 0 && errno != EINTR))
            return died(p, doing);
        p->have += got > 0 ? (size_t)got : 0;
    }
}

/* Asks one line and expects `word` at the start of the answer; what follows it goes to `rest` [LINE]. */
static tn_status ask(tn_peer *p, const char *question, const char *word, double patience, char *rest) {
    char answer[LINE], doing[24];
    size_t length = strlen(question), sent = 0;
    snprintf(doing, sizeof doing, "%.*s", (int)strcspn(question, "\n"), question);
    if (!p->pid)
        return tn_fail(p->ctx, TN_ERR_DEVICE, "the peer %s is dead", p->name);
    while (sent < length) {
        ssize_t some = send(p->talk, question + sent, length - sent, MSG_NOSIGNAL);
        if (some < 0 && errno != EINTR)
            return died(p, doing);
        sent += some > 0 ? (size_t)some : 0;
    }
    TN_TRY(read_line(p, doing, patience, answer));
    const char *blank = strchr(answer, ' ');
    size_t size = blank ? (size_t)(blank - answer) : strlen(answer);
    const char *text = blank ? blank + 1 : "";
    if (size == strlen(word) && strncmp(answer, word, size) == 0) {
        memcpy(rest, text, strlen(text) + 1);
        return TN_OK;
    }
    if (size == 11 && strncmp(answer, "unsupported", size) == 0)
        return tn_fail(p->ctx, TN_ERR_UNSUPPORTED, "%s", text);
    if (size == 5 && strncmp(answer, "error", size) == 0)
        return tn_fail(p->ctx, TN_ERR_DEVICE, "the peer %s says: %s", p->name, text);
    return nonsense(p, doing, answer);
}

/* Is one of its threads running? Its processor time would say so too, but only from tick to tick. */
static bool at_work(const tn_peer *p) {
    char path[300], stat[512];
    bool busy = false;
    snprintf(path, sizeof path, "/proc/%d/task", (int)p->pid);
    DIR *tasks = opendir(path);
    for (struct dirent *t; tasks && !busy && (t = readdir(tasks)) != NULL;) {
        snprintf(path, sizeof path, "/proc/%d/task/%.20s/stat", (int)p->pid, t->d_name);
        FILE *file = t->d_name[0] == '.' ? NULL : fopen(path, "r");
        if (!file)
            continue;
        stat[fread(stat, 1, sizeof stat - 1, file)] = '\0';
        fclose(file);
        const char *name_end = strrchr(stat, ')');
        busy = name_end && strncmp(name_end, ") R", 3) == 0;
    }
    if (tasks)
        closedir(tasks);
    return busy;
}

/* Libraries let their threads spin for a while after a call, on a core that who is timed next would want. */
static void wait_for_rest(const tn_peer *p) {
    for (double start = tn_clock_seconds(); at_work(p) && tn_clock_seconds() - start < 0.3;)
        usleep(100);
}

static void file_name(const tn_peer *p, int index, char *path, size_t size) {
    if (index < 0)
        snprintf(path, size, "%s/out", p->folder);
    else
        snprintf(path, size, "%s/in%d", p->folder, index);
}

tn_status tn_peer_input(tn_peer *p, const float *values, size_t count) {
    char path[256];
    file_name(p, p->inputs, path, sizeof path);
    FILE *file = fopen(path, "wb");
    bool fine = file && fwrite(values, sizeof *values, count, file) == count;
    fine = file && fclose(file) == 0 && fine;
    if (!fine)
        return tn_fail(p->ctx, TN_ERR_OUTPUT, "cannot write %s: %s", path, strerror(errno));
    p->inputs++;
    p->files = p->files > p->inputs ? p->files : p->inputs;
    return TN_OK;
}

tn_status tn_peer_prepare(tn_peer *p, const char *what) {
    char question[LINE], rest[LINE];
    size_t used = (size_t)snprintf(question, sizeof question, "prepare %s", what);
    int inputs = p->inputs;
    p->inputs = 0; /* the next prepare has inputs of its own */
    for (int i = 0; i < inputs && used + 256 < sizeof question; i++) {
        question[used++] = ' ';
        file_name(p, i, question + used, 256);
        used += strlen(question + used);
    }
    if (used + 256 >= sizeof question)
        return tn_fail(p->ctx, TN_ERR_ARG, "a peer cannot be given %d inputs", inputs);
    snprintf(question + used, sizeof question - used, "\n");
    TN_TRY(ask(p, question, "ready", p->limits.prepare_s, rest));
    snprintf(p->name, sizeof p->name, "%.*s", (int)sizeof p->name - 1,
             rest[0] ? rest : "a peer without a name");
    wait_for_rest(p);
    return TN_OK;
}

tn_status tn_peer_ask_ways(tn_peer *p, const char *python, int most, size_t size, char *words, int *count) {
    char question[LINE], rest[LINE], *save;
    *count = 0;
    snprintf(question, sizeof question, "ways %.3000s\n", python);
    TN_TRY(ask(p, question, "ways", p->limits.answer_s, rest));
    for (char *word = strtok_r(rest, " ", &save); word && *count < most; word = strtok_r(NULL, " ", &save))
        if (strlen(word) < size)
            memcpy(words + size * (size_t)(*count)++, word, strlen(word) + 1);
    return TN_OK;
}

tn_status tn_peer_run(tn_peer *p, int calls, double *seconds) {
    char question[40], rest[LINE], *stop;
    snprintf(question, sizeof question, "run %d\n", calls);
    TN_TRY(ask(p, question, "seconds", p->limits.answer_s, rest));
    *seconds = strtod(rest, &stop);
    if (stop == rest || *stop || !(*seconds > 0) || !isfinite(*seconds))
        return nonsense(p, "run", rest);
    wait_for_rest(p);
    return TN_OK;
}

tn_status tn_peer_output(tn_peer *p, float *values, size_t count) {
    char question[300], path[256], rest[LINE];
    file_name(p, -1, path, sizeof path);
    unlink(path);
    snprintf(question, sizeof question, "output %s\n", path);
    TN_TRY(ask(p, question, "written", p->limits.answer_s, rest));
    FILE *file = fopen(path, "rb");
    size_t got = file ? fread(values, sizeof *values, count, file) : 0;
    bool whole = file && got == count && fgetc(file) == EOF;
    if (file)
        fclose(file);
    unlink(path);
    return whole ? TN_OK
                 : tn_fail(p->ctx, TN_ERR_DEVICE, "the peer %s did not write the %zu values it was asked for",
                           p->name, count);
}

bool tn_peer_alive(const tn_peer *p) {
    return p->pid != 0;
}

const char *tn_peer_name(const tn_peer *p) {
    return p->name;
}

void tn_peer_stop(tn_peer *p) {
    char path[256];
    siginfo_t info;
    if (!p)
        return;
    if (p->pid && send(p->talk, "quit\n", 5, MSG_NOSIGNAL) == 5)
        has_ended(p, 0.5, &info);
    end(p);
    close_one(&p->talk);
    close_one(&p->complaints);
    for (int i = -1; i < p->files && p->folder[0]; i++) {
        file_name(p, i, path, sizeof path);
        unlink(path);
    }
    if (p->folder[0])
        rmdir(p->folder);
    tn_free(p->ctx, p);
}
