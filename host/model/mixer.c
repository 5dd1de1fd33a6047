/* The mixer of a layer: the convolution track, and its mixing with the global one; forward and backward. */
#include "mixer.h"

#include "conv_track.h"
#include "rms_norm.h"
#include "route_gate.h"
#include "route_mix.h"
#include "workspace.h"

static tn_conv_track_shape conv_track_shape(const tn_workspace *ws, const tn_input *in) {
    const tn_model_config *c = &ws->m->config;
    return (tn_conv_track_shape){in->B, in->T, c->d_model, c->conv_taps, (float)c->rms_eps, in->gate_margin};
}

static tn_conv_track_weights conv_track_weights(const tn_workspace *ws, int64_t layer) {
    const tn_layer_params *lp = &ws->m->params.layers[layer];
    tn_conv_track_weights w = {.norm = lp->norm1->value,
                               .conv = lp->conv_weight->value,
                               .conv_bias = lp->conv_bias->value,
                               .out = lp->conv_out->value,
                               .out_packed = lp->conv_out->packed};
    if (tn_layer_has_router(&ws->m->config, layer)) {
        w.router = lp->router_weight->value;
        w.router_bias = lp->router_bias->value;
    }
    return w;
}

static tn_conv_track_saved conv_track_saved(const tn_layer_state *st) {
    return (tn_conv_track_saved){st->u1, st->rstd1, st->s, st->p, st->h};
}

/* Room for u and rstd of norm₁. */
static tn_status norm_room(tn_workspace *ws, tn_layer_state *st) {
    int64_t room = ws->B * ws->T;
    TN_TRY(tn_workspace_floats(ws, &st->u1, room, ws->m->config.d_model));
    return tn_workspace_floats(ws, &st->rstd1, room, 1);
}

/* norm₁, the router and the convolution track: to `out`, x added to it where `add` says so. */
static tn_status conv_track_forward(tn_workspace *ws, const tn_input *in, int64_t layer, const tn_buffer *x,
                                    tn_buffer *out, bool add) {
    tn_layer_state *st = tn_workspace_state(ws, layer);
    tn_conv_track_shape shape = conv_track_shape(ws, in);
    tn_conv_track_weights weights = conv_track_weights(ws, layer);
    bool fused;
    TN_TRY(norm_room(ws, st));
    TN_TRY(tn_conv_track_is_fused(ws->m->dev, &shape, ws->m->training, &fused));
    if (!fused)
        TN_TRY(tn_workspace_floats(ws, &st->s, ws->B * ws->T, ws->m->config.d_model));
    tn_conv_track_saved saved = conv_track_saved(st);
    return tn_conv_track_forward(ws->m->dev, &shape, ws->m->training, out, &saved, x, &weights,
                                 add ? x : NULL);
}

static tn_route_mix_shape mix_shape(tn_workspace *ws, const tn_input *in, int64_t layer, tn_gate gate) {
    const tn_layer_state *st = tn_workspace_state(ws, layer);
    bool soft = tn_layer_has_router(&ws->m->config, layer) && gate == TN_GATE_SOFT;
    return (tn_route_mix_shape){.N = in->B * in->T,
                                .D = ws->m->config.d_model,
                                .R = st->R,
                                .hard = !soft,
                                .added = ws->m->config.added,
                                .count = st->rows_count};
}

static tn_status normalise(tn_workspace *ws, const tn_input *in, int64_t layer, const tn_buffer *x) {
    tn_layer_state *st = tn_workspace_state(ws, layer);
    tn_rms_norm_shape norm = {in->B * in->T, ws->m->config.d_model, (float)ws->m->config.rms_eps};
    TN_TRY(norm_room(ws, st));
    return tn_rms_norm_forward(ws->m->dev, &norm, st->u1, st->rstd1, x,
                               ws->m->params.layers[layer].norm1->value);
}

static tn_status mix(tn_workspace *ws, const tn_input *in, tn_gate gate, int64_t layer, const tn_buffer *x) {
    tn_layer_state *st = tn_workspace_state(ws, layer);
    tn_route_mix_shape shape = mix_shape(ws, in, layer, gate);
    return tn_route_mix_forward(ws->m->dev, &shape, st->mid, x, st->c, st->o, st->p ? st->p : st->rstd1,
                                st->h, st->dense ? NULL : st->slot);
}

/* Inference: the convolution track is written straight to mid, then the routed rows (of whole blocks, the
 * routed ones alone) are written over it; c is not kept. */
static bool overwrites(const tn_workspace *ws, const tn_layer_state *st) {
    return !ws->m->training && !st->dense;
}

static tn_status overwrite(tn_workspace *ws, const tn_input *in, int64_t layer, const tn_buffer *x) {
    tn_layer_state *st = tn_workspace_state(ws, layer);
    tn_route_mix_shape shape = mix_shape(ws, in, layer, TN_GATE_COMPACT);
    return tn_route_mix_few(ws->m->dev, &shape, st->mid, x, st->o, st->p, st->rows,
                            st->block > 1 ? st->h : NULL);
}

tn_status tn_mixer_forward(tn_workspace *ws, const tn_input *in, tn_gate gate, int64_t layer,
                           const tn_buffer *x) {
    const tn_mixer mixer = tn_layer_mixer(&ws->m->config, layer);
    tn_layer_state *st = tn_workspace_state(ws, layer);
    int64_t D = ws->m->config.d_model, room = ws->B * ws->T;
    TN_TRY(tn_workspace_floats(ws, &st->mid, room, D));
    TN_TRY(tn_route_begin(ws, in, gate, layer));
    if (mixer == TN_MIXER_CONV)
        return conv_track_forward(ws, in, layer, x, st->mid, true);
    if (mixer == TN_MIXER_ATTENTION) {
        TN_TRY(normalise(ws, in, layer, x));
        TN_TRY(tn_route_plan(ws, in, layer));
        return tn_global_forward(ws, in, layer, st->mid, x);
    }
    bool over = overwrites(ws, st);
    if (!over)
        TN_TRY(tn_workspace_floats(ws, &st->c, room, D));
    TN_TRY(conv_track_forward(ws, in, layer, x, over ? st->mid : st->c, over));
    TN_TRY(tn_route_plan(ws, in, layer));
    TN_TRY(tn_workspace_floats(ws, &st->o, st->R, D));
    if (st->R > 0)
        TN_TRY(tn_global_forward(ws, in, layer, st->o, NULL));
    return over ? overwrite(ws, in, layer, x) : mix(ws, in, gate, layer, x);
}

/* One step of the convolution track, where they are launches of their own. */
static tn_status conv_track_step(tn_workspace *ws, const tn_input *in, int64_t layer, const tn_buffer *x,
                                 tn_conv_track_step step) {
    tn_layer_state *st = tn_workspace_state(ws, layer);
    tn_conv_track_shape shape = conv_track_shape(ws, in);
    tn_conv_track_weights weights = conv_track_weights(ws, layer);
    tn_conv_track_saved saved = conv_track_saved(st);
    bool over = overwrites(ws, st), fused;
    TN_TRY(tn_conv_track_is_fused(ws->m->dev, &shape, ws->m->training, &fused));
    if (fused)
        return TN_OK;
    return tn_conv_track_step_forward(ws->m->dev, &shape, step, over ? st->mid : st->c, &saved, x, &weights,
                                      over ? x : NULL);
}

tn_status tn_mixer_part_forward(tn_workspace *ws, const tn_input *in, int64_t layer, const tn_buffer *x,
                                tn_mixer_part part) {
    tn_layer_state *st = tn_workspace_state(ws, layer);
    tn_conv_track_shape shape = conv_track_shape(ws, in);
    bool over = overwrites(ws, st), fused;
    switch (part) {
    case TN_PART_CONV_TRACK:
        TN_TRY(tn_conv_track_is_fused(ws->m->dev, &shape, ws->m->training, &fused));
        if (!fused)
            return TN_OK;
        return conv_track_forward(ws, in, layer, x, over ? st->mid : st->c, over);
    case TN_PART_NORM:
        return conv_track_step(ws, in, layer, x, TN_CONV_TRACK_NORM);
    case TN_PART_ROUTER:
        TN_TRY(conv_track_step(ws, in, layer, x, TN_CONV_TRACK_GATE));
        return tn_route_decide(ws, in, layer);
    case TN_PART_COMPACTION:
        return tn_route_list(ws, in, layer);
    case TN_PART_CONVOLUTION:
        return conv_track_step(ws, in, layer, x, TN_CONV_TRACK_CONV);
    case TN_PART_CONVOLUTION_OUT:
        return conv_track_step(ws, in, layer, x, TN_CONV_TRACK_OUT);
    case TN_PART_GATHER:
        return tn_global_gather(ws, in, layer);
    case TN_PART_PROJECTIONS:
        return tn_global_project(ws, in, layer);
    case TN_PART_ATTENTION:
        return tn_global_attend(ws, in, layer);
    case TN_PART_OUTPUT:
        TN_TRY(tn_workspace_floats(ws, &st->o, st->R, ws->m->config.d_model));
        return tn_global_output(ws, layer, st->o, NULL);
    case TN_PART_SCATTER:
        return over ? overwrite(ws, in, layer, x) : mix(ws, in, TN_GATE_COMPACT, layer, x);
    case TN_PARTS:
        break;
    }
    return tn_fail(tn_device_context(ws->m->dev), TN_ERR_ARG, "a mixer has no part %d", (int)part);
}

/* Gradients of the convolution track from dc; du is overwritten. */
static tn_status conv_track_backward(tn_workspace *ws, const tn_input *in, int64_t layer, tn_buffer *du,
                                     const tn_buffer *dc) {
    tn_model *m = ws->m;
    const tn_layer_params *lp = &m->params.layers[layer];
    tn_conv_track_shape shape = conv_track_shape(ws, in);
    tn_conv_track_weights weights = conv_track_weights(ws, layer);
    tn_conv_track_weights grads = {
        .conv = lp->conv_weight->grad, .conv_bias = lp->conv_bias->grad, .out = lp->conv_out->grad};
    tn_conv_track_saved saved = conv_track_saved(tn_workspace_state(ws, layer));
    bool fused;
    TN_TRY(tn_conv_track_is_fused(m->dev, &shape, true, &fused));
    if (!fused)
        TN_TRY(tn_workspace_floats(ws, &ws->ds, ws->B * ws->T, m->config.d_model));
    return tn_conv_track_backward(m->dev, &shape, du, &grads, ws->ds, dc, &weights, &saved, ws->sums);
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
    tn_route_mix_shape mix = mix_shape(ws, in, layer, gate);
    TN_TRY(tn_route_mix_backward(m->dev, &mix, ws->dc, ws->do_, ws->dg, dmid, st->c, st->o,
                                 st->p ? st->p : st->rstd1, st->h, st->dense ? NULL : st->slot));
    TN_TRY(conv_track_backward(ws, in, layer, ws->du, ws->dc));
    if (st->R > 0)
        TN_TRY(tn_global_backward(ws, in, layer, ws->du, ws->do_, false));
    if (!tn_layer_has_router(&m->config, layer))
        return TN_OK;
    tn_route_gate_shape shape = {in->B * in->T, D};
    const tn_buffer *priced = in->price_known && !st->dense ? st->h : NULL;
    return tn_route_gate_backward(m->dev, &shape, ws->du, lp->router_weight->grad, lp->router_bias->grad,
                                  ws->dg, penalty, in->gate_slope, priced, st->p, st->u1,
                                  lp->router_weight->value, ws->du, ws->sums);
}

tn_status tn_mixer_backward(tn_workspace *ws, const tn_input *in, tn_gate gate, int64_t layer, tn_buffer *dx,
                            const tn_buffer *dmid, const tn_buffer *x, double penalty) {
    tn_model *m = ws->m;
    const tn_model_config *c = &m->config;
    tn_layer_state *st = tn_workspace_state(ws, layer);
    const tn_layer_params *lp = &m->params.layers[layer];
    TN_TRY(tn_workspace_floats(ws, &ws->du, ws->B * ws->T, c->d_model));
    if (tn_layer_mixer(c, layer) == TN_MIXER_CONV)
        TN_TRY(conv_track_backward(ws, in, layer, ws->du, dmid));
    else if (tn_layer_mixer(c, layer) == TN_MIXER_ATTENTION)
        TN_TRY(tn_global_backward(ws, in, layer, ws->du, dmid, true));
    else
        TN_TRY(mixed_backward(ws, in, gate, layer, dmid, penalty));
    tn_rms_norm_shape norm = {in->B * in->T, c->d_model, (float)c->rms_eps};
    return tn_rms_norm_backward(m->dev, &norm, dx, lp->norm1->grad, ws->du, x, lp->norm1->value, st->rstd1,
                                dmid, ws->sums);
}

tn_status tn_mixer_sums_finish(tn_workspace *ws) {
    return tn_partial_sums_finish(ws->sums);
}

tn_mixer_pass tn_mixer_last(tn_workspace *ws, int64_t layer) {
    const tn_layer_state *st = tn_workspace_state(ws, layer);
    return (tn_mixer_pass){.mid = st->mid,
                           .p = st->p,
                           .R = st->rows_count ? st->counted[0] : st->R,
                           .P = st->rows_count ? st->counted[1] : st->P,
                           .block = st->block,
                           .dense = st->dense,
                           .absorbed = st->absorbed};
}
