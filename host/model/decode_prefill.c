/* Many tokens of one sequence at a time: the forward pass of model.c over a piece of the sequence, with what
 * came before it in the state. */
#include "decode_state.h"

#include "causal_conv.h"
#include "embedding.h"
#include "flash_attention.h"
#include "gemm.h"
#include "linear.h"
#include "mlp.h"
#include "rms_norm.h"
#include "rope.h"
#include "route_gate.h"
#include "route_mix.h"
#include "row_gather.h"

#include <string.h>

enum { PIECE = 4096 /* tokens at a time: activations stay small, and Ctrl-C waits for no more */ };

/* A piece of a sequence. */
typedef struct piece {
    tn_decoder *d;
    int64_t slot, from, count; /* its positions are from … from + count − 1 */
    const int32_t *tokens;     /* [count] */
    const uint8_t *given;      /* [layers] masks, `given_pitch` apart; NULL: none */
    int64_t given_pitch;
    int32_t projected[TN_MODEL_MAX_LAYERS]; /* positions that keys were made of, before the piece */
} piece;

static tn_status floats(tn_decoder *d, tn_buffer **buf, int64_t rows, int64_t columns) {
    return tn_buffer_need(d->m->dev, buf, (size_t)(rows * columns) * sizeof(float));
}

static tn_status rows_make(tn_decoder *d, int64_t rows) {
    const tn_model_config *c = &d->m->config;
    tn_decoder_rows *w = &d->piece;
    tn_context *ctx = tn_device_context(d->m->dev);
    const int64_t D = c->d_model, reach = rows + d->ring_rows;
    if (rows <= w->rows)
        return TN_OK;
    tn_decoder_rows_free(d);
    tn_buffer **const wide[] = {&w->x, &w->u, &w->s, &w->mid, &w->uq, &w->q, &w->a, &w->o, &w->u2, &w->out};
    for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i++)
        TN_TRY(floats(d, wide[i], rows, D));
    TN_TRY(floats(d, &w->reach, reach, D));
    TN_TRY(floats(d, &w->conv, reach, D));
    TN_TRY(floats(d, &w->waiting, reach, D));
    TN_TRY(floats(d, &w->k, reach, d->width ? d->width : 1));
    TN_TRY(floats(d, &w->v, reach, d->width ? d->width : 1));
    TN_TRY(floats(d, &w->act, rows, c->mlp_width));
    TN_TRY(floats(d, &w->lse, rows, c->heads));
    tn_buffer **const thin[] = {&w->tokens, &w->codes, &w->rstd, &w->p, &w->list, &w->rstd2};
    for (size_t i = 0; i < sizeof thin / sizeof thin[0]; i++)
        TN_TRY(floats(d, thin[i], rows, 1));
    TN_TRY(floats(d, &w->positions, reach, 1));
    TN_TRY(floats(d, &w->starts, 4, 1));
    TN_TRY(tn_buffer_need(d->m->dev, &w->h, (size_t)rows));
    TN_TRY(floats(d, &w->last, 1, D));
    TN_TRY(floats(d, &w->normed, 1, D));
    TN_TRY(floats(d, &w->logits, 1, c->vocab));
    TN_TRY(tn_alloc(ctx, (size_t)rows, 1, &w->h_host));
    TN_TRY(tn_alloc(ctx, (size_t)reach, sizeof *w->int_host, &w->int_host));
    TN_TRY(tn_alloc(ctx, (size_t)rows, sizeof *w->codes_host, &w->codes_host));
    w->rows = rows;
    return TN_OK;
}

static int64_t place_of(const piece *p, int64_t layer) {
    return layer * p->d->slots + p->slot;
}

/* Of keys and values. */
static int64_t cache_of(const piece *p, int64_t layer) {
    return tn_decoder_caches(&p->d->m->config, layer) * p->d->slots + p->slot;
}

static size_t row_bytes(const tn_decoder *d) {
    return (size_t)d->m->config.d_model * sizeof(float);
}

/* Rows of u of positions first … end − 1 from the ring. */
static tn_status ring_read(const piece *p, int64_t layer, tn_buffer *to, int64_t first, int64_t end) {
    const tn_decoder *d = p->d;
    const size_t row = row_bytes(d), ring = (size_t)(place_of(p, layer) * d->ring_rows);
    for (int64_t t = first, run; t < end; t += run) {
        const int64_t at = t % d->ring_rows;
        run = end - t < d->ring_rows - at ? end - t : d->ring_rows - at;
        TN_TRY(tn_buffer_copy(to, (size_t)(t - first) * row, d->ring, (ring + (size_t)at) * row,
                              (size_t)run * row));
    }
    return TN_OK;
}

/* The last rows of u of the piece into the ring. */
static tn_status ring_write(const piece *p, int64_t layer) {
    const tn_decoder *d = p->d;
    const size_t row = row_bytes(d), ring = (size_t)(place_of(p, layer) * d->ring_rows);
    for (int64_t t = p->count > d->ring_rows ? p->count - d->ring_rows : 0, run; t < p->count; t += run) {
        const int64_t at = (p->from + t) % d->ring_rows;
        run = p->count - t < d->ring_rows - at ? p->count - t : d->ring_rows - at;
        TN_TRY(tn_buffer_copy(d->ring, (ring + (size_t)at) * row, d->piece.u, (size_t)t * row,
                              (size_t)run * row));
    }
    return TN_OK;
}

/* mid = x + W_c·silu(dwconv(u)), the convolution reaching back into the ring. */
static tn_status cheap_track(const piece *p, int64_t layer) {
    tn_decoder *d = p->d;
    const tn_model_config *c = &d->m->config;
    const tn_layer_params *lp = &d->m->params.layers[layer];
    tn_decoder_rows *w = &d->piece;
    const int64_t back = p->from < c->conv_taps - 1 ? p->from : c->conv_taps - 1, T = back + p->count;
    const size_t row = row_bytes(d), skip = (size_t)back * row, bytes = (size_t)p->count * row;
    const tn_causal_conv_shape conv = {1, T, c->d_model, c->conv_taps, 1};
    TN_TRY(ring_read(p, layer, w->reach, p->from - back, p->from));
    TN_TRY(tn_buffer_copy(w->reach, skip, w->u, 0, bytes));
    TN_TRY(tn_causal_conv_forward(d->m->dev, &conv, w->conv, w->reach, lp->conv_weight->value,
                                  lp->conv_bias->value));
    TN_TRY(tn_buffer_copy(w->s, 0, w->conv, skip, bytes));
    return tn_linear(d->m->dev, p->count, NULL, lp->conv_out, w->mid, w->s, NULL, w->x);
}

static tn_status rotate(tn_decoder *d, tn_buffer *z, int64_t rows, int64_t heads,
                        const tn_buffer *positions) {
    const tn_model_config *c = &d->m->config;
    const tn_rope_shape s = {
        .R = rows, .T = INT32_MAX, .H = heads, .Dh = c->d_model / c->heads, .base = TN_ROPE_BASE};
    return c->positions == TN_POSITIONS_ROPE ? tn_rope_forward(d->m->dev, &s, z, z, positions) : TN_OK;
}

/* Keys and values of the piece, and of what waited before it. */
static tn_status project(piece *p, int64_t layer) {
    tn_decoder *d = p->d;
    tn_device *dev = d->m->dev;
    tn_decoder_rows *w = &d->piece;
    const tn_layer_params *lp = &d->m->params.layers[layer];
    const int64_t first = p->projected[layer] < p->from ? p->projected[layer] : p->from,
                  rows = p->from + p->count - first;
    const int32_t now = (int32_t)(p->from + p->count);
    const size_t row = row_bytes(d), wide = (size_t)d->width * sizeof(float),
                 to = (size_t)(cache_of(p, layer) * d->capacity + first) * wide;
    TN_TRY(ring_read(p, layer, w->waiting, first, p->from));
    TN_TRY(tn_buffer_copy(w->waiting, (size_t)(p->from - first) * row, w->u, 0, (size_t)p->count * row));
    TN_TRY(tn_linear(dev, rows, NULL, lp->k, w->k, w->waiting, NULL, NULL));
    TN_TRY(tn_linear(dev, rows, NULL, lp->v, w->v, w->waiting, NULL, NULL));
    for (int64_t i = 0; i < rows; i++)
        w->int_host[i] = (int32_t)(first + i);
    TN_TRY(tn_buffer_write(w->positions, 0, (size_t)rows * sizeof(int32_t), w->int_host));
    TN_TRY(rotate(d, w->k, rows, tn_model_config_kv_heads(&d->m->config), w->positions));
    TN_TRY(tn_buffer_copy(d->k, to, w->k, 0, (size_t)rows * wide));
    TN_TRY(tn_buffer_copy(d->v, to, w->v, 0, (size_t)rows * wide));
    return tn_buffer_write(d->projected, (size_t)place_of(p, layer) * sizeof now, sizeof now, &now);
}

/* Attention of the listed rows over the state's keys: d->piece.a from q. */
static tn_status attend(const piece *p, int64_t layer, int64_t rows) {
    tn_decoder *d = p->d;
    const tn_model_config *c = &d->m->config;
    tn_decoder_rows *w = &d->piece;
    const int64_t T = p->from + p->count;
    const int32_t starts[4] = {0, (int32_t)rows, 0, (int32_t)T};
    const size_t wide = (size_t)d->width * sizeof(float),
                 at = (size_t)(cache_of(p, layer) * d->capacity) * wide, align = tn_buffer_align(d->m->dev);
    const tn_flash_attention_shape s = {.B = 1,
                                        .T = T,
                                        .R = rows,
                                        .Rkv = T,
                                        .max_rows = rows,
                                        .H = c->heads,
                                        .Hkv = tn_model_config_kv_heads(c),
                                        .Dh = c->d_model / c->heads,
                                        .window = c->window};
    tn_buffer *k = NULL, *v = NULL, *q_start = NULL, *kv_start = NULL;
    tn_status status = TN_OK;
    TN_TRY(tn_buffer_need(d->m->dev, &w->starts, align + 2 * sizeof *starts));
    TN_TRY(tn_buffer_write(w->starts, 0, 2 * sizeof *starts, starts));
    TN_TRY(tn_buffer_write(w->starts, align, 2 * sizeof *starts, starts + 2));
    TN_GO(tn_buffer_view(w->starts, 0, 2 * sizeof *starts, &q_start));
    TN_GO(tn_buffer_view(w->starts, align, 2 * sizeof *starts, &kv_start));
    TN_GO(tn_buffer_view(d->k, at, (size_t)T * wide, &k));
    TN_GO(tn_buffer_view(d->v, at, (size_t)T * wide, &v));
    TN_GO(tn_flash_attention_forward(d->m->dev, &s, w->a, w->lse, w->q, k, v, w->positions, q_start, kv_start,
                                     NULL, NULL));
    TN_GO(tn_device_finish(d->m->dev)); /* before the views go */
cleanup:
    tn_buffer_destroy(k);
    tn_buffer_destroy(v);
    tn_buffer_destroy(q_start);
    tn_buffer_destroy(kv_start);
    return status;
}

/* Row numbers of the piece that take the global track: `list`, and as positions of the sequence. */
static tn_status list_write(const piece *p, int64_t rows) {
    tn_decoder_rows *w = &p->d->piece;
    const size_t bytes = (size_t)rows * sizeof(int32_t);
    TN_TRY(tn_buffer_write(w->list, 0, bytes, w->int_host));
    for (int64_t i = 0; i < rows; i++)
        w->int_host[i] += (int32_t)p->from;
    return tn_buffer_write(w->positions, 0, bytes, w->int_host);
}

/* o of the `rows` rows whose numbers stand in int_host; all of them: the piece as it is. */
static tn_status global_track(piece *p, int64_t layer, int64_t rows, tn_buffer *out, const tn_buffer *add) {
    tn_decoder *d = p->d;
    tn_device *dev = d->m->dev;
    tn_decoder_rows *w = &d->piece;
    const tn_layer_params *lp = &d->m->params.layers[layer];
    const int64_t D = d->m->config.d_model;
    const tn_buffer *from = w->u;
    TN_TRY(list_write(p, rows));
    if (rows < p->count) {
        TN_TRY(tn_row_gather_forward(dev, &(tn_row_gather_shape){rows, p->count, D}, w->uq, w->u, w->list));
        from = w->uq;
    }
    TN_TRY(tn_linear(dev, rows, NULL, lp->q, w->q, from, NULL, NULL));
    TN_TRY(rotate(d, w->q, rows, d->m->config.heads, w->positions));
    TN_TRY(attend(p, layer, rows));
    return tn_linear(dev, rows, NULL, lp->o, out, w->a, NULL, add);
}

/* h of the piece, on the host and on the device; gives how many rows are routed, their numbers in int_host.
 */
static tn_status decide(const piece *p, int64_t layer, int64_t *rows) {
    tn_decoder *d = p->d;
    tn_decoder_rows *w = &d->piece;
    const tn_model_config *c = &d->m->config;
    const tn_layer_params *lp = &d->m->params.layers[layer];
    const size_t count = (size_t)p->count;
    if (tn_layer_has_router(c, layer)) {
        TN_TRY(tn_route_gate_forward(d->m->dev, &(tn_route_gate_shape){p->count, c->d_model}, w->p, w->h,
                                     w->u, lp->router_weight->value, lp->router_bias->value, 0));
        TN_TRY(tn_buffer_read(w->h, 0, count, w->h_host));
    } else if (tn_layer_mixer(c, layer) == TN_MIXER_MATCH) {
        for (int64_t t = 0; t < p->count; t++)
            w->h_host[t] = w->codes_host[t] >= c->matched;
    } else {
        memcpy(w->h_host, p->given + layer * p->given_pitch, count);
    }
    *rows = 0;
    tn_decoder_saw(d, w->h_host, p->count);
    for (int64_t t = 0; t < p->count; t++)
        if (w->h_host[t])
            w->int_host[(*rows)++] = (int32_t)t;
    return TN_OK;
}

static tn_status mixer(piece *p, int64_t layer) {
    tn_decoder *d = p->d;
    const tn_model_config *c = &d->m->config;
    tn_decoder_rows *w = &d->piece;
    int64_t rows = 0;
    const tn_rms_norm_shape norm = {p->count, c->d_model, (float)c->rms_eps};
    TN_TRY(
        tn_rms_norm_forward(d->m->dev, &norm, w->u, w->rstd, w->x, d->m->params.layers[layer].norm1->value));
    if (tn_layer_has_conv(c, layer))
        TN_TRY(cheap_track(p, layer));
    if (tn_layer_has_attention(c, layer))
        TN_TRY(project(p, layer));
    memset(w->h_host, !tn_layer_has_conv(c, layer), (size_t)p->count);
    if (!tn_layer_has_conv(c, layer)) {
        for (int64_t t = 0; t < p->count; t++)
            w->int_host[t] = (int32_t)t;
        TN_TRY(global_track(p, layer, p->count, w->mid, w->x));
    } else if (tn_layer_has_attention(c, layer)) {
        TN_TRY(decide(p, layer, &rows));
        const tn_route_mix_shape mix = {
            .N = p->count, .D = c->d_model, .R = rows, .hard = true, .added = c->added};
        if (rows) {
            TN_TRY(global_track(p, layer, rows, w->o, NULL));
            TN_TRY(tn_route_mix_few(d->m->dev, &mix, w->mid, w->x, w->o,
                                    tn_layer_has_router(c, layer) ? w->p : NULL, w->list, NULL));
        }
    }
    return ring_write(p, layer);
}

static tn_status mlp(const piece *p, int64_t layer) {
    tn_decoder *d = p->d;
    const tn_model_config *c = &d->m->config;
    const tn_layer_params *lp = &d->m->params.layers[layer];
    tn_decoder_rows *w = &d->piece;
    const tn_mlp_shape s = {p->count, c->d_model, c->mlp_width, (float)c->rms_eps};
    const tn_mlp_saved saved = {w->rstd2, w->act, w->u2, w->act};
    const tn_mlp_weights weights = {.norm = lp->norm2->value,
                                    .up = lp->up_weight->value,
                                    .up_bias = lp->up_bias->value,
                                    .down = lp->down_weight->value,
                                    .down_bias = lp->down_bias->value,
                                    .up_packed = lp->up_weight->packed,
                                    .down_packed = lp->down_weight->packed};
    return tn_mlp_forward(d->m->dev, &s, false, w->out, &saved, w->mid, &weights);
}

static tn_status piece_run(piece *p, uint8_t *routes, int64_t pitch) {
    tn_decoder *d = p->d;
    const tn_model_config *c = &d->m->config;
    tn_decoder_rows *w = &d->piece;
    const tn_param *more = d->m->params.match;
    const tn_embedding_shape embed = {
        .N = p->count, .D = c->d_model, .V = c->vocab, .C = more ? c->match + 1 : 0};
    for (int64_t t = 0; t < p->count; t++)
        TN_TRY(tn_decoder_code(d, p->slot, p->from + t, p->tokens[t], &w->codes_host[t]));
    TN_TRY(tn_buffer_write(w->tokens, 0, (size_t)p->count * sizeof *p->tokens, p->tokens));
    if (more)
        TN_TRY(tn_buffer_write(w->codes, 0, (size_t)p->count * sizeof *p->tokens, w->codes_host));
    TN_TRY(tn_embedding_forward(d->m->dev, &embed, w->x, d->m->params.embed->value, w->tokens,
                                more ? more->value : NULL, more ? w->codes : NULL));
    if (d->projected)
        for (int64_t i = 0; i < c->layers; i++)
            if (tn_layer_has_attention(c, i))
                TN_TRY(tn_buffer_read(d->projected, (size_t)place_of(p, i) * 4, 4, &p->projected[i]));
    for (int64_t i = 0; i < c->layers; i++) {
        TN_TRY(mixer(p, i));
        TN_TRY(mlp(p, i));
        if (routes)
            memcpy(routes + i * pitch, w->h_host, (size_t)p->count);
        tn_buffer *x = w->x;
        w->x = w->out;
        w->out = x;
    }
    return TN_OK;
}

/* Logits of the last row of the piece that was run last. */
static tn_status head(tn_decoder *d, int64_t count, float *logits) {
    const tn_model_config *c = &d->m->config;
    tn_decoder_rows *w = &d->piece;
    const size_t row = row_bytes(d);
    const tn_rms_norm_shape norm = {1, c->d_model, (float)c->rms_eps};
    TN_TRY(tn_buffer_copy(w->last, 0, w->x, (size_t)(count - 1) * row, row));
    TN_TRY(tn_rms_norm_forward(d->m->dev, &norm, w->normed, w->rstd, w->last, d->m->params.norm->value));
    TN_TRY(tn_linear(d->m->dev, 1, NULL, d->m->params.head, w->logits, w->normed, NULL, NULL));
    return tn_buffer_read(w->logits, 0, (size_t)c->vocab * sizeof *logits, logits);
}

static tn_status prompt_check(const tn_decoder *d, const int32_t *tokens, int64_t count,
                              const uint8_t *given) {
    tn_context *ctx = tn_device_context(d->m->dev);
    if (count < 1)
        return tn_fail(ctx, TN_ERR_ARG, "an empty prompt");
    TN_TRY(tn_decoder_given_check(d, given));
    for (int64_t t = 0; t < count; t++)
        if (tokens[t] < 0 || tokens[t] >= d->m->config.vocab)
            return tn_fail(ctx, TN_ERR_INPUT, "token %d at position %lld is outside the vocabulary of %lld",
                           tokens[t], (long long)t, (long long)d->m->config.vocab);
    return TN_OK;
}

tn_status tn_decoder_prefill(tn_decoder *d, int64_t slot, const int32_t *tokens, int64_t count,
                             const uint8_t *given, float *logits, uint8_t *routes) {
    TN_TRY(tn_decoder_slot_check(d, slot));
    TN_TRY(prompt_check(d, tokens, count, given));
    TN_TRY(tn_decoder_reserve(d, d->lengths[slot] + count));
    TN_TRY(tn_params_pack(&d->m->params));
    TN_TRY(rows_make(d, count < PIECE ? count : PIECE));
    for (int64_t t = 0, n = 0; t < count; t += n) {
        n = count - t < PIECE ? count - t : PIECE;
        piece p = {.d = d,
                   .slot = slot,
                   .from = d->lengths[slot],
                   .count = n,
                   .tokens = tokens + t,
                   .given = given ? given + t : NULL,
                   .given_pitch = count};
        if (tn_interrupted())
            return tn_fail(tn_device_context(d->m->dev), TN_ERR_INTERRUPTED,
                           "stopped after %lld of %lld tokens of a prompt", (long long)t, (long long)count);
        TN_TRY(piece_run(&p, routes ? routes + t : NULL, count));
        d->lengths[slot] += n;
        if (logits && t + n == count)
            TN_TRY(head(d, n, logits));
    }
    return TN_OK;
}
