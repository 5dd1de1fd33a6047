/* By rms_norm, route_gate, causal_conv and gemm, each with launches of its own: for widths of no whole
 * panels, and for devices on which a work-item holds no rows. */
#include "causal_conv.h"
#include "conv_track_variants.h"
#include "gemm.h"
#include "rms_norm.h"
#include "route_gate.h"

tn_status tn_conv_track_step_forward(tn_device *dev, const tn_conv_track_shape *s, tn_conv_track_step step,
                                     tn_buffer *c, const tn_conv_track_saved *saved, const tn_buffer *x,
                                     const tn_conv_track_weights *w, const tn_buffer *add) {
    const int64_t N = s->B * s->T, D = s->D;
    switch (step) {
    case TN_CONV_TRACK_NORM:
        return tn_rms_norm_forward(dev, &(tn_rms_norm_shape){N, D, s->eps}, saved->u, saved->rstd, x,
                                   w->norm);
    case TN_CONV_TRACK_GATE:
        if (!w->router)
            return TN_OK;
        return tn_route_gate_forward(dev, &(tn_route_gate_shape){N, D}, saved->p, saved->h, saved->u,
                                     w->router, w->router_bias, s->margin);
    case TN_CONV_TRACK_CONV:
        return tn_causal_conv_forward(dev, &(tn_causal_conv_shape){s->B, s->T, D, s->K, 1}, saved->s,
                                      saved->u, w->conv, w->conv_bias);
    case TN_CONV_TRACK_OUT:
        return tn_gemm_with_packed(dev, &(tn_gemm_shape){TN_GEMM_NT, N, D, D}, c, saved->s, w->out,
                                   w->out_packed, NULL, add);
    case TN_CONV_TRACK_STEPS:
        break;
    }
    return tn_fail(tn_device_context(dev), TN_ERR_ARG, "conv_track has no step %d", (int)step);
}

static tn_status backward(tn_device *dev, const tn_conv_track_shape *s, const tn_conv_track_args *a) {
    const int64_t N = s->B * s->T, D = s->D;
    const tn_conv_track_weights *w = a->weights, *grads = a->grads;
    TN_TRY(tn_gemm_weight_grad(dev, D, D, N, NULL, grads->out, a->dc, a->saved->s, a->later));
    TN_TRY(tn_gemm_forward(dev, &(tn_gemm_shape){TN_GEMM_NN, N, D, D}, a->ds, a->dc, w->out, NULL, NULL));
    return tn_causal_conv_backward(dev, &(tn_causal_conv_shape){s->B, s->T, D, s->K, 1}, a->du, grads->conv,
                                   grads->conv_bias, a->ds, a->saved->u, w->conv, w->conv_bias, NULL,
                                   a->later);
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *plan, const void *args) {
    const tn_conv_track_args *a = args;
    (void)shape;
    (void)plan;
    if (pass == TN_CONV_TRACK_BACKWARD)
        return backward(dev, a->shape, a);
    for (int step = 0; step < TN_CONV_TRACK_STEPS; step++)
        TN_TRY(tn_conv_track_step_forward(dev, a->shape, (tn_conv_track_step)step, a->c, a->saved, a->x,
                                          a->weights, a->add));
    return TN_OK;
}

const tn_variant tn_conv_track_composed = {
    .name = "composed", .style = TN_STYLE_GROUPS, .portable = true, .run = run};
