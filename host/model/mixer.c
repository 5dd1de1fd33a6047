/* The mixer of a layer: cheap track, global track, and their mixing; forward and backward. */
#include "workspace.h"

#include "causal_conv.h"
#include "flash_attention.h"
#include "gemm.h"
#include "rms_norm.h"
#include "rope.h"
#include "route_gate.h"
#include "route_mix.h"
#include "row_gather.h"

tn_status tn_linear(tn_device *dev, int64_t M, const tn_param *w, tn_buffer *y, const tn_buffer *x,
                    const tn_buffer *bias, const tn_buffer *add) {
    tn_gemm_shape s = {TN_GEMM_NT, M, w->dims[0], w->dims[1]};
    return tn_gemm_with_packed(dev, &s, y, x, w->value, w->packed, bias, add);
}

tn_status tn_linear_input_grad(tn_device *dev, int64_t M, const tn_param *w, tn_buffer *dx,
                               const tn_buffer *dy, const tn_buffer *add) {
    tn_gemm_shape s = {TN_GEMM_NN, M, w->dims[1], w->dims[0]};
    return tn_gemm_forward(dev, &s, dx, dy, w->value, NULL, add);
}

tn_status tn_linear_weight_grad(tn_device *dev, int64_t M, const tn_param *w, const tn_buffer *dy,
                                const tn_buffer *x) {
    tn_gemm_shape s = {TN_GEMM_TN, w->dims[0], w->dims[1], M};
    return tn_gemm_forward(dev, &s, w->grad, dy, x, NULL, NULL);
}

static tn_flash_attention_shape attention_shape(const tn_workspace *ws, const tn_input *in,
                                                const tn_layer_state *st) {
    const tn_model_config *c = &ws->m->config;
    return (tn_flash_attention_shape){.B = in->B,
                                      .T = in->T,
                                      .R = st->R,
                                      .Rkv = st->P,
                                      .max_rows = st->max_rows,
                                      .H = c->heads,
                                      .Dh = c->d_model / c->heads};
}

/* The lists that the global track works from; borrowed. */
typedef struct tn_row_lists {
    const tn_buffer *rows, *q_start, *kv_rows, *kv_start;
    const tn_buffer *q_input, *kv_input; /* rows of u1 for q; for k and v */
} tn_row_lists;

static tn_row_lists lists_of(const tn_workspace *ws, const tn_layer_state *st) {
    if (st->dense)
        return (tn_row_lists){ws->iota, ws->dense_start, ws->iota, ws->dense_start, st->u1, st->u1};
    return (tn_row_lists){st->rows,     st->start, st->kv_gathered ? st->kv_rows : ws->iota,
                          st->kv_start, st->uq,    st->kv_gathered ? st->ukv : st->u1};
}

static tn_status rotate(tn_workspace *ws, const tn_input *in, tn_buffer *x, int64_t R, const tn_buffer *rows,
                        bool back) {
    const tn_model_config *c = &ws->m->config;
    if (c->positions != TN_POSITIONS_ROPE)
        return TN_OK;
    tn_rope_shape s = {.R = R, .T = in->T, .H = c->heads, .Dh = c->d_model / c->heads, .base = 10000};
    return back ? tn_rope_backward(ws->m->dev, &s, x, x, rows) : tn_rope_forward(ws->m->dev, &s, x, x, rows);
}

/* q, k and v, those of the same rows in one product where the weights allow it. */
static tn_status project(tn_workspace *ws, const tn_layer_state *st, const tn_layer_params *lp,
                         const tn_row_lists *l) {
    tn_device *dev = ws->m->dev;
    int64_t D = ws->m->config.d_model;
    tn_buffer *to[] = {st->q, st->k, st->v};
    if (lp->qkv && l->q_input == l->kv_input)
        return tn_gemm_grouped(dev, &(tn_gemm_shape){TN_GEMM_NT, st->P, 3 * D, D}, 3, to, &l->kv_input,
                               lp->qkv, lp->qkv_packed, NULL);
    TN_TRY(tn_linear(dev, st->R, lp->q, st->q, l->q_input, NULL, NULL));
    if (lp->kv)
        return tn_gemm_grouped(dev, &(tn_gemm_shape){TN_GEMM_NT, st->P, 2 * D, D}, 2, to + 1, &l->kv_input,
                               lp->kv, lp->kv_packed, NULL);
    TN_TRY(tn_linear(dev, st->P, lp->k, st->k, l->kv_input, NULL, NULL));
    return tn_linear(dev, st->P, lp->v, st->v, l->kv_input, NULL, NULL);
}

/* o = W_o · attention for the R listed rows. */
static tn_status global_forward(tn_workspace *ws, const tn_input *in, int64_t layer, tn_buffer *out,
                                const tn_buffer *add) {
    tn_model *m = ws->m;
    tn_layer_state *st = tn_workspace_state(ws, layer);
    const tn_layer_params *lp = &m->params.layers[layer];
    int64_t D = m->config.d_model, R = st->R, P = st->P;
    if (!st->dense) {
        TN_TRY(tn_workspace_floats(ws, &st->uq, R, D));
        TN_TRY(tn_row_gather_forward(m->dev, &(tn_row_gather_shape){R, in->B * in->T, D}, st->uq, st->u1,
                                     st->rows));
    }
    if (st->kv_gathered) {
        TN_TRY(tn_workspace_floats(ws, &st->ukv, P, D));
        TN_TRY(tn_row_gather_forward(m->dev, &(tn_row_gather_shape){P, in->B * in->T, D}, st->ukv, st->u1,
                                     st->kv_rows));
    }
    tn_row_lists l = lists_of(ws, st);
    TN_TRY(tn_workspace_floats(ws, &st->q, R, D));
    TN_TRY(tn_workspace_floats(ws, &st->k, P, D));
    TN_TRY(tn_workspace_floats(ws, &st->v, P, D));
    TN_TRY(tn_workspace_floats(ws, &st->a, R, D));
    TN_TRY(tn_workspace_floats(ws, &st->lse, R, m->config.heads));
    TN_TRY(project(ws, st, lp, &l));
    TN_TRY(rotate(ws, in, st->q, R, l.rows, false));
    TN_TRY(rotate(ws, in, st->k, P, l.kv_rows, false));
    tn_flash_attention_shape s = attention_shape(ws, in, st);
    TN_TRY(tn_flash_attention_forward(m->dev, &s, st->a, st->lse, st->q, st->k, st->v, l.rows, l.q_start,
                                      l.kv_start, NULL, NULL));
    return tn_linear(m->dev, R, lp->o, out, st->a, NULL, add);
}

static tn_status cheap_forward(tn_workspace *ws, const tn_input *in, int64_t layer, tn_buffer *out,
                               const tn_buffer *add) {
    tn_model *m = ws->m;
    tn_layer_state *st = tn_workspace_state(ws, layer);
    const tn_layer_params *lp = &m->params.layers[layer];
    tn_causal_conv_shape s = {in->B, in->T, m->config.d_model, m->config.conv_taps, 1};
    TN_TRY(tn_workspace_floats(ws, &st->s, ws->B * ws->T, m->config.d_model));
    TN_TRY(tn_causal_conv_forward(m->dev, &s, st->s, st->u1, lp->conv_weight->value, lp->conv_bias->value));
    return tn_linear(m->dev, in->B * in->T, lp->conv_out, out, st->s, NULL, add);
}

static tn_route_mix_shape mix_shape(const tn_workspace *ws, const tn_input *in, const tn_layer_state *st,
                                    tn_gate gate) {
    bool soft = tn_mixer_has_router(&ws->m->config) && gate == TN_GATE_SOFT;
    return (tn_route_mix_shape){.N = in->B * in->T, .D = ws->m->config.d_model, .R = st->R, .hard = !soft};
}

tn_status tn_mixer_forward(tn_workspace *ws, const tn_input *in, tn_gate gate, int64_t layer,
                           const tn_buffer *x) {
    tn_model *m = ws->m;
    const tn_model_config *c = &m->config;
    tn_layer_state *st = tn_workspace_state(ws, layer);
    int64_t N = in->B * in->T, D = c->d_model, room = ws->B * ws->T;
    TN_TRY(tn_workspace_floats(ws, &st->u1, room, D));
    TN_TRY(tn_workspace_floats(ws, &st->rstd1, room, 1));
    TN_TRY(tn_workspace_floats(ws, &st->mid, room, D));
    tn_rms_norm_shape norm = {N, D, (float)c->rms_eps};
    TN_TRY(tn_rms_norm_forward(m->dev, &norm, st->u1, st->rstd1, x, m->params.layers[layer].norm1->value));
    if (c->mixer == TN_MIXER_CONV) {
        st->R = st->P = 0;
        return cheap_forward(ws, in, layer, st->mid, x);
    }
    TN_TRY(tn_route_plan(ws, in, gate, layer));
    if (c->mixer == TN_MIXER_ATTENTION)
        return global_forward(ws, in, layer, st->mid, x);
    TN_TRY(tn_workspace_floats(ws, &st->c, room, D));
    TN_TRY(cheap_forward(ws, in, layer, st->c, NULL));
    TN_TRY(tn_workspace_floats(ws, &st->o, st->R, D));
    if (st->R > 0)
        TN_TRY(global_forward(ws, in, layer, st->o, NULL));
    tn_route_mix_shape mix = mix_shape(ws, in, st, gate);
    return tn_route_mix_forward(m->dev, &mix, st->mid, x, st->c, st->o, st->p ? st->p : st->rstd1, st->h,
                                st->dense ? NULL : st->slot);
}

/* Gradients of W_q, W_k, W_v. */
static tn_status project_weight_grads(tn_workspace *ws, const tn_layer_state *st, const tn_layer_params *lp,
                                      const tn_row_lists *l) {
    tn_device *dev = ws->m->dev;
    int64_t D = ws->m->config.d_model;
    const tn_buffer *from[] = {ws->dq, ws->dk, ws->dv};
    if (lp->qkv && l->q_input == l->kv_input)
        return tn_gemm_grouped(dev, &(tn_gemm_shape){TN_GEMM_TN, 3 * D, D, st->P}, 3, &lp->qkv_grad, from,
                               l->kv_input, NULL, NULL);
    TN_TRY(tn_linear_weight_grad(dev, st->R, lp->q, ws->dq, l->q_input));
    if (lp->kv)
        return tn_gemm_grouped(dev, &(tn_gemm_shape){TN_GEMM_TN, 2 * D, D, st->P}, 2, &lp->kv_grad, from + 1,
                               l->kv_input, NULL, NULL);
    TN_TRY(tn_linear_weight_grad(dev, st->P, lp->k, ws->dk, l->kv_input));
    return tn_linear_weight_grad(dev, st->P, lp->v, ws->dv, l->kv_input);
}

/* du = gradient at the input of the last `count` of q, k, v, of `rows` rows (+ add, which may be du). */
static tn_status project_input_grad(tn_workspace *ws, const tn_layer_params *lp, int64_t rows, int count,
                                    tn_buffer *du, const tn_buffer *add) {
    tn_device *dev = ws->m->dev;
    int64_t D = ws->m->config.d_model;
    const tn_buffer *from[] = {ws->dq, ws->dk, ws->dv};
    const tn_param *weights[] = {lp->q, lp->k, lp->v};
    if (lp->qkv)
        return tn_gemm_grouped(dev, &(tn_gemm_shape){TN_GEMM_NN, rows, D, count * D}, count, &du,
                               from + 3 - count, count == 3 ? lp->qkv : lp->kv, NULL, add);
    for (int i = 3 - count; i < 3; i++) {
        TN_TRY(tn_linear_input_grad(dev, rows, weights[i], du, from[i], add));
        add = du;
    }
    return TN_OK;
}

/* Gradients of the global track from do_ [R,D]; what reaches u1 is added to du. */
static tn_status global_backward(tn_workspace *ws, const tn_input *in, int64_t layer, tn_buffer *du,
                                 const tn_buffer *do_, bool du_empty) {
    tn_model *m = ws->m;
    tn_layer_state *st = tn_workspace_state(ws, layer);
    const tn_layer_params *lp = &m->params.layers[layer];
    int64_t D = m->config.d_model, R = st->R, P = st->P, N = in->B * in->T;
    tn_row_lists l = lists_of(ws, st);
    TN_TRY(tn_workspace_floats(ws, &ws->da, R, D));
    TN_TRY(tn_workspace_floats(ws, &ws->dq, R, D));
    TN_TRY(tn_workspace_floats(ws, &ws->dk, P, D));
    TN_TRY(tn_workspace_floats(ws, &ws->dv, P, D));
    TN_TRY(tn_linear_input_grad(m->dev, R, lp->o, ws->da, do_, NULL));
    TN_TRY(tn_linear_weight_grad(m->dev, R, lp->o, do_, st->a));
    tn_flash_attention_shape s = attention_shape(ws, in, st);
    TN_TRY(tn_flash_attention_backward(m->dev, &s, ws->dq, ws->dk, ws->dv, ws->da, st->q, st->k, st->v, st->a,
                                       st->lse, l.rows, l.q_start, l.kv_start, NULL, NULL));
    TN_TRY(rotate(ws, in, ws->dq, R, l.rows, true));
    TN_TRY(rotate(ws, in, ws->dk, P, l.kv_rows, true));
    TN_TRY(project_weight_grads(ws, st, lp, &l));
    if (st->dense)
        return project_input_grad(ws, lp, N, 3, du, du_empty ? NULL : du);
    TN_TRY(tn_workspace_floats(ws, &ws->duq, R, D));
    TN_TRY(tn_linear_input_grad(m->dev, R, lp->q, ws->duq, ws->dq, NULL));
    TN_TRY(tn_row_gather_backward(m->dev, &(tn_row_gather_shape){R, N, D}, du, ws->duq, l.rows));
    if (!st->kv_gathered)
        return project_input_grad(ws, lp, P, 2, du, du);
    TN_TRY(tn_workspace_floats(ws, &ws->dukv, P, D));
    TN_TRY(project_input_grad(ws, lp, P, 2, ws->dukv, NULL));
    return tn_row_gather_backward(m->dev, &(tn_row_gather_shape){P, N, D}, du, ws->dukv, l.kv_rows);
}

/* Gradients of the cheap track from dc; du is overwritten. */
static tn_status cheap_backward(tn_workspace *ws, const tn_input *in, int64_t layer, tn_buffer *du,
                                const tn_buffer *dc) {
    tn_model *m = ws->m;
    tn_layer_state *st = tn_workspace_state(ws, layer);
    const tn_layer_params *lp = &m->params.layers[layer];
    int64_t N = in->B * in->T;
    TN_TRY(tn_workspace_floats(ws, &ws->ds, ws->B * ws->T, m->config.d_model));
    TN_TRY(tn_linear_weight_grad(m->dev, N, lp->conv_out, dc, st->s));
    TN_TRY(tn_linear_input_grad(m->dev, N, lp->conv_out, ws->ds, dc, NULL));
    tn_causal_conv_shape s = {in->B, in->T, m->config.d_model, m->config.conv_taps, 1};
    return tn_causal_conv_backward(m->dev, &s, du, lp->conv_weight->grad, lp->conv_bias->grad, ws->ds, st->u1,
                                   lp->conv_weight->value, lp->conv_bias->value, NULL);
}

static tn_status mixed_backward(tn_workspace *ws, const tn_input *in, tn_gate gate, int64_t layer,
                                const tn_buffer *dmid, double penalty) {
    tn_model *m = ws->m;
    tn_layer_state *st = tn_workspace_state(ws, layer);
    const tn_layer_params *lp = &m->params.layers[layer];
    int64_t room = ws->B * ws->T, D = m->config.d_model;
    TN_TRY(tn_workspace_floats(ws, &ws->dc, room, D));
    TN_TRY(tn_workspace_floats(ws, &ws->do_, st->R, D));
    TN_TRY(tn_workspace_floats(ws, &ws->dg, room, 1));
    tn_route_mix_shape mix = mix_shape(ws, in, st, gate);
    TN_TRY(tn_route_mix_backward(m->dev, &mix, ws->dc, ws->do_, ws->dg, dmid, st->c, st->o,
                                 st->p ? st->p : st->rstd1, st->h, st->dense ? NULL : st->slot));
    TN_TRY(cheap_backward(ws, in, layer, ws->du, ws->dc));
    if (st->R > 0)
        TN_TRY(global_backward(ws, in, layer, ws->du, ws->do_, false));
    if (!tn_mixer_has_router(&m->config))
        return TN_OK;
    tn_route_gate_shape shape = {in->B * in->T, D};
    return tn_route_gate_backward(m->dev, &shape, ws->du, lp->router_weight->grad, lp->router_bias->grad,
                                  ws->dg, penalty, st->p, st->u1, lp->router_weight->value, ws->du);
}

tn_status tn_mixer_backward(tn_workspace *ws, const tn_input *in, tn_gate gate, int64_t layer, tn_buffer *dx,
                            const tn_buffer *dmid, const tn_buffer *x, double penalty) {
    tn_model *m = ws->m;
    const tn_model_config *c = &m->config;
    tn_layer_state *st = tn_workspace_state(ws, layer);
    const tn_layer_params *lp = &m->params.layers[layer];
    TN_TRY(tn_workspace_floats(ws, &ws->du, ws->B * ws->T, c->d_model));
    if (c->mixer == TN_MIXER_CONV)
        TN_TRY(cheap_backward(ws, in, layer, ws->du, dmid));
    else if (c->mixer == TN_MIXER_ATTENTION)
        TN_TRY(global_backward(ws, in, layer, ws->du, dmid, true));
    else
        TN_TRY(mixed_backward(ws, in, gate, layer, dmid, penalty));
    tn_rms_norm_shape norm = {in->B * in->T, c->d_model, (float)c->rms_eps};
    return tn_rms_norm_backward(m->dev, &norm, dx, lp->norm1->grad, ws->du, x, lp->norm1->value, st->rstd1,
                                dmid);
}
