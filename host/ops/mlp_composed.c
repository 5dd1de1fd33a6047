/* By rms_norm, gemm and gelu, each with launches of its own: for widths of no whole panels, and for devices
 * on which a work-item holds no rows. */
#include "gemm.h"
#include "mlp_variants.h"
#include "rms_norm.h"

static tn_status forward(tn_device *dev, const tn_mlp_key *s, const tn_mlp_args *a) {
    const tn_rms_norm_shape norm = {s->N, s->D, a->eps};
    const tn_gemm_shape up = {TN_GEMM_NT, s->N, s->F, s->D}, down = {TN_GEMM_NT, s->N, s->D, s->F};
    const tn_mlp_weights *w = a->weights;
    const tn_mlp_saved *saved = a->saved;
    TN_TRY(tn_rms_norm_forward(dev, &norm, saved->u, saved->rstd, a->x, w->norm));
    TN_TRY(tn_gemm_gelu_forward(dev, &up, saved->up, saved->act, saved->u, w->up, w->up_packed, w->up_bias));
    return tn_gemm_with_packed(dev, &down, a->y, saved->act, w->down, w->down_packed, w->down_bias, a->x);
}

static tn_status backward(tn_device *dev, const tn_mlp_key *s, const tn_mlp_args *a) {
    const int64_t N = s->N, D = s->D, F = s->F;
    const tn_rms_norm_shape norm = {N, D, a->eps};
    const tn_mlp_weights *w = a->weights, *grads = a->grads;
    tn_buffer *wide, *du;
    TN_TRY(tn_device_scratch(dev, 2, (size_t)(N * F) * sizeof(float), &wide));
    TN_TRY(tn_device_scratch(dev, 3, (size_t)(N * D) * sizeof(float), &du));
    TN_TRY(tn_gemm_weight_grad(dev, D, F, N, NULL, grads->down, a->dy, a->saved->act, a->later));
    TN_TRY(tn_gemm_bias_backward(dev, N, D, grads->down_bias, a->dy, a->later));
    TN_TRY(tn_gemm_gelu_backward(dev, &(tn_gemm_shape){TN_GEMM_NN, N, F, D}, wide, a->dy, w->down,
                                 a->saved->up));
    TN_TRY(tn_gemm_weight_grad(dev, F, D, N, NULL, grads->up, wide, a->saved->u, a->later));
    TN_TRY(tn_gemm_bias_backward(dev, N, F, grads->up_bias, wide, a->later));
    TN_TRY(tn_gemm_forward(dev, &(tn_gemm_shape){TN_GEMM_NN, N, D, F}, du, wide, w->up, NULL, NULL));
    return tn_rms_norm_backward(dev, &norm, a->dx, grads->norm, du, a->x, w->norm, a->saved->rstd, a->dy,
                                a->later);
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *plan, const void *args) {
    (void)plan;
    return pass == TN_MLP_FORWARD ? forward(dev, shape, args) : backward(dev, shape, args);
}

const tn_variant tn_mlp_composed = {
    .name = "composed", .style = TN_STYLE_GROUPS, .portable = true, .run = run};
