/* A small model held against its naive double: logits and routes of a pass, and the gradients of one. */
#ifndef TN_TEST_MODEL_CHECKS_H
#define TN_TEST_MODEL_CHECKS_H

#include "small_model.h"

#include "model_ref.h"

#include <math.h>
#include <string.h>

enum { LAYERS = 4 /* of a model that is checked, at most */ };

static inline double *values_of(const tn_model *m) {
    float *flat = malloc(m->params.floats * 4);
    double *values = malloc(m->params.floats * sizeof *values);
    ck_assert(flat && values);
    ck_ok(&ctx, tn_buffer_read(m->params.values, 0, m->params.floats * 4, flat));
    for (size_t i = 0; i < m->params.floats; i++)
        values[i] = flat[i];
    free(flat);
    return values;
}

static inline void check_forward(const tn_model_config *c, tn_gate gate) {
    static int32_t tokens[N];
    static uint8_t oracle[N], routes[LAYERS * N], h[LAYERS * N];
    static float got[N * V];
    static double want[N * V], p[LAYERS * N];
    tn_model *m = make(c, false, 5);
    tn_workspace *ws;
    tn_input in = {
        .B = B, .T = T, .tokens = tokens, .L = N, .oracle = oracle, .control_seed = 3, .control_index = 8};
    random_tokens(tokens, N, 1);
    oracle_rows(oracle);
    ck_ok(&ctx, tn_workspace_create(m, B, T, &ws));
    logits_of(m, ws, &in, gate, routes, got);
    tn_model_ref ref = {
        .m = m, .values = values_of(m), .soft = gate == TN_GATE_SOFT && tn_mixer_has_router(c)};
    tn_model_ref_forward(&ref, B, T, tokens, tn_mixer_has_mask(c) ? routes : NULL, want, p, h);
    ck_assert_msg(memcmp(routes, h, (size_t)c->layers * N) == 0, "routes differ from the reference");
    for (int i = 0; i < N * V; i++)
        ck_assert_msg(fabs(got[i] - want[i]) <= 2e-5 * (1 + fabs(want[i])), "logit %d: %g, reference %g", i,
                      (double)got[i], want[i]);
    free(ref.values);
    tn_workspace_destroy(ws);
    tn_model_destroy(m);
}

/* Every gate that a model of c has, and rotated positions where anything attends. */
static inline void check_every_forward(tn_model_config c) {
    check_forward(&c, TN_GATE_COMPACT);
    check_forward(&c, TN_GATE_BLOCKS);
    if (tn_mixer_has_router(&c)) {
        check_forward(&c, TN_GATE_DENSE);
        check_forward(&c, TN_GATE_SOFT);
    }
    if (tn_mixer_has_attention(&c)) {
        c.positions = TN_POSITIONS_ROPE;
        check_forward(&c, TN_GATE_COMPACT);
    }
}

static inline double reference_loss(const tn_model_ref *ref, const int32_t *tokens, const tn_input *in,
                                    const uint8_t *mask, double penalty, double *logits, double *p) {
    double sum = 0, routed = 0;
    tn_model_ref_forward(ref, B, T, tokens, mask, logits, p, NULL);
    for (int64_t l = 0; l < in->L; l++) {
        const double *row = logits + (int64_t)in->label_rows[l] * V;
        double top = row[0], total = 0;
        for (int v = 1; v < V; v++)
            top = fmax(top, row[v]);
        for (int v = 0; v < V; v++)
            total += exp(row[v] - top);
        sum += (log(total) + top - row[in->labels[l]]) / (double)in->L;
    }
    for (int i = 0; i < ref->m->config.layers; i++)
        for (int n = 0; n < N && tn_layer_has_router(&ref->m->config, i); n++)
            routed += in->price_known && ref->only_routed && !ref->frozen_h[i * N + n] ? 0 : p[i * N + n];
    return sum + penalty * routed;
}

static bool price_known; /* of the next check of gradients */

/* Device gradients against central differences of the double model, a few elements of every tensor. */
static inline void check_gradients(const tn_model_config *c, tn_gate gate) {
    static int32_t tokens[N], label_rows[4] = {3, 20, 30, 62}, labels[4] = {7, 0, 39, 11};
    static uint8_t oracle[N], routes[LAYERS * N], frozen_h[LAYERS * N];
    static double logits[N * V], p[LAYERS * N], frozen_p[LAYERS * N];
    const double penalty = tn_mixer_has_router(c) ? 0.01 : 0;
    tn_model *m = make(c, true, 11);
    tn_workspace *ws;
    tn_input in = {.B = B,
                   .T = T,
                   .tokens = tokens,
                   .L = 4,
                   .label_rows = label_rows,
                   .labels = labels,
                   .oracle = oracle,
                   .control_seed = 3,
                   .control_index = 8,
                   .price_known = price_known};
    random_tokens(tokens, N, 2);
    oracle_rows(oracle);
    ck_ok(&ctx, tn_workspace_create(m, B, T, &ws));
    ck_ok(&ctx, tn_model_forward(m, ws, &in, gate, routes, NULL));
    ck_ok(&ctx, tn_model_loss(m, ws, &in));
    ck_ok(&ctx, tn_model_backward(m, ws, &in, gate, penalty));
    float *grads = malloc(m->params.floats * 4);
    ck_ok(&ctx, tn_buffer_read(m->params.grads, 0, m->params.floats * 4, grads));
    tn_model_ref ref = {
        .m = m, .values = values_of(m), .soft = gate == TN_GATE_SOFT && tn_mixer_has_router(c)};
    const uint8_t *mask = tn_mixer_has_mask(c) ? routes : NULL;
    tn_model_ref_forward(&ref, B, T, tokens, mask, logits, frozen_p, frozen_h);
    if (tn_mixer_has_router(c) && !ref.soft) {
        ref.frozen_p = frozen_p;
        ref.frozen_h = frozen_h;
        ref.only_routed = gate == TN_GATE_COMPACT;
    }
    tn_rng rng = tn_rng_make(4, TN_RNG_CASE, 1);
    for (int i = 0; i < m->params.count; i++) {
        const tn_param *t = &m->params.items[i];
        double scale = 0;
        for (size_t k = 0; k < t->count; k++)
            scale += (double)grads[t->offset + k] * grads[t->offset + k] / (double)t->count;
        for (int sample = 0; sample < 3; sample++) {
            double *x = &ref.values[t->offset + tn_rng_below(&rng, (uint32_t)t->count)], kept = *x,
                   step = 1e-4;
            *x = kept + step;
            double high = reference_loss(&ref, tokens, &in, mask, penalty, logits, p);
            *x = kept - step;
            double low = reference_loss(&ref, tokens, &in, mask, penalty, logits, p);
            *x = kept;
            double slope = (high - low) / (2 * step), got = grads[x - ref.values];
            ck_assert_msg(fabs(slope - got) <= 1e-4 * (fabs(slope) + sqrt(scale)) + 2e-7,
                          "%s: gradient %g, finite differences %g (gate %d)", t->name, got, slope, (int)gate);
        }
    }
    free(grads);
    free(ref.values);
    tn_workspace_destroy(ws);
    tn_model_destroy(m);
}

#endif
