#include "energy.h"

#include "clock.h"
#include "energy_source.h"

#include <dlfcn.h>
#include <math.h>
#include <string.h>
#include <time.h>

/* More than a package draws: how far a counter that wraps can have come. */
static const double most_watts = 1000;
enum { UPDATES = 10 };

static const tn_energy_source *const of_processor[] = {&tn_energy_powercap, &tn_energy_hwmon, NULL};
static const tn_energy_source *const of_card[] = {&tn_energy_nvml, &tn_energy_rocm_smi, &tn_energy_level_zero,
                                                  &tn_energy_hwmon, NULL};

static tn_energy blank(tn_context *ctx) {
    return (tn_energy){.ctx = ctx, .idle_w = NAN, .idle_why = "idle power was not measured"};
}

/* Takes back what a source has opened, whole or not. */
static void drop(tn_energy *e, const tn_energy_source *source) {
    tn_sampler_stop(e->sampler);
    if (source->close)
        source->close(e);
    if (e->library)
        dlclose(e->library);
    tn_free(e->ctx, e->state);
    *e = blank(e->ctx);
}

static void add_reason(char *text, const char *why) {
    size_t used = strlen(text);
    snprintf(text + used, TN_ENERGY_TEXT - used, "%s%s", used ? "; " : "unmeasured: ", why);
}

static void add_remark(char *text, const char *remark) {
    size_t used = strlen(text);
    snprintf(text + used, TN_ENERGY_TEXT - used, "%s", remark);
}

tn_status tn_energy_open(tn_context *ctx, const tn_device_info *info, tn_energy **out) {
    const tn_energy_source *const *sources = info->kind == TN_KIND_CPU ? of_processor : of_card;
    char reasons[TN_ENERGY_TEXT] = "", why[TN_ENERGY_WHY] = "";
    tn_energy *e;
    TN_TRY(tn_alloc(ctx, 1, sizeof *e, out));
    e = *out;
    *e = blank(ctx);
    if (info->kind != TN_KIND_CPU && !info->pci[0]) {
        add_reason(e->source, "the driver tells no PCI address to find the card's counters by");
        return TN_OK;
    }
    for (; *sources; sources++) {
        if ((*sources)->open(e, info, why)) {
            e->from = *sources;
            if (info->kind != TN_KIND_CPU && info->unified_memory)
                add_remark(e->source, " (integrated: the domain may hold the processor too)");
            return TN_OK;
        }
        drop(e, *sources);
        add_reason(reasons, why);
    }
    snprintf(e->source, sizeof e->source, "%s", reasons);
    return TN_OK;
}

void tn_energy_close(tn_energy *e) {
    if (!e)
        return;
    if (e->from)
        drop(e, e->from);
    tn_free(e->ctx, e);
}

bool tn_energy_measured(const tn_energy *e) {
    return e && e->from;
}

const char *tn_energy_source_text(const tn_energy *e) {
    return e ? e->source : "unmeasured: not asked for";
}

double tn_energy_window(const tn_energy *e) {
    return tn_energy_measured(e) ? UPDATES * e->update_s : 0;
}

void tn_energy_read(tn_energy *e, tn_energy_mark *out) {
    *out = (tn_energy_mark){.seconds = tn_clock_seconds()};
    if (tn_energy_measured(e))
        out->valid = e->from->read(e, out->raw, out->why);
}

/* Counts that counter i went on by. */
static bool moved(const tn_energy_counter *c, uint64_t from, uint64_t to, double seconds, double *joules,
                  char why[TN_ENERGY_WHY]) {
    uint64_t counts = to - from;
    if (to < from && !c->range)
        return tn_energy_no(why, "a counter went back: its driver started anew");
    if (c->range && seconds * most_watts > (double)c->range * c->unit_j)
        return tn_energy_no(why, "in %.0f s a counter may have wrapped twice", seconds);
    if (to < from)
        counts = c->range - from + to;
    if (counts == 0)
        return tn_energy_no(why, "a counter stood still");
    *joules = (double)counts * c->unit_j;
    return true;
}

bool tn_energy_between(const tn_energy *e, const tn_energy_mark *from, const tn_energy_mark *to,
                       double *joules, char why[TN_ENERGY_WHY]) {
    double sum = 0, seconds = to->seconds - from->seconds, part = 0;
    *joules = 0;
    if (!tn_energy_measured(e))
        return tn_energy_no(why, "there is no counter");
    if (!from->valid || !to->valid)
        return tn_energy_no(why, "%.190s", from->valid ? to->why : from->why);
    if (!(seconds >= tn_energy_window(e)))
        return tn_energy_no(why,
                            "%.3g ms are less than %d updates of the counter, %.3g ms: a longer --seconds",
                            1e3 * seconds, UPDATES, 1e3 * tn_energy_window(e));
    for (int i = 0; i < e->count; i++) {
        if (!moved(&e->counter[i], from->raw[i], to->raw[i], seconds, &part, why))
            return false;
        sum += part;
    }
    *joules = sum;
    return true;
}

void tn_energy_of_calls(const tn_energy *e, const tn_energy_mark *from, const tn_energy_mark *to,
                        double calls, tn_energy_result *out) {
    char why[TN_ENERGY_WHY];
    double joules;
    *out = (tn_energy_result){.idle_watts = tn_energy_idle(e)};
    snprintf(out->source, sizeof out->source, "%s", tn_energy_source_text(e));
    if (!tn_energy_measured(e))
        return;
    out->ok = tn_energy_between(e, from, to, &joules, why);
    if (!out->ok) {
        snprintf(out->source, sizeof out->source, "unmeasured: %.150s: %.195s", e->source, why);
        return;
    }
    double seconds = to->seconds - from->seconds, net = joules - e->idle_w * seconds;
    size_t used = strlen(out->source);
    out->joules = joules / calls;
    out->net_ok = net > 0;
    if (out->net_ok)
        out->net_joules = net / calls;
    else if (isnan(net))
        snprintf(out->source + used, sizeof out->source - used, "; no net energy: %s", e->idle_why);
    else
        snprintf(out->source + used, sizeof out->source - used,
                 "; no net energy: %.3g W are not more than the %.3g W of the idle device", joules / seconds,
                 e->idle_w);
}

void tn_energy_set_idle(tn_energy *e, double watts, double update_s) {
    if (!e)
        return;
    e->idle_w = watts;
    e->idle_tried = true;
    if (update_s > 0)
        e->update_s = update_s;
}

double tn_energy_update(const tn_energy *e) {
    return tn_energy_measured(e) ? e->update_s : 0;
}

double tn_energy_idle(const tn_energy *e) {
    return e ? e->idle_w : NAN;
}

/* Moves of a counter that is looked at again and again. */
typedef struct moves {
    uint64_t last;
    int count;
    double at, longest; /* the last one, and the longest time from one to the next */
} moves;

static void look(const tn_energy *e, moves *m) {
    tn_energy_mark mark;
    tn_energy_read((tn_energy *)e, &mark);
    if (!mark.valid || (m->at > 0 && mark.raw[0] == m->last))
        return;
    if (m->count > 1) /* the first look is no move, and how long it was since the move before is not known */
        m->longest = fmax(m->longest, mark.seconds - m->at);
    m->last = mark.raw[0];
    m->at = mark.seconds;
    m->count++;
}

/* Waits; `seen`, where it is not NULL, gets the moves of the counter meanwhile. */
static tn_status rest(const tn_energy *e, double seconds, moves *seen) {
    const double step = seen ? 0.002 : 0.05;
    for (double end = tn_clock_seconds() + seconds, left = seconds; left > 0;
         left = end - tn_clock_seconds()) {
        struct timespec t = {0, (long)(1e9 * fmin(left, step))};
        if (tn_interrupted())
            return tn_fail(e->ctx, TN_ERR_INTERRUPTED, "stopped while measuring idle power");
        nanosleep(&t, NULL);
        if (seen)
            look(e, seen);
    }
    return TN_OK;
}

/* A quarter over the longest gap of several, and never above what its source says. */
static double update_of(const tn_energy *e, const moves *m) {
    enum { SEVERAL = 5 };
    return m->count > SEVERAL && 1.25 * m->longest < e->update_s ? 1.25 * m->longest : e->update_s;
}

typedef struct known_idle {
    bool tried;
    double watts, update_s;
    char why[TN_ENERGY_WHY];
} known_idle;

/* Where the source can tell no more than a safe rate, the counter is looked at. */
static tn_status watch_idle(tn_energy *e, known_idle *known) {
    const double is_rough = 0.05;
    tn_energy_mark from, to;
    moves seen = {0};
    double joules;
    TN_TRY(rest(e, 0.2, NULL)); /* clocks and threads of what ran before come down */
    tn_energy_read(e, &from);
    TN_TRY(rest(e, fmax(0.5, 1.01 * tn_energy_window(e)), e->update_s >= is_rough ? &seen : NULL));
    tn_energy_read(e, &to);
    *known = (known_idle){true, NAN, update_of(e, &seen), ""};
    if (tn_energy_between(e, &from, &to, &joules, known->why))
        known->watts = joules / (to.seconds - from.seconds);
    return TN_OK;
}

tn_status tn_energy_measure_idle(tn_energy *e, tn_device *dev) {
    known_idle *known;
    if (!tn_energy_measured(e) || e->idle_tried)
        return TN_OK;
    TN_TRY(tn_device_state(dev, "energy: idle power", sizeof *known, (void **)&known));
    if (!known->tried) {
        TN_TRY(tn_device_finish(dev));
        TN_TRY(watch_idle(e, known));
    }
    tn_energy_set_idle(e, known->watts, known->update_s);
    if (isnan(known->watts))
        snprintf(e->idle_why, sizeof e->idle_why, "%s", known->why);
    return TN_OK;
}
