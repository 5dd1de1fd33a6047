/* What routers decide, of all layers: on the device until a pass is done, then read back as a whole. */
#include "workspace.h"

#include "mixer.h"
#include "routed_rows.h"

#include <string.h>

/* Bytes from one layer's to the next, of `bytes` each: where a view may begin. */
static size_t stride(const tn_workspace *ws, size_t bytes) {
    size_t align = tn_buffer_align(ws->m->dev);
    return (bytes + align - 1) / align * align;
}

static size_t rows_of(const tn_workspace *ws) {
    return (size_t)(ws->B * ws->T);
}

/* One buffer for all layers, and a view of it for each. */
static tn_status views(tn_workspace *ws, tn_buffer **all, size_t bytes, int each, size_t field) {
    const size_t layers = (size_t)ws->m->config.layers, step = stride(ws, bytes);
    if (*all)
        return TN_OK;
    TN_TRY(tn_buffer_create(ws->m->dev, layers * (size_t)each * step, all));
    for (size_t i = 0; i < layers; i++)
        for (int k = 0; k < each; k++)
            TN_TRY(tn_buffer_view(*all, (i * (size_t)each + (size_t)k) * step, bytes,
                                  (tn_buffer **)((char *)&ws->decisions[i] + field) + k));
    return TN_OK;
}

tn_status tn_decisions_make(tn_workspace *ws) {
    TN_TRY(views(ws, &ws->h_all, rows_of(ws), 1, offsetof(tn_decisions, h)));
    TN_TRY(views(ws, &ws->counts_all, sizeof(int32_t), 2, offsetof(tn_decisions, rows_count)));
    return tn_mixer_has_router(&ws->m->config)
               ? views(ws, &ws->p_all, rows_of(ws) * sizeof(float), 1, offsetof(tn_decisions, p))
               : TN_OK;
}

void tn_decisions_free(tn_workspace *ws) {
    for (int64_t i = 0; ws->decisions && i < ws->m->config.layers; i++) {
        tn_decisions *d = &ws->decisions[i];
        tn_buffer_destroy(d->h);
        tn_buffer_destroy(d->p);
        tn_buffer_destroy(d->rows_count);
        tn_buffer_destroy(d->keys_count);
    }
    tn_buffer_destroy(ws->h_all);
    tn_buffer_destroy(ws->p_all);
    tn_buffer_destroy(ws->counts_all);
    tn_free(tn_device_context(ws->m->dev), ws->decisions);
}

/* The device's counts, which its kernels already held within what there is: beyond it, they do not run as
 * they should. */
static tn_status take_counts(tn_workspace *ws, const unsigned char *counts) {
    const size_t step = stride(ws, sizeof(int32_t));
    const int64_t most = ws->B * ws->T;
    for (int64_t i = 0; i < ws->m->config.layers; i++) {
        tn_decisions *d = &ws->decisions[i];
        int32_t rows, keys;
        if (d->R >= 0)
            continue;
        memcpy(&rows, counts + (size_t)(2 * i) * step, sizeof rows);
        memcpy(&keys, counts + (size_t)(2 * i + 1) * step, sizeof keys);
        if (rows < 0 || keys < rows || keys > most)
            return tn_fail(
                tn_device_context(ws->m->dev), TN_ERR_DEVICE,
                "%s counts %d routed rows and %d rows of keys in layer %lld, of %lld: its kernels do "
                "not run as they should; `turnout verify --op route_compact`",
                tn_device_get_info(ws->m->dev)->name, rows, keys, (long long)i, (long long)most);
        d->R = rows;
        d->P = keys;
    }
    return TN_OK;
}

tn_status tn_decisions_count(tn_workspace *ws) {
    tn_context *ctx = tn_device_context(ws->m->dev);
    bool known = true;
    for (int64_t i = 0; i < ws->m->config.layers; i++)
        known = known && ws->decisions[i].R >= 0;
    if (known || !ws->counts_all)
        return TN_OK;
    const size_t bytes = tn_buffer_bytes(ws->counts_all);
    unsigned char *counts;
    TN_TRY(tn_alloc(ctx, bytes, 1, &counts));
    tn_status status = tn_buffer_read(ws->counts_all, 0, bytes, counts);
    if (status == TN_OK)
        status = take_counts(ws, counts);
    tn_free(ctx, counts);
    return status;
}

/* Rows that the router would send in evaluation, of p [N]; `routed` of them went in this pass. */
static int64_t decided(const tn_model_config *c, const tn_input *in, const float *p, int64_t routed) {
    int64_t count = 0;
    if (c->routing == TN_ROUTING_CAPACITY)
        return in->by_threshold ? in->B * tn_routed_rows(c->capacity, in->T) : routed;
    if (!(in->gate_margin > 0))
        return routed;
    for (int64_t n = 0; n < in->B * in->T; n++)
        count += p[n] >= 0.5f;
    return count;
}

/* h [N] and p (NULL: a layer without a router) of a layer. */
static void observe(const tn_model_config *c, const tn_input *in, const tn_decisions *d, const uint8_t *h,
                    const float *p, tn_layer_stats *out) {
    const int64_t N = in->B * in->T;
    *out = (tn_layer_stats){.kv_rows = d->absorbed ? 0 : d->P, .absorbed_passes = d->absorbed};
    for (int64_t n = 0; n < N; n++) {
        out->routed += h[n];
        out->pairs += h[n] ? (double)tn_model_config_keys(c, n % in->T) : 0;
    }
    out->decided = out->routed;
    out->absorbed_rows = d->absorbed ? out->routed : 0;
    out->absorbed_pairs = d->absorbed ? out->pairs : 0;
    if (!p)
        return;
    for (int64_t n = 0; n < N; n++)
        out->soft += p[n];
    out->decided = decided(c, in, p, out->routed);
}

/* All layers' h and p, or h as it is without a mask. */
static tn_status read_all(tn_workspace *ws, const tn_input *in, uint8_t *h, float *p, bool wants_p) {
    const tn_model_config *c = &ws->m->config;
    const size_t N = (size_t)(in->B * in->T), last = (size_t)c->layers - 1, step = stride(ws, rows_of(ws));
    if (tn_mixer_has_choice(c))
        TN_TRY(tn_buffer_read(ws->h_all, 0, last * step + N, h));
    for (size_t i = 0; i <= last; i++) {
        const tn_mixer mixer = tn_layer_mixer(c, (int64_t)i);
        if (mixer == TN_MIXER_CONV || mixer == TN_MIXER_ATTENTION)
            memset(h + i * step, mixer == TN_MIXER_ATTENTION, N);
    }
    if (!wants_p)
        return TN_OK;
    return tn_buffer_read(ws->p_all, 0, last * stride(ws, rows_of(ws) * sizeof *p) + N * sizeof *p, p);
}

tn_status tn_workspace_observe(tn_workspace *ws, const tn_input *in, uint8_t *routes, tn_layer_stats *stats) {
    const tn_model_config *c = &ws->m->config;
    tn_context *ctx = tn_device_context(ws->m->dev);
    const size_t layers = (size_t)c->layers, N = (size_t)(in->B * in->T), h_step = stride(ws, rows_of(ws)),
                 p_step = stride(ws, rows_of(ws) * sizeof(float)) / sizeof(float);
    const bool has_p = stats && tn_mixer_has_router(c);
    uint8_t *h = NULL;
    float *p = NULL;
    tn_status status = TN_OK;
    if (!routes && !stats)
        return TN_OK;
    TN_GO(tn_alloc(ctx, layers * h_step, 1, &h));
    if (has_p)
        TN_GO(tn_alloc(ctx, layers * p_step, sizeof *p, &p));
    TN_GO(read_all(ws, in, h, p, has_p));
    if (stats)
        TN_GO(tn_decisions_count(ws));
    for (size_t i = 0; i < layers; i++) {
        if (routes)
            memcpy(routes + i * N, h + i * h_step, N);
        if (stats)
            observe(c, in, &ws->decisions[i], h + i * h_step,
                    has_p && tn_layer_has_router(c, (int64_t)i) ? p + i * p_step : NULL, &stats[i]);
    }
cleanup:
    tn_free(ctx, h);
    tn_free(ctx, p);
    return status;
}
