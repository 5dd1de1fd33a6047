/* Whether the number of a layer's routed rows stays on the device. What that spares is a wait, and the idle
 * device behind it; what it costs is work that depends on the number: keys and values are projected whatever
 * they cost, and groups that have no row begin and leave. */
#include "workspace.h"

#include "flash_attention.h"
#include "gemm.h"
#include "rope.h"
#include "route_mix.h"
#include "row_gather.h"
#include "style.h"

/* Of products of a layer over its rows: q and o, then k and v, as one where the weights lie side by side. */
static tn_status products_count(const tn_workspace *ws, int64_t N, const tn_layer_params *lp, bool *counts) {
    tn_device *dev = ws->m->dev;
    const int tensors = lp->kv ? 2 : 1;
    const int64_t D = ws->m->config.d_model, keys = tensors * tn_model_config_kv_width(&ws->m->config);
    const struct {
        tn_gemm_shape shape;
        int tensors;
        bool packed;
    } products[] = {{{TN_GEMM_NT, N, D, D}, 1, lp->q->packed != NULL},
                    {{TN_GEMM_NT, N, keys, D}, tensors, (lp->kv ? lp->kv_packed : lp->k->packed) != NULL},
                    {{TN_GEMM_NN, N, D, D}, 1, false},
                    {{TN_GEMM_NN, N, D, keys}, tensors, false},
                    {{TN_GEMM_TN, D, D, N}, 1, false},
                    {{TN_GEMM_TN, keys, D, N}, tensors, false}};
    const size_t used = ws->m->training ? sizeof products / sizeof products[0] : 2;
    for (size_t i = 0; i < used && *counts; i++)
        TN_TRY(tn_gemm_counts(dev, &products[i].shape, products[i].tensors, products[i].packed, counts));
    return TN_OK;
}

/* A host that knows the rows of keys finds at times that they lie packed, and adds their gradient in the
 * product that makes it; else it is added afterwards. Where last bits tell one from the other, it has to be
 * the host. */
static tn_status gradient_counts(const tn_workspace *ws, const tn_input *in, const tn_layer_params *lp,
                                 bool *counts) {
    const int64_t N = in->B * in->T, keys = 2 * tn_model_config_kv_width(&ws->m->config);
    if (!ws->m->training || in->B == 1 || !*counts)
        return TN_OK;
    *counts = lp->kv != NULL;
    return *counts ? tn_gemm_adds_last(
                         ws->m->dev, &(tn_gemm_shape){TN_GEMM_NN, N, ws->m->config.d_model, keys}, 2, counts)
                   : TN_OK;
}

/* Do the kernels from the list on take a count? */
static tn_status kernels_count(const tn_workspace *ws, const tn_input *in, const tn_layer_params *lp,
                               bool *counts) {
    const tn_model_config *c = &ws->m->config;
    const int64_t N = in->B * in->T, D = c->d_model, Dh = D / c->heads;
    const bool training = ws->m->training;
    tn_device *dev = ws->m->dev;
    const tn_flash_attention_shape attention = {.B = in->B,
                                                .T = in->T,
                                                .R = N,
                                                .Rkv = N,
                                                .max_rows = in->T,
                                                .H = c->heads,
                                                .Hkv = c->kv_heads,
                                                .Dh = Dh,
                                                .window = c->window};
    const tn_rope_shape turns = {.R = N, .T = in->T, .H = c->heads, .Dh = Dh};
    TN_TRY(tn_row_gather_counts(dev, &(tn_row_gather_shape){N, N, D}, training, counts));
    TN_TRY(products_count(ws, N, lp, counts));
    TN_TRY(gradient_counts(ws, in, lp, counts));
    if (*counts)
        TN_TRY(tn_flash_attention_counts(dev, &attention, training, counts));
    if (*counts && c->positions == TN_POSITIONS_ROPE)
        TN_TRY(tn_rope_counts(dev, &turns, counts));
    return *counts && !training ? tn_route_mix_few_counts(
                                      dev, &(tn_route_mix_shape){.N = N, .D = D, .added = c->added}, counts)
                                : TN_OK;
}

/* Is projecting all keys less than a wait? In multiply-adds: what so many units do in MICROSECONDS. On an
 * H100 a wait takes 10, and the first launch behind it 4 more, in which the device is idle. A step that
 * trains has each product three times. */
static bool is_small(const tn_workspace *ws, const tn_input *in) {
    enum { MICROSECONDS = 8, LANES = 64, USUAL_MHZ = 1000, SEQUENCES = 256, STEP = 3 };
    const tn_device_info *info = tn_device_get_info(ws->m->dev);
    const double D = (double)ws->m->config.d_model, width = (double)tn_model_config_kv_width(&ws->m->config),
                 clock = info->clock_mhz ? info->clock_mhz : USUAL_MHZ,
                 spare = (double)MICROSECONDS * LANES * clock * info->compute_units,
                 keys = 2 * (double)(in->B * in->T) * D * width;
    return in->B <= SEQUENCES && (ws->m->training ? STEP * keys : keys) <= spare;
}

tn_status tn_route_counts(tn_workspace *ws, const tn_input *in, int64_t layer, bool *counts) {
    const tn_model *m = ws->m;
    const tn_layer_state *st = tn_workspace_state(ws, layer);
    *counts = false;
    if (ws->inspect || st->block > 1 || m->absorb == TN_ABSORB_ALWAYS || m->count == TN_COUNT_HOST)
        return TN_OK;
    if (m->count == TN_COUNT_AUTO && (tn_device_style(m->dev) != TN_STYLE_GROUPS || !is_small(ws, in)))
        return TN_OK;
    return kernels_count(ws, in, &m->params.layers[layer], counts);
}
