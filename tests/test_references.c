/* The reference of the whole model that a step's row is held against: its gradients against differences of
 * the loss of another one, which was written from the model's specification alone. */
#include "support.h"

#include "model_ref.h"
#include "model_reference.h"
#include "rng.h"

#include <math.h>
#include <string.h>

enum { V = 23, B = 2, T = 9, N = B * T, L = 3, LAYERS = 2 };

static tn_context ctx;
static int32_t tokens[N];
static const int32_t label_rows[L] = {4, 8, 15}, labels[L] = {7, 0, 22};

static const struct {
    const char *mixer;
    bool soft;
    int64_t kv_heads;
    bool added;
} cases[] = {{"conv", false, 0},   {"attention", false, 0},    {"routed", false, 0},     {"routed", true, 0},
             {"routed", false, 1}, {"routed", false, 0, true}, {"routed", true, 0, true}};

static double loss_of(const tn_model_ref *ref, double *logits) {
    double p[LAYERS * N], sum = 0;
    tn_model_ref_forward(ref, B, T, tokens, NULL, logits, p, NULL);
    for (int l = 0; l < L; l++) {
        const double *row = logits + label_rows[l] * V;
        double total = 0;
        for (int v = 0; v < V; v++)
            total += exp(row[v]);
        sum += 0.5 * (log(total) - row[labels[l]]);
    }
    return sum;
}

/* Slope along a random direction of one tensor, by differences. */
static double slope_of(tn_model_ref *ref, const tn_param *t, const double *along) {
    static double logits[N * V];
    double loss[2], step = 1e-5;
    for (int side = 0; side < 2; side++) {
        double by = side ? -step : step;
        for (size_t i = 0; i < t->count; i++)
            ref->values[t->offset + i] += by * along[i];
        loss[side] = loss_of(ref, logits);
        for (size_t i = 0; i < t->count; i++)
            ref->values[t->offset + i] -= by * along[i];
    }
    return (loss[0] - loss[1]) / (2 * step);
}

static void check_tensor(tn_model_ref *ref, const tn_param *t, const double *grads, tn_rng *rng) {
    double *along = malloc(t->count * sizeof *along), want = 0, size = 0;
    ck_assert(along != NULL);
    for (size_t i = 0; i < t->count; i++) {
        along[i] = tn_rng_normal(rng);
        want += along[i] * grads[t->offset + i];
        size += grads[t->offset + i] * grads[t->offset + i];
    }
    double got = slope_of(ref, t, along);
    ck_assert_msg(fabs(got - want) <= 1e-5 * sqrt(size) + 1e-9, "%s: slope %g, gradient gives %g", t->name,
                  got, want);
    free(along);
}

static tn_model_config small(const char *mixer) {
    tn_model_config c = tn_model_config_default(V);
    c.d_model = 32;
    c.heads = 2;
    c.conv_taps = 3;
    c.mlp_width = 20;
    c.layers = LAYERS;
    ck_ok(&ctx, tn_mixer_parse(&ctx, mixer, &c));
    return c;
}

START_TEST(test_gradients) {
    static uint8_t h[LAYERS * N];
    static double gate[LAYERS * N], p[LAYERS * N], logits[L * V], all[N * V], loss[L];
    tn_device *dev;
    tn_model *m;
    tn_model_config c = small(cases[_i].mixer);
    c.kv_heads = cases[_i].kv_heads;
    c.added = cases[_i].added;
    tn_rng rng = tn_rng_make(5, TN_RNG_CASE, (uint64_t)_i);
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    ck_ok(&ctx, tn_model_create(dev, &c, false, &m));
    double *values = calloc(m->params.floats, sizeof *values),
           *grads = calloc(m->params.floats, sizeof *grads);
    ck_assert(values && grads);
    for (size_t i = 0; i < m->params.floats; i++)
        values[i] = 0.5 * tn_rng_normal(&rng);
    for (int n = 0; n < N; n++)
        tokens[n] = (int32_t)tn_rng_below(&rng, V);
    bool routed = strcmp(cases[_i].mixer, "routed") == 0, hard = routed && !cases[_i].soft;
    for (int n = 0; n < LAYERS * N; n++)
        h[n] = n % 3 == 1;
    tn_model_ref ref = {.m = m, .values = values, .soft = cases[_i].soft};
    ref.frozen_h = hard ? h : NULL;
    tn_model_ref_forward(&ref, B, T, tokens, NULL, all, p, NULL);
    ref.frozen_p = hard ? p : NULL;
    ref.only_routed = hard;
    double sum = loss_of(&ref, all), got = 0;
    tn_reference_input in = {B, T, L, tokens, label_rows, labels, hard ? h : NULL, 0.5};
    tn_reference_output out = {logits, loss, gate, grads};
    ck_ok(&ctx, tn_model_reference(&ctx, &c, &m->params, values, &in, &out));
    for (int l = 0; l < L; l++)
        got += 0.5 * loss[l];
    ck_assert_double_eq_tol(got, sum, 1e-12);
    for (int l = 0; l < L; l++)
        for (int v = 0; v < V; v++)
            ck_assert_double_eq_tol(logits[l * V + v], all[label_rows[l] * V + v], 1e-11);
    for (int n = 0; routed && n < LAYERS * N; n++)
        ck_assert_double_eq_tol(gate[n], p[n], 1e-12);
    for (int i = 0; i < m->params.count; i++)
        check_tensor(&ref, &m->params.items[i], grads, &rng);
    free(values);
    free(grads);
    tn_model_destroy(m);
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("references");
    TCase *t = tcase_create("references");
    tcase_add_loop_test(t, test_gradients, 0, sizeof cases / sizeof cases[0]);
    suite_add_tcase(suite, t);
    return tn_test_main(suite);
}
