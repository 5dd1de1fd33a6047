#include "case.h"

#include "route_capacity.h"
#include "route_capacity_ref.h"

#include <math.h>

enum { DIM_B, DIM_T, DIM_K };
enum { T_MASK, T_P };

static void draw(tn_rng *rng, tn_shape *s) {
    s->v[DIM_B] = tn_rng_range(rng, 1, 4);
    uint32_t kind = tn_rng_below(rng, 6);
    s->v[DIM_T] = kind == 0 ? 1 : kind == 1 ? tn_rng_range(rng, 1000, 4000) : tn_rng_range(rng, 1, 400);
    s->v[DIM_K] = tn_rng_below(rng, 4) == 0 ? 0 : tn_rng_range(rng, 1, s->v[DIM_T] + 2);
}

static int tensors(const tn_shape *s, int pass, tn_tensor *t) {
    (void)pass;
    size_t N = (size_t)s->v[DIM_B] * (size_t)s->v[DIM_T];
    t[T_MASK] = (tn_tensor){"mask", TN_U8, TN_OUT, N};
    t[T_P] = (tn_tensor){"p", TN_F32, TN_IN, N};
    return 2;
}

/* Half of the cases on a coarse grid, so that ties occur; 0 and 1 occur too. */
static void fill(tn_rng *rng, const tn_shape *s, int pass, tn_tensor *t) {
    (void)s;
    (void)pass;
    bool coarse = tn_rng_below(rng, 2);
    for (size_t n = 0; n < t[T_P].count; n++)
        t[T_P].f64[n] =
            coarse ? (double)tn_rng_below(rng, 5) / 4 : (double)(float)(1 / (1 + exp(-4 * t[T_P].f64[n])));
}

static tn_status run(tn_device *dev, const tn_shape *shape, int pass, tn_tensor *t) {
    (void)pass;
    tn_route_capacity_shape s = {shape->v[DIM_B], shape->v[DIM_T], shape->v[DIM_K]};
    return tn_route_capacity_forward(dev, &s, t[T_MASK].buffer, t[T_P].buffer);
}

static void reference(const tn_shape *s, int pass, tn_tensor *t) {
    (void)pass;
    tn_route_capacity_forward_ref(s->v[DIM_B], s->v[DIM_T], s->v[DIM_K], t[T_MASK].i32, t[T_P].f64);
}

static double flops(const tn_shape *s, int pass) {
    (void)s;
    (void)pass;
    return 0;
}

static double bytes(const tn_shape *s, int pass) {
    (void)pass;
    bool chosen = s->v[DIM_K] > 0 && s->v[DIM_K] < s->v[DIM_T]; /* else all or none, whatever p is */
    return (chosen ? 5 : 1) * (double)s->v[DIM_B] * (double)s->v[DIM_T];
}

static const char *const dims[] = {"B", "T", "k", NULL};
static const char *const passes[] = {"forward", NULL};

const tn_case tn_case_route_capacity = {.op = "route_capacity",
                                        .dims = dims,
                                        .passes = passes,
                                        .draw = draw,
                                        .tensors = tensors,
                                        .fill = fill,
                                        .run = run,
                                        .reference = reference,
                                        .flops = flops,
                                        .bytes = bytes};
