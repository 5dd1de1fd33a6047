/* Which back end of gemm to trust on a device: each against a double product, then timed. */
#include "gemm.h"

#include "clock.h"
#include "quirks.h"
#include "rng.h"

#include <math.h>

enum { PROBE_LONG = 1024, PROBE_SHORT = 128, PROBE_REPEATS = 5, PROBE_SAMPLES = 512 };

typedef struct tn_gemm_trial {
    tn_gemm_shape shape;
    float *a, *b, *c;
    tn_buffer *da, *db, *dc;
} tn_gemm_trial;

static tn_gemm_shape trial_shape(tn_gemm_form form) {
    return form == TN_GEMM_TN ? (tn_gemm_shape){form, PROBE_SHORT, PROBE_SHORT, PROBE_LONG}
                              : (tn_gemm_shape){form, PROBE_LONG, PROBE_SHORT, PROBE_SHORT};
}

static tn_status trial_make(tn_device *dev, tn_gemm_form form, tn_gemm_trial *t) {
    tn_context *ctx = tn_device_context(dev);
    t->shape = trial_shape(form);
    size_t a = (size_t)(t->shape.M * t->shape.K), b = (size_t)(t->shape.K * t->shape.N);
    size_t c = (size_t)(t->shape.M * t->shape.N);
    tn_rng rng = tn_rng_make(1, TN_RNG_MEASURE, 17);
    TN_TRY(tn_alloc(ctx, a, sizeof(float), &t->a));
    TN_TRY(tn_alloc(ctx, b, sizeof(float), &t->b));
    TN_TRY(tn_alloc(ctx, c, sizeof(float), &t->c));
    for (size_t i = 0; i < a; i++)
        t->a[i] = (float)tn_rng_normal(&rng);
    for (size_t i = 0; i < b; i++)
        t->b[i] = (float)tn_rng_normal(&rng);
    TN_TRY(tn_buffer_create(dev, a * 4, &t->da));
    TN_TRY(tn_buffer_create(dev, b * 4, &t->db));
    TN_TRY(tn_buffer_create(dev, c * 4, &t->dc));
    TN_TRY(tn_buffer_write(t->da, 0, a * 4, t->a));
    return tn_buffer_write(t->db, 0, b * 4, t->b);
}

static void trial_free(tn_context *ctx, tn_gemm_trial *t) {
    tn_free(ctx, t->a);
    tn_free(ctx, t->b);
    tn_free(ctx, t->c);
    tn_buffer_destroy(t->da);
    tn_buffer_destroy(t->db);
    tn_buffer_destroy(t->dc);
}

/* Largest error over a sample of elements, as a share of √K. */
static double trial_error(const tn_gemm_trial *t) {
    const tn_gemm_shape *s = &t->shape;
    tn_rng rng = tn_rng_make(2, TN_RNG_MEASURE, 17);
    double worst = 0;
    for (int i = 0; i < PROBE_SAMPLES; i++) {
        int64_t m = tn_rng_range(&rng, 0, s->M - 1), n = tn_rng_range(&rng, 0, s->N - 1);
        double sum = 0;
        for (int64_t k = 0; k < s->K; k++)
            sum += (double)(s->form == TN_GEMM_TN ? t->a[k * s->M + m] : t->a[m * s->K + k]) *
                   (double)(s->form == TN_GEMM_NT ? t->b[n * s->K + k] : t->b[k * s->N + n]);
        double error = fabs(t->c[m * s->N + n] - sum) / sqrt((double)s->K);
        if (!(error <= worst)) /* NaN must stick */
            worst = error;
    }
    return worst;
}

static tn_status trial_run(tn_device *dev, tn_gemm_back_end back_end, tn_gemm_trial *t, double *gflops,
                           double *error) {
    const tn_gemm_shape *s = &t->shape;
    size_t bytes = (size_t)(s->M * s->N) * 4;
    TN_TRY(tn_buffer_fill_u32(t->dc, 0, bytes, 0x7fc0dead));
    TN_TRY(tn_gemm_run(dev, back_end, s, t->dc, t->da, t->db, NULL, NULL));
    TN_TRY(tn_buffer_read(t->dc, 0, bytes, t->c));
    *error = trial_error(t);
    double start = tn_clock_seconds();
    for (int i = 0; i < PROBE_REPEATS; i++)
        TN_TRY(tn_gemm_run(dev, back_end, s, t->dc, t->da, t->db, NULL, NULL));
    TN_TRY(tn_device_finish(dev));
    *gflops = 2e-9 * (double)(s->M * s->N * s->K) * PROBE_REPEATS / (tn_clock_seconds() - start);
    return TN_OK;
}

const char *tn_gemm_back_end_name(tn_gemm_back_end back_end) {
    return back_end == TN_GEMM_CLBLAST ? "CLBlast" : "own kernel";
}

tn_status tn_gemm_probe(tn_device *dev, tn_gemm_form form, tn_gemm_probe_result *out) {
    tn_context *ctx = tn_device_context(dev);
    tn_gemm_trial trial = {0};
    *out = (tn_gemm_probe_result){.chosen = TN_GEMM_OWN};
    tn_status status = trial_make(dev, form, &trial);
    for (int i = 0; status == TN_OK && i < TN_GEMM_BACK_ENDS; i++) {
        double gflops = 0, error = 0;
        tn_status run = trial_run(dev, (tn_gemm_back_end)i, &trial, &gflops, &error);
        if (run != TN_OK) {
            snprintf(out->reason[i], sizeof out->reason[i], "%.150s", ctx->message);
            if (i == TN_GEMM_OWN)
                status = run;
        } else if (!(error <= 1e-5)) {
            snprintf(out->reason[i], sizeof out->reason[i], "its product is wrong here (error %.3g)", error);
        } else {
            out->usable[i] = true;
            out->gflops[i] = gflops;
        }
    }
    if (out->usable[TN_GEMM_CLBLAST] && out->gflops[TN_GEMM_CLBLAST] > out->gflops[TN_GEMM_OWN])
        out->chosen = TN_GEMM_CLBLAST;
    trial_free(ctx, &trial);
    return status;
}

tn_status tn_gemm_describe(tn_device *dev, char *text, size_t size) {
    static const char *const names[] = {"NN", "NT", "TN"};
    size_t used = 0;
    text[0] = '\0';
    if (tn_device_get_info(dev)->quirks & TN_QUIRK_CLBLAST_UNSAFE) {
        snprintf(text, size, "its own kernel: CLBlast is not tried on this device, see turnout devices");
        return TN_OK;
    }
    for (int form = 0; form < 3 && used < size; form++) {
        tn_gemm_probe_result r;
        TN_TRY(tn_gemm_probe(dev, (tn_gemm_form)form, &r));
        used += (size_t)snprintf(text + used, size - used, "gemm %s: own kernel %.1f GFLOP/s, ", names[form],
                                 r.gflops[TN_GEMM_OWN]);
        if (used < size && r.usable[TN_GEMM_CLBLAST])
            used += (size_t)snprintf(text + used, size - used, "CLBlast %.1f GFLOP/s, both right; ",
                                     r.gflops[TN_GEMM_CLBLAST]);
        else if (used < size)
            used += (size_t)snprintf(text + used, size - used, "CLBlast not usable (%s); ",
                                     r.reason[TN_GEMM_CLBLAST]);
        const char *why = form != TN_GEMM_TN
                              ? "own kernel used: a row's bits must not depend on how many rows there are"
                          : r.chosen == TN_GEMM_OWN ? "own kernel used: the faster right one"
                                                    : "own kernel used; TURNOUT_GEMM=auto would take CLBlast";
        if (used < size)
            used += (size_t)snprintf(text + used, size - used, "%s\n", why);
    }
    return TN_OK;
}
