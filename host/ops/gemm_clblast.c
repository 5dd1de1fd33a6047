/* Products through the CLBlast library. It picks its kernel by the size, so that a row's bits may depend on
 * how many rows there are: never taken unless it is asked for by name, or tuned for TN. It is trusted only
 * after it gave the right product on the device. */
#include "gemm_variants.h"

#include "gelu.h"
#include "quirks.h"
#include "rng.h"

#define CL_TARGET_OPENCL_VERSION 120
#include <clblast_c.h>

#include <math.h>

enum { TRIAL_LONG = 1024, TRIAL_SHORT = 128, TRIAL_SAMPLES = 512 };

/* Of a device. */
typedef struct clblast_state {
    bool hooked;
    bool right[3]; /* by form: its product was right */
} clblast_state;

static void forget(tn_device *dev, void *data) {
    (void)dev;
    (void)data;
    CLBlastClearCache(); /* its programs must go before the context they belong to */
}

static tn_status state_of(tn_device *dev, clblast_state **state) {
    if (tn_device_get_info(dev)->quirks & TN_QUIRK_CLBLAST_UNSAFE)
        return tn_fail(tn_device_context(dev), TN_ERR_UNSUPPORTED,
                       "CLBlast is not used on %s: see the quirk table", tn_device_get_info(dev)->name);
    TN_TRY(tn_device_state(dev, "gemm", sizeof **state, (void **)state));
    if (!(*state)->hooked)
        TN_TRY(tn_device_at_close(dev, forget, NULL));
    (*state)->hooked = true;
    return TN_OK;
}

/* C = product, or C += product. */
static tn_status multiply(tn_device *dev, int pass, int64_t M, int64_t N, int64_t K, tn_buffer *c,
                          const tn_buffer *a, const tn_buffer *b, bool add) {
    const bool ta = pass == TN_GEMM_TN, tb = pass == TN_GEMM_NT;
    cl_command_queue queue = tn_device_raw_queue(dev);
    cl_event event = NULL;
    if (tn_launch_dropped(dev, "clblast"))
        return TN_OK;
    CLBlastStatusCode code = CLBlastSgemm(
        CLBlastLayoutRowMajor, ta ? CLBlastTransposeYes : CLBlastTransposeNo,
        tb ? CLBlastTransposeYes : CLBlastTransposeNo, (size_t)M, (size_t)N, (size_t)K, 1.0f,
        tn_buffer_raw(a), 0, (size_t)(ta ? M : K), tn_buffer_raw(b), 0, (size_t)(tb ? K : N),
        add ? 1.0f : 0.0f, tn_buffer_raw(c), 0, (size_t)N, &queue, tn_device_profiling(dev) ? &event : NULL);
    if (code != CLBlastSuccess)
        return tn_fail(tn_device_context(dev), TN_ERR_UNSUPPORTED,
                       "CLBlast gave status %d for gemm M=%lld N=%lld K=%lld on %s", (int)code, (long long)M,
                       (long long)N, (long long)K, tn_device_get_info(dev)->name);
    tn_device_count_launch(dev);
    return event ? tn_device_profile_add(dev, event) : TN_OK;
}

tn_status tn_gemm_through_clblast(tn_device *dev, const tn_gemm_shape *s, tn_buffer *c, const tn_buffer *a,
                                  const tn_buffer *b) {
    clblast_state *state;
    TN_TRY(state_of(dev, &state));
    return multiply(dev, (int)s->form, s->M, s->N, s->K, c, a, b, false);
}

/* A product of random numbers, and what it is held against. */
typedef struct trial {
    int pass;
    int64_t M, N, K;
    float *a, *b, *c;
    tn_buffer *da, *db, *dc;
} trial;

static tn_status trial_make(tn_device *dev, int pass, trial *t) {
    tn_context *ctx = tn_device_context(dev);
    *t = pass == TN_GEMM_TN ? (trial){.pass = pass, .M = TRIAL_SHORT, .N = TRIAL_SHORT, .K = TRIAL_LONG}
                            : (trial){.pass = pass, .M = TRIAL_LONG, .N = TRIAL_SHORT, .K = TRIAL_SHORT};
    const size_t a = (size_t)(t->M * t->K), b = (size_t)(t->K * t->N), c = (size_t)(t->M * t->N);
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
    TN_TRY(tn_buffer_write(t->db, 0, b * 4, t->b));
    return tn_buffer_fill_u32(t->dc, 0, c * 4, 0x7fc0dead); /* NaN */
}

static void trial_free(tn_context *ctx, trial *t) {
    tn_free(ctx, t->a);
    tn_free(ctx, t->b);
    tn_free(ctx, t->c);
    tn_buffer_destroy(t->da);
    tn_buffer_destroy(t->db);
    tn_buffer_destroy(t->dc);
}

/* Largest error over a sample of elements, as a share of √K. */
static double trial_error(const trial *t) {
    tn_rng rng = tn_rng_make(2, TN_RNG_MEASURE, 17);
    double worst = 0;
    for (int i = 0; i < TRIAL_SAMPLES; i++) {
        int64_t m = tn_rng_range(&rng, 0, t->M - 1), n = tn_rng_range(&rng, 0, t->N - 1);
        double sum = 0;
        for (int64_t k = 0; k < t->K; k++)
            sum += (double)(t->pass == TN_GEMM_TN ? t->a[k * t->M + m] : t->a[m * t->K + k]) *
                   (double)(t->pass == TN_GEMM_NT ? t->b[n * t->K + k] : t->b[k * t->N + n]);
        double error = fabs(t->c[m * t->N + n] - sum) / sqrt((double)t->K);
        if (!(error <= worst)) /* NaN must stick */
            worst = error;
    }
    return worst;
}

/* The first plan of a form tries it. */
static tn_status plan_make(tn_device *dev, int pass, const void *shape, const int *values, void *plan) {
    clblast_state *state;
    trial t = {0};
    double error = 0;
    tn_status status;
    (void)shape;
    (void)values;
    (void)plan;
    TN_TRY(state_of(dev, &state));
    if (state->right[pass])
        return TN_OK;
    TN_GO(trial_make(dev, pass, &t));
    TN_GO(multiply(dev, pass, t.M, t.N, t.K, t.dc, t.da, t.db, false));
    TN_GO(tn_buffer_read(t.dc, 0, (size_t)(t.M * t.N) * 4, t.c));
    error = trial_error(&t);
    state->right[pass] = error <= 1e-5;
    if (!state->right[pass])
        status = tn_fail(tn_device_context(dev), TN_ERR_UNSUPPORTED,
                         "CLBlast's product is wrong on %s (%s, error %.3g); take gemm's variant threads",
                         tn_device_get_info(dev)->name, tn_gemm_op.passes[pass], error);
cleanup:
    trial_free(tn_device_context(dev), &t);
    return status;
}

static bool fits(const tn_device *dev, int pass, const void *shape, const int *values, char *why,
                 size_t size) {
    const tn_gemm_key *s = shape;
    (void)pass;
    (void)values;
    if (tn_device_get_info(dev)->quirks & TN_QUIRK_CLBLAST_UNSAFE)
        snprintf(why, size, "CLBlast is not used on this device: see the quirk table");
    else if (s->c_count > 1 || s->a_count > 1)
        snprintf(why, size, "it takes no products in groups");
    else
        return true;
    return false;
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *plan, const void *args) {
    const tn_gemm_key *s = shape;
    const tn_gemm_args *a = args;
    tn_buffer *c = a->c[0];
    (void)plan;
    if (a->add && a->add != c)
        TN_TRY(tn_buffer_copy(c, 0, a->add, 0, (size_t)(s->M * s->N) * sizeof(float)));
    TN_TRY(multiply(dev, pass, s->M, s->N, s->K, c, a->a[0], a->b, a->add != NULL));
    if (a->bias)
        TN_TRY(tn_gemm_bias_forward(dev, s->M, s->N, c, a->bias));
    if (s->gelu == TN_GEMM_GELU_VALUE)
        return tn_gelu_forward(dev, s->M * s->N, a->act, c);
    return s->gelu == TN_GEMM_GELU_SLOPE ? tn_gelu_backward(dev, s->M * s->N, c, c, a->at) : TN_OK;
}

const tn_variant tn_gemm_clblast = {.name = "clblast",
                                    .style = TN_STYLE_GROUPS,
                                    .passes = 1u << TN_GEMM_NN | 1u << TN_GEMM_NT | 1u << TN_GEMM_TN,
                                    .not_default = true,
                                    .untuned = 1u << TN_GEMM_NN | 1u << TN_GEMM_NT,
                                    .fits = fits,
                                    .plan = plan_make,
                                    .run = run};
