/* An item owns a tile of positions of a few channels, and walks them with its taps in registers: one vector
 * of channels, or, forward, several side by side ("wide"), so that more of a row is read at once. */
#include "causal_conv_variants.h"

/* Both variants have the same; SIDE is read by the wide one alone. */
enum { LANES, TILE, STREAM, LOCAL, SIDE };
static const tn_tunable tunables[] = {
    [LANES] = TN_TUNABLE("LANES", "lanes of a vector", 16, 1, 0, 1, 4, 8, 16),
    [TILE] = TN_TUNABLE("TILE", "positions of a work-item", 128, 32, TN_TUNABLE_BITS | TN_TUNABLE_LAYOUT, 16,
                        32, 64, 128, 256, 512),
    [STREAM] = TN_TUNABLE_STREAM,
    [LOCAL] = TN_TUNABLE_LOCAL(64),
    [SIDE] = TN_TUNABLE("SIDE", "vectors side by side", 4, 1, 0, 2, 4),
};

typedef struct plan {
    tn_kernel *kernel;
    tn_range range;
    int64_t tiles; /* of all sequences */
} plan;
_Static_assert(sizeof(plan) <= TN_PLAN_BYTES, "causal_conv's plan");

int64_t tn_causal_conv_tile(const tn_device *dev) {
    int values[TN_VARIANT_TUNABLES];
    tn_variant_values(dev, &tn_causal_conv_op, &tn_causal_conv_threads, TN_CAUSAL_CONV_BACKWARD, -1, values,
                      NULL);
    return values[TILE];
}

static tn_status make(tn_device *dev, const tn_causal_conv_key *s, const int *values, const char *name,
                      int64_t side, plan *p) {
    const int64_t chunks = tn_ceil_div(s->D, side * values[LANES]);
    tn_options options = {""};
    p->tiles = s->B * tn_ceil_div(s->T, values[TILE]);
    tn_options_int(&options, "K", (long)s->K);
    tn_options_int(&options, "SILU", s->silu != 0);
    tn_options_int(&options, "TILE", values[TILE]);
    tn_options_rows(&options, values[LANES], values[STREAM], s->B * s->T, s->D);
    tn_options_int(&options, "IN_PLACE", s->in_place != 0);
    tn_options_int(&options, "SIDE", (long)side);
    TN_TRY(tn_kernel_get(dev, "causal_conv_threads", name, &options, &p->kernel));
    p->range =
        tn_range_2d((size_t)chunks, (size_t)p->tiles, tn_kernel_group(p->kernel, (size_t)values[LOCAL]), 1);
    return TN_OK;
}

static tn_status plan_make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    return make(dev, shape, values,
                pass == TN_CAUSAL_CONV_FORWARD ? "causal_conv_forward" : "causal_conv_backward", 1, out);
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *plan_, const void *args) {
    const plan *p = plan_;
    return pass == TN_CAUSAL_CONV_FORWARD
               ? tn_causal_conv_launch_forward(dev, shape, p->kernel, p->range, args)
               : tn_causal_conv_launch_backward(dev, shape, p->kernel, p->range, p->tiles, args);
}

const tn_variant tn_causal_conv_threads = {.name = "threads",
                                           .style = TN_STYLE_THREADS,
                                           .portable = true,
                                           .tunable_count = SIDE,
                                           .tunables = tunables,
                                           .plan = plan_make,
                                           .run = run};

static bool wide_fits(const tn_device *dev, int pass, const void *shape, const int *values, char *why,
                      size_t size) {
    const tn_causal_conv_key *s = shape;
    const int64_t across = (int64_t)values[SIDE] * values[LANES];
    (void)dev;
    (void)pass;
    if (values[SIDE] < 2)
        snprintf(why, size, "SIDE of 1 is variant threads");
    else if (s->K > 8)
        snprintf(why, size, "%lld taps, and it holds 8", (long long)s->K);
    else if (s->D <= across || s->D % across != 0)
        snprintf(why, size, "%lld channels are no multiple of %lld, or no more than that", (long long)s->D,
                 (long long)across);
    else
        return true;
    return false;
}

static tn_status wide_plan(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    (void)pass;
    return make(dev, shape, values, "causal_conv_forward_wide", values[SIDE], out);
}

const tn_variant tn_causal_conv_wide = {.name = "wide",
                                        .style = TN_STYLE_THREADS,
                                        .passes = 1u << TN_CAUSAL_CONV_FORWARD,
                                        .tunable_count = SIDE + 1,
                                        .tunables = tunables,
                                        .fits = wide_fits,
                                        .plan = wide_plan,
                                        .run = run};
