#include "tune_work.h"

#include "clock.h"
#include "launch.h"
#include "measure.h"
#include "shapes.h"

#include <math.h>
#include <stdlib.h>

static const double most_bytes = 1e8;     /* larger shapes say what the memory does, not the kernel */
static const double reference_work = 1e8; /* what the naive reference does in a moment */

static void work_free(tn_tune_works *w, tn_problem *p) {
    if (p)
        tn_problem_free(tn_device_context(w->dev), p);
    tn_free(tn_device_context(w->dev), p);
}

/* Runs a problem twice, for the first call builds. */
static tn_status first_calls(tn_device *dev, tn_problem *p, double *seconds) {
    tn_status status = TN_OK;
    for (int i = 0; i < 2 && status == TN_OK; i++) {
        double start = tn_clock_seconds();
        status = p->c->run(dev, &p->shape, p->pass, p->tensors);
        if (status == TN_OK)
            status = tn_device_finish(dev);
        *seconds = tn_clock_seconds() - start;
    }
    return status;
}

/* Makes one problem; kept when a call is short enough, or when it is the pass's first. */
static tn_status work_add(tn_tune_works *w, int pass, const tn_shape *shape, double most, uint64_t seed,
                          bool first) {
    tn_context *ctx = tn_device_context(w->dev);
    tn_tune_work *work = &w->items[w->count];
    tn_problem *p;
    double call = 0;
    *work = (tn_tune_work){.work = tn_case_work(w->c, shape, pass)};
    TN_TRY(tn_alloc(ctx, 1, sizeof *p, &p));
    tn_status status = tn_problem_make(ctx, w->dev, w->c, pass, shape, seed, p);
    if (status == TN_OK)
        status = tn_problem_upload(p);
    tn_variant_ran_forget(w->dev, w->c->op);
    if (status == TN_OK)
        status = first_calls(w->dev, p, &call);
    if (status == TN_OK && (call <= most || first) &&
        tn_variant_ran_as(w->dev, w->c->op, &work->pass, &work->class_)) {
        work->problem = p;
        work->call = call;
        w->count++;
        return TN_OK;
    }
    work_free(w, p);
    return status == TN_ERR_MEMORY ? TN_OK : status;
}

static int by_work(const void *a, const void *b) {
    const double x = ((const tn_tune_work *)a)->work, y = ((const tn_tune_work *)b)->work;
    return (x > y) - (x < y);
}

tn_status tn_tune_works_make(tn_device *dev, const tn_case *c, double seconds, uint64_t seed,
                             tn_tune_works *out) {
    const double most = fmax(0.02, seconds / 1000);
    tn_shape shapes[TN_SHAPES_MAX];
    int count;
    *out = (tn_tune_works){.dev = dev, .c = c, .pass = TN_TUNE_ALL, .class_ = TN_TUNE_ALL};
    TN_TRY(tn_shapes_of(tn_device_context(dev), c, shapes, &count));
    for (int pass = 0; c->passes[pass]; pass++)
        for (int i = 0; i < count && out->count < TN_TUNE_WORKS; i++)
            if (i == 0 || c->bytes(&shapes[i], pass) <= most_bytes)
                TN_TRY(work_add(out, pass, &shapes[i], most, seed, i == 0));
    qsort(out->items, (size_t)out->count, sizeof out->items[0], by_work);
    return TN_OK;
}

void tn_tune_works_free(tn_tune_works *w) {
    for (int i = 0; i < w->count; i++)
        work_free(w, w->items[i].problem);
    w->count = 0;
}

bool tn_tune_works_has(const tn_tune_works *w, const tn_tune_work *work) {
    return (w->pass == TN_TUNE_ALL || w->pass == work->pass) &&
           (w->class_ == TN_TUNE_ALL || w->class_ == work->class_);
}

static unsigned bit_of(const tn_tune_set *set) {
    return set->variant == TN_TUNE_ANY_VARIANT ? 0 : 1u << set->variant;
}

/* The smallest that a set of this variant may take. */
static const tn_tune_work *smallest(const tn_tune_works *w, unsigned bit) {
    for (int i = 0; i < w->count; i++)
        if (tn_tune_works_has(w, &w->items[i]) && !(w->items[i].unfit & bit))
            return &w->items[i];
    return NULL;
}

/* Once more, for the first call builds. */
static tn_status is_slow(tn_tune_works *w, const tn_tune_work *work, bool *slow) {
    tn_problem *p = work->problem;
    const double start = tn_clock_seconds();
    TN_TRY(p->c->run(w->dev, &p->shape, p->pass, p->tensors));
    TN_TRY(tn_device_finish(w->dev));
    *slow = tn_clock_seconds() - start > 5 * work->call + 1e-3;
    return TN_OK;
}

static tn_status try_once(tn_tune_works *w, const tn_tune_work *work, const tn_tune_space *space,
                          const tn_tune_set *set, bool verify) {
    tn_problem *p = work->problem;
    double worst;
    TN_TRY(tn_tune_set_try(w->dev, space, set));
    if (verify && work->work <= reference_work)
        return tn_problem_verify(tn_device_context(w->dev), p, &worst);
    TN_TRY(p->c->run(w->dev, &p->shape, p->pass, p->tensors));
    return tn_device_finish(w->dev);
}

tn_tune_outcome tn_tune_works_verify(tn_tune_works *w, const tn_tune_space *space, const tn_tune_set *set,
                                     tn_tune_depth depth, int *fitted) {
    tn_context *ctx = tn_device_context(w->dev);
    tn_tune_outcome outcome = TN_TUNE_RIGHT;
    *fitted = 0;
    for (int i = 0; i < w->count && outcome == TN_TUNE_RIGHT; i++) {
        tn_tune_work *work = &w->items[i];
        char text[512];
        const bool least = work == smallest(w, bit_of(set));
        if (!tn_tune_works_has(w, work) || (depth != TN_TUNE_FIRST && work->unfit & bit_of(set)) ||
            (depth == TN_TUNE_QUICK && !least))
            continue;
        tn_status status = try_once(w, work, space, set, least || depth == TN_TUNE_WHOLE);
        bool slow = false;
        if (status == TN_OK && depth == TN_TUNE_FIRST)
            status = is_slow(w, work, &slow);
        *fitted = slow ? 0 : *fitted + (status == TN_OK);
        if (slow)
            break;
        if (status == TN_OK)
            continue;
        if (depth == TN_TUNE_FIRST && status == TN_ERR_UNSUPPORTED && tn_variant_unfit(w->dev, space->op)) {
            work->unfit |= bit_of(set);
            continue;
        }
        outcome = tn_tune_outcome_of(status);
        tn_shape_print(w->c, &work->problem->shape, text, sizeof text);
        tn_fail_prefix(ctx, "%s %s, shape %s", w->c->op, w->c->passes[work->problem->pass], text);
        tn_tune_set_print(space, set, text, sizeof text);
        tn_fail_prefix(ctx, "with %s", text);
    }
    tn_tunable_untry(w->dev, w->c->op);
    return outcome;
}

/* A problem run with one set of values. */
typedef struct timed {
    tn_tune_works *works;
    tn_problem *problem;
    const tn_tune_space *space;
    const tn_tune_set *set;
} timed;

static tn_status run_timed(tn_device *dev, void *data) {
    timed *run = data;
    tn_problem *p = run->problem;
    if (run->works->tried != run->set)
        TN_TRY(tn_tune_set_try(dev, run->space, run->set));
    run->works->tried = run->set;
    return p->c->run(dev, &p->shape, p->pass, p->tensors);
}

tn_status tn_tune_works_ratio(tn_tune_works *w, const tn_tune_space *space_a, const tn_tune_set *a,
                              const tn_tune_space *space_b, const tn_tune_set *b, double seconds,
                              tn_tune_gain *out) {
    double ratio = 0, q1 = 0, q3 = 0;
    int count = 0;
    *out = (tn_tune_gain){1, 1, 1, false, 0};
    w->tried = NULL; /* what a set holds may have changed since */
    for (int i = 0; i < w->count; i++) {
        const tn_tune_work *work = &w->items[i];
        timed of_a = {w, work->problem, space_a, a}, of_b = {w, work->problem, space_b, b};
        tn_measure_options o = {.seconds = seconds, .batch_seconds = seconds / 20};
        tn_pair_sample sample;
        if (!tn_tune_works_has(w, work) || work->unfit & (bit_of(a) | bit_of(b)))
            continue;
        TN_TRY(tn_measure_pair(w->dev, run_timed, &of_b, run_timed, &of_a, &o, &sample));
        ratio += log(sample.ratio);
        q1 += log(sample.ratio_q1);
        q3 += log(sample.ratio_q3);
        out->loses = out->loses || sample.ratio_q3 < 0.95;
        out->n += sample.a.n;
        count++;
    }
    tn_tunable_untry(w->dev, w->c->op);
    if (count == 0)
        return TN_OK;
    out->ratio = exp(ratio / count);
    out->q1 = exp(q1 / count);
    out->q3 = exp(q3 / count);
    return TN_OK;
}
