/* Verifying the shape that is timed where the whole reference takes too long there. */
#include "compare.h"

#include <time.h>

/* The naive references do about this much a second; what they take is guessed from it before they are run. */
static const double reference_rate = 3e8;

/* Elements of an output, at most, and how many are wanted even where they take longer than there is time. */
enum { SAMPLES = 256, ENOUGH = 8 };

typedef struct sample {
    size_t k[SAMPLES];
    double want[SAMPLES];
    int n;
} sample;

/* The i-th of n elements, in an order that jumps about: the first, the last, then one at random in each of n
 * equal runs, so that no part of the output is left out. */
static size_t pick(tn_rng *rng, size_t count, int i, int n) {
    if (i == 0 || i == 1 || count <= (size_t)n)
        return count <= (size_t)n ? (size_t)i : i == 0 ? 0 : count - 1;
    size_t run = (size_t)(i * 167 % n), low = count * run / (size_t)n, high = count * (run + 1) / (size_t)n;
    return low + tn_rng_below(rng, (uint32_t)(high - low > UINT32_MAX ? UINT32_MAX : high - low));
}

/* Of this thread: a busy machine must not make a sample small. */
static double seconds_worked(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void draw(const tn_problem *p, int out, double patience_s, sample *s) {
    const tn_tensor *t = &p->tensors[out];
    tn_rng rng = tn_rng_make(1, TN_RNG_CASE, (uint64_t)out);
    int n = t->count < SAMPLES ? (int)t->count : SAMPLES;
    double start = seconds_worked();
    for (s->n = 0; s->n < n; s->n++) {
        if (s->n >= ENOUGH && seconds_worked() - start > patience_s)
            return;
        s->k[s->n] = pick(&rng, t->count, s->n, n);
        s->want[s->n] = p->c->element(&p->shape, p->pass, p->tensors, out, s->k[s->n]);
    }
}

static bool is_output(const tn_tensor *t) {
    return t->count > 0 && (t->role == TN_OUT || t->role == TN_INOUT);
}

static tn_status output_verify(tn_context *ctx, const tn_problem *p, int out, const unsigned char *bytes,
                               double patience_s, double *worst) {
    const tn_tensor *t = &p->tensors[out];
    sample s;
    TN_TRY(tn_compare_written(ctx, t, bytes));
    draw(p, out, patience_s, &s);
    double rms = tn_case_rms(s.want, (size_t)s.n);
    for (int i = 0; i < s.n; i++)
        TN_TRY(tn_compare_value(ctx, t, s.k[i], tn_compare_got(t, bytes, s.k[i]), s.want[i], rms, worst));
    return TN_OK;
}

static tn_status verify_sampled(tn_context *ctx, tn_problem *p, double patience_s, double *worst) {
    unsigned char *results[TN_CASE_TENSORS];
    int outputs = 0;
    *worst = 0;
    for (int i = 0; i < p->tensor_count; i++)
        outputs += is_output(&p->tensors[i]);
    tn_status status = tn_compare_runs(ctx, p, results);
    for (int i = 0; i < p->tensor_count && status == TN_OK; i++)
        if (is_output(&p->tensors[i]))
            status = output_verify(ctx, p, i, results[i], patience_s / outputs, worst);
    for (int i = 0; i < p->tensor_count; i++)
        tn_free(ctx, results[i]);
    return status;
}

tn_status tn_problem_verify_within(tn_context *ctx, tn_problem *p, double patience_s, double *worst,
                                   bool *sampled) {
    *sampled = p->c->element && tn_case_work(p->c, &p->shape, p->pass) > patience_s * reference_rate;
    return *sampled ? verify_sampled(ctx, p, patience_s, worst) : tn_problem_verify(ctx, p, worst);
}
