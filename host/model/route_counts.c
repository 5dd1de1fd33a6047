/* Whether the number of a layer's routed rows stays on the device. What that spares is a wait, and the idle
 * device behind it; what it costs is work that depends on the number: keys and values are projected whatever
 * they cost, and groups that have no row begin and leave. */
#include "workspace.h"

#include "flash_attention.h"
#include "gemm.h"
#include "route_mix.h"
#include "row_gather.h"
#include "style.h"

/* Do the kernels from the list on take a count? */
static tn_status kernels_count(const tn_workspace *ws, const tn_input *in, const tn_layer_params *lp,
                               bool *counts) {
    const tn_model_config *c = &ws->m->config;
    const int64_t N = in->B * in->T, D = c->d_model, width = tn_model_config_kv_width(c);
    tn_device *dev = ws->m->dev;
    const tn_gemm_shape q = {TN_GEMM_NT, N, D, D}, k = {TN_GEMM_NT, N, width, D},
                        kv = {TN_GEMM_NT, N, 2 * width, D};
    const tn_flash_attention_shape attention = {.B = in->B,
                                                .T = in->T,
                                                .R = N,
                                                .Rkv = N,
                                                .max_rows = in->T,
                                                .H = c->heads,
                                                .Hkv = c->kv_heads,
                                                .Dh = D / c->heads};
    bool all[5] = {false};
    TN_TRY(tn_row_gather_counts(dev, &(tn_row_gather_shape){N, N, D}, &all[0]));
    TN_TRY(tn_gemm_counts(dev, &q, 1, lp->q->packed != NULL, &all[1]));
    if (lp->kv)
        TN_TRY(tn_gemm_counts(dev, &kv, 2, lp->kv_packed != NULL, &all[2]));
    else
        TN_TRY(tn_gemm_counts(dev, &k, 1, lp->k->packed != NULL, &all[2]));
    TN_TRY(tn_flash_attention_counts(dev, &attention, &all[3]));
    TN_TRY(tn_route_mix_few_counts(dev, &(tn_route_mix_shape){.N = N, .D = D}, &all[4]));
    *counts = all[0] && all[1] && all[2] && all[3] && all[4];
    return TN_OK;
}

/* Is projecting all keys less than a wait? In multiply-adds: what so many units do in MICROSECONDS. On an
 * H100 a wait takes 10, and the first launch behind it 4 more, in which the device is idle. */
static bool is_small(const tn_workspace *ws, const tn_input *in) {
    enum { MICROSECONDS = 8, LANES = 64, USUAL_MHZ = 1000, SEQUENCES = 256 };
    const tn_device_info *info = tn_device_get_info(ws->m->dev);
    const double D = (double)ws->m->config.d_model, width = (double)tn_model_config_kv_width(&ws->m->config),
                 clock = info->clock_mhz ? info->clock_mhz : USUAL_MHZ,
                 spare = (double)MICROSECONDS * LANES * clock * info->compute_units;
    return in->B <= SEQUENCES && 2 * (double)(in->B * in->T) * D * width <= spare;
}

tn_status tn_route_counts(tn_workspace *ws, const tn_input *in, int64_t layer, bool *counts) {
    const tn_model *m = ws->m;
    const tn_layer_state *st = tn_workspace_state(ws, layer);
    *counts = false;
    if (m->training || ws->inspect || st->block > 1 || m->config.positions != TN_POSITIONS_NONE ||
        m->absorb == TN_ABSORB_ALWAYS || m->count == TN_COUNT_HOST)
        return TN_OK;
    if (m->count == TN_COUNT_AUTO && (tn_device_style(m->dev) != TN_STYLE_GROUPS || !is_small(ws, in)))
        return TN_OK;
    return kernels_count(ws, in, &m->params.layers[layer], counts);
}
