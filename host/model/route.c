/* Which rows of a layer take the global track, and what that needs of k and v.
 *
 * The device knows the number of routed rows before the host. Either the host waits for it: one blocking read
 * of the 2·B+1 bounds a layer (start of each sequence's rows, last routed position), and every launch,
 * product and k/v row after it has its exact size. Or it does not (tn_route_counts): launches are over all
 * rows that there can be, and kernels leave at the count. */
#include "workspace.h"

#include "control.h"
#include "flash_attention.h"
#include "mixer.h"
#include "route_capacity.h"
#include "route_compact.h"
#include "routed_rows.h"

#include <string.h>

/* The mask of a control, on the host: the same bits on every device. */
static void control_mask(const tn_workspace *ws, const tn_input *in, int64_t layer) {
    const tn_model_config *c = &ws->m->config;
    uint8_t *mask = ws->mask_host;
    const tn_control_rows rows = {.seed = in->control_seed,
                                  .index = in->control_index,
                                  .T = in->T,
                                  .count = in->B * in->T,
                                  .codes = ws->codes_host};
    if (c->mixer == TN_MIXER_ORACLE)
        memcpy(mask, in->oracle, (size_t)rows.count);
    else
        tn_control_mask(c, &rows, layer, mask);
}

tn_status tn_route_decide(tn_workspace *ws, const tn_input *in, int64_t layer) {
    tn_model *m = ws->m;
    const tn_model_config *c = &m->config;
    tn_layer_state *st = tn_workspace_state(ws, layer);
    if (!tn_layer_has_router(c, layer)) {
        control_mask(ws, in, layer);
        return tn_buffer_write(st->h, 0, (size_t)(in->B * in->T), ws->mask_host);
    }
    if (c->routing != TN_ROUTING_CAPACITY || in->by_threshold)
        return TN_OK; /* the router has decided */
    tn_route_capacity_shape capacity = {in->B, in->T, tn_routed_rows(c->capacity, in->T)};
    return tn_route_capacity_forward(m->dev, &capacity, st->h, st->p);
}

/* k and v rows: of each sequence all positions up to its last routed row, packed one sequence behind the
 * other. */
static tn_status plan_kv(tn_workspace *ws, const tn_input *in, tn_layer_state *st, const int32_t *last) {
    int32_t at = 0;
    st->kv_gathered = false;
    for (int64_t b = 0; b < in->B; b++) {
        ws->kv_start_host[b] = at;
        if (last[b] >= 0 && at != b * in->T)
            st->kv_gathered = true; /* the rows are not where u1 has them */
        for (int32_t s = 0; s <= last[b]; s++)
            ws->kv_rows_host[at++] = (int32_t)(b * in->T) + s;
    }
    ws->kv_start_host[in->B] = at;
    st->P = at;
    TN_TRY(tn_workspace_need(ws, &st->kv_start, (size_t)(ws->B + 1) * 4));
    TN_TRY(tn_buffer_write(st->kv_start, 0, (size_t)(in->B + 1) * 4, ws->kv_start_host));
    if (!st->kv_gathered)
        return TN_OK;
    TN_TRY(tn_workspace_need(ws, &st->kv_rows, (size_t)(ws->B * ws->T) * 4));
    return tn_buffer_write(st->kv_rows, 0, (size_t)at * 4, ws->kv_rows_host);
}

/* Queries of the rows of each sequence, a head each. */
static tn_status plan_queries(tn_workspace *ws, const tn_input *in, tn_layer_state *st,
                              const int32_t *start) {
    int32_t *queries = ws->kv_start_host;
    for (int64_t b = 0; b <= in->B; b++)
        queries[b] = start[b] * (int32_t)ws->m->config.heads;
    TN_TRY(tn_workspace_need(ws, &st->query_start, (size_t)(ws->B + 1) * 4));
    return tn_buffer_write(st->query_start, 0, (size_t)(in->B + 1) * 4, queries);
}

/* Fewer multiply-adds absorbed than projected? A sequence's pairs are bounded by its rows times the keys that
 * the last one sees: the host knows no more. */
static bool absorbing_pays(const tn_model_config *c, int64_t B, const tn_layer_state *st,
                           const int32_t *start, const int32_t *last) {
    double D = (double)c->d_model, H = (double)c->heads, R = (double)st->R, pairs = 0;
    for (int64_t b = 0; b < B; b++)
        pairs += (double)(start[b + 1] - start[b]) * (double)tn_model_config_keys(c, last[b]);
    return 2 * H * D * D * R + 2 * D * D * D + 2 * H * D * pairs <
           2 * D * D * (R + (double)st->P) + 2 * D * pairs;
}

static bool absorbed(const tn_workspace *ws, const tn_input *in, const tn_layer_state *st,
                     const int32_t *start, const int32_t *last) {
    const tn_model_config *c = &ws->m->config;
    bool can = c->positions == TN_POSITIONS_NONE && c->kv_heads == c->heads && c->d_model >= 16 &&
               c->d_model <= 128 && c->d_model % 4 == 0;
    if (!can || st->R == 0 || ws->m->absorb == TN_ABSORB_NEVER)
        return false;
    return ws->m->absorb == TN_ABSORB_ALWAYS || absorbing_pays(c, in->B, st, start, last);
}

/* What the device says of its lists: every launch after this is sized by it. */
static tn_status bounds_check(const tn_workspace *ws, const tn_input *in, const int32_t *start,
                              const int32_t *last) {
    for (int64_t b = 0; b < in->B; b++) {
        int64_t rows = (int64_t)start[b + 1] - start[b];
        if (start[0] != 0 || rows < 0 || rows > in->T || last[b] < rows - 1 || last[b] >= in->T ||
            (rows == 0 && last[b] != -1))
            return tn_fail(
                tn_device_context(ws->m->dev), TN_ERR_DEVICE,
                "%s lists %lld routed rows of sequence %lld, from %d on, the last at position %d of "
                "%lld: its kernels do not run as they should; `turnout verify --op route_compact`",
                tn_device_get_info(ws->m->dev)->name, (long long)rows, (long long)b, start[b], last[b],
                (long long)in->T);
    }
    return TN_OK;
}

/* Nothing is read back: launches are over all rows that there can be, and the kernels know how many there
 * are. Keys and values are packed where there are several sequences. */
static tn_status list_on_device(tn_workspace *ws, const tn_input *in, tn_layer_state *st, int64_t layer) {
    const tn_route_compact_shape shape = {in->B, in->T, 1};
    const tn_decisions *d = &ws->decisions[layer];
    TN_TRY(tn_workspace_need(ws, &st->kv_start, (size_t)(ws->B + 1) * 4));
    TN_TRY(tn_workspace_need(ws, &st->kv_rows, (size_t)(ws->B * ws->T) * 4));
    TN_TRY(tn_route_compact_keys(ws->m->dev, &shape, st->kv_start, st->kv_rows, d->rows_count, d->keys_count,
                                 st->start, st->last));
    st->R = st->P = in->B * in->T;
    st->max_rows = in->T;
    st->rows_count = d->rows_count;
    st->keys_count = d->keys_count;
    st->counted[0] = st->counted[1] = -1;
    st->kv_gathered = in->B > 1;
    st->absorbed = false;
    return TN_OK;
}

tn_status tn_route_list(tn_workspace *ws, const tn_input *in, int64_t layer) {
    tn_model *m = ws->m;
    tn_layer_state *st = tn_workspace_state(ws, layer);
    size_t N = (size_t)(ws->B * ws->T);
    bool counts;
    TN_TRY(tn_workspace_need(ws, &st->rows, N * 4));
    TN_TRY(tn_workspace_need(ws, &st->slot, N * 4));
    tn_route_compact_shape shape = {in->B, in->T, st->block};
    TN_TRY(tn_route_compact_forward(m->dev, &shape, st->rows, st->start, st->slot, st->last, st->h));
    TN_TRY(tn_route_counts(ws, in, layer, &counts));
    if (counts)
        return list_on_device(ws, in, st, layer);
    st->rows_count = st->keys_count = NULL;
    size_t bytes = tn_buffer_bytes(st->bounds);
    TN_TRY(tn_buffer_read(st->bounds, 0, bytes, ws->bounds_host));
    const int32_t *start = ws->bounds_host;
    const int32_t *last = ws->bounds_host + (bytes - (size_t)ws->B * 4) / 4;
    TN_TRY(bounds_check(ws, in, start, last));
    st->R = start[in->B];
    st->max_rows = 0;
    for (int64_t b = 0; b < in->B; b++)
        if (start[b + 1] - start[b] > st->max_rows)
            st->max_rows = start[b + 1] - start[b];
    TN_TRY(plan_kv(ws, in, st, last));
    st->absorbed = absorbed(ws, in, st, start, last);
    return st->absorbed ? plan_queries(ws, in, st, start) : TN_OK;
}

/* What attention of all rows could skip: rows that its kernel takes through the keys together. */
static tn_status attention_block(const tn_workspace *ws, const tn_input *in, int64_t *rows) {
    const tn_model_config *c = &ws->m->config;
    tn_flash_attention_layout layout;
    TN_TRY(tn_flash_attention_layout_of(ws->m->dev,
                                        &(tn_flash_attention_shape){.B = in->B,
                                                                    .T = in->T,
                                                                    .R = in->B * in->T,
                                                                    .Rkv = in->B * in->T,
                                                                    .max_rows = in->T,
                                                                    .H = c->heads,
                                                                    .Hkv = c->kv_heads,
                                                                    .Dh = c->d_model / c->heads,
                                                                    .window = c->window},
                                        &layout));
    *rows = layout.block;
    return TN_OK;
}

tn_status tn_route_begin(tn_workspace *ws, const tn_input *in, tn_gate gate, int64_t layer) {
    const tn_model_config *c = &ws->m->config;
    tn_layer_state *st = tn_workspace_state(ws, layer);
    const tn_mixer mixer = tn_layer_mixer(c, layer);
    st->dense = mixer == TN_MIXER_ATTENTION ||
                (mixer == TN_MIXER_ROUTED && gate != TN_GATE_COMPACT && gate != TN_GATE_BLOCKS);
    st->block = 1;
    /* What a layer with another mixer left, where all share one state. */
    st->h = st->p = NULL;
    st->R = st->P = 0;
    st->rows_count = st->keys_count = NULL;
    st->absorbed = false;
    if (mixer != TN_MIXER_CONV && gate == TN_GATE_BLOCKS)
        TN_TRY(attention_block(ws, in, &st->block));
    if (mixer == TN_MIXER_CONV || mixer == TN_MIXER_ATTENTION)
        return TN_OK;
    TN_TRY(tn_decisions_make(ws));
    st->h = ws->decisions[layer].h;
    st->p = tn_layer_has_router(c, layer) ? ws->decisions[layer].p : NULL;
    return TN_OK;
}

tn_status tn_route_plan(tn_workspace *ws, const tn_input *in, int64_t layer) {
    tn_layer_state *st = tn_workspace_state(ws, layer);
    if (tn_layer_mixer(&ws->m->config, layer) != TN_MIXER_ATTENTION)
        TN_TRY(tn_route_decide(ws, in, layer));
    if (!st->dense)
        return tn_route_list(ws, in, layer);
    st->R = st->P = in->B * in->T;
    st->max_rows = in->T;
    st->rows_count = st->keys_count = NULL;
    st->kv_gathered = st->absorbed = false;
    return TN_OK;
}

tn_status tn_mixer_count(tn_workspace *ws, int64_t layer) {
    tn_layer_state *st = tn_workspace_state(ws, layer);
    int32_t counts[2];
    if (!st->rows_count)
        return TN_OK;
    TN_TRY(tn_buffer_read(st->rows_count, 0, sizeof counts[0], &counts[0]));
    TN_TRY(tn_buffer_read(st->keys_count, 0, sizeof counts[1], &counts[1]));
    st->counted[0] = counts[0];
    st->counted[1] = counts[1];
    return TN_OK;
}
