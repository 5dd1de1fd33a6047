#include "peer.h"

#include "clock.h"
#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINE = 4096, TAIL = 400 };

struct tn_peer {
    tn_context *ctx;
    tn_peer_limits limits;
    tn_process process; /* pid 0: dead */
    int inputs;         /* files written for the next prepare */
    int files;          /* most that were written */
    char folder[200], name[160];
    char line[LINE]; /* what came of the next answer */
    size_t have;
};

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

tn_status tn_peer_start(tn_context *ctx, const char *const *argv, const tn_peer_limits *limits,
                        tn_peer **out) {
    /* The first two may name an old kernel; 2^16 cycles, where the default spins on for 100 ms. */
    static char type[] = "OPENBLAS_CORETYPE", cache[] = "OPENBLAS_L2_SIZE",
                spin[] = "OPENBLAS_THREAD_TIMEOUT=16";
    char *const environment[] = {type, cache, spin, NULL};
    const tn_process_setup setup = {.talks = true, .environment = environment};
    tn_peer *p;
    TN_TRY(tn_alloc(ctx, 1, sizeof *p, out));
    p = *out;
    p->ctx = ctx;
    p->process.talk = p->process.complaints = -1;
    p->limits = limits ? *limits : (tn_peer_limits){0};
    p->limits.prepare_s = p->limits.prepare_s > 0 ? p->limits.prepare_s : 240;
    p->limits.answer_s = p->limits.answer_s > 0 ? p->limits.answer_s : 60;
    const char *program = argv[1] ? argv[1] : argv[0], *slash = strrchr(program, '/');
    snprintf(p->name, sizeof p->name, "%s", slash ? slash + 1 : program);
    tn_status status = make_folder(p);
    if (status == TN_OK)
        status = tn_process_start(ctx, argv, &setup, &p->process);
    if (status != TN_OK) {
        tn_peer_stop(p);
        *out = NULL;
    }
    return status;
}

static void end(tn_peer *p) {
    tn_process_collect(&p->process, 0);
}

/* It closed its end: how it died, then its last words. */
static tn_status died(tn_peer *p, const char *doing) {
    tn_process_end how;
    char text[64] = "went away";
    if (tn_process_ended(&p->process, 1, &how) && how.signal)
        snprintf(text, sizeof text, "died of %s", tn_signal_name(how.signal));
    else if (tn_process_ended(&p->process, 0, &how))
        snprintf(text, sizeof text, "ended with code %d", how.code);
    end(p);
    const char *tail = p->process.tail;
    tail += strlen(tail) > TAIL ? strlen(tail) - TAIL : 0;
    return tn_fail(p->ctx, TN_ERR_DEVICE, "the peer %s %s at '%s'%s%s", p->name, text, doing,
                   *tail ? ": " : "", tail);
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
        tn_process_event event = tn_process_wait(&p->process, deadline);
        if (event == TN_PROCESS_STOPPED)
            return tn_fail(p->ctx, TN_ERR_INTERRUPTED, "stopped while a peer worked");
        if (event == TN_PROCESS_LATE) {
            end(p);
            return tn_fail(p->ctx, TN_ERR_DEVICE, "the peer %s gave no answer to '%s' within %g s", p->name,
                           doing, patience);
        }
        if (event != TN_PROCESS_SAYS)
            continue;
        if (p->have == sizeof p->line)
            return nonsense(p, doing, "a line without end");
        ssize_t got = recv(p->process.talk, p->line + p->have, sizeof p->line - p->have, 0);
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
    if (!p->process.pid)
        return tn_fail(p->ctx, TN_ERR_DEVICE, "the peer %s is dead", p->name);
    while (sent < length) {
        ssize_t some = send(p->process.talk, question + sent, length - sent, MSG_NOSIGNAL);
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
    snprintf(path, sizeof path, "/proc/%d/task", (int)p->process.pid);
    DIR *tasks = opendir(path);
    for (struct dirent *t; tasks && !busy && (t = readdir(tasks)) != NULL;) {
        snprintf(path, sizeof path, "/proc/%d/task/%.20s/stat", (int)p->process.pid, t->d_name);
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

tn_status tn_peer_run_events(tn_peer *p, int calls, double *seconds, double *event_seconds) {
    char question[40], rest[LINE], *stop, *end;
    snprintf(question, sizeof question, "run %d\n", calls);
    TN_TRY(ask(p, question, "seconds", p->limits.answer_s, rest));
    *seconds = strtod(rest, &stop);
    *event_seconds = NAN;
    if (stop == rest || !(*seconds > 0) || !isfinite(*seconds))
        return nonsense(p, "run", rest);
    if (*stop) {
        *event_seconds = strtod(stop, &end);
        if (end == stop || *end || !(*event_seconds >= 0) || !isfinite(*event_seconds))
            return nonsense(p, "run", rest);
    }
    wait_for_rest(p);
    return TN_OK;
}

tn_status tn_peer_run(tn_peer *p, int calls, double *seconds) {
    double by_events;
    return tn_peer_run_events(p, calls, seconds, &by_events);
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
    return p->process.pid != 0;
}

const char *tn_peer_name(const tn_peer *p) {
    return p->name;
}

void tn_peer_stop(tn_peer *p) {
    char path[256];
    tn_process_end how;
    if (!p)
        return;
    if (p->process.pid && send(p->process.talk, "quit\n", 5, MSG_NOSIGNAL) == 5)
        tn_process_ended(&p->process, 0.5, &how);
    end(p);
    for (int i = -1; i < p->files && p->folder[0]; i++) {
        file_name(p, i, path, sizeof path);
        unlink(path);
    }
    if (p->folder[0])
        rmdir(p->folder);
    tn_free(p->ctx, p);
}
