#include "case.h"

#include "partial_sums.h"
#include "partial_sums_ref.h"

#include <math.h>

enum { DIM_PARTS, DIM_COUNT, DIM_STRIDE };
enum { T_OUT, T_PARTIAL };

static void draw(tn_rng *rng, tn_shape *s) {
    s->v[DIM_PARTS] = tn_rng_below(rng, 4) == 0 ? 1 : tn_rng_range(rng, 1, 70);
    s->v[DIM_COUNT] = tn_rng_below(rng, 3) == 0 ? 256 * tn_rng_range(rng, 1, 4) : tn_rng_range(rng, 1, 700);
    s->v[DIM_STRIDE] = s->v[DIM_COUNT] + (tn_rng_below(rng, 2) ? 0 : tn_rng_range(rng, 1, 90));
}

static tn_status check(tn_context *ctx, const tn_shape *s) {
    if (s->v[DIM_PARTS] >= 1 && s->v[DIM_STRIDE] >= s->v[DIM_COUNT])
        return TN_OK;
    return tn_fail(ctx, TN_ERR_ARG, "partial_sums: there is a part at least, and a stride of at least count");
}

static int tensors(const tn_shape *s, int pass, tn_tensor *t) {
    (void)pass;
    size_t parts = (size_t)s->v[DIM_PARTS];
    t[T_OUT] = (tn_tensor){"out", TN_F32, TN_OUT, (size_t)s->v[DIM_COUNT],
                           1e-6 * sqrt((double)parts) + 1e-7 * (double)parts};
    t[T_PARTIAL] = (tn_tensor){"partial", TN_F32, TN_IN, parts * (size_t)s->v[DIM_STRIDE]};
    return 2;
}

static tn_partial_sums_shape shape_of(const tn_shape *s) {
    return (tn_partial_sums_shape){s->v[DIM_PARTS], s->v[DIM_COUNT], s->v[DIM_STRIDE]};
}

static tn_status run(tn_device *dev, const tn_shape *shape, int pass, tn_tensor *t) {
    (void)pass;
    tn_partial_sums_shape s = shape_of(shape);
    return tn_partial_sums_forward(dev, &s, t[T_OUT].buffer, t[T_PARTIAL].buffer, 0);
}

static void reference(const tn_shape *s, int pass, tn_tensor *t) {
    (void)pass;
    tn_partial_sums_forward_ref(s->v[DIM_PARTS], s->v[DIM_COUNT], s->v[DIM_STRIDE], t[T_OUT].f64,
                                t[T_PARTIAL].f64);
}

static bool sees(const tn_shape *s, int pass, const tn_tensor *t, int out, size_t o, int in, size_t i) {
    size_t at = i % (size_t)s->v[DIM_STRIDE];
    (void)pass, (void)t, (void)in;
    return out == TN_ANY_OUTPUT ? at < (size_t)s->v[DIM_COUNT] : at == o;
}

static double flops(const tn_shape *s, int pass) {
    (void)pass;
    return (double)(s->v[DIM_PARTS] - 1) * (double)s->v[DIM_COUNT];
}

static double bytes(const tn_shape *s, int pass) {
    (void)pass;
    return 4 * (double)(s->v[DIM_PARTS] + 1) * (double)s->v[DIM_COUNT];
}

static const char *const dims[] = {"parts", "count", "stride", NULL};
static const char *const passes[] = {"forward", NULL};

const tn_case tn_case_partial_sums = {.op = "partial_sums",
                                      .dims = dims,
                                      .passes = passes,
                                      .draw = draw,
                                      .check = check,
                                      .tensors = tensors,
                                      .run = run,
                                      .reference = reference,
                                      .sees = sees,
                                      .flops = flops,
                                      .bytes = bytes,
                                      .has_gradient = false};
