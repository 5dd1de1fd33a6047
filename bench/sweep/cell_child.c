#include "cell_child.h"

#include "child.h"
#include "samples.h"

#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

/* Words of a child's command line. */
typedef struct words {
    char text[40][200];
    char *argv[41];
    int count;
} words;

static void say(words *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(words *w, const char *format, ...) {
    va_list args;
    if (w->count == 40)
        return;
    va_start(args, format);
    vsnprintf(w->text[w->count], sizeof w->text[0], format, args);
    va_end(args);
    w->argv[w->count] = w->text[w->count];
    w->argv[++w->count] = NULL;
}

static void say_device(words *w, const tn_cell_child *how, const tn_device_info *info, int cores,
                       const char *level) {
    say(w, "%s", how->program);
    w->argv[0] = (char *)(uintptr_t)how->program; /* it may be long */
    say(w, "cell");
    say(w, "--device=%d:%d", info->platform, info->index);
    if (cores > 0)
        say(w, "--cores=%d", cores);
    say(w, "--level=%s", level);
    say(w, "--seed=%llu", (unsigned long long)how->seed);
    say(w, "--seconds=%g", how->seconds);
    if (how->no_energy)
        say(w, "--energy=off");
}

static void say_cell(words *w, const tn_sweep_cell *c) {
    say(w, "--op=%s", c->op);
    say(w, "--pass=%s", c->pass);
    if (c->shape[0])
        say(w, "--shape=%s", c->shape);
    if (c->cold)
        say(w, "--cache=cold");
    if (c->mixer[0])
        say(w, "--mixer=%s", c->mixer);
    if (c->T > 0)
        say(w, "--layer=B=%lld,T=%lld,D=%lld,H=%lld,K=%lld", (long long)c->B, (long long)c->T,
            (long long)c->D, (long long)c->H, (long long)c->K);
    if (c->context > 0)
        say(w, "--layer=B=%lld,context=%lld,D=%lld,H=%lld,K=%lld", (long long)c->B, (long long)c->context,
            (long long)c->D, (long long)c->H, (long long)c->K);
    if (c->ragged)
        say(w, "--ragged");
    if (c->execution != TN_EXECUTION_COMPACTED)
        say(w, "--execution=%s", tn_execution_name(c->execution));
    if (c->rho >= 0)
        say(w, "--rho=%.17g", c->rho);
}

/* Ceilings and idle power are not measured again, where the latter could not be either. */
static void say_ceilings(words *w, const tn_cell_ceilings *c) {
    char text[TN_ROOFLINE_TEXT];
    if (!c->known)
        return;
    tn_roofline_print(&c->roofline, text);
    say(w, "--ceilings=%s", text);
    say(w, "--idle=%.17g", c->idle_w > 0 ? c->idle_w : 0);
    say(w, "--update=%.17g", c->update_s);
}

/* The last line of a child's stderr, without the program's own prefix. */
static const char *last_words(char *text) {
    char *end = text + strlen(text), *line;
    while (end > text && (end[-1] == '\n' || end[-1] == '\r'))
        *--end = '\0';
    line = strrchr(text, '\n');
    line = line ? line + 1 : text;
    return strncmp(line, "turnout cell: ", 14) == 0 ? line + 14 : line;
}

/* What became of a child that left no row, in words; its status. */
static const char *end_of(tn_child_result *r, double timeout, char reason[TN_CELL_REASON]) {
    if (r->timed_out) {
        snprintf(reason, TN_CELL_REASON, "killed after %.0f s without a result", timeout);
        return "timeout";
    }
    const char *last = last_words(r->error), *colon = last[0] ? ": " : "";
    if (r->signal)
        snprintf(reason, TN_CELL_REASON, "the process was ended by %s (%d)%s%s", tn_signal_name(r->signal),
                 r->signal, colon, last);
    else
        snprintf(reason, TN_CELL_REASON, "the process ended with code %d and no row%s%s", r->code, colon,
                 last);
    return "error";
}

tn_status tn_cell_child_ceilings(tn_context *ctx, const tn_cell_child *how, const tn_device_info *info,
                                 int cores, tn_cell_ceilings *out, char reason[TN_CELL_REASON]) {
    words w = {.count = 0};
    tn_child_result child;
    *out = (tn_cell_ceilings){0};
    reason[0] = '\0';
    say_device(&w, how, info, cores, "roofline");
    TN_TRY(tn_child_run(ctx, w.argv, how->timeout_s, &child));
    const char *rest = child.output ? tn_roofline_parse(child.output, &out->roofline) : NULL;
    out->known = rest && sscanf(rest, "%lg,%lg,%lg", &out->attention_rate, &out->idle_w, &out->update_s) == 3;
    if (!out->known && !child.interrupted)
        end_of(&child, how->timeout_s, reason);
    tn_child_free(ctx, &child);
    return TN_OK;
}

/* The line behind the row, when it is of that row. */
static tn_status take_samples(tn_context *ctx, const char *output, const char *want, char **samples) {
    const char *line = strchr(output, '\n');
    tn_cost_row of;
    char got[1400];
    if (!line || !strchr(line + 1, '\n'))
        return TN_OK;
    TN_TRY(tn_samples_row(ctx, line + 1, &of));
    tn_row_key(&of, got, sizeof got);
    return strcmp(want, got) == 0 ? tn_strdup(ctx, line + 1, samples) : TN_OK;
}

/* Whether this process is stopped too. A scheduler that takes the machine back signals every process of a
 * job, the cell's perhaps a moment before this one, and what ended so is no result. */
static bool is_stopped(const tn_child_result *r) {
    const bool may_be = r->signal == SIGTERM || r->signal == SIGINT || r->signal == SIGHUP ||
                        r->code == tn_status_exit_code(TN_ERR_INTERRUPTED);
    for (int i = 0; may_be && i < 100 && !tn_interrupted(); i++)
        usleep(2000);
    return r->interrupted || (may_be && tn_interrupted());
}

tn_status tn_cell_child_run(tn_context *ctx, const tn_cell_child *how, const tn_sweep_cell *cell,
                            const tn_cell_ceilings *ceilings, tn_cost_row *row, char **samples,
                            tn_cell_end *end, char reason[TN_CELL_REASON]) {
    words w = {.count = 0};
    tn_child_result r;
    tn_cost_row found;
    char want[1400], got[1400] = "";
    reason[0] = '\0';
    if (samples)
        *samples = NULL;
    tn_sweep_cell_identify(cell, how->seed, how->cpu_model, row);
    row->timing_s = how->seconds;
    tn_row_key(row, want, sizeof want);
    say_device(&w, how, cell->info, cell->cores, cell->level);
    say_cell(&w, cell);
    say_ceilings(&w, ceilings);
    if (how->samples)
        say(&w, "--samples");
    TN_TRY(tn_child_run(ctx, w.argv, how->timeout_s, &r));
    bool has =
        !r.timed_out && !r.signal && r.code == 0 && r.output && tn_row_parse(ctx, r.output, &found) == TN_OK;
    tn_status status = TN_OK;
    if (has)
        tn_row_key(&found, got, sizeof got);
    if (!has && is_stopped(&r)) {
        *end = TN_CELL_INTERRUPTED;
    } else if (has && strcmp(want, got) == 0) {
        *end = TN_CELL_ROW;
        *row = found;
        if (samples)
            status = take_samples(ctx, r.output, want, samples);
    } else if (has && strcmp(row->version, found.version) != 0) {
        *end = TN_CELL_OTHER_BUILD;
        snprintf(reason, TN_CELL_REASON, "%s", found.version);
    } else {
        *end = TN_CELL_NO_ROW;
        const char *ended = end_of(&r, how->timeout_s, reason);
        tn_row_set_status(row, ended, reason);
    }
    tn_child_free(ctx, &r);
    return status;
}
