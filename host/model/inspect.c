/* Which tensor of a pass is the first that is not finite: looked for once the loss shows that one is, for it
 * costs a wait a tensor. */
#include "workspace.h"

#include <math.h>
#include <stdarg.h>

__attribute__((format(printf, 4, 5))) static tn_status look(tn_workspace *ws, const tn_buffer *buf,
                                                            int64_t count, const char *format, ...) {
    tn_context *ctx = tn_device_context(ws->m->dev);
    char name[100];
    float *values;
    va_list args;
    if (!buf || count == 0)
        return TN_OK;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    TN_TRY(tn_alloc(ctx, (size_t)count, sizeof *values, &values));
    tn_status status = tn_buffer_read(buf, 0, (size_t)count * sizeof *values, values);
    for (int64_t i = 0; status == TN_OK && i < count; i++)
        if (!isfinite(values[i]))
            status = tn_fail(ctx, TN_ERR_CHECK,
                             "the first tensor that is not finite is %s: %g at index %lld of %lld", name,
                             (double)values[i], (long long)i, (long long)count);
    tn_free(ctx, values);
    return status;
}

tn_status tn_inspect_layer(tn_workspace *ws, const tn_input *in, int64_t layer) {
    const tn_model_config *c = &ws->m->config;
    const tn_layer_state *st = tn_workspace_state(ws, layer);
    int64_t N = in->B * in->T, D = c->d_model, width = st->absorbed ? c->heads * D : D;
    int64_t R = tn_layer_has_attention(c, layer) ? st->R : 0, P = st->absorbed ? 0 : st->P;
    int64_t of_keys = tn_model_config_kv_width(c);
    long long i = layer;
    TN_TRY(look(ws, st->u1, N * D, "layers.%lld.norm1", i));
    if (tn_layer_has_router(c, layer))
        TN_TRY(look(ws, st->p, N, "layers.%lld.mixer.router (p)", i));
    if (R > 0) {
        TN_TRY(look(ws, st->q, R * width, "layers.%lld.mixer.q", i));
        TN_TRY(look(ws, st->k, P * of_keys, "layers.%lld.mixer.k", i));
        TN_TRY(look(ws, st->v, P * of_keys, "layers.%lld.mixer.v", i));
        TN_TRY(look(ws, st->a, R * width, "layers.%lld.mixer (attention)", i));
    }
    TN_TRY(look(ws, st->mid, N * D, "layers.%lld.mixer (its output)", i));
    return look(ws, st->out, N * D, "layers.%lld.mlp (its output)", i);
}

tn_status tn_inspect_embedding(tn_workspace *ws, const tn_input *in) {
    return look(ws, ws->x0, in->B * in->T * ws->m->config.d_model, "the embedding");
}

tn_status tn_inspect_logits(tn_workspace *ws, const tn_input *in) {
    TN_TRY(look(ws, ws->ul, in->L * ws->m->config.d_model, "norm"));
    return look(ws, ws->logits, in->L * ws->m->config.vocab, "the logits");
}

tn_status tn_inspect_loss(tn_workspace *ws, const tn_input *in) {
    return look(ws, ws->loss, in->L, "the loss");
}

void tn_workspace_inspect(tn_workspace *ws, bool on) {
    ws->inspect = on;
}
