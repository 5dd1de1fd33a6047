/* All positions in one item and one launch: where a launch costs more than what items side by side would
 * save. */
#include "route_compact_variants.h"

enum { MOST = 32768 }; /* positions */

enum { TILE, LOCAL };
static const tn_tunable tunables[] = {
    [TILE] = TN_TUNABLE("TILE", "positions of a work-item that rounds routing to blocks", 4096, 256, 0, 64,
                        256, 1024, 4096, 16384),
    [LOCAL] = TN_TUNABLE_LOCAL(64),
};

typedef struct plan {
    tn_kernel *kernel;
    tn_route_compact_widen widen;
} plan;
_Static_assert(sizeof(plan) <= TN_PLAN_BYTES, "route_compact's plan");

static bool fits(const tn_device *dev, int pass, const void *shape, const int *values, char *why,
                 size_t size) {
    const tn_route_compact_key *s = shape;
    (void)dev;
    (void)pass;
    (void)values;
    if (s->B * s->T <= MOST)
        return true;
    snprintf(why, size, "%lld positions are more than the %d of one work-item", (long long)(s->B * s->T),
             MOST);
    return false;
}

static tn_status make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    plan *p = out;
    (void)pass;
    TN_TRY(tn_route_compact_widen_plan(dev, shape, values[TILE], values[LOCAL], &p->widen));
    return tn_kernel_get(dev, "route_compact_threads", "route_compact_single", NULL, &p->kernel);
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *plan_, const void *args) {
    const tn_route_compact_key *s = shape;
    const tn_route_compact_args *a = args;
    const plan *p = plan_;
    const tn_buffer *mask = a->mask;
    (void)pass;
    TN_TRY(tn_route_compact_widen_run(dev, s, &p->widen, &mask));
    return tn_launch(dev, p->kernel, tn_range_1d(1, 1), tn_arg_buffer(a->rows), tn_arg_buffer(a->start),
                     tn_arg_buffer(a->slot), tn_arg_buffer(a->last), tn_arg_buffer(mask), tn_arg_i32(s->B),
                     tn_arg_i32(s->T));
}

const tn_variant tn_route_compact_single = {.name = "single",
                                            .style = TN_STYLE_THREADS,
                                            .passes = 1u << TN_ROUTE_COMPACT_FORWARD,
                                            .tunable_count = sizeof tunables / sizeof tunables[0],
                                            .tunables = tunables,
                                            .fits = fits,
                                            .plan = make,
                                            .run = run};
