/* The state of sequences. */
#include "decode_state.h"

#include <math.h>
#include <string.h>

enum { TABLE_MOST = TN_MODEL_MAX_LAYERS * TN_DECODE_STEP_COLUMNS + TN_DECODE_STEP_BESIDE };

int64_t tn_decoder_caches(const tn_model_config *c, int64_t layer) {
    int64_t count = 0;
    for (int64_t i = 0; i < layer; i++)
        count += tn_layer_has_attention(c, i);
    return count;
}

bool tn_decoder_chooses(const tn_model_config *c, int64_t layer) {
    return tn_layer_has_conv(c, layer) && tn_layer_has_attention(c, layer);
}

/* Does a control decide in the layer, by what its caller knows alone? */
static bool is_given(const tn_model_config *c, int64_t layer) {
    return tn_decoder_chooses(c, layer) && !tn_layer_has_router(c, layer) &&
           tn_layer_mixer(c, layer) != TN_MIXER_MATCH;
}

void tn_decoder_given(const tn_model_config *c, const tn_control_rows *rows, int64_t layer, uint8_t *given) {
    if (is_given(c, layer))
        tn_control_mask(c, rows, layer, given);
    else
        memset(given, TN_DECODE_STEP_ROUTER, (size_t)rows->count);
}

static int64_t key_width(const tn_model_config *c) {
    return tn_mixer_has_attention(c) ? tn_model_config_kv_width(c) : 0;
}

double tn_decoder_bytes_of(const tn_model_config *c, int64_t slots, int64_t positions) {
    const double ring = (double)tn_decode_step_ring(c->conv_taps) * (double)c->d_model,
                 keys = (double)tn_decoder_caches(c, c->layers) * (double)positions * (double)key_width(c);
    return 4 * (double)slots * ((double)c->layers * (ring + 1) + 2 * keys);
}

tn_status tn_decoder_check(const tn_model *m, int64_t slots, int64_t positions) {
    const tn_model_config *c = &m->config;
    tn_context *ctx = tn_device_context(m->dev);
    const tn_device_info *info = tn_device_get_info(m->dev);
    const double bytes = tn_decoder_bytes_of(c, slots, positions),
                 one = 4 * (double)tn_decoder_caches(c, c->layers) * (double)slots * (double)positions *
                       (double)key_width(c);
    if (tn_mixer_has_router(c) && c->routing == TN_ROUTING_CAPACITY)
        return tn_fail(
            ctx, TN_ERR_ARG,
            "routing by capacity ranks a whole sequence, so a token at a time cannot be routed by it; "
            "train with --routing threshold");
    if (slots < 1 || positions < 1)
        return tn_fail(ctx, TN_ERR_ARG, "%lld sequences of %lld positions: at least one of each",
                       (long long)slots, (long long)positions);
    if (one / 4 > (double)TN_MOST_ELEMENTS)
        return tn_fail(
            ctx, TN_ERR_ARG,
            "%lld sequences of %lld positions would have %.4g keys and as many values of all layers, "
            "and kernels count to %lld; take fewer or shorter ones",
            (long long)slots, (long long)positions, one / 4, (long long)TN_MOST_ELEMENTS);
    if (bytes > (double)info->global_bytes || one > (double)info->max_alloc_bytes)
        return tn_fail(
            ctx, TN_ERR_MEMORY,
            "%lld sequences of %lld positions would take %.3g GB on %s, which has %.3g GB and gives "
            "%.3g GB at a time (keys of all layers: %.3g GB); take fewer or shorter ones",
            (long long)slots, (long long)positions, bytes / 1e9, info->name, (double)info->global_bytes / 1e9,
            (double)info->max_alloc_bytes / 1e9, one / 1e9);
    return TN_OK;
}

/* Floats in front of a tensor in the buffer of all; −1: the model has none of that name. */
static int32_t place_of(const tn_decoder *d, const char *name) {
    const tn_param *p = tn_params_find(&d->m->params, name);
    return p ? (int32_t)p->offset : -1;
}

/* Where the weights stand in the buffer of all, and which cache is a layer's. */
static tn_status table_make(tn_decoder *d) {
    const tn_model_config *c = &d->m->config;
    const int64_t rows = c->layers * TN_DECODE_STEP_COLUMNS, length = rows + TN_DECODE_STEP_BESIDE;
    int32_t table[TABLE_MOST];
    for (int64_t layer = 0; layer < c->layers; layer++) {
        int32_t *row = table + layer * TN_DECODE_STEP_COLUMNS;
        for (int i = 0; i < TN_DECODE_STEP_WEIGHTS; i++) {
            char name[80];
            snprintf(name, sizeof name, "layers.%lld.%s", (long long)layer, tn_decode_step_weight(i));
            row[i] = place_of(d, name);
        }
        row[TN_DECODE_STEP_WEIGHTS] =
            tn_layer_has_attention(c, layer) ? (int32_t)tn_decoder_caches(c, layer) : 0;
    }
    for (int i = 0; i < TN_DECODE_STEP_BESIDE; i++)
        table[rows + i] = place_of(d, tn_decode_step_weight(TN_DECODE_STEP_WEIGHTS + i));
    TN_TRY(tn_buffer_create(d->m->dev, (size_t)length * sizeof *table, &d->table));
    return tn_buffer_write(d->table, 0, (size_t)length * sizeof *table, table);
}

/* Capacities are whole blocks of so many positions, so that a sequence's keys begin where a view may. */
static int64_t whole(int64_t positions) {
    return tn_ceil_div(positions, 64) * 64;
}

static size_t cache_bytes(const tn_decoder *d, int64_t capacity) {
    const tn_model_config *c = &d->m->config;
    return (size_t)(tn_decoder_caches(c, c->layers) * d->slots * capacity * d->width) * sizeof(float);
}

tn_status tn_decoder_create(tn_model *m, int64_t slots, int64_t positions, tn_decoder **out) {
    tn_context *ctx = tn_device_context(m->dev);
    const tn_model_config *c = &m->config;
    tn_decoder *d;
    *out = NULL;
    TN_TRY(tn_decoder_check(m, slots, whole(positions)));
    TN_TRY(tn_alloc(ctx, 1, sizeof *d, &d));
    tn_status status = TN_OK;
    *d = (tn_decoder){.m = m,
                      .slots = slots,
                      .capacity = whole(positions),
                      .width = key_width(c),
                      .ring_rows = tn_decode_step_ring(c->conv_taps)};
    TN_GO(tn_alloc(ctx, (size_t)slots, sizeof *d->lengths, &d->lengths));
    if (c->match > 0)
        TN_GO(tn_alloc(ctx, (size_t)slots, sizeof *d->past, &d->past));
    TN_GO(table_make(d));
    TN_GO(tn_buffer_create(m->dev, (size_t)(c->layers * slots * d->ring_rows * c->d_model) * sizeof(float),
                           &d->ring));
    if (d->width) {
        TN_GO(tn_buffer_create(m->dev, cache_bytes(d, d->capacity), &d->k));
        TN_GO(tn_buffer_create(m->dev, cache_bytes(d, d->capacity), &d->v));
        TN_GO(tn_buffer_create(m->dev, (size_t)(c->layers * slots) * sizeof(int32_t), &d->projected));
        TN_GO(tn_buffer_zero(d->projected));
    }
    *out = d;
    return TN_OK;
cleanup:
    tn_decoder_destroy(d);
    return status;
}

void tn_decoder_rows_free(tn_decoder *d) {
    tn_decoder_rows *w = &d->piece;
    tn_buffer *const all[] = {
        w->tokens, w->codes,     w->x,      w->u,   w->rstd,  w->reach, w->s,    w->conv,   w->mid,     w->p,
        w->h,      w->list,      w->uq,     w->q,   w->a,     w->lse,   w->o,    w->k,      w->waiting, w->v,
        w->u2,     w->positions, w->starts, w->act, w->rstd2, w->out,   w->last, w->normed, w->logits};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        tn_buffer_destroy(all[i]);
    tn_free(tn_device_context(d->m->dev), w->h_host);
    tn_free(tn_device_context(d->m->dev), w->int_host);
    tn_free(tn_device_context(d->m->dev), w->codes_host);
    *w = (tn_decoder_rows){0};
}

void tn_decoder_destroy(tn_decoder *d) {
    if (!d)
        return;
    tn_context *ctx = tn_device_context(d->m->dev);
    tn_decoder_rows_free(d);
    tn_buffer *const all[] = {d->logits, d->routes, d->results,   d->table, d->ring,
                              d->k,      d->v,      d->projected, d->steps, d->given};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        tn_buffer_destroy(all[i]);
    tn_free(ctx, d->lengths);
    tn_decoder_past_free(d);
    tn_free(ctx, d->steps_host);
    tn_free(ctx, d->given_host);
    tn_free(ctx, d->results_host);
    tn_free(ctx, d);
}

int64_t tn_decoder_length(const tn_decoder *d, int64_t slot) {
    return d->lengths[slot];
}

int64_t tn_decoder_capacity(const tn_decoder *d) {
    return d->capacity;
}

double tn_decoder_bytes(const tn_decoder *d) {
    return tn_decoder_bytes_of(&d->m->config, d->slots, d->capacity);
}

tn_status tn_decoder_given_check(const tn_decoder *d, const uint8_t *given) {
    for (int64_t i = 0; i < d->m->config.layers; i++)
        if (is_given(&d->m->config, i) && !given)
            return tn_fail(tn_device_context(d->m->dev), TN_ERR_ARG, "a control wants its mask");
    return TN_OK;
}

tn_status tn_decoder_slot_check(const tn_decoder *d, int64_t slot) {
    if (slot >= 0 && slot < d->slots)
        return TN_OK;
    return tn_fail(tn_device_context(d->m->dev), TN_ERR_ARG, "sequence %lld of a state of %lld",
                   (long long)slot, (long long)d->slots);
}

/* Keys, or values, of all sequences into a buffer with more room. */
static tn_status cache_copy(const tn_decoder *d, tn_buffer *larger, const tn_buffer *cache,
                            int64_t capacity) {
    for (int64_t i = 0; i < tn_decoder_caches(&d->m->config, d->m->config.layers) * d->slots; i++) {
        const size_t row = (size_t)d->width * sizeof(float), bytes = (size_t)d->lengths[i % d->slots] * row;
        if (bytes)
            TN_TRY(tn_buffer_copy(larger, (size_t)(i * capacity) * row, cache,
                                  (size_t)(i * d->capacity) * row, bytes));
    }
    return TN_OK;
}

/* Both caches, or neither. */
static tn_status caches_grow(tn_decoder *d, int64_t capacity) {
    tn_buffer *k = NULL, *v = NULL;
    tn_status status = TN_OK;
    TN_GO(tn_buffer_create(d->m->dev, cache_bytes(d, capacity), &k));
    TN_GO(tn_buffer_create(d->m->dev, cache_bytes(d, capacity), &v));
    TN_GO(cache_copy(d, k, d->k, capacity));
    TN_GO(cache_copy(d, v, d->v, capacity));
    TN_GO(tn_device_finish(d->m->dev));
    tn_buffer *const old[] = {d->k, d->v};
    d->k = k;
    d->v = v;
    k = old[0];
    v = old[1];
cleanup:
    tn_buffer_destroy(k);
    tn_buffer_destroy(v);
    return status;
}

tn_status tn_decoder_reserve(tn_decoder *d, int64_t positions) {
    int64_t capacity = d->capacity;
    if (positions <= capacity)
        return TN_OK;
    while (capacity < positions)
        capacity *= 2;
    if (d->width) {
        if (tn_decoder_check(d->m, d->slots, capacity) != TN_OK) /* rather a little room than none */
            TN_TRY(tn_decoder_check(d->m, d->slots, capacity = whole(positions)));
        TN_TRY(caches_grow(d, capacity));
    }
    d->capacity = capacity;
    return TN_OK;
}

void tn_decoder_saw(tn_decoder *d, const uint8_t *decisions, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        d->routed += decisions[i] == 1;
        d->seen += decisions[i] < TN_DECODE_STEP_ROUTER;
    }
}

int64_t tn_decoder_reach(const tn_decoder *d) {
    return d->ring_rows - d->m->config.conv_taps + 1;
}

tn_status tn_decoder_cut(tn_decoder *d, int64_t slot, int64_t length) {
    TN_TRY(tn_decoder_slot_check(d, slot));
    const int64_t now = d->lengths[slot];
    if (length < 0 || length > now || (length > 0 && length < now - tn_decoder_reach(d)))
        return tn_fail(
            tn_device_context(d->m->dev), TN_ERR_ARG,
            "a sequence of %lld tokens cannot be cut back to %lld: to nothing, or by %lld tokens at "
            "most; copy a sequence where it shall branch",
            (long long)now, (long long)length, (long long)tn_decoder_reach(d));
    d->lengths[slot] = length;
    return TN_OK;
}

tn_status tn_decoder_copy(tn_decoder *d, int64_t to, int64_t from) {
    const tn_model_config *c = &d->m->config;
    TN_TRY(tn_decoder_slot_check(d, to));
    TN_TRY(tn_decoder_slot_check(d, from));
    if (to == from)
        return TN_OK;
    TN_TRY(tn_decoder_past_copy(d, to, from));
    d->lengths[to] = d->lengths[from];
    for (int64_t i = 0; i < c->layers; i++) {
        const size_t a = (size_t)(i * d->slots + to), b = (size_t)(i * d->slots + from),
                     first = (size_t)(tn_decoder_caches(c, i) * d->slots),
                     ring = (size_t)(d->ring_rows * c->d_model) * sizeof(float),
                     row = (size_t)d->width * sizeof(float), room = (size_t)d->capacity * row,
                     keys = (size_t)d->lengths[from] * row;
        TN_TRY(tn_buffer_copy(d->ring, a * ring, d->ring, b * ring, ring));
        if (!keys || !tn_layer_has_attention(c, i))
            continue;
        const size_t to_ = (first + (size_t)to) * room, from_ = (first + (size_t)from) * room;
        TN_TRY(tn_buffer_copy(d->k, to_, d->k, from_, keys));
        TN_TRY(tn_buffer_copy(d->v, to_, d->v, from_, keys));
        TN_TRY(tn_buffer_copy(d->projected, a * 4, d->projected, b * 4, 4));
    }
    return TN_OK;
}
