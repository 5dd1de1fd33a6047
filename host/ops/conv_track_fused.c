/* One launch a pass, which keeps what lies between near a compute unit: a work-item takes a block of
 * positions through norm, router, convolution and product in its private memory
 * (kernels/conv_track/conv_track_fused.cl). The same bits as variant composed. */
#include "causal_conv.h"
#include "conv_track_variants.h"
#include "fused_rows.h"

#include "conv_track/conv_track_sizes.cl"

enum { TILES, TUNABLES };
static const tn_tunable tunables[TUNABLES] = {
    [TILES] =
        TN_TUNABLE("TILES", "tiles of rows that a work-item takes at a time", 11, 11, 0, 1, 2, 4, 6, 11, 22)};

typedef struct plan {
    tn_kernel *kernel;
    tn_range range;
    conv_track_sizes sizes;
    int64_t parts, tile;     /* backward: partial sums of W_c; positions of causal_conv's partial sum */
    tn_gemm_packing packing; /* forward, where the weight comes unpacked */
} plan;
_Static_assert(sizeof(plan) <= TN_PLAN_BYTES, "conv_track's plan");
_Static_assert(sizeof(conv_track_sizes) == 7 * sizeof(int32_t), "conv_track_sizes as kernels see it");

/* Do parts end where a tile of causal_conv does? */
static bool parts_end_with_tiles(const tn_conv_track_key *s, int64_t tile) {
    return s->T > tile ? s->T % tile == 0 && TN_GEMM_PART_K % tile == 0 : TN_GEMM_PART_K % s->T == 0;
}

static bool fits(const tn_device *dev, int pass, const void *shape, const int *values, char *why,
                 size_t size) {
    const tn_conv_track_key *s = shape;
    const tn_gemm_layout g = tn_gemm_layout_of(dev);
    const int64_t tile = tn_causal_conv_tile(dev), halo = s->K - 1,
                  forward = 2 * values[TILES] * g.rows + halo, backward = 4 * (tile + g.rows) + 6 * halo,
                  bytes = (s->training && backward > forward ? backward : forward) * (s->D + 16) *
                          (int64_t)sizeof(float);
    (void)pass;
    if (s->D % (g.lanes * g.vectors) != 0 || s->D % 16 != 0)
        snprintf(why, size, "D=%lld is no multiple of %lld and 16", (long long)s->D,
                 (long long)(g.lanes * g.vectors));
    else if (s->K < 1 || s->K > 64)
        snprintf(why, size, "%lld taps, and it holds 1 to 64", (long long)s->K);
    else if (!tn_fused_fits(dev, bytes, s->D * s->D, s->training, s->B * s->T, why, size))
        return false;
    else if (s->training && !parts_end_with_tiles(s, tile))
        snprintf(why, size, "a partial sum would end within a tile of %lld positions", (long long)tile);
    else
        return true;
    return false;
}

static tn_status kernel(tn_device *dev, const tn_conv_track_key *s, int64_t tiles, const char *name,
                        tn_kernel **out) {
    tn_options options = {""};
    tn_options_int(&options, "D", (long)s->D);
    tn_options_int(&options, "K", (long)s->K);
    tn_options_int(&options, "TILE", (long)tn_causal_conv_tile(dev));
    tn_fused_options(dev, tiles, &options);
    return tn_kernel_get(dev, "conv_track_fused", name, &options, out);
}

/* Positions of a block: few enough that every unit has one, and that the last round of them is no shorter
 * than the others. */
static int64_t rows_an_item(const tn_device *dev, int64_t tiles_at_most, const tn_conv_track_key *s) {
    const int64_t rows = tn_gemm_layout_of(dev).rows, units = tn_device_get_info(dev)->compute_units,
                  tiles = tn_ceil_div(s->T, rows);
    int64_t blocks = tn_ceil_div(tiles, tiles_at_most),
            most = tiles < blocks + units ? tiles : blocks + units;
    if (s->B * blocks < 8 * units)
        while (blocks < most && s->B * blocks % units != 0)
            blocks++;
    return tn_ceil_div(tiles, blocks) * rows;
}

static tn_status plan_make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    const tn_conv_track_key *s = shape;
    plan *p = out;
    p->parts = tn_fused_parts(s->B * s->T);
    p->tile = tn_causal_conv_tile(dev);
    p->sizes =
        (conv_track_sizes){.B = (int)s->B, .T = (int)s->T, .rows = (int)rows_an_item(dev, values[TILES], s)};
    if (pass == TN_CONV_TRACK_BACKWARD) {
        p->range = tn_range_1d((size_t)p->parts, 1);
        return kernel(dev, s, values[TILES], "conv_track_backward", &p->kernel);
    }
    p->range = tn_range_1d((size_t)(s->B * tn_ceil_div(s->T, p->sizes.rows)), 1);
    TN_TRY(tn_gemm_packing_make(dev, s->D, s->D, true, &p->packing));
    return kernel(dev, s, values[TILES], "conv_track_forward", &p->kernel);
}

static tn_status forward(tn_device *dev, const plan *p, const tn_conv_track_args *a) {
    const tn_conv_track_shape *s = a->shape;
    const tn_conv_track_weights *w = a->weights;
    const tn_conv_track_saved *saved = a->saved;
    conv_track_sizes sizes = p->sizes;
    sizes.margin = s->margin;
    sizes.eps = s->eps;
    tn_buffer *packed = NULL;
    if (!w->out_packed)
        TN_TRY(tn_gemm_packing_run(dev, &p->packing, 0, w->out, NULL, &packed));
    return tn_launch(dev, p->kernel, p->range, tn_arg_buffer(a->c), tn_arg_buffer(saved->u),
                     tn_arg_buffer(saved->rstd), tn_arg_buffer(w->router ? saved->p : NULL),
                     tn_arg_buffer(w->router ? saved->h : NULL), tn_arg_buffer(a->x), tn_arg_buffer(w->norm),
                     tn_arg_buffer(w->router), tn_arg_buffer(w->router_bias), tn_arg_buffer(w->conv),
                     tn_arg_buffer(w->conv_bias), tn_arg_buffer(packed ? packed : w->out_packed),
                     tn_arg_buffer(a->add), tn_arg_bytes(&sizes, sizeof sizes));
}

static tn_status backward(tn_device *dev, const plan *p, const tn_conv_track_args *a) {
    const tn_conv_track_shape *s = a->shape;
    const tn_conv_track_weights *w = a->weights, *grads = a->grads;
    const int64_t weight = s->D * s->D, each = (s->K + 1) * s->D, tiles = s->B * tn_ceil_div(s->T, p->tile);
    tn_buffer *partial;
    int64_t at;
    TN_TRY(tn_partial_sums_place(dev, a->later, p->parts * weight + tiles * each, 0, &partial, &at));
    const int64_t taps = at + p->parts * weight;
    conv_track_sizes sizes = p->sizes;
    sizes.at_out = (int)at;
    sizes.at_taps = (int)taps;
    TN_TRY(tn_launch(dev, p->kernel, p->range, tn_arg_buffer(a->du), tn_arg_buffer(partial),
                     tn_arg_buffer(a->dc), tn_arg_buffer(a->saved->u), tn_arg_buffer(w->conv),
                     tn_arg_buffer(w->conv_bias), tn_arg_buffer(w->out), tn_arg_bytes(&sizes, sizeof sizes)));
    TN_TRY(tn_partial_sums_add(dev, a->later, &(tn_partial_sums_shape){p->parts, weight, weight}, grads->out,
                               partial, at));
    TN_TRY(tn_partial_sums_add(dev, a->later, &(tn_partial_sums_shape){tiles, s->K * s->D, each}, grads->conv,
                               partial, taps));
    return tn_partial_sums_add(dev, a->later, &(tn_partial_sums_shape){tiles, s->D, each}, grads->conv_bias,
                               partial, taps + s->K * s->D);
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *planned, const void *args) {
    (void)shape;
    return pass == TN_CONV_TRACK_FORWARD ? forward(dev, planned, args) : backward(dev, planned, args);
}

const tn_variant tn_conv_track_fused = {.name = "fused",
                                        .style = TN_STYLE_THREADS,
                                        .tunable_count = TUNABLES,
                                        .tunables = tunables,
                                        .fits = fits,
                                        .plan = plan_make,
                                        .run = run};
