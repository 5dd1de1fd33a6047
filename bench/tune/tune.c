#include "tune.h"

#include "clock.h"
#include "launch.h"
#include "measure.h"
#include "shapes.h"

#include <math.h>

enum { MAX_WORKLOADS = 64 };
static const double most_bytes = 1e8; /* larger shapes say what the memory does, not the kernel */
static const double reference_work =
    1e8; /* shapes that the naive reference does in a moment are verified too */

typedef struct tuner {
    tn_device *dev;
    const tn_case *c;
    const tn_tune_options *options;
    tn_tune_report *report;
    const tn_tune_space *space;
    tn_problem *workloads[MAX_WORKLOADS];
    bool checkable[MAX_WORKLOADS];
    int count;
    double deadline;
    bool has_begun; /* a set has had its turn */
} tuner;

/* A problem run with one set of values. */
typedef struct timed {
    tuner *t;
    tn_problem *problem;
    const tn_tune_set *set;
} timed;

static tn_status run_timed(tn_device *dev, void *data) {
    timed *run = data;
    TN_TRY(tn_tune_set_try(dev, run->t->c, run->set));
    return run->t->c->run(dev, &run->problem->shape, run->problem->pass, run->problem->tensors);
}

static void workload_free(tuner *t, tn_problem *p) {
    if (p)
        tn_problem_free(tn_device_context(t->dev), p);
    tn_free(tn_device_context(t->dev), p);
}

/* Makes one problem; kept when a call with the defaults is short enough, or when it is the pass's first. */
static tn_status workload_add(tuner *t, int pass, const tn_shape *shape, const tn_tune_set *defaults,
                              bool first) {
    tn_context *ctx = tn_device_context(t->dev);
    tn_problem *p;
    double call = 0, most = fmax(0.02, t->options->seconds / 1000);
    TN_TRY(tn_alloc(ctx, 1, sizeof *p, &p));
    tn_status status = tn_problem_make(ctx, t->dev, t->c, pass, shape, t->options->seed, p);
    if (status == TN_OK)
        status = tn_problem_upload(p);
    for (int i = 0; i < 2 && status == TN_OK; i++) { /* the first call builds */
        double start = tn_clock_seconds();
        status = run_timed(t->dev, &(timed){t, p, defaults});
        if (status == TN_OK)
            status = tn_device_finish(t->dev);
        call = tn_clock_seconds() - start;
    }
    if (status == TN_OK && (call <= most || first)) {
        t->checkable[t->count] = tn_case_work(t->c, shape, pass) <= reference_work;
        t->workloads[t->count++] = p;
        return TN_OK;
    }
    workload_free(t, p);
    return status == TN_ERR_MEMORY ? TN_OK : status;
}

static tn_status workloads_make(tuner *t, const tn_tune_set *defaults) {
    tn_shape shapes[TN_SHAPES_MAX];
    int count;
    TN_TRY(tn_shapes_of(tn_device_context(t->dev), t->c, shapes, &count));
    for (int pass = 0; t->c->passes[pass]; pass++)
        for (int i = 0; i < count && t->count < MAX_WORKLOADS; i++)
            if (i == 0 || t->c->bytes(&shapes[i], pass) <= most_bytes)
                TN_TRY(workload_add(t, pass, &shapes[i], defaults, i == 0));
    return TN_OK;
}

/* The shapes that are timed, as far as the reference is quick there: random ones are small. */
static tn_tune_outcome verify_workloads(tuner *t, const tn_tune_set *set) {
    tn_context *ctx = tn_device_context(t->dev);
    tn_tune_outcome outcome = TN_TUNE_RIGHT;
    for (int i = 0; i < t->count && outcome == TN_TUNE_RIGHT; i++) {
        double worst;
        char text[200];
        tn_status status = t->checkable[i] ? tn_tune_set_try(t->dev, t->c, set) : TN_OK;
        if (status == TN_OK && t->checkable[i])
            status = tn_problem_verify(ctx, t->workloads[i], &worst);
        if (status == TN_OK)
            continue;
        outcome = tn_tune_outcome_of(status);
        tn_shape_print(t->c, &t->workloads[i]->shape, text, sizeof text);
        tn_fail_prefix(ctx, "%s %s, shape %s", t->c->op, t->c->passes[t->workloads[i]->pass], text);
        tn_tune_set_print(t->c, set, text, sizeof text);
        tn_fail_prefix(ctx, "with TURNOUT_TUNE=%s", text);
    }
    tn_tunable_untry(t->dev, t->c->op);
    return outcome;
}

/* Takes an outcome down; a wrong set is told. */
static bool is_right(tuner *t, tn_tune_outcome outcome) {
    tn_context *ctx = tn_device_context(t->dev);
    if (outcome == TN_TUNE_WRONG) {
        t->report->wrong++;
        tn_warn(ctx, "not taken: %s", ctx->message);
    }
    t->report->refused += outcome == TN_TUNE_REFUSED;
    return outcome == TN_TUNE_RIGHT;
}

static tn_status check_random(tuner *t, const tn_tune_set *set, int first, int cases, bool *right) {
    tn_tune_outcome outcome;
    TN_TRY(tn_tune_set_verify(t->dev, t->c, set, t->options->seed, first, cases, &outcome));
    *right = is_right(t, outcome);
    return TN_OK;
}

static void tell(const tuner *t, const char *word, const tn_tune_set *set) {
    if (t->options->tell)
        t->options->tell(t->options->tell_data, word, set);
}

static tn_status accept(void *data, const tn_tune_set *set, bool *accepted) {
    tuner *t = data;
    tell(t, "begin", set);
    t->has_begun = true;
    tn_tune_outcome outcome = verify_workloads(t, set);
    TN_TRY(tn_device_check(t->dev)); /* for another process to go on */
    *accepted = is_right(t, outcome);
    if (!*accepted)
        tell(t, outcome == TN_TUNE_WRONG ? "wrong" : "refused", set);
    return tn_interrupted() ? tn_fail(tn_device_context(t->dev), TN_ERR_INTERRUPTED, "stopped while tuning")
                            : TN_OK;
}

static bool had_turn(void *data, const tn_tune_set *set) {
    const tuner *t = data;
    if (tn_tune_set_equal(t->space, &t->space->device, set))
        return true;
    for (int i = 0; i < t->options->seen_count; i++)
        if (tn_tune_set_equal(t->space, &t->options->seen[i], set))
            return true;
    return false;
}

static bool has_time(void *data) {
    const tuner *t = data;
    return tn_clock_seconds() < t->deadline || (!t->has_begun && t->options->seen_count == 0);
}

/* Geometric means over the workloads, `seconds` of timing each. */
static tn_status ratio_of(tuner *t, const tn_tune_set *best, const tn_tune_set *candidate, double seconds,
                          tn_tune_gain *out) {
    double ratio = 0, q1 = 0, q3 = 0;
    *out = (tn_tune_gain){.n = 0};
    for (int i = 0; i < t->count; i++) {
        timed a = {t, t->workloads[i], candidate}, b = {t, t->workloads[i], best};
        tn_measure_options o = {.seconds = seconds, .batch_seconds = seconds / 20};
        tn_pair_sample sample;
        TN_TRY(tn_measure_pair(t->dev, run_timed, &a, run_timed, &b, &o, &sample));
        ratio += log(sample.ratio) / t->count;
        q1 += log(sample.ratio_q1) / t->count;
        q3 += log(sample.ratio_q3) / t->count;
        out->loses = out->loses || sample.ratio_q3 < 0.95;
        out->n += sample.a.n;
    }
    tn_tunable_untry(t->dev, t->c->op);
    out->ratio = exp(ratio);
    out->q1 = exp(q1);
    out->q3 = exp(q3);
    return TN_OK;
}

/* A short look first: most candidates are clearly slower. One that wins must be right on random shapes too,
 * each of which costs a build of its own where widths are compiled in. */
static tn_status compare(void *data, const tn_tune_set *best, const tn_tune_set *candidate,
                         tn_tune_gain *out) {
    tuner *t = data;
    char text[256];
    TN_TRY(ratio_of(t, best, candidate, 0.02, out));
    if (out->q3 >= 1)
        TN_TRY(ratio_of(t, best, candidate, 0.12, out));
    bool wins = tn_tune_wins(out);
    if (wins)
        TN_TRY(check_random(t, candidate, 0, t->options->cases, &wins));
    out->loses = out->loses || !wins;
    tell(t, wins ? "best" : "right", candidate);
    tn_tune_set_print(t->c, candidate, text, sizeof text);
    tn_progress(tn_device_context(t->dev), "%s: %.3f (%.3f..%.3f)%s", text, out->ratio, out->q1, out->q3,
                wins ? ", the best so far" : "");
    return TN_OK;
}

static tn_status confirm(tuner *t, const tn_tune_set *defaults, const tn_tune_set *best, tn_tune_gain *gain,
                         bool *stands) {
    tell(t, "confirm", best);
    TN_TRY(check_random(t, best, t->options->cases, 6, stands));
    if (!*stands)
        return TN_OK;
    TN_TRY(ratio_of(t, defaults, best, 0.3, gain));
    *stands = tn_tune_wins(gain);
    return TN_OK;
}

void tn_tune_result_fill(const tn_case *c, const tn_tune_set *best, const tn_tune_gain *gain,
                         tn_tuned_op *out) {
    *out = (tn_tuned_op){.ratio = gain->ratio, .ratio_q1 = gain->q1, .ratio_q3 = gain->q3, .n = gain->n};
    snprintf(out->op, sizeof out->op, "%s", c->op);
    for (int i = 0; best && c->tunables[i].name; i++) {
        if (best->values[i] == TN_TUNE_UNKNOWN)
            continue;
        snprintf(out->values[out->count].name, sizeof out->values[0].name, "%s", c->tunables[i].name);
        out->values[out->count++].value = best->values[i];
    }
}

tn_status tn_tune_op(tn_device *dev, const tn_case *c, const tn_tune_space *space,
                     const tn_tune_options *options, tn_tune_report *out) {
    tn_context *ctx = tn_device_context(dev);
    double start = tn_clock_seconds();
    tuner t = {.dev = dev, .c = c, .options = options, .report = out, .space = space};
    const tn_tune_judge judge = {&t, accept, compare, has_time, had_turn};
    const tn_tune_set *from = options->from ? options->from : &space->device;
    tn_tune_found found = {.whole = false};
    tn_tune_gain gain = {1, 1, 1, false, 0};
    bool stands = false;
    *out = (tn_tune_report){.best = space->device};
    tn_tune_result_fill(c, NULL, &gain, &out->result);
    t.deadline = start + 0.85 * options->seconds; /* the rest is for the confirmation */
    tn_status status = TN_OK;
    TN_GO(workloads_make(&t, &space->device));
    TN_GO(tn_tune_search(ctx, space, from, &judge, &found));
    if (!tn_tune_set_equal(space, &found.best, &space->device))
        TN_GO(confirm(&t, &space->device, &found.best, &gain, &stands));
    if (stands) {
        out->best = found.best;
        tn_tune_result_fill(c, &found.best, &gain, &out->result);
    }
cleanup:
    out->seen = found.seen;
    out->whole = found.whole;
    out->workloads = t.count;
    out->seconds = tn_clock_seconds() - start;
    for (int i = 0; i < t.count; i++)
        workload_free(&t, t.workloads[i]);
    tn_tunable_untry(dev, c->op);
    tn_kernels_forget(dev);
    tn_progress_end(ctx);
    return status;
}
