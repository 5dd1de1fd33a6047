/* Holding a kernel against its reference: values, canaries, unchanged inputs, the same bits twice; and the
 * reference's gradients against finite differences. */
#include "compare.h"

#include "clock.h"
#include "quirks.h"

#include <math.h>
#include <string.h>

static tn_status tensor_compare(tn_context *ctx, const tn_tensor *t, const unsigned char *bytes,
                                double *worst) {
    double rms = t->type == TN_F32 ? tn_case_rms(t->f64, t->count) : 0;
    for (size_t k = 0; k < t->count; k++)
        TN_TRY(tn_compare_value(ctx, t, k, tn_compare_got(t, bytes, k),
                                t->type == TN_F32 ? t->f64[k] : t->i32[k], rms, worst));
    return TN_OK;
}

static void results_free(tn_context *ctx, unsigned char **results) {
    for (int i = 0; i < TN_CASE_TENSORS; i++)
        tn_free(ctx, results[i]);
}

/* Leaves what the first run gave in `results`, whatever the outcome. */
static tn_status verify_keep(tn_context *ctx, tn_problem *p, double *worst,
                             unsigned char *results[TN_CASE_TENSORS]) {
    *worst = 0;
    tn_status status = tn_compare_runs(ctx, p, results);
    if (status == TN_OK && !p->has_reference) { /* it would read what it wrote into an INOUT tensor */
        p->c->reference(&p->shape, p->pass, p->tensors);
        p->has_reference = true;
    }
    for (int i = 0; i < p->tensor_count && status == TN_OK; i++)
        if (results[i] && p->tensors[i].role != TN_WORK)
            status = tensor_compare(ctx, &p->tensors[i], results[i], worst);
    return status;
}

tn_status tn_problem_verify(tn_context *ctx, tn_problem *p, double *worst) {
    unsigned char *results[TN_CASE_TENSORS];
    tn_status status = verify_keep(ctx, p, worst, results);
    results_free(ctx, results);
    return status;
}

static tn_tensor *find(tn_problem *p, const char *prefix, const char *name) {
    size_t skip = strlen(prefix);
    for (int i = 0; i < p->tensor_count; i++) {
        const char *have = p->tensors[i].name;
        if (p->tensors[i].count && strncmp(have, prefix, skip) == 0 && strcmp(have + skip, name) == 0)
            return &p->tensors[i];
    }
    return NULL;
}

/* Σ over the outputs y of the forward pass of y · dy: what the backward pass differentiates. */
static double objective(tn_problem *forward, tn_problem *backward) {
    double sum = 0;
    forward->c->reference(&forward->shape, 0, forward->tensors);
    for (int i = 0; i < forward->tensor_count; i++) {
        tn_tensor *y = &forward->tensors[i];
        tn_tensor *dy = y->role != TN_IN && y->f64 ? find(backward, "d", y->name) : NULL;
        for (size_t k = 0; dy && dy->role == TN_IN && k < y->count; k++)
            sum += y->f64[k] * dy->f64[k];
    }
    return sum;
}

/* At some places, few where the forward pass is long: it runs twice for each. */
static tn_status gradient_compare(tn_context *ctx, tn_problem *forward, tn_problem *backward, int out,
                                  tn_rng *rng) {
    tn_tensor *dx = &backward->tensors[out];
    tn_tensor *x = find(forward, "", dx->name + 1);
    const double *before = backward->initial[out];
    const double scale = tn_case_rms(dx->f64, dx->count), work = tn_case_work(forward->c, &forward->shape, 0),
                 affordable = 3e7 / work;
    const int samples = affordable < 2 ? 2 : affordable < 12 ? (int)affordable : 12;
    if (!x || !x->f64)
        return tn_fail(ctx, TN_ERR_CHECK, "the gradient %s has no forward input of that name", dx->name);
    for (int sample = 0; sample < samples; sample++) {
        size_t k = tn_rng_below(rng, (uint32_t)dx->count);
        double kept = x->f64[k], step = 1e-5 * (fabs(kept) + 1), high, low;
        x->f64[k] = kept + step;
        high = objective(forward, backward);
        x->f64[k] = kept - step;
        low = objective(forward, backward);
        x->f64[k] = kept;
        double slope = (high - low) / (2 * step), got = dx->f64[k] - (before ? before[k] : 0);
        if (!(fabs(slope - got) <= 2e-5 * (fabs(slope) + scale + 1e-3)))
            return tn_fail(ctx, TN_ERR_CHECK, "%s[%zu]: the reference has %.9g, finite differences %.9g",
                           dx->name, k, got, slope);
    }
    return TN_OK;
}

/* What the forward pass leaves to the backward pass, a logarithm of sums say, as it comes, not rounded to the
 * float that a device would store: at 300 that moves a probability by 1.5e-5. */
static void saved_copy(tn_problem *forward, tn_problem *backward) {
    forward->c->reference(&forward->shape, 0, forward->tensors);
    for (int i = 0; i < forward->tensor_count; i++) {
        const tn_tensor *from = &forward->tensors[i];
        tn_tensor *to = from->role == TN_OUT && from->f64 ? find(backward, "", from->name) : NULL;
        if (to && to->role == TN_IN)
            memcpy(to->f64, from->f64, from->count * sizeof *from->f64);
    }
}

tn_status tn_problem_gradient_check(tn_context *ctx, const tn_case *c, const tn_shape *shape, uint64_t seed) {
    tn_problem forward = {0}, backward = {0};
    tn_rng rng = tn_rng_make(seed, TN_RNG_CASE, 7);
    tn_status status = TN_OK;
    if (!c->has_gradient || (c->smooth && !c->smooth(shape)))
        return TN_OK;
    TN_GO(tn_problem_make(ctx, NULL, c, 1, shape, seed, &backward));
    TN_GO(tn_problem_make(ctx, NULL, c, 0, shape, seed, &forward));
    for (int i = 0; i < forward.tensor_count; i++) {
        tn_tensor *to = &forward.tensors[i],
                  *from = to->role != TN_OUT ? find(&backward, "", to->name) : NULL;
        if (!from)
            continue;
        if (to->f64)
            memcpy(to->f64, from->f64, to->count * sizeof *to->f64);
        if (to->i32)
            memcpy(to->i32, from->i32, to->count * sizeof *to->i32);
    }
    saved_copy(&forward, &backward);
    c->reference(&backward.shape, 1, backward.tensors);
    for (int i = 0; i < backward.tensor_count; i++)
        if (backward.tensors[i].role != TN_IN && backward.tensors[i].f64 &&
            backward.tensors[i].name[0] == 'd')
            TN_GO(gradient_compare(ctx, &forward, &backward, i, &rng));
cleanup:
    tn_problem_free(ctx, &forward);
    tn_problem_free(ctx, &backward);
    return status;
}

/* An interpreter takes seconds for a million operations: there shapes are drawn until one is small. */
static void draw_shape(const tn_device *dev, const tn_case *c, tn_rng *rng, tn_shape *shape) {
    bool slow = (tn_device_get_info(dev)->quirks & TN_QUIRK_CHECKS_BOUNDS) != 0;
    double work = 0;
    for (int tries = 0; tries < 100 && (tries == 0 || (slow && work > 1.5e5)); tries++) {
        c->draw(rng, shape);
        work = 0;
        for (int pass = 0; c->passes[pass]; pass++)
            work = fmax(work, tn_case_work(c, shape, pass));
    }
}

/* Shape and data seed of random case number `index`. */
static uint64_t case_of(const tn_device *dev, const tn_case *c, uint64_t seed, int index, tn_shape *shape) {
    tn_rng rng = tn_rng_make(seed, TN_RNG_CASE, (uint64_t)index);
    *shape = (tn_shape){{0}};
    draw_shape(dev, c, &rng, shape);
    return seed + 0x9E3779B97F4A7C15ull * (uint64_t)(index + 1);
}

/* Against the reference, and with poison. An interpreter has time for one NaN a pass. */
static tn_status problem_hold(tn_context *ctx, tn_problem *p, uint64_t seed, tn_verify_result *out) {
    unsigned char *results[TN_CASE_TENSORS] = {NULL};
    bool slow = (tn_device_get_info(p->dev)->quirks & TN_QUIRK_CHECKS_BOUNDS) != 0;
    double error = 0;
    tn_status status = verify_keep(ctx, p, &error, results);
    out->worst = error > out->worst ? error : out->worst;
    if (status == TN_OK)
        status = tn_problem_poison(ctx, p, results, seed, slow ? 1 : TN_CASE_TENSORS, &out->poison);
    results_free(ctx, results);
    return status;
}

/* " --variant NAME" where one is tried, else "". */
static const char *variant_option(const tn_device *dev, const tn_op *op, char *text, size_t size) {
    const tn_variant *tried = op ? tn_variant_tried(dev, op) : NULL;
    snprintf(text, size, "%s%s", tried ? " --variant " : "", tried ? tried->name : "");
    return text;
}

tn_status tn_verify_passes(tn_device *dev, const tn_case *c, uint64_t seed, int index,
                           tn_verify_result *out) {
    tn_context *ctx = tn_device_context(dev);
    const tn_op *op = tn_op_find(c->op);
    tn_problem problems[TN_CASE_PASSES];
    tn_shape shape;
    char text[256], variant[48];
    uint64_t data_seed = case_of(dev, c, seed, index, &shape);
    tn_status status = TN_OK;
    int pass = 0;
    tn_shape_print(c, &shape, text, sizeof text);
    for (; c->passes[pass] && status == TN_OK; pass++) {
        status = tn_problem_make(ctx, dev, c, pass, &shape, data_seed, &problems[pass]);
        if (status == TN_OK)
            status = problem_hold(ctx, &problems[pass], data_seed, out);
        out->fitted[pass] += status == TN_OK;
        if (status == TN_ERR_UNSUPPORTED && op && tn_variant_unfit(dev, op))
            status = TN_OK;
        if (status != TN_OK)
            tn_fail_prefix(ctx, "%s %s, shape %s (again: turnout verify --op %s%s --seed %llu --case %d)",
                           c->op, c->passes[pass], text, c->op,
                           variant_option(dev, op, variant, sizeof variant), (unsigned long long)seed, index);
    }
    /* Only now: Oclgrind 21.10 may take a buffer for unwritten that follows one that has gone. */
    while (pass-- > 0)
        tn_problem_free(ctx, &problems[pass]);
    return status;
}

tn_status tn_verify_case(tn_device *dev, const tn_case *c, uint64_t seed, int index, tn_verify_result *out) {
    tn_context *ctx = tn_device_context(dev);
    tn_shape shape;
    char text[256];
    const tn_op *op = tn_op_find(c->op);
    const tn_variant *tried = op ? tn_variant_tried(dev, op) : NULL;
    TN_TRY(tn_verify_passes(dev, c, seed, index, out));
    if (tried && tried != op->variants[0])
        return TN_OK;
    uint64_t data_seed = case_of(dev, c, seed, index, &shape);
    tn_shape_print(c, &shape, text, sizeof text);
    if (tn_problem_gradient_check(ctx, c, &shape, data_seed) != TN_OK)
        return tn_fail_prefix(ctx, "%s gradient, shape %s (again: --seed %llu --case %d)", c->op, text,
                              (unsigned long long)seed, index);
    return TN_OK;
}

tn_status tn_verify_op(tn_device *dev, const tn_case *c, int cases, uint64_t seed, tn_verify_result *out) {
    tn_context *ctx = tn_device_context(dev);
    double start = tn_clock_seconds();
    *out = (tn_verify_result){0};
    for (int i = 0; i < cases; i++) {
        tn_status status = tn_verify_case(dev, c, seed, i, out);
        out->cases++;
        if (status == TN_OK)
            continue;
        out->failed++;
        if (status == TN_ERR_LOST)
            return status; /* said once, by the command */
        tn_warn(ctx, "%s", ctx->message);
        if (status != TN_ERR_CHECK)
            return status; /* the device is in doubt: no further case is worth running */
    }
    out->seconds = tn_clock_seconds() - start;
    return out->failed
               ? tn_fail(ctx, TN_ERR_CHECK, "%s: %d of %d cases failed", c->op, out->failed, out->cases)
               : TN_OK;
}
