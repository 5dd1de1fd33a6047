#include "generate.h"

#include "clock.h"
#include "control.h"
#include "decode.h"

#include <math.h>

enum { CONTROL_SEED = 1, TRIAL = 4096 /* tokens of a prompt that kernels are built on */ };

typedef struct generator {
    tn_context *ctx;
    tn_model *m;
    const tn_generation *g;
    tn_generated *out;
    tn_decoder *d;
    int32_t *tokens; /* [length], what was read and made; there is room for so many: */
    size_t tokens_room;
    int64_t length;
    float *logits;   /* [V], behind the last of what was read */
    int32_t *room;   /* [V] */
    uint8_t *given;  /* [layers,prompt_tokens], masks of a control; else NULL */
    uint8_t *routes; /* [layers,prompt_tokens] where measured; else NULL */
} generator;

tn_status tn_logits_check(tn_model *m, const float *logits, const int32_t *tokens, int64_t count,
                          uint64_t index) {
    tn_context *ctx = tn_device_context(m->dev);
    tn_workspace *ws;
    int64_t v = 0;
    while (v < m->config.vocab && isfinite(logits[v]))
        v++;
    if (v == m->config.vocab)
        return TN_OK;
    const int32_t last = (int32_t)count - 1;
    const tn_input in = {.B = 1,
                         .T = count,
                         .tokens = tokens,
                         .L = 1,
                         .label_rows = &last,
                         .control_seed = CONTROL_SEED,
                         .control_index = index};
    TN_TRY(tn_workspace_create(m, 1, count, &ws));
    tn_model_blame(m, ws, &in, TN_GATE_COMPACT);
    tn_workspace_destroy(ws);
    return tn_fail_prefix(ctx, "logit %lld at position %lld is %g", (long long)v, (long long)last,
                          (double)logits[v]);
}

static tn_status allocate(generator *r) {
    const tn_model_config *c = &r->m->config;
    const size_t prompt = (size_t)r->g->prompt_tokens, rows = (size_t)c->layers * prompt;
    TN_TRY(tn_grow(r->ctx, &r->tokens, &r->tokens_room, prompt, sizeof *r->tokens));
    TN_TRY(tn_alloc(r->ctx, (size_t)c->vocab, sizeof *r->logits, &r->logits));
    TN_TRY(tn_alloc(r->ctx, (size_t)c->vocab, sizeof *r->room, &r->room));
    if (tn_mixer_has_mask(c))
        TN_TRY(tn_alloc(r->ctx, rows, 1, &r->given));
    if (r->g->measured)
        TN_TRY(tn_alloc(r->ctx, rows, 1, &r->routes));
    for (int64_t t = 0; t < r->g->prompt_tokens; t++)
        r->tokens[t] = r->g->prompt[t];
    return tn_decoder_create(r->m, 1, r->g->prompt_tokens + r->g->tokens, &r->d);
}

/* Masks of `count` positions of one sequence, [layers,count]. */
static const uint8_t *masks(const generator *r, int64_t first, int64_t count, uint8_t *out) {
    const tn_model_config *c = &r->m->config;
    const tn_control_rows rows = {CONTROL_SEED, 0, INT64_MAX, first, count};
    if (!tn_mixer_has_mask(c))
        return NULL;
    for (int64_t i = 0; i < c->layers; i++)
        tn_decoder_given(c, &rows, i, out + i * count);
    return out;
}

static tn_status prefill(generator *r, int64_t count) {
    const uint8_t *given = masks(r, 0, count, r->given);
    return tn_decoder_prefill(r->d, 0, r->tokens, count, given, r->logits, r->routes);
}

/* Reads a token; `routes` ([layers], or NULL) and the logits are those behind it. */
static tn_status step(generator *r, int32_t token, uint8_t *routes) {
    static const int64_t slot = 0;
    uint8_t given[TN_MODEL_MAX_LAYERS];
    const tn_decoder_steps s = {.count = 1,
                                .rows = 1,
                                .slots = &slot,
                                .tokens = &token,
                                .given = masks(r, tn_decoder_length(r->d, 0), 1, given)};
    TN_TRY(tn_decoder_step(r->d, &s));
    return tn_decoder_read(r->d, r->logits, routes);
}

/* Kernels are built by a prompt and a step whose results nobody sees. */
static tn_status warm_up(generator *r) {
    uint8_t routes[TN_MODEL_MAX_LAYERS];
    const int64_t most = r->g->prompt_tokens < TRIAL ? r->g->prompt_tokens : TRIAL;
    TN_TRY(prefill(r, most));
    TN_TRY(step(r, r->tokens[0], routes));
    return tn_decoder_cut(r->d, 0, 0);
}

static tn_status read_prompt(generator *r) {
    const int64_t count = r->g->prompt_tokens;
    if (r->g->measured)
        TN_TRY(warm_up(r));
    const double start = tn_clock_seconds();
    TN_TRY(prefill(r, count));
    r->out->prefill_ms = (tn_clock_seconds() - start) * 1e3;
    r->length = count;
    for (int64_t i = 0; r->routes && i < r->m->config.layers; i++)
        for (int64_t t = 0; t < count; t++)
            r->out->prompt_routed[i] += r->routes[i * count + t];
    return tn_logits_check(r->m, r->logits, r->tokens, count, 0);
}

static int32_t sample(const generator *r) {
    return tn_sample(&r->g->sampling, r->logits, r->m->config.vocab, r->length, r->room);
}

/* From one token to the next. */
static tn_status advance(generator *r, int32_t *token) {
    uint8_t routes[TN_MODEL_MAX_LAYERS];
    tn_generated *out = r->out;
    const double start = tn_clock_seconds();
    TN_TRY(step(r, *token, r->g->measured ? routes : NULL));
    TN_TRY(tn_logits_check(r->m, r->logits, r->tokens, r->length, 0));
    *token = sample(r);
    if (r->g->measured) {
        TN_TRY(tn_grow(r->ctx, &out->step_ms, &out->room, (size_t)out->steps + 1, sizeof *out->step_ms));
        out->step_ms[out->steps] = (tn_clock_seconds() - start) * 1e3;
        for (int64_t i = 0; i < r->m->config.layers; i++)
            out->routed[i] += routes[i];
    }
    out->steps++;
    return TN_OK;
}

static tn_status run(generator *r) {
    tn_generated *out = r->out;
    TN_TRY(tn_control_check(r->ctx, &r->m->config));
    TN_TRY(tn_decoder_check(r->m, 1, r->g->prompt_tokens + r->g->tokens));
    TN_TRY(allocate(r));
    out->cache_bytes = tn_decoder_bytes(r->d);
    TN_TRY(read_prompt(r));
    TN_TRY(tn_decoder_launches(r->d, 1, &out->launches));
    for (int32_t token = sample(r);;) {
        TN_TRY(tn_grow(r->ctx, &r->tokens, &r->tokens_room, (size_t)r->length + 1, sizeof *r->tokens));
        r->tokens[r->length++] = token;
        TN_TRY(r->g->put(r->g->data, token));
        if (++out->tokens == r->g->tokens)
            return tn_decoder_launches(r->d, 1, &out->launches);
        if (tn_interrupted())
            return tn_fail(r->ctx, TN_ERR_INTERRUPTED, "stopped after %lld of %lld tokens",
                           (long long)out->tokens, (long long)r->g->tokens);
        TN_TRY(advance(r, &token));
    }
}

tn_status tn_generate(tn_model *m, const tn_generation *g, tn_generated *out) {
    generator r = {.ctx = tn_device_context(m->dev), .m = m, .g = g, .out = out};
    *out = (tn_generated){0};
    tn_status status = run(&r);
    tn_decoder_destroy(r.d);
    tn_free(r.ctx, r.tokens);
    tn_free(r.ctx, r.logits);
    tn_free(r.ctx, r.room);
    tn_free(r.ctx, r.given);
    tn_free(r.ctx, r.routes);
    return status;
}

void tn_generated_free(tn_context *ctx, tn_generated *g) {
    tn_free(ctx, g->step_ms);
    g->step_ms = NULL;
}
