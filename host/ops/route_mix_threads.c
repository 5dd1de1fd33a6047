/* An item owns rows; of a list, one. */
#include "route_mix_variants.h"

enum { ROWS, LOCAL };
static const tn_tunable tunables[] = {
    [ROWS] = TN_TUNABLE("ROWS", "rows of a work-item", 16, 1, 0, 1, 2, 4, 8, 16, 32, 64),
    [LOCAL] = TN_TUNABLE_LOCAL(64),
};

typedef struct plan {
    tn_kernel *kernel;
    size_t items, local;
} plan;
_Static_assert(sizeof(plan) <= TN_PLAN_BYTES, "route_mix's plan");

static tn_status make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    static const char *const kernels[] = {"route_mix_forward", "route_mix_backward", "route_mix_few"};
    const tn_route_mix_key *s = shape;
    tn_options options = {""};
    plan *p = out;
    tn_options_int(&options, "ROWS", values[ROWS]);
    tn_options_int(&options, "ADDED", s->added);
    TN_TRY(tn_kernel_get(dev, "route_mix_threads", kernels[pass], &options, &p->kernel));
    p->items = (size_t)tn_ceil_div(s->N, values[ROWS]);
    p->local = tn_kernel_group(p->kernel, (size_t)values[LOCAL]);
    return TN_OK;
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *plan_, const void *args) {
    const tn_route_mix_key *s = shape;
    const tn_route_mix_args *a = args;
    const plan *p = plan_;
    if (pass == TN_ROUTE_MIX_FEW)
        return tn_launch(dev, p->kernel, tn_range_1d((size_t)a->R, p->local), tn_arg_buffer(a->y),
                         tn_arg_buffer(a->res), tn_arg_buffer(a->o), tn_arg_buffer(a->p),
                         tn_arg_buffer(a->rows), tn_arg_buffer(a->h), tn_arg_buffer(a->count),
                         tn_arg_i32(a->R), tn_arg_i32(s->D));
    const tn_range range = tn_range_1d(p->items, p->local);
    if (pass == TN_ROUTE_MIX_FORWARD)
        return tn_launch(dev, p->kernel, range, tn_arg_buffer(a->y), tn_arg_buffer(a->res),
                         tn_arg_buffer(a->c), tn_arg_buffer(a->o), tn_arg_buffer(a->p), tn_arg_buffer(a->h),
                         tn_arg_buffer(a->slot), tn_arg_i32(s->N), tn_arg_i32(s->D), tn_arg_i32(a->hard));
    return tn_launch(dev, p->kernel, range, tn_arg_buffer(a->dc), tn_arg_buffer(a->dout),
                     tn_arg_buffer(a->dp), tn_arg_buffer(a->dy), tn_arg_buffer(a->c), tn_arg_buffer(a->o),
                     tn_arg_buffer(a->p), tn_arg_buffer(a->h), tn_arg_buffer(a->slot), tn_arg_i32(s->N),
                     tn_arg_i32(s->D), tn_arg_i32(a->hard));
}

const tn_variant tn_route_mix_threads = {.name = "threads",
                                         .style = TN_STYLE_THREADS,
                                         .portable = true,
                                         .counted = 1u << TN_ROUTE_MIX_FEW,
                                         .tunable_count = sizeof tunables / sizeof tunables[0],
                                         .tunables = tunables,
                                         .plan = make,
                                         .run = run};
