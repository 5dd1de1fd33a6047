#include "tune_apart.h"

#include "child.h"
#include "clock.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Text that grows: what a child is told, and what is to be told to the next. */
typedef struct grown {
    char *text;
    size_t used, capacity;
} grown;

static tn_status add(tn_context *ctx, grown *to, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static tn_status add(tn_context *ctx, grown *to, const char *format, ...) {
    char more[4400];
    va_list args;
    va_start(args, format);
    vsnprintf(more, sizeof more, format, args);
    va_end(args);
    size_t length = strlen(more);
    TN_TRY(tn_grow(ctx, &to->text, &to->capacity, to->used + length + 1, 1));
    memcpy(to->text + to->used, more, length + 1);
    to->used += length;
    return TN_OK;
}

static tn_status run(const tn_tune_apart *a, const tn_case *c, const char *job, const char *argument,
                     tn_child_result *out) {
    char device[32], op[64], work[16];
    snprintf(device, sizeof device, "--device=%d:%d", a->info->platform, a->info->index);
    snprintf(op, sizeof op, "--op=%s", c->op);
    snprintf(work, sizeof work, "--job=%s", job);
    char *argv[] = {(char *)a->program,
                    "trial",
                    device,
                    op,
                    work,
                    "--argument",
                    (char *)argument,
                    a->ctx->quiet ? "--quiet" : NULL,
                    NULL};
    return tn_child_watch(a->ctx, argv, a->silence_s, out);
}

/* The end of a child in words, where it is none that it should have; "" where it is. */
static void end_of(const tn_tune_apart *a, const tn_child_result *r, char *text, size_t size) {
    text[0] = '\0';
    if (r->timed_out)
        snprintf(text, size, "no result after %.0f s", a->silence_s);
    else if (r->signal)
        snprintf(text, size, "the process was ended by %s (%d)", tn_signal_name(r->signal), r->signal);
    else if (r->code)
        snprintf(text, size, "the process ended with code %d, as it says above", r->code);
}

static tn_status stopped(tn_context *ctx) {
    return tn_fail(ctx, TN_ERR_INTERRUPTED, "stopped while tuning");
}

tn_status tn_tune_apart_space(const tn_tune_apart *a, const tn_case *c, int cases, tn_tune_space *out,
                              double *seconds) {
    double start = tn_clock_seconds();
    char argument[32], text[4096], why[128];
    for (int own_alone = 0; own_alone < 2; own_alone++) {
        tn_child_result r;
        snprintf(argument, sizeof argument, "%d %d", cases, own_alone);
        TN_TRY(run(a, c, "space", argument, &r));
        end_of(a, &r, why, sizeof why);
        bool has = r.output && sscanf(r.output, "space %4095s", text) == 1 && tn_tune_space_decode(text, out),
             interrupted = r.interrupted;
        tn_child_free(a->ctx, &r);
        *seconds = tn_clock_seconds() - start;
        if (interrupted)
            return stopped(a->ctx);
        if (has)
            return TN_OK;
        if (!own_alone)
            tn_warn(a->ctx, "%s: with the defaults of both kinds of device: %s; only this kind's are tried",
                    c->op, why);
    }
    return tn_fail(a->ctx, TN_ERR_DEVICE, "%s is not tuned: with its defaults: %s", c->op, why);
}

/* A search over several processes. */
typedef struct search {
    const tn_tune_apart *a;
    const tn_case *c;
    const tn_tune_space *space;
    tn_tune_set best, last; /* so far; the one whose turn it is */
    bool is_open, confirms; /* a turn has begun and not ended; it is the winner's last */
    grown seen;
    tn_tune_report *report;
} search;

static tn_status take_line(search *s, const char *line) {
    char word[16] = "", text[256] = "";
    tn_tune_gain gain = {1, 1, 1, false, 0};
    int whole, stands;
    const char *at = text;
    tn_tune_set set;
    if (sscanf(line, "result %lg %lg %lg %d %d %d %d", &gain.ratio, &gain.q1, &gain.q3, &gain.n, &whole,
               &s->report->workloads, &stands) == 7) {
        s->report->whole = whole != 0;
        s->report->best = stands ? s->best : s->space->device;
        tn_tune_result_fill(s->c, stands ? &s->best : NULL, &gain, &s->report->result);
        s->is_open = false;
        return TN_OK;
    }
    if (sscanf(line, "%15s %255s", word, text) != 2 || !tn_tune_set_decode(s->space, &at, &set))
        return TN_OK; /* cut off by the end of its process */
    s->last = set;
    s->confirms = strcmp(word, "confirm") == 0;
    s->is_open = s->confirms || strcmp(word, "begin") == 0;
    if (strcmp(word, "begin") == 0) {
        s->report->seen++;
        return add(s->a->ctx, &s->seen, "%s%s", s->seen.used ? ";" : "", text);
    }
    s->report->refused += strcmp(word, "refused") == 0;
    s->report->wrong += strcmp(word, "wrong") == 0;
    if (strcmp(word, "best") == 0)
        s->best = set;
    return TN_OK;
}

/* Takes a journal over; `*ended` when it has a result. */
static tn_status take_journal(search *s, char *journal, bool *ended) {
    *ended = false;
    for (char *rest = journal, *line; rest && (line = strsep(&rest, "\n")) != NULL;) {
        TN_TRY(take_line(s, line));
        *ended = *ended || strncmp(line, "result ", 7) == 0;
    }
    return TN_OK;
}

/* The set whose turn ended its process is not taken; without one there is nothing to go on with. */
static tn_status blame(search *s, const char *why, bool *again) {
    char text[256];
    *again = s->is_open;
    if (!s->is_open)
        return tn_fail(s->a->ctx, TN_ERR_DEVICE, "%s is not tuned: with its defaults: %s", s->c->op, why);
    tn_tune_set_print(s->c, &s->last, text, sizeof text);
    tn_warn(s->a->ctx, "not taken: with TURNOUT_TUNE=%s: %s", text, why);
    s->report->wrong++;
    if (s->confirms)
        s->best = s->space->device; /* nothing won that stands */
    s->is_open = false;
    return TN_OK;
}

static tn_status one_process(search *s, const tn_tune_options *o, double left, bool *again) {
    char space[4096], best[256], why[128];
    grown argument = {0};
    tn_child_result r = {0};
    bool ended = false;
    tn_context *ctx = s->a->ctx;
    tn_status status = TN_OK;
    tn_tune_space_encode(s->space, space, sizeof space);
    tn_tune_set_encode(s->space, &s->best, best, sizeof best);
    TN_GO(add(ctx, &argument, "%.3f %llu %d\n%s\n%s", left, (unsigned long long)o->seed, o->cases, space,
              best));
    if (s->seen.used) { /* in one piece: it may be longer than a line of add */
        TN_GO(tn_grow(ctx, &argument.text, &argument.capacity, argument.used + s->seen.used + 2, 1));
        argument.text[argument.used] = ';';
        memcpy(argument.text + argument.used + 1, s->seen.text, s->seen.used + 1);
    }
    TN_GO(run(s->a, s->c, "search", argument.text, &r));
    end_of(s->a, &r, why, sizeof why);
    TN_GO(take_journal(s, r.output, &ended));
    *again = false;
    if (r.interrupted)
        status = stopped(ctx);
    else if (!ended)
        status = blame(s, why[0] ? why : "the process ended without a result", again);
cleanup:
    tn_child_free(ctx, &r);
    tn_free(ctx, argument.text);
    return status;
}

tn_status tn_tune_apart_op(const tn_tune_apart *apart, const tn_case *c, const tn_tune_space *space,
                           const tn_tune_options *options, tn_tune_report *out) {
    double start = tn_clock_seconds();
    search s = {.a = apart, .c = c, .space = space, .best = space->device, .report = out};
    bool again = true;
    tn_status status = TN_OK;
    *out = (tn_tune_report){.best = space->device};
    tn_tune_result_fill(c, NULL, &(tn_tune_gain){1, 1, 1, false, 0}, &out->result);
    while (status == TN_OK && again) {
        double left = options->seconds - (tn_clock_seconds() - start);
        status = one_process(&s, options, left > 0 ? left : 0, &again);
    }
    out->seconds = tn_clock_seconds() - start;
    tn_free(apart->ctx, s.seen.text);
    return status;
}

/* Adds the letters of a journal; `*ended` when it has a tally. A set that has begun and not ended is 'l'. */
static tn_status take_cover(const tn_tune_apart *a, const tn_case *c, const tn_tune_space *space,
                            char *journal, const char *why, grown *done, tn_tune_tally *out, bool *ended) {
    char letter, text[256] = "", shown[256];
    bool is_open = false;
    *ended = false;
    for (char *rest = journal, *line; rest && (line = strsep(&rest, "\n")) != NULL;) {
        is_open = sscanf(line, "begin %255s", text) == 1 || (is_open && !line[0]);
        if (sscanf(line, "done %c", &letter) == 1)
            TN_TRY(add(a->ctx, done, "%c", letter));
        *ended = *ended || sscanf(line, "tally %d %d %d %d %d", &out->sets, &out->refused, &out->wrong,
                                  &out->pairs, &out->left) == 5;
    }
    if (*ended)
        return TN_OK;
    const char *at = text;
    tn_tune_set set;
    if (!is_open || !tn_tune_set_decode(space, &at, &set))
        return tn_fail(a->ctx, TN_ERR_DEVICE, "%s is not verified: %s", c->op, why);
    tn_tune_set_print(c, &set, shown, sizeof shown);
    tn_warn(a->ctx, "wrong: with TURNOUT_TUNE=%s: %s", shown, why);
    return add(a->ctx, done, "l");
}

tn_status tn_tune_apart_cover(const tn_tune_apart *apart, const tn_case *c, const tn_tune_space *space,
                              const tn_tune_cover_options *o, tn_tune_tally *out) {
    tn_context *ctx = apart->ctx;
    grown done = {0};
    bool ended = false;
    char text[4096], why[128];
    tn_status status = TN_OK;
    *out = (tn_tune_tally){0};
    tn_tune_space_encode(space, text, sizeof text);
    while (status == TN_OK && !ended) {
        tn_child_result r = {0};
        char *argument = NULL;
        if (asprintf(&argument, "%d %d %llu\n%s\n%s", o->most, o->cases, (unsigned long long)o->seed, text,
                     done.text ? done.text : "") < 0)
            status = tn_fail(ctx, TN_ERR_MEMORY, "no memory for what a process is told");
        if (status == TN_OK)
            status = run(apart, c, "cover", argument, &r);
        end_of(apart, &r, why, sizeof why);
        if (status == TN_OK && r.interrupted)
            status = stopped(ctx);
        if (status == TN_OK)
            status = take_cover(apart, c, space, r.output, why, &done, out, &ended);
        tn_child_free(ctx, &r);
        free(argument);
    }
    tn_free(ctx, done.text);
    return status;
}
