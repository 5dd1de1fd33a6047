/* A work-group has some tiles of positions, neighbouring items neighbouring channels of a tile. */
#include "causal_conv_variants.h"

enum { TILE, ACROSS, GROUP };
static const tn_tunable tunables[] = {
    [TILE] =
        TN_TUNABLE("TILE", "positions of a work-item, at most", 32, 32, TN_TUNABLE_BITS, 8, 16, 32, 64, 128),
    [ACROSS] =
        TN_TUNABLE("ACROSS", "work-items side by side on a row", 16, 16, TN_TUNABLE_BITS, 4, 8, 16, 32),
    [GROUP] = TN_TUNABLE("GROUP", "work-items of a work-group", 256, 256, TN_TUNABLE_BITS, 32, 64, 128, 256),
};

typedef struct plan {
    tn_kernel *kernel;
    tn_range range;
    int64_t parts; /* of the gradients of taps and bias */
} plan;
_Static_assert(sizeof(plan) <= TN_PLAN_BYTES, "causal_conv's plan");

enum {
    TAPS_FORWARD = 16, /* in registers, and what as many positions held */
    TAPS_BACKWARD = 8, /* twice that: gradients too */
    SHORTEST = 8,      /* tile */
    ENOUGH = 32768     /* work-items that fill a device: below that tiles are halved */
};

static bool fits(const tn_device *dev, int pass, const void *shape, const int *values, char *why,
                 size_t size) {
    const tn_causal_conv_key *s = shape;
    const size_t most = tn_device_get_info(dev)->max_work_group;
    /* Registers go by floats: rows that are no whole quads have a quarter. */
    const int taps =
        (pass == TN_CAUSAL_CONV_FORWARD ? TAPS_FORWARD : TAPS_BACKWARD) * (tn_quads(s->D) == 4 ? 1 : 2);
    if (s->K > taps)
        snprintf(why, size, "%lld taps, and registers hold %d", (long long)s->K, taps);
    else if (most < (size_t)values[ACROSS])
        snprintf(why, size, "work-groups of %zu at most, and %d items share a row", most, values[ACROSS]);
    else
        return true;
    return false;
}

static tn_status make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    const tn_causal_conv_key *s = shape;
    const bool forward = pass == TN_CAUSAL_CONV_FORWARD;
    const int lanes = tn_quads(s->D);
    const int64_t vectors = s->D / lanes;
    const size_t across = tn_group_across((size_t)values[ACROSS], vectors, lanes);
    int64_t tile = values[TILE];
    size_t group = (size_t)values[GROUP];
    tn_options options = {""};
    plan *p = out;
    while (tile > SHORTEST && s->B * tn_ceil_div(s->T, tile) * vectors < ENOUGH)
        tile /= 2;
    tn_options_int(&options, "K", (long)s->K);
    tn_options_int(&options, "SILU", s->silu != 0);
    tn_options_int(&options, "TILE", (long)tile);
    tn_options_int(&options, "ACROSS", (long)across);
    tn_options_vectors(&options, lanes, s->D);
    TN_TRY(tn_kernel_get_group(dev, "causal_conv_groups",
                               forward ? "causal_conv_forward_groups" : "causal_conv_backward_groups",
                               &options, "GROUP", &group, &p->kernel));
    const size_t tiles = (size_t)(s->B * tn_ceil_div(s->T, tile)), down = group / across;
    p->parts = tn_ceil_div((int64_t)tiles, (int64_t)down);
    p->range = tn_range_2d((size_t)vectors, tiles, across, down);
    return TN_OK;
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *plan_, const void *args) {
    const plan *p = plan_;
    return pass == TN_CAUSAL_CONV_FORWARD
               ? tn_causal_conv_launch_forward(dev, shape, p->kernel, p->range, args)
               : tn_causal_conv_launch_backward(dev, shape, p->kernel, p->range, p->parts, args);
}

const tn_variant tn_causal_conv_groups = {.name = "groups",
                                          .style = TN_STYLE_GROUPS,
                                          .tunable_count = sizeof tunables / sizeof tunables[0],
                                          .tunables = tunables,
                                          .fits = fits,
                                          .plan = make,
                                          .run = run};
