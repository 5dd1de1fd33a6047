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
    if (c)
        snprintf(op, sizeof op, "--op=%s", c->op);
    snprintf(work, sizeof work, "--job=%s", job);
    char *argv[] = {(char *)a->program,
                    "trial",
                    device,
                    c ? op : work,
                    work,
                    "--argument",
                    (char *)argument,
                    a->ctx->quiet ? "--quiet" : NULL,
                    NULL};
    return tn_child_watch(a->ctx, argv, a->silence_s, out);
}

static tn_status stopped(tn_context *ctx) {
    return tn_fail(ctx, TN_ERR_INTERRUPTED, "stopped while tuning");
}

tn_status tn_tune_apart_shares(const tn_tune_apart *apart, double *seconds) {
    tn_child_result r = {0};
    tn_status status = run(apart, NULL, "share", "", &r);
    tn_tune_shares_read(status == TN_OK ? r.output : "", seconds);
    if (status == TN_OK && r.interrupted)
        status = stopped(apart->ctx);
    tn_child_free(apart->ctx, &r);
    return status;
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

/* A search over several processes. */
typedef struct search {
    const tn_tune_apart *a;
    const tn_case *c;
    tn_tune_journal journal;
    grown done, open; /* lines that the next process is to know: of closed units, and of the open one */
    bool ended;
    tn_tune_report *report;
} search;

static tn_status take_line(search *s, const char *line) {
    int whole;
    if (sscanf(line, "result %d %d", &whole, &s->report->workloads) == 2) {
        s->report->whole = whole != 0;
        s->ended = true;
        return TN_OK;
    }
    const bool lasts = strncmp(line, "entry ", 6) == 0 || strncmp(line, "closed ", 7) == 0;
    TN_TRY(tn_tune_journal_take(&s->journal, line));
    TN_TRY(add(s->a->ctx, lasts ? &s->done : &s->open, "%s\n", line));
    if (s->journal.unit < 0 && s->open.text) {
        s->open.used = 0;
        s->open.text[0] = '\0';
    }
    return TN_OK;
}

/* The last line may have been cut off by the end of its process. */
static tn_status take_journal(search *s, char *journal) {
    for (char *at = journal, *stop; at && (stop = strchr(at, '\n')) != NULL; at = stop + 1) {
        *stop = '\0';
        TN_TRY(take_line(s, at));
    }
    return TN_OK;
}

/* The set whose turn ended its process is not taken; without one there is nothing to go on with. */
static tn_status blame(search *s, const char *why, bool *again) {
    tn_tune_journal *j = &s->journal;
    tn_tune_space space;
    char text[512];
    *again = j->is_open;
    if (!j->is_open)
        return tn_fail(s->a->ctx, TN_ERR_DEVICE, "%s is not tuned: with its defaults: %s", s->c->op, why);
    tn_tune_journal_space(j, j->last.variant, &space);
    tn_tune_set_print(&space, &j->last, text, sizeof text);
    tn_warn(s->a->ctx, "not taken: with %s: %s", text, why);
    s->report->wrong++;
    tn_tune_journal_lost(j);
    return TN_OK;
}

static tn_status one_process(search *s, const tn_tune_options *o, double left, bool *again) {
    char why[128], *argument = NULL;
    tn_child_result r = {0};
    tn_context *ctx = s->a->ctx;
    tn_status status = TN_OK;
    if (asprintf(&argument, "%.3f %llu %d\n%s%s", left, (unsigned long long)o->seed, o->cases,
                 s->done.text ? s->done.text : "", s->open.text ? s->open.text : "") < 0)
        return tn_fail(ctx, TN_ERR_MEMORY, "no memory for what a process is told");
    TN_GO(run(s->a, s->c, "search", argument, &r));
    end_of(s->a, &r, why, sizeof why);
    TN_GO(take_journal(s, r.output));
    *again = false;
    if (r.interrupted)
        status = stopped(ctx);
    else if (!s->ended)
        status = blame(s, why[0] ? why : "the process ended without a result", again);
cleanup:
    tn_child_free(ctx, &r);
    free(argument);
    return status;
}

tn_status tn_tune_apart_op(const tn_tune_apart *apart, const tn_case *c, const tn_tune_options *options,
                           tn_tune_report *out) {
    const double start = tn_clock_seconds();
    search s = {.a = apart, .c = c, .report = out};
    bool again = true;
    tn_status status = TN_OK;
    tn_tune_journal_begin(&s.journal, apart->ctx, apart->info, apart->style, tn_op_find(c->op), out);
    while (status == TN_OK && again) {
        const double left = options->seconds - (tn_clock_seconds() - start);
        status = one_process(&s, options, left > 0 ? left : 0, &again);
    }
    out->seconds = tn_clock_seconds() - start;
    tn_tune_journal_end(&s.journal);
    tn_free(apart->ctx, s.done.text);
    tn_free(apart->ctx, s.open.text);
    return status;
}

/* Adds the letters of a journal; `*ended` when it has a tally. A set that has begun and not ended is 'l'. */
static tn_status take_cover(const tn_tune_apart *a, const tn_case *c, const tn_tune_space *space,
                            char *journal, const char *why, grown *done, tn_tune_tally *out, bool *ended) {
    char letter, text[256] = "", shown[512];
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
    tn_tune_set set;
    if (!is_open || !tn_tune_set_decode(space, text, &set))
        return tn_fail(a->ctx, TN_ERR_DEVICE, "%s is not verified: %s", c->op, why);
    tn_tune_set_print(space, &set, shown, sizeof shown);
    tn_warn(a->ctx, "wrong: with %s: %s", shown, why);
    return add(a->ctx, done, "l");
}

tn_status tn_tune_apart_cover(const tn_tune_apart *apart, const tn_case *c, const tn_tune_space *space,
                              const tn_tune_cover_options *o, tn_tune_tally *out) {
    tn_context *ctx = apart->ctx;
    grown done = {0};
    bool ended = false;
    char why[128];
    tn_status status = TN_OK;
    *out = (tn_tune_tally){0};
    while (status == TN_OK && !ended) {
        tn_child_result r = {0};
        char *argument = NULL;
        if (asprintf(&argument, "%d %d %llu %d\n%s", o->most, o->cases, (unsigned long long)o->seed,
                     space->variant, done.text ? done.text : "") < 0)
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
