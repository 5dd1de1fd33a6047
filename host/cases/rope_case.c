#include "case.h"

#include "rope.h"
#include "rope_ref.h"

#include <math.h>

enum { DIM_R, DIM_T, DIM_H, DIM_DH };
enum { FORWARD, BACKWARD };
/* tensors of either pass, in order: y, x, rows or dx, dy, rows */
enum { T_OUT, T_IN, T_ROWS };

static const double base = 10000;

static void draw(tn_rng *rng, tn_shape *s) {
    s->v[DIM_R] = tn_rng_below(rng, 4) == 0 ? tn_rng_range(rng, 0, 1) : tn_rng_range(rng, 1, 60);
    s->v[DIM_T] = tn_rng_below(rng, 2) == 0 ? tn_rng_range(rng, 1, 300) : tn_rng_range(rng, 1, 1000000);
    s->v[DIM_H] = tn_rng_range(rng, 1, 4);
    s->v[DIM_DH] = tn_rng_below(rng, 2) == 0 ? 32 * tn_rng_range(rng, 1, 3) : 2 * tn_rng_range(rng, 1, 40);
}

static int tensors(const tn_shape *s, int pass, tn_tensor *t) {
    size_t R = (size_t)s->v[DIM_R], count = R * (size_t)(s->v[DIM_H] * s->v[DIM_DH]);
    t[T_OUT] = (tn_tensor){pass == FORWARD ? "y" : "dx", TN_F32, TN_OUT, count, 1e-6};
    t[T_IN] = (tn_tensor){pass == FORWARD ? "x" : "dy", TN_F32, TN_IN, count};
    t[T_ROWS] = (tn_tensor){"rows", TN_I32, TN_IN, R};
    return 3;
}

static void fill(tn_rng *rng, const tn_shape *s, int pass, tn_tensor *t) {
    (void)pass;
    for (int64_t r = 0; r < s->v[DIM_R]; r++)
        t[T_ROWS].i32[r] = (int32_t)tn_rng_below(rng, (uint32_t)(3 * s->v[DIM_T]));
}

static tn_status run(tn_device *dev, const tn_shape *shape, int pass, tn_tensor *t) {
    tn_rope_shape s = {shape->v[DIM_R], shape->v[DIM_T], shape->v[DIM_H], shape->v[DIM_DH], base};
    if (pass == FORWARD)
        return tn_rope_forward(dev, &s, t[T_OUT].buffer, t[T_IN].buffer, t[T_ROWS].buffer);
    return tn_rope_backward(dev, &s, t[T_OUT].buffer, t[T_IN].buffer, t[T_ROWS].buffer);
}

static void reference(const tn_shape *s, int pass, tn_tensor *t) {
    tn_rope_ref(s->v[DIM_R], s->v[DIM_T], s->v[DIM_H], s->v[DIM_DH], base, pass == FORWARD ? 1 : -1,
                t[T_OUT].f64, t[T_IN].f64, t[T_ROWS].i32);
}

static double element(const tn_shape *s, int pass, const tn_tensor *t, int out, size_t k) {
    int64_t Dh = s->v[DIM_DH], half = Dh / 2, d = (int64_t)k % Dh, r = (int64_t)k / (Dh * s->v[DIM_H]);
    const double *x = t[T_IN].f64 + ((int64_t)k - d);
    double angle =
        (double)(t[T_ROWS].i32[r] % s->v[DIM_T]) * pow(base, -2.0 * (double)(d % half) / (double)Dh);
    (void)out;
    angle = pass == FORWARD ? angle : -angle;
    return x[d] * cos(angle) + (d < half ? -x[d + half] : x[d - half]) * sin(angle);
}

static bool sees(const tn_shape *s, int pass, const tn_tensor *t, int out, size_t o, int in, size_t i) {
    size_t half_width = (size_t)s->v[DIM_DH] / 2;
    (void)pass, (void)t, (void)in;
    return out == TN_ANY_OUTPUT ||
           (o / half_width / 2 == i / half_width / 2 && o % half_width == i % half_width);
}

/* Four products and two additions a pair; sines are shared by the heads. */
static double flops(const tn_shape *s, int pass) {
    (void)pass;
    return 3 * (double)s->v[DIM_R] * (double)s->v[DIM_H] * (double)s->v[DIM_DH];
}

static double bytes(const tn_shape *s, int pass) {
    (void)pass;
    return 4 * (2 * (double)s->v[DIM_R] * (double)s->v[DIM_H] * (double)s->v[DIM_DH] + (double)s->v[DIM_R]);
}

static const char *const dims[] = {"R", "T", "H", "Dh", NULL};
static const char *const passes[] = {"forward", "backward", NULL};

static tn_status check(tn_context *ctx, const tn_shape *s) {
    return s->v[DIM_DH] % 2 || s->v[DIM_T] < 1 ? tn_fail(ctx, TN_ERR_ARG, "rope wants an even Dh and T ≥ 1")
                                               : TN_OK;
}

const tn_case tn_case_rope = {.op = "rope",
                              .dims = dims,
                              .passes = passes,
                              .draw = draw,
                              .check = check,
                              .tensors = tensors,
                              .fill = fill,
                              .run = run,
                              .reference = reference,
                              .element = element,
                              .sees = sees,
                              .flops = flops,
                              .bytes = bytes,
                              .has_gradient = true};
