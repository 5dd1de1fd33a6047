#include "workspace.h"

#include "control.h"
#include "embedding.h"
#include "gemm.h"
#include "linear.h"
#include "mixer.h"
#include "mlp.h"
#include "rms_norm.h"
#include "row_gather.h"
#include "softmax_cross_entropy.h"

#include <stdlib.h>
#include <string.h>

/* *out: which of the words the variable has; 0 where it is not set. */
static tn_status wanted(tn_context *ctx, const char *variable, const char *const words[3], int *out) {
    const char *text = getenv(variable);
    for (*out = 0; text && text[0] && *out < 3; ++*out)
        if (strcmp(text, words[*out]) == 0)
            return TN_OK;
    if (*out < 3)
        return TN_OK;
    return tn_fail(ctx, TN_ERR_ARG, "%s=%s is unknown; there is %s, %s and %s", variable, text, words[0],
                   words[1], words[2]);
}

tn_status tn_model_create(tn_device *dev, const tn_model_config *c, bool training, tn_model **out) {
    tn_context *ctx = tn_device_context(dev);
    tn_model *m;
    *out = NULL;
    static const char *const absorbing[] = {"auto", "never", "always"}, *const counting[] = {"auto", "host",
                                                                                             "device"};
    int absorb, count;
    TN_TRY(tn_model_config_check(ctx, c));
    TN_TRY(wanted(ctx, "TURNOUT_ABSORB", absorbing, &absorb));
    TN_TRY(wanted(ctx, "TURNOUT_COUNT", counting, &count));
    TN_TRY(tn_alloc(ctx, 1, sizeof *m, &m));
    *m = (tn_model){.dev = dev,
                    .config = *c,
                    .training = training,
                    .absorb = (tn_absorb)absorb,
                    .count = (tn_count)count};
    m->config.kv_heads = tn_model_config_kv_heads(c);
    tn_status status = tn_params_create(dev, c, training, &m->params);
    if (status != TN_OK) {
        tn_free(ctx, m);
        return status;
    }
    *out = m;
    return TN_OK;
}

void tn_model_destroy(tn_model *m) {
    if (!m)
        return;
    tn_context *ctx = tn_device_context(m->dev);
    tn_params_destroy(&m->params);
    tn_free(ctx, m);
}

static tn_status input_check(tn_workspace *ws, const tn_input *in) {
    tn_context *ctx = tn_device_context(ws->m->dev);
    const tn_model_config *c = &ws->m->config;
    if (in->T != ws->T || in->B < 1 || in->B > ws->B)
        return tn_fail(ctx, TN_ERR_ARG, "a batch of %lld × %lld does not fit a workspace for %lld × %lld",
                       (long long)in->B, (long long)in->T, (long long)ws->B, (long long)ws->T);
    if (!in->oracle)
        TN_TRY(tn_control_check(ctx, c));
    for (int64_t n = 0; n < in->B * in->T; n++)
        if (in->tokens[n] < 0 || in->tokens[n] >= c->vocab)
            return tn_fail(ctx, TN_ERR_INPUT,
                           "token %d at sequence %lld, position %lld lies outside the vocabulary of %lld",
                           in->tokens[n], (long long)(n / in->T), (long long)(n % in->T),
                           (long long)c->vocab);
    return TN_OK;
}

static tn_mlp_shape mlp_shape(const tn_workspace *ws, int64_t N) {
    const tn_model_config *c = &ws->m->config;
    return (tn_mlp_shape){N, c->d_model, c->mlp_width, (float)c->rms_eps};
}

static tn_mlp_weights mlp_weights(const tn_layer_params *lp, bool grads) {
    if (grads)
        return (tn_mlp_weights){.norm = lp->norm2->grad,
                                .up = lp->up_weight->grad,
                                .up_bias = lp->up_bias->grad,
                                .down = lp->down_weight->grad,
                                .down_bias = lp->down_bias->grad};
    return (tn_mlp_weights){.norm = lp->norm2->value,
                            .up = lp->up_weight->value,
                            .up_bias = lp->up_bias->value,
                            .down = lp->down_weight->value,
                            .down_bias = lp->down_bias->value,
                            .up_packed = lp->up_weight->packed,
                            .down_packed = lp->down_weight->packed};
}

static tn_mlp_saved mlp_saved(const tn_workspace *ws, const tn_layer_state *st) {
    /* Only the gradient wants what gelu was taken of. */
    return (tn_mlp_saved){st->rstd2, ws->m->training ? st->up : st->act, st->u2, st->act};
}

/* x3 = x2 + mlp(norm₂(x2)) */
static tn_status mlp_forward(tn_workspace *ws, int64_t N, int64_t layer) {
    tn_model *m = ws->m;
    tn_layer_state *st = tn_workspace_state(ws, layer);
    int64_t D = m->config.d_model, F = m->config.mlp_width, room = ws->B * ws->T;
    tn_mlp_shape shape = mlp_shape(ws, N);
    bool fused;
    TN_TRY(tn_workspace_floats(ws, &st->rstd2, room, 1));
    TN_TRY(tn_workspace_floats(ws, &st->out, room, D));
    if (m->training)
        TN_TRY(tn_workspace_floats(ws, &st->up, room, F));
    TN_TRY(tn_mlp_is_fused(m->dev, &shape, m->training, &fused));
    if (!fused) {
        TN_TRY(tn_workspace_floats(ws, &st->u2, room, D));
        TN_TRY(tn_workspace_floats(ws, &st->act, room, F));
    }
    tn_mlp_saved saved = mlp_saved(ws, st);
    if (fused && !m->training)
        saved.up = NULL; /* there, where passes that are not fused came before, but not wanted */
    tn_mlp_weights weights = mlp_weights(&m->params.layers[layer], false);
    return tn_mlp_forward(m->dev, &shape, m->training, st->out, &saved, st->mid, &weights);
}

/* ws->dmid = gradient at x2 from ws->dx, the gradient at x3. */
static tn_status mlp_backward(tn_workspace *ws, int64_t N, int64_t layer) {
    tn_model *m = ws->m;
    const tn_layer_state *st = tn_workspace_state(ws, layer);
    tn_mlp_shape shape = mlp_shape(ws, N);
    tn_mlp_saved saved = mlp_saved(ws, st);
    tn_mlp_weights weights = mlp_weights(&m->params.layers[layer], false),
                   grads = mlp_weights(&m->params.layers[layer], true);
    TN_TRY(tn_workspace_floats(ws, &ws->dmid, ws->B * ws->T, m->config.d_model));
    return tn_mlp_backward(m->dev, &shape, ws->dmid, &grads, ws->dx, st->mid, &weights, &saved, ws->sums);
}

/* What a pass through a layer leaves of its routing. */
static void note_decisions(tn_workspace *ws, int64_t layer) {
    const tn_layer_state *st = tn_workspace_state(ws, layer);
    tn_decisions *d = &ws->decisions[layer];
    d->R = st->rows_count ? -1 : st->R;
    d->P = st->rows_count ? -1 : st->P;
    d->absorbed = st->absorbed;
}

/* Final norm and head, on the labelled rows alone. */
static tn_status head_forward(tn_workspace *ws, const tn_input *in, const tn_buffer *x) {
    tn_model *m = ws->m;
    int64_t N = in->B * in->T, D = m->config.d_model, L = in->L;
    const tn_buffer *rows = x;
    if (in->label_rows) {
        TN_TRY(tn_workspace_need(ws, &ws->label_rows, (size_t)L * 4));
        TN_TRY(tn_buffer_write(ws->label_rows, 0, (size_t)L * 4, in->label_rows));
        TN_TRY(tn_workspace_floats(ws, &ws->xl, L, D));
        TN_TRY(tn_row_gather_forward(m->dev, &(tn_row_gather_shape){L, N, D}, ws->xl, x, ws->label_rows));
        rows = ws->xl;
    }
    TN_TRY(tn_workspace_floats(ws, &ws->ul, L, D));
    TN_TRY(tn_workspace_floats(ws, &ws->rstdl, L, 1));
    TN_TRY(tn_workspace_floats(ws, &ws->logits, L, m->config.vocab));
    tn_rms_norm_shape norm = {L, D, (float)m->config.rms_eps};
    TN_TRY(tn_rms_norm_forward(m->dev, &norm, ws->ul, ws->rstdl, rows, m->params.norm->value));
    return tn_linear(m->dev, L, NULL, m->params.head, ws->logits, ws->ul, NULL, NULL);
}

/* Multiply-adds of a layer but for its attention. */
static double layer_work(const tn_model_config *c, int64_t N) {
    double D = (double)c->d_model;
    return (double)N * D * (2 * (double)c->mlp_width + 5 * D);
}

/* x0, by the tokens and by how many of them stood before. */
static tn_status embed_forward(tn_workspace *ws, const tn_input *in) {
    tn_model *m = ws->m;
    const int64_t N = in->B * in->T, match = m->config.match;
    const tn_embedding_shape s = {N, m->config.d_model, m->config.vocab, match > 0 ? match + 1 : 0};
    if (match > 0) {
        for (int64_t b = 0; b < in->B; b++)
            tn_match_find(&ws->match, in->tokens + b * in->T, in->T, ws->codes_host + b * in->T);
        TN_TRY(tn_workspace_need(ws, &ws->codes, (size_t)(ws->B * ws->T) * 4));
        TN_TRY(tn_buffer_write(ws->codes, 0, (size_t)N * 4, ws->codes_host));
    }
    return tn_embedding_forward(m->dev, &s, ws->x0, m->params.embed->value, ws->tokens,
                                match > 0 ? m->params.match->value : NULL, ws->codes);
}

tn_status tn_model_forward(tn_model *m, tn_workspace *ws, const tn_input *in, tn_gate gate, uint8_t *routes,
                           tn_layer_stats *stats) {
    int64_t N = in->B * in->T, room = ws->B * ws->T;
    TN_TRY(input_check(ws, in));
    TN_TRY(tn_workspace_need(ws, &ws->tokens, (size_t)room * 4));
    TN_TRY(tn_workspace_floats(ws, &ws->x0, room, m->config.d_model));
    TN_TRY(tn_params_pack(&m->params));
    TN_TRY(tn_buffer_write(ws->tokens, 0, (size_t)N * 4, in->tokens));
    TN_TRY(embed_forward(ws, in));
    if (ws->inspect)
        TN_TRY(tn_inspect_embedding(ws, in));
    const tn_buffer *x = ws->x0;
    for (int64_t i = 0; i < m->config.layers; i++) {
        TN_TRY(tn_mixer_forward(ws, in, gate, i, x));
        TN_TRY(mlp_forward(ws, N, i));
        if (ws->inspect)
            TN_TRY(tn_inspect_layer(ws, in, i));
        TN_TRY(tn_workspace_pause(ws, layer_work(&m->config, N)));
        note_decisions(ws, i);
        x = tn_workspace_state(ws, i)->out;
    }
    TN_TRY(head_forward(ws, in, x));
    TN_TRY(tn_workspace_observe(ws, in, routes, stats));
    return ws->inspect ? tn_inspect_logits(ws, in) : TN_OK;
}

tn_status tn_model_loss(tn_model *m, tn_workspace *ws, const tn_input *in) {
    size_t bytes = (size_t)in->L * 4;
    TN_TRY(tn_workspace_need(ws, &ws->labels, bytes));
    TN_TRY(tn_workspace_need(ws, &ws->loss, bytes));
    TN_TRY(tn_workspace_need(ws, &ws->lse, bytes));
    TN_TRY(tn_workspace_need(ws, &ws->predicted, bytes));
    TN_TRY(tn_buffer_write(ws->labels, 0, bytes, in->labels));
    tn_softmax_cross_entropy_shape s = {in->L, m->config.vocab};
    TN_TRY(tn_softmax_cross_entropy_forward(m->dev, &s, ws->loss, ws->lse, ws->predicted, ws->logits,
                                            ws->labels));
    return ws->inspect ? tn_inspect_loss(ws, in) : TN_OK;
}

tn_status tn_model_loss_read(tn_workspace *ws, const tn_input *in, double *cross_entropy,
                             int32_t *predicted) {
    tn_context *ctx = tn_device_context(ws->m->dev);
    float *loss;
    double sum = 0;
    TN_TRY(tn_alloc(ctx, (size_t)in->L, sizeof *loss, &loss));
    tn_status status = tn_buffer_read(ws->loss, 0, (size_t)in->L * sizeof *loss, loss);
    for (int64_t l = 0; l < in->L; l++)
        sum += loss[l];
    *cross_entropy = sum / (double)in->L;
    tn_free(ctx, loss);
    if (status == TN_OK && predicted)
        status = tn_buffer_read(ws->predicted, 0, (size_t)in->L * 4, predicted);
    return status;
}

/* ws->dx = gradient at the last layer's output. */
static tn_status head_backward(tn_workspace *ws, const tn_input *in) {
    tn_model *m = ws->m;
    int64_t N = in->B * in->T, D = m->config.d_model, L = in->L;
    const tn_buffer *last = tn_workspace_state(ws, m->config.layers - 1)->out;
    tn_softmax_cross_entropy_shape s = {L, m->config.vocab};
    TN_TRY(tn_softmax_cross_entropy_backward(m->dev, &s, ws->logits, ws->logits, ws->labels, ws->lse,
                                             (float)(1.0 / (double)L)));
    TN_TRY(tn_workspace_floats(ws, &ws->dul, L, D));
    TN_TRY(tn_workspace_floats(ws, &ws->dx, ws->B * ws->T, D));
    TN_TRY(tn_linear_weight_grad(ws, L, NULL, m->params.head, ws->logits, ws->ul));
    TN_TRY(tn_linear_input_grad(m->dev, L, NULL, m->params.head, ws->dul, ws->logits, NULL));
    tn_rms_norm_shape norm = {L, D, (float)m->config.rms_eps};
    if (!in->label_rows)
        return tn_rms_norm_backward(m->dev, &norm, ws->dx, m->params.norm->grad, ws->dul, last,
                                    m->params.norm->value, ws->rstdl, NULL, ws->sums);
    TN_TRY(tn_workspace_floats(ws, &ws->dxl, L, D));
    TN_TRY(tn_rms_norm_backward(m->dev, &norm, ws->dxl, m->params.norm->grad, ws->dul, ws->xl,
                                m->params.norm->value, ws->rstdl, NULL, ws->sums));
    TN_TRY(tn_buffer_zero(ws->dx));
    return tn_row_gather_backward(m->dev, &(tn_row_gather_shape){L, N, D}, ws->dx, ws->dxl, ws->label_rows);
}

/* The gradient of a table of V rows, of which position n took numbers[n]. */
static tn_status table_backward(tn_workspace *ws, int64_t N, const int32_t *numbers, const tn_param *table) {
    tn_model *m = ws->m;
    const int64_t V = table->dims[0];
    tn_embedding_index(numbers, N, V, ws->order_host, ws->token_start_host);
    TN_TRY(tn_workspace_need(ws, &ws->order, (size_t)(ws->B * ws->T) * 4));
    TN_TRY(tn_workspace_need(ws, &ws->token_start, (size_t)(V + 1) * 4));
    TN_TRY(tn_buffer_write(ws->order, 0, (size_t)N * 4, ws->order_host));
    TN_TRY(tn_buffer_write(ws->token_start, 0, (size_t)(V + 1) * 4, ws->token_start_host));
    tn_embedding_shape s = {.N = N, .D = m->config.d_model, .V = V};
    return tn_embedding_backward(m->dev, &s, table->grad, ws->dx, ws->order, ws->token_start);
}

/* The codes are those that the forward pass has found. */
static tn_status embed_backward(tn_workspace *ws, const tn_input *in) {
    const tn_params *p = &ws->m->params;
    const int64_t N = in->B * in->T;
    TN_TRY(table_backward(ws, N, in->tokens, p->embed));
    return p->match ? table_backward(ws, N, ws->codes_host, p->match) : TN_OK;
}

tn_status tn_model_backward(tn_model *m, tn_workspace *ws, const tn_input *in, tn_gate gate, double penalty) {
    /* Tracks that no row took leave their gradients untouched: they must read zero. */
    TN_TRY(tn_buffer_zero(m->params.grads));
    tn_partial_sums_begin(ws->sums);
    TN_TRY(head_backward(ws, in));
    for (int64_t i = m->config.layers - 1; i >= 0; i--) {
        const tn_buffer *x = i > 0 ? tn_workspace_state(ws, i - 1)->out : ws->x0;
        TN_TRY(mlp_backward(ws, in->B * in->T, i));
        TN_TRY(tn_mixer_backward(ws, in, gate, i, ws->dx, ws->dmid, x, penalty));
    }
    TN_TRY(tn_partial_sums_finish(ws->sums));
    return embed_backward(ws, in);
}

tn_status tn_model_blame(tn_model *m, tn_workspace *ws, const tn_input *in, tn_gate gate) {
    bool before = ws->inspect;
    ws->inspect = true;
    tn_status status = tn_model_forward(m, ws, in, gate, NULL, NULL);
    if (status == TN_OK && in->labels)
        status = tn_model_loss(m, ws, in);
    ws->inspect = before;
    if (status == TN_ERR_CHECK) /* for the caller a failure of the run; the message needs no source line */
        return tn_device_context(m->dev)->status = TN_ERR_DEVICE;
    if (status != TN_OK)
        return status;
    return tn_fail(tn_device_context(m->dev), TN_ERR_DEVICE,
                   "a result was not finite, and finite when the pass was run again: is the device or its "
                   "memory at fault?");
}
