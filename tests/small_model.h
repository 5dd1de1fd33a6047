/* A model small enough for many of them, with every mixer, and what its tests need to run it. */
#ifndef TN_TEST_SMALL_MODEL_H
#define TN_TEST_SMALL_MODEL_H

#include "support.h"

#include "rng.h"
#include "mixer.h"

enum { V = 40, B = 3, T = 21, N = B * T };

static tn_context ctx;
static tn_device *dev;
static tn_absorb way; /* of the models that `make` makes */

static inline void open_device(void) {
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
}

static inline void close_device(void) {
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}

static inline tn_model_config small(const char *mixer) {
    tn_model_config c = tn_model_config_default(V);
    c.d_model = 32;
    c.mlp_width = 40;
    c.layers = 2;
    ck_ok(&ctx, tn_mixer_parse(&ctx, mixer, &c));
    return c;
}

static const char *const mixers[] = {"conv", "attention", "routed", "random:0.2", "periodic:4", "oracle"};
enum { MIXERS = sizeof mixers / sizeof mixers[0] };

/* Of a loop over 2 · MIXERS: every mixer, with keys and values projected and absorbed. */
static inline tn_model_config small_of(int i) {
    way = i % 2 ? TN_ABSORB_ALWAYS : TN_ABSORB_NEVER;
    return small(mixers[i / 2]);
}

/* A model whose router is not at its start, so that both decisions occur. */
static inline tn_model *make(const tn_model_config *c, bool training, uint64_t seed) {
    tn_model *m;
    ck_ok(&ctx, tn_model_create(dev, c, training, &m));
    ck_ok(&ctx, tn_params_init(&m->params, seed));
    m->absorb = way;
    if (m->params.match) { /* nor is what repeats add */
        float values[64 * (TN_MODEL_MAX_MATCH + 1)];
        tn_rng rng = tn_rng_make(seed, TN_RNG_CASE, 98);
        for (size_t k = 0; k < m->params.match->count; k++)
            values[k] = (float)tn_rng_normal(&rng);
        ck_ok(&ctx, tn_buffer_write(m->params.match->value, 0, m->params.match->count * 4, values));
    }
    for (int64_t i = 0; i < c->layers; i++) {
        if (!tn_layer_has_router(c, i))
            continue;
        const tn_param *w = m->params.layers[i].router_weight;
        float values[64];
        tn_rng rng = tn_rng_make(seed, TN_RNG_CASE, (uint64_t)i);
        for (size_t k = 0; k < w->count; k++)
            values[k] = (float)tn_rng_normal(&rng);
        ck_ok(&ctx, tn_buffer_write(w->value, 0, w->count * 4, values));
    }
    return m;
}

static inline void random_tokens(int32_t *tokens, int count, uint64_t seed) {
    tn_rng rng = tn_rng_make(seed, TN_RNG_CASE, 99);
    for (int n = 0; n < count; n++)
        tokens[n] = (int32_t)tn_rng_below(&rng, V);
}

static inline void oracle_rows(uint8_t *oracle) {
    for (int n = 0; n < N; n++)
        oracle[n] = n / T != 1 && n % T % 5 == 4; /* the second sequence has none */
}

static inline void logits_of(tn_model *m, tn_workspace *ws, const tn_input *in, tn_gate gate, uint8_t *routes,
                             float *out) {
    ck_ok(&ctx, tn_model_forward(m, ws, in, gate, routes, NULL));
    ck_ok(&ctx, tn_buffer_read(tn_workspace_logits(ws), 0, (size_t)(in->L * V) * 4, out));
}

/* Each sequence of a batch by itself has the bits, `batch` [N,V], that it has there. */
static inline void check_alone(tn_model *m, tn_workspace *ws, const tn_input *in, const float *batch,
                               const char *mixer) {
    static float alone[T * V];
    for (int b = 0; b < B; b++) {
        tn_input one = {.B = 1, .T = T, .tokens = in->tokens + b * T, .L = T, .oracle = in->oracle + b * T};
        logits_of(m, ws, &one, TN_GATE_COMPACT, NULL, alone);
        ck_assert_msg(memcmp(alone, batch + b * T * V, sizeof alone) == 0, "%s: sequence %d differs alone",
                      mixer, b);
    }
}

#endif
