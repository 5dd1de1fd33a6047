/* Steps of one token (decode_state.c has the state, decode_prefill.c reads many). */
#include "decode_state.h"

#include <string.h>

static tn_decode_step_shape shape_of(const tn_decoder *d, int64_t rows) {
    const tn_model_config *c = &d->m->config;
    const bool conv = tn_mixer_has_conv(c), attention = tn_mixer_has_attention(c),
               router = tn_mixer_has_router(c);
    tn_decode_step_shape s = {.rows = rows,
                              .slots = d->slots,
                              .capacity = d->capacity,
                              .layers = c->layers,
                              .D = c->d_model,
                              .H = c->heads,
                              .Hkv = tn_model_config_kv_heads(c),
                              .K = c->conv_taps,
                              .F = c->mlp_width,
                              .V = c->vocab,
                              .conv = conv,
                              .attention = attention,
                              .router = router,
                              .added = c->added,
                              .rope = attention && c->positions == TN_POSITIONS_ROPE,
                              .coded = c->match > 0,
                              .window = c->window};
    for (int64_t i = 0; i < c->layers; i++) {
        s.without_conv |= (uint64_t)(conv && !tn_layer_has_conv(c, i)) << i;
        s.without_attention |= (uint64_t)(attention && !tn_layer_has_attention(c, i)) << i;
        s.without_router |= (uint64_t)(router && !tn_layer_has_router(c, i)) << i;
    }
    return s;
}

/* Of a layer's rows how many are routed, as far as is known: where that is chosen, one in a hundred to begin
 * with. */
static double share_of(const tn_decoder *d) {
    const tn_model_config *c = &d->m->config;
    const double rows = 1000, chosen = (rows / 100 + d->routed) / (rows + d->seen);
    double share = 0;
    for (int64_t i = 0; i < c->layers; i++)
        share += tn_decoder_chooses(c, i) ? chosen : tn_layer_has_attention(c, i);
    share /= (double)c->layers;
    return share > 1e-4 ? share : 1e-4;
}

/* Of the listed sequences, `slots` NULL: of the first `rows`. */
static int64_t longest(const tn_decoder *d, int64_t rows, const int64_t *slots) {
    int64_t most = 0;
    for (int64_t r = 0; r < rows; r++) {
        const int64_t length = d->lengths[slots ? slots[r] : r];
        most = length > most ? length : most;
    }
    return most;
}

tn_status tn_decoder_launches(tn_decoder *d, int64_t rows, int64_t *out) {
    const tn_decode_step_shape s = shape_of(d, rows);
    return tn_decode_step_launches(d->m->dev, &s, longest(d, d->slots, NULL) + 1, share_of(d), out);
}

static tn_status steps_check(const tn_decoder *d, const tn_decoder_steps *s) {
    tn_context *ctx = tn_device_context(d->m->dev);
    const int64_t V = d->m->config.vocab;
    if (s->count < 1 || s->rows < 1 || s->rows > d->slots)
        return tn_fail(ctx, TN_ERR_ARG, "%lld steps of %lld sequences, of a state of %lld",
                       (long long)s->count, (long long)s->rows, (long long)d->slots);
    TN_TRY(tn_decoder_given_check(d, s->given));
    for (int64_t r = 0; r < s->rows; r++) {
        TN_TRY(tn_decoder_slot_check(d, s->slots[r]));
        for (int64_t other = 0; other < r; other++)
            if (s->slots[other] == s->slots[r])
                return tn_fail(ctx, TN_ERR_ARG, "sequence %lld twice in a step", (long long)s->slots[r]);
    }
    for (int64_t i = 0; i < s->count * s->rows; i++)
        if (s->tokens[i] < 0 || s->tokens[i] >= V)
            return tn_fail(ctx, TN_ERR_INPUT, "token %d outside the vocabulary of %lld", s->tokens[i],
                           (long long)V);
    return TN_OK;
}

/* Decisions of steps, [count,layers,rows]. */
static void saw_rows(tn_decoder *d, const uint8_t *decisions, int64_t count, int64_t rows) {
    const tn_model_config *c = &d->m->config;
    for (int64_t n = 0; n < count * c->layers; n++)
        if (tn_decoder_chooses(c, n % c->layers))
            tn_decoder_saw(d, decisions + n * rows, rows);
}

/* Tokens, positions, slots and codes of all steps, on the device. */
static tn_status steps_write(tn_decoder *d, const tn_decoder_steps *s) {
    const size_t ints = (size_t)(4 * s->count * s->rows);
    tn_context *ctx = tn_device_context(d->m->dev);
    if (ints > d->steps_room) {
        tn_free(ctx, d->steps_host);
        d->steps_host = NULL;
        d->steps_room = 0;
        TN_TRY(tn_alloc(ctx, ints, sizeof *d->steps_host, &d->steps_host));
        d->steps_room = ints;
    }
    for (int64_t i = 0; i < s->count; i++)
        for (int64_t r = 0; r < s->rows; r++) {
            int32_t *to = d->steps_host + i * 4 * s->rows + r;
            to[0] = s->tokens[i * s->rows + r];
            to[s->rows] = (int32_t)(d->lengths[s->slots[r]] + i);
            to[2 * s->rows] = (int32_t)s->slots[r];
            TN_TRY(tn_decoder_code(d, s->slots[r], to[s->rows], to[0], &to[3 * s->rows]));
        }
    TN_TRY(tn_buffer_need(d->m->dev, &d->steps, ints * sizeof *d->steps_host));
    return tn_buffer_write(d->steps, 0, ints * sizeof *d->steps_host, d->steps_host);
}

/* What the caller gives, and what tokens decide, on the device; the codes are in steps_host. *out is NULL
 * where all is the routers'. */
static tn_status given_write(tn_decoder *d, const tn_decoder_steps *s, const tn_buffer **out) {
    const tn_model_config *c = &d->m->config;
    const int64_t layer_rows = c->layers * s->rows, decisions = s->count * layer_rows;
    tn_context *ctx = tn_device_context(d->m->dev);
    *out = NULL;
    if (!s->given && !c->matched)
        return TN_OK;
    if ((size_t)decisions > d->given_room) {
        tn_free(ctx, d->given_host);
        d->given_room = 0;
        TN_TRY(tn_alloc(ctx, (size_t)decisions, 1, &d->given_host));
        d->given_room = (size_t)decisions;
    }
    for (int64_t n = 0; n < decisions; n++) {
        const int64_t layer = n % layer_rows / s->rows, step = n / layer_rows, r = n % s->rows;
        const int32_t code = d->steps_host[(step * 4 + 3) * s->rows + r];
        d->given_host[n] = tn_layer_mixer(c, layer) == TN_MIXER_MATCH ? code >= c->matched
                           : s->given                                 ? s->given[n]
                                                                      : TN_DECODE_STEP_ROUTER;
    }
    TN_TRY(tn_buffer_need(d->m->dev, &d->given, (size_t)decisions));
    TN_TRY(tn_buffer_write(d->given, 0, (size_t)decisions, d->given_host));
    if (!tn_mixer_has_router(c))
        saw_rows(d, d->given_host, s->count, s->rows);
    *out = d->given;
    return TN_OK;
}

/* Room for logits and decisions, one behind the other. */
static tn_status results_need(tn_decoder *d, size_t logits, size_t routes) {
    const size_t align = tn_buffer_align(d->m->dev);
    if (d->results && logits <= d->logits_room && routes <= d->routes_room)
        return TN_OK;
    tn_buffer_destroy(d->logits);
    tn_buffer_destroy(d->routes);
    tn_free(tn_device_context(d->m->dev), d->results_host);
    const size_t routes_at = (logits + align - 1) / align * align;
    d->logits = d->routes = NULL;
    d->results_host = NULL;
    d->logits_room = d->routes_room = 0; /* until all of it is there */
    TN_TRY(tn_buffer_need(d->m->dev, &d->results, routes_at + routes));
    TN_TRY(tn_buffer_view(d->results, 0, routes_at, &d->logits));
    TN_TRY(tn_buffer_view(d->results, routes_at, routes, &d->routes));
    TN_TRY(tn_alloc(tn_device_context(d->m->dev), routes_at + routes, 1, &d->results_host));
    d->logits_room = routes_at;
    d->routes_room = routes;
    return TN_OK;
}

tn_status tn_decoder_step(tn_decoder *d, const tn_decoder_steps *s) {
    const tn_model_config *c = &d->m->config;
    const size_t decisions = (size_t)(s->count * c->layers * s->rows);
    TN_TRY(steps_check(d, s));
    d->count = d->rows = 0; /* nothing to read until all is queued */
    const int64_t from = longest(d, s->rows, s->slots);
    TN_TRY(tn_decoder_reserve(d, from + s->count));
    TN_TRY(steps_write(d, s));
    TN_TRY(results_need(d, (size_t)(s->count * s->rows * c->vocab) * sizeof(float), decisions));
    const tn_buffer *given;
    TN_TRY(given_write(d, s, &given));
    const tn_decode_step_shape shape = shape_of(d, s->rows);
    tn_decode_step_args a = {.out = d->logits,
                             .routes = d->routes,
                             .ring = d->ring,
                             .k = d->k,
                             .v = d->v,
                             .projected = d->projected,
                             .steps = d->steps,
                             .given = given,
                             .values = d->m->params.values,
                             .table = d->table,
                             .share = share_of(d),
                             .eps = c->rms_eps};
    for (a.step = 0; a.step < s->count; a.step++) {
        a.context = from + a.step + 1;
        TN_TRY(tn_decode_step_forward(d->m->dev, &shape, &a));
        for (int64_t r = 0; r < s->rows; r++)
            d->lengths[s->slots[r]]++;
    }
    d->count = s->count;
    d->rows = s->rows;
    return TN_OK;
}

tn_status tn_decoder_read(tn_decoder *d, float *logits, uint8_t *routes) {
    const tn_model_config *c = &d->m->config;
    const size_t rows = (size_t)(d->count * d->rows), bytes = rows * (size_t)c->vocab * sizeof(float),
                 decisions = rows * (size_t)c->layers, from = logits ? 0 : d->logits_room,
                 to = routes ? d->logits_room + decisions : bytes;
    if (!rows || (!logits && !routes))
        return TN_OK;
    TN_TRY(tn_buffer_read(d->results, from, to - from, d->results_host + from));
    if (logits)
        memcpy(logits, d->results_host, bytes);
    if (!routes)
        return TN_OK;
    memcpy(routes, d->results_host + d->logits_room, decisions);
    if (tn_mixer_has_router(c))
        saw_rows(d, routes, d->count, d->rows);
    return TN_OK;
}
