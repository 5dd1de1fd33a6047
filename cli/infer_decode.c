#include "infer.h"

#include "control.h"
#include "decode.h"
#include "generate.h"

#include <string.h>

enum {
    ROWS = 16,       /* sequences side by side, at most */
    STEPS = 256,     /* of each, queued before the first result is waited for, at most */
    FLOATS = 1 << 22 /* of logits that are queued */
};

typedef struct decoding {
    tn_infer *r;
    tn_decoder *d;
    int64_t slots, steps; /* sequences, and steps a call */
    int64_t first, rows;  /* sequences that are decoded now */
    int32_t *tokens;      /* [steps,rows] */
    float *logits;        /* [steps,rows,V] */
    uint8_t *routes;      /* [steps,layers,rows] */
    uint8_t *given;       /* [steps,layers,rows], of a control; else NULL */
    uint8_t *mask;        /* [steps], likewise */
} decoding;

/* As many sequences as there are and fit the device. */
static tn_status sizes(decoding *e) {
    const tn_infer *r = e->r;
    const int64_t V = r->m->config.vocab;
    for (e->slots = r->B < ROWS ? r->B : ROWS; e->slots > 1; e->slots /= 2)
        if (tn_decoder_check(r->m, e->slots, r->T) == TN_OK)
            break;
    TN_TRY(tn_decoder_check(r->m, e->slots, r->T));
    e->steps = FLOATS / (e->slots * V);
    e->steps = e->steps < 1 ? 1 : e->steps < STEPS ? e->steps : STEPS;
    return TN_OK;
}

static tn_status allocate(decoding *e) {
    tn_context *ctx = e->r->ctx;
    const tn_model_config *c = &e->r->m->config;
    const size_t tokens = (size_t)(e->steps * e->slots), decisions = tokens * (size_t)c->layers;
    TN_TRY(tn_alloc(ctx, tokens, sizeof *e->tokens, &e->tokens));
    TN_TRY(tn_alloc(ctx, tokens * (size_t)c->vocab, sizeof *e->logits, &e->logits));
    TN_TRY(tn_alloc(ctx, decisions, 1, &e->routes));
    if (tn_mixer_has_mask(c)) {
        TN_TRY(tn_alloc(ctx, decisions, 1, &e->given));
        TN_TRY(tn_alloc(ctx, (size_t)e->steps, 1, &e->mask));
    }
    return tn_decoder_create(e->r->m, e->slots, e->r->T, &e->d);
}

/* Tokens and masks of positions from … from + count − 1. */
static void gather(decoding *e, int64_t from, int64_t count) {
    const tn_infer *r = e->r;
    const tn_model_config *c = &r->m->config;
    for (int64_t row = 0; row < e->rows; row++) {
        const int64_t b = e->first + row;
        for (int64_t t = 0; t < count; t++)
            e->tokens[t * e->rows + row] = r->tokens[b * r->T + from + t];
        for (int64_t i = 0; e->given && i < c->layers; i++) {
            const tn_control_rows rows = {1, (uint64_t)b, r->T, from, count};
            tn_decoder_given(c, &rows, i, e->mask);
            for (int64_t t = 0; t < count; t++)
                e->given[(t * c->layers + i) * e->rows + row] = e->mask[t];
        }
    }
}

/* What was read of them into the results, once it is known to be finite. */
static tn_status scatter(const decoding *e, int64_t from, int64_t count) {
    const tn_infer *r = e->r;
    const int64_t V = r->m->config.vocab, layers = r->m->config.layers, T = r->T;
    for (int64_t row = 0; row < e->rows; row++) {
        const int64_t b = e->first + row;
        for (int64_t t = r->last ? T - 1 - from : 0; t < count; t++) {
            const float *logits = e->logits + (t * e->rows + row) * V;
            if (tn_logits_check(r->m, logits, r->tokens + b * T, from + t + 1, (uint64_t)b) != TN_OK)
                return tn_fail_prefix(r->ctx, "sequence %lld", (long long)b);
            memcpy(r->logits + (r->last ? b : b * T + from + t) * V, logits, (size_t)V * sizeof *logits);
        }
        for (int64_t t = 0; t < count; t++)
            for (int64_t i = 0; i < layers; i++)
                r->routes[(i * r->B + b) * T + from + t] = e->routes[(t * layers + i) * e->rows + row];
    }
    return TN_OK;
}

/* Sequences first … first + rows − 1 from their beginning to their end. */
static tn_status decode(decoding *e) {
    const tn_infer *r = e->r;
    int64_t slots[ROWS];
    for (int64_t row = 0; row < e->rows; row++) {
        slots[row] = row;
        TN_TRY(tn_decoder_cut(e->d, row, 0));
    }
    for (int64_t from = 0, count; from < r->T; from += count) {
        count = r->T - from < e->steps ? r->T - from : e->steps;
        if (tn_interrupted())
            return tn_fail(r->ctx, TN_ERR_INTERRUPTED,
                           "stopped after %lld of %lld tokens of sequence %lld of %lld; nothing was written",
                           (long long)from, (long long)r->T, (long long)e->first, (long long)r->B);
        const tn_decoder_steps s = {count, e->rows, slots, e->tokens, e->given};
        gather(e, from, count);
        TN_TRY(tn_decoder_step(e->d, &s));
        const bool wanted = !r->last || from + count == r->T;
        TN_TRY(tn_decoder_read(e->d, wanted ? e->logits : NULL, e->routes));
        TN_TRY(scatter(e, from, count));
    }
    return TN_OK;
}

/* Before the first step: a wrong token at the end shall not be found after hours. */
static tn_status vocabulary_check(const tn_infer *r) {
    for (int64_t n = 0; n < r->B * r->T; n++)
        if (r->tokens[n] < 0 || r->tokens[n] >= r->m->config.vocab)
            return tn_fail(r->ctx, TN_ERR_INPUT,
                           "token %d at sequence %lld, position %lld lies outside the vocabulary of %lld",
                           r->tokens[n], (long long)(n / r->T), (long long)(n % r->T),
                           (long long)r->m->config.vocab);
    return TN_OK;
}

tn_status tn_infer_decode(tn_infer *r) {
    decoding e = {.r = r};
    tn_status status = TN_OK;
    TN_GO(vocabulary_check(r));
    TN_GO(tn_control_check(r->ctx, &r->m->config));
    TN_GO(sizes(&e));
    TN_GO(allocate(&e));
    for (; e.first < r->B; e.first += e.rows) {
        e.rows = r->B - e.first < e.slots ? r->B - e.first : e.slots;
        TN_GO(decode(&e));
    }
cleanup:
    tn_decoder_destroy(e.d);
    tn_free(r->ctx, e.tokens);
    tn_free(r->ctx, e.logits);
    tn_free(r->ctx, e.routes);
    tn_free(r->ctx, e.given);
    tn_free(r->ctx, e.mask);
    return status;
}
