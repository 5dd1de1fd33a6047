#include "workspace.h"

#include "clock.h"
#include "mixer.h"

#include <string.h>

tn_status tn_workspace_need(tn_workspace *ws, tn_buffer **buf, size_t bytes) {
    return tn_buffer_need(ws->m->dev, buf, bytes);
}

tn_status tn_workspace_floats(tn_workspace *ws, tn_buffer **buf, int64_t rows, int64_t columns) {
    return tn_workspace_need(ws, buf, (size_t)rows * (size_t)columns * sizeof(float));
}

tn_layer_state *tn_workspace_state(tn_workspace *ws, int64_t layer) {
    return &ws->states[ws->state_count == 1 ? 0 : layer];
}

static tn_status constants(tn_workspace *ws) {
    int64_t N = ws->B * ws->T;
    for (int64_t n = 0; n < N; n++)
        ws->kv_rows_host[n] = (int32_t)n;
    for (int64_t b = 0; b <= ws->B; b++)
        ws->kv_start_host[b] = (int32_t)(b * ws->T);
    TN_TRY(tn_workspace_need(ws, &ws->iota, (size_t)N * 4));
    TN_TRY(tn_workspace_need(ws, &ws->dense_start, (size_t)(ws->B + 1) * 4));
    TN_TRY(tn_buffer_write(ws->iota, 0, (size_t)N * 4, ws->kv_rows_host));
    return tn_buffer_write(ws->dense_start, 0, (size_t)(ws->B + 1) * 4, ws->kv_start_host);
}

/* Byte offset of `last` in a bounds buffer. */
static size_t last_offset(const tn_workspace *ws) {
    size_t align = tn_buffer_align(ws->m->dev);
    return ((size_t)(ws->B + 1) * 4 + align - 1) / align * align;
}

static tn_status bounds(tn_workspace *ws, tn_layer_state *st) {
    size_t offset = last_offset(ws);
    TN_TRY(tn_buffer_create(ws->m->dev, offset + (size_t)ws->B * 4, &st->bounds));
    TN_TRY(tn_buffer_view(st->bounds, 0, (size_t)(ws->B + 1) * 4, &st->start));
    return tn_buffer_view(st->bounds, offset, (size_t)ws->B * 4, &st->last);
}

tn_status tn_workspace_create(tn_model *m, int64_t B, int64_t T, tn_workspace **out) {
    tn_context *ctx = tn_device_context(m->dev);
    tn_workspace *ws;
    *out = NULL;
    if (B < 1 || T < 1 || B > INT32_MAX / T || B * T > INT32_MAX / (m->config.d_model + m->config.mlp_width))
        return tn_fail(ctx, TN_ERR_ARG,
                       "a batch of %lld × %lld positions is too large; try a smaller batch or length",
                       (long long)B, (long long)T);
    TN_TRY(tn_alloc(ctx, 1, sizeof *ws, &ws));
    tn_status status = TN_OK;
    size_t N = (size_t)(B * T), sequences = (size_t)B;
    ws->m = m;
    ws->B = B;
    ws->T = T;
    ws->piece_work = TN_PIECE_WORK;
    ws->state_count = m->training ? (int)m->config.layers : 1;
    TN_GO(tn_alloc(ctx, (size_t)ws->state_count, sizeof *ws->states, &ws->states));
    TN_GO(tn_alloc(ctx, (size_t)m->config.layers, sizeof *ws->routed, &ws->routed));
    TN_GO(tn_alloc(ctx, (size_t)m->config.layers, sizeof *ws->decisions, &ws->decisions));
    TN_GO(tn_alloc(ctx, last_offset(ws) + sequences * 4, 1, &ws->bounds_host));
    TN_GO(tn_alloc(ctx, sequences + 1, 4, &ws->kv_start_host));
    TN_GO(tn_alloc(ctx, N, 4, &ws->kv_rows_host));
    TN_GO(tn_alloc(ctx, N, 1, &ws->mask_host));
    if (m->config.match > 0) {
        TN_GO(tn_match_make(ctx, T, m->config.match, &ws->match));
        TN_GO(tn_alloc(ctx, N, 4, &ws->codes_host));
    }
    if (m->training) {
        TN_GO(tn_alloc(ctx, N, 4, &ws->order_host));
        const int64_t rows = m->config.vocab > m->config.match ? m->config.vocab : m->config.match + 1;
        TN_GO(tn_alloc(ctx, (size_t)rows + 1, 4, &ws->token_start_host));
        TN_GO(tn_partial_sums_create(m->dev, &ws->sums));
    }
    TN_GO(constants(ws));
    for (int i = 0; i < ws->state_count; i++)
        TN_GO(bounds(ws, &ws->states[i]));
    *out = ws;
    return TN_OK;
cleanup:
    tn_workspace_destroy(ws);
    return status;
}

/* What is done with each of several buffers. */
typedef tn_status (*buffer_use)(tn_buffer **buffer);

static tn_status release(tn_buffer **buffer) {
    tn_buffer_destroy(*buffer);
    *buffer = NULL;
    return TN_OK;
}

static tn_status spoil(tn_buffer **buffer) {
    const uint32_t thousand = 0x447a0000u;
    return *buffer ? tn_buffer_fill_u32(*buffer, 0, tn_buffer_bytes(*buffer) / 4 * 4, thousand) : TN_OK;
}

static tn_status use_all(buffer_use use, tn_buffer **const *buffers, size_t count) {
    for (size_t i = 0; i < count; i++)
        TN_TRY(use(buffers[i]));
    return TN_OK;
}

#define USE(use, ...)                                                                                        \
    use_all((use), (tn_buffer * *const[]){__VA_ARGS__},                                                      \
            sizeof((tn_buffer **const[]){__VA_ARGS__}) / sizeof(tn_buffer **))

static tn_status state_floats(buffer_use use, tn_layer_state *s) {
    TN_TRY(USE(use, &s->u1, &s->rstd1, &s->s, &s->c, &s->uq, &s->ukv, &s->q, &s->k, &s->v, &s->a));
    return USE(use, &s->lse, &s->o, &s->mid, &s->u2, &s->rstd2, &s->up, &s->act, &s->out);
}

static tn_status floats(buffer_use use, tn_workspace *ws) {
    for (int i = 0; ws->states && i < ws->state_count; i++)
        TN_TRY(state_floats(use, &ws->states[i]));
    TN_TRY(USE(use, &ws->x0, &ws->xl, &ws->ul, &ws->rstdl, &ws->logits, &ws->loss, &ws->lse, &ws->dx));
    TN_TRY(USE(use, &ws->dmid, &ws->du, &ws->dc, &ws->do_, &ws->da, &ws->dq, &ws->dk, &ws->dv, &ws->duq));
    return USE(use, &ws->dukv, &ws->ds, &ws->dg, &ws->dul, &ws->dxl, &ws->dmq, &ws->dmo);
}

tn_status tn_workspace_spoil(tn_workspace *ws) {
    TN_TRY(floats(spoil, ws));
    return spoil(&ws->p_all);
}

static void state_release_lists(tn_layer_state *s) {
    USE(release, &s->rows, &s->slot, &s->start, &s->last, &s->bounds, &s->kv_start, &s->kv_rows,
        &s->query_rows, &s->query_start);
}

void tn_workspace_destroy(tn_workspace *ws) {
    if (!ws)
        return;
    tn_context *ctx = tn_device_context(ws->m->dev);
    floats(release, ws);
    tn_decisions_free(ws);
    for (int i = 0; ws->states && i < ws->state_count; i++)
        state_release_lists(&ws->states[i]);
    USE(release, &ws->tokens, &ws->codes, &ws->iota, &ws->dense_start, &ws->label_rows, &ws->labels,
        &ws->predicted, &ws->order, &ws->token_start, &ws->piece_start);
    tn_partial_sums_destroy(ws->sums);
    tn_free(ctx, ws->states);
    tn_free(ctx, ws->routed);
    tn_free(ctx, ws->bounds_host);
    tn_free(ctx, ws->kv_start_host);
    tn_free(ctx, ws->kv_rows_host);
    tn_free(ctx, ws->mask_host);
    tn_free(ctx, ws->order_host);
    tn_free(ctx, ws->token_start_host);
    tn_match_free(ctx, &ws->match);
    tn_free(ctx, ws->codes_host);
    tn_free(ctx, ws);
}

tn_buffer *tn_workspace_logits(tn_workspace *ws) {
    return ws->logits;
}

tn_buffer *tn_workspace_losses(tn_workspace *ws) {
    return ws->loss;
}

tn_status tn_workspace_routed(tn_workspace *ws, const int64_t **out) {
    TN_TRY(tn_decisions_count(ws));
    for (int64_t i = 0; i < ws->m->config.layers; i++)
        ws->routed[i] = ws->decisions[i].R;
    *out = ws->routed;
    return TN_OK;
}

tn_status tn_workspace_pause(tn_workspace *ws, double work) {
    if (ws->m->training)
        return TN_OK;
    ws->queued += work;
    double now = tn_clock_seconds(), often = 0.25; /* a fast device is not made to wait for much more */
    if (ws->queued > ws->piece_work && now - ws->waited >= often) {
        TN_TRY(tn_device_finish(ws->m->dev));
        ws->queued = 0;
        ws->waited = now;
    }
    if (!tn_interrupted())
        return TN_OK;
    return tn_fail(tn_device_context(ws->m->dev), TN_ERR_INTERRUPTED, "stopped within a forward pass");
}
