#include "conv_track.h"

#include "causal_conv.h"
#include "gemm.h"
#include "gemm_pack.h"
#include "launch.h"
#include "quirks.h"
#include "style.h"
#include "rms_norm.h"
#include "route_gate.h"

enum { WIDEST = 1 << 15 /* D·D of a weight that stays near a unit beside its rows */ };

typedef struct plan {
    tn_gemm_layout gemm;
    int64_t tiles, tile; /* of rows that an item takes at a time; positions of causal_conv's partial sum */
    int64_t parts;
} plan;

static plan plan_of(const tn_device *dev, const tn_conv_track_shape *s) {
    plan p = {.gemm = tn_gemm_layout_of(dev),
              .tiles = tn_tunable_ask(dev, "conv_track", "TILES", 11, 11),
              .tile = tn_causal_conv_tile(dev)};
    p.parts = tn_ceil_div(s->B * s->T, TN_GEMM_PART_K);
    return p;
}

static tn_status kernel(tn_device *dev, const tn_conv_track_shape *s, const plan *p, const char *name,
                        tn_kernel **out) {
    tn_options options = {""};
    tn_options_int(&options, "D", (long)s->D);
    tn_options_int(&options, "K", (long)s->K);
    tn_options_int(&options, "LANES", (long)p->gemm.lanes);
    tn_options_int(&options, "NV", (long)p->gemm.vectors);
    tn_options_int(&options, "TM", (long)p->gemm.rows);
    tn_options_int(&options, "TILES", (long)p->tiles);
    tn_options_int(&options, "TILE", (long)p->tile);
    tn_options_int(&options, "PART", (long)TN_GEMM_PART_K);
    return tn_kernel_get(dev, "conv_track", name, &options, out);
}

/* Do parts end where a tile of causal_conv does? */
static bool parts_fit(const plan *p, const tn_conv_track_shape *s) {
    return s->T > p->tile ? s->T % p->tile == 0 && TN_GEMM_PART_K % p->tile == 0 : TN_GEMM_PART_K % s->T == 0;
}

/* Half of what an item may have at most: the other half is the stack's. */
static int64_t private_limit(const tn_device *dev) {
    const int64_t most = 1 << 20, bytes = (int64_t)tn_device_private_bytes(dev);
    return bytes < most ? bytes : most;
}

bool tn_conv_track_is_whole(const tn_device *dev, const tn_conv_track_shape *s, bool training) {
    const tn_device_info *info = tn_device_get_info(dev);
    plan p = plan_of(dev, s);
    int64_t panel = p.gemm.lanes * p.gemm.vectors, halo = s->K - 1;
    int64_t forward = 2 * p.tiles * p.gemm.rows + halo, backward = 4 * (p.tile + p.gemm.rows) + 6 * halo;
    int64_t rows = training && backward > forward ? backward : forward;
    if (!tn_tunable_ask(dev, "conv_track", "WHOLE", 1, 0) || s->D % panel != 0 || s->D % 16 != 0 ||
        s->K < 1 || s->K > 64)
        return false;
    if (rows * (s->D + 16) * (int64_t)sizeof(float) > private_limit(dev) || s->D * s->D > WIDEST)
        return false;
    /* A part is one item's: where there are fewer than units can share, smaller launches share better. */
    return !training || (p.parts >= 2 * (int64_t)info->compute_units && parts_fit(&p, s));
}

/* Positions of a block: few enough that every unit has one, and that the last round of them is no shorter
 * than the others. */
static int64_t rows_an_item(const tn_device *dev, const plan *p, const tn_conv_track_shape *s) {
    int64_t units = tn_device_get_info(dev)->compute_units, tiles = tn_ceil_div(s->T, p->gemm.rows);
    int64_t blocks = tn_ceil_div(tiles, p->tiles), most = tiles < blocks + units ? tiles : blocks + units;
    if (s->B * blocks < 8 * units)
        while (blocks < most && s->B * blocks % units != 0)
            blocks++;
    return tn_ceil_div(tiles, blocks) * p->gemm.rows;
}

static tn_status whole_forward(tn_device *dev, const tn_conv_track_shape *s, tn_buffer *c,
                               const tn_conv_track_saved *saved, const tn_buffer *x,
                               const tn_conv_track_weights *w, const tn_buffer *add) {
    plan p = plan_of(dev, s);
    int64_t rows = rows_an_item(dev, &p, s);
    tn_kernel *k;
    tn_buffer *packed = NULL;
    if (!w->out_packed)
        TN_TRY(tn_gemm_pack(dev, s->D, s->D, w->out, 0, &packed));
    TN_TRY(kernel(dev, s, &p, "conv_track_forward", &k));
    return tn_launch(
        dev, k, tn_range_1d((size_t)(s->B * tn_ceil_div(s->T, rows)), 1), tn_arg_buffer(c),
        tn_arg_buffer(saved->u), tn_arg_buffer(saved->rstd), tn_arg_buffer(w->router ? saved->p : NULL),
        tn_arg_buffer(w->router ? saved->h : NULL), tn_arg_buffer(x), tn_arg_buffer(w->norm),
        tn_arg_buffer(w->router), tn_arg_buffer(w->router_bias), tn_arg_buffer(w->conv),
        tn_arg_buffer(w->conv_bias), tn_arg_buffer(packed ? packed : w->out_packed), tn_arg_buffer(add),
        tn_arg_f32(s->margin), tn_arg_f32(s->eps), tn_arg_i32(rows), tn_arg_i32(s->B), tn_arg_i32(s->T));
}

tn_status tn_conv_track_part_forward(tn_device *dev, const tn_conv_track_shape *s, tn_conv_track_part part,
                                     tn_buffer *c, const tn_conv_track_saved *saved, const tn_buffer *x,
                                     const tn_conv_track_weights *w, const tn_buffer *add) {
    int64_t N = s->B * s->T, D = s->D;
    switch (part) {
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
    case TN_CONV_TRACK_PARTS:
        break;
    }
    return tn_fail(tn_device_context(dev), TN_ERR_ARG, "conv_track has no part %d", (int)part);
}

tn_status tn_conv_track_forward(tn_device *dev, const tn_conv_track_shape *s, bool training, tn_buffer *c,
                                const tn_conv_track_saved *saved, const tn_buffer *x,
                                const tn_conv_track_weights *w, const tn_buffer *add) {
    if (tn_conv_track_is_whole(dev, s, training))
        return whole_forward(dev, s, c, saved, x, w, add);
    for (int part = 0; part < TN_CONV_TRACK_PARTS; part++)
        TN_TRY(tn_conv_track_part_forward(dev, s, (tn_conv_track_part)part, c, saved, x, w, add));
    return TN_OK;
}

static tn_status whole_backward(tn_device *dev, const tn_conv_track_shape *s, tn_buffer *du,
                                const tn_conv_track_weights *grads, const tn_buffer *dc,
                                const tn_conv_track_weights *w, const tn_conv_track_saved *saved,
                                tn_partial_sums *later) {
    plan p = plan_of(dev, s);
    int64_t weight = s->D * s->D, each = (s->K + 1) * s->D, tiles = s->B * tn_ceil_div(s->T, p.tile), at;
    tn_kernel *k;
    tn_buffer *partial;
    TN_TRY(kernel(dev, s, &p, "conv_track_backward", &k));
    TN_TRY(tn_partial_sums_place(dev, later, p.parts * weight + tiles * each, 0, &partial, &at));
    int64_t taps = at + p.parts * weight;
    TN_TRY(tn_launch(dev, k, tn_range_1d((size_t)p.parts, 1), tn_arg_buffer(du), tn_arg_buffer(partial),
                     tn_arg_i32(at), tn_arg_i32(taps), tn_arg_buffer(dc), tn_arg_buffer(saved->u),
                     tn_arg_buffer(w->conv), tn_arg_buffer(w->conv_bias), tn_arg_buffer(w->out),
                     tn_arg_i32(s->B), tn_arg_i32(s->T)));
    TN_TRY(tn_partial_sums_add(dev, later, &(tn_partial_sums_shape){p.parts, weight, weight}, grads->out,
                               partial, at));
    TN_TRY(tn_partial_sums_add(dev, later, &(tn_partial_sums_shape){tiles, s->K * s->D, each}, grads->conv,
                               partial, taps));
    return tn_partial_sums_add(dev, later, &(tn_partial_sums_shape){tiles, s->D, each}, grads->conv_bias,
                               partial, taps + s->K * s->D);
}

tn_status tn_conv_track_backward(tn_device *dev, const tn_conv_track_shape *s, tn_buffer *du,
                                 const tn_conv_track_weights *grads, tn_buffer *ds, const tn_buffer *dc,
                                 const tn_conv_track_weights *w, const tn_conv_track_saved *saved,
                                 tn_partial_sums *later) {
    int64_t N = s->B * s->T, D = s->D;
    if (tn_conv_track_is_whole(dev, s, true))
        return whole_backward(dev, s, du, grads, dc, w, saved, later);
    TN_TRY(tn_gemm_weight_grad(dev, D, D, N, grads->out, dc, saved->s, later));
    TN_TRY(tn_gemm_forward(dev, &(tn_gemm_shape){TN_GEMM_NN, N, D, D}, ds, dc, w->out, NULL, NULL));
    return tn_causal_conv_backward(dev, &(tn_causal_conv_shape){s->B, s->T, D, s->K, 1}, du, grads->conv,
                                   grads->conv_bias, ds, saved->u, w->conv, w->conv_bias, NULL, later);
}
