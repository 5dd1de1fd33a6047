/* Tokens that sequences have read, for models that are told of repeats. */
#include "decode_state.h"

#include <string.h>

/* The table knows the first `count` tokens and no others; it has room for one more. */
static tn_status table_reaches(tn_context *ctx, const tn_model_config *c, tn_decoder_past *p, int64_t count) {
    if (count >= p->match.room) {
        const int64_t most = INT32_MAX / c->match, twice = count < 512 ? 1024 : 2 * count;
        tn_match_free(ctx, &p->match);
        TN_TRY(tn_match_make(ctx, twice < most || count >= most ? twice : most, c->match, &p->match));
    }
    if (count == 0)
        tn_match_clear(&p->match);
    tn_match_cut(&p->match, p->tokens, count); /* where the sequence was cut back */
    while (p->match.count < count)
        tn_match_add(&p->match, p->tokens);
    return TN_OK;
}

tn_status tn_decoder_code(tn_decoder *d, int64_t slot, int64_t position, int32_t token, int32_t *code) {
    tn_context *ctx = tn_device_context(d->m->dev);
    *code = 0;
    if (!d->past)
        return TN_OK;
    tn_decoder_past *p = &d->past[slot];
    TN_TRY(tn_grow(ctx, &p->tokens, &p->room, (size_t)position + 1, sizeof *p->tokens));
    TN_TRY(table_reaches(ctx, &d->m->config, p, position));
    p->tokens[position] = token;
    *code = tn_match_add(&p->match, p->tokens);
    return TN_OK;
}

void tn_decoder_past_free(tn_decoder *d) {
    tn_context *ctx = tn_device_context(d->m->dev);
    for (int64_t i = 0; d->past && i < d->slots; i++) {
        tn_free(ctx, d->past[i].tokens);
        tn_match_free(ctx, &d->past[i].match);
    }
    tn_free(ctx, d->past);
}

tn_status tn_decoder_past_copy(tn_decoder *d, int64_t to, int64_t from) {
    const size_t count = (size_t)d->lengths[from];
    if (!d->past || !count)
        return TN_OK;
    tn_decoder_past *p = &d->past[to];
    TN_TRY(tn_grow(tn_device_context(d->m->dev), &p->tokens, &p->room, count, sizeof *p->tokens));
    memcpy(p->tokens, d->past[from].tokens, count * sizeof *p->tokens);
    if (p->match.slots)
        tn_match_clear(&p->match);
    return TN_OK;
}
