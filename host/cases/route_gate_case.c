#include "case.h"

#include "route_gate.h"
#include "route_gate_ref.h"

#include <math.h>

enum { DIM_N, DIM_D, DIM_MARGIN, DIM_PRICED };
enum { FORWARD, BACKWARD };
enum { F_P, F_H, F_U, F_W, F_B };
enum { B_DU, B_DW, B_DB, B_DP, B_P, B_U, B_W, B_B, B_PRICED };

static const double penalty = 0.125; /* dp_const; a power of two, exact in float */

static double least_slope(const tn_shape *s) {
    return s->v[DIM_MARGIN] ? 0.125 : 0;
}

static void draw(tn_rng *rng, tn_shape *s) {
    s->v[DIM_MARGIN] = (int64_t)tn_rng_below(rng, 2);
    s->v[DIM_PRICED] = (int64_t)tn_rng_below(rng, 2);
    s->v[DIM_N] = tn_rng_below(rng, 4) == 0 ? 1 : tn_rng_range(rng, 1, 300);
    s->v[DIM_D] = tn_rng_below(rng, 2) == 0 ? 16 * tn_rng_range(rng, 1, 9) : tn_rng_range(rng, 1, 150);
    if (tn_rng_below(rng, 8) == 0) { /* wider than what a work-group keeps of a row */
        s->v[DIM_N] = tn_rng_range(rng, 1, 9);
        s->v[DIM_D] = tn_rng_range(rng, 130, 1300);
    }
}

static int tensors(const tn_shape *s, int pass, tn_tensor *t) {
    size_t N = (size_t)s->v[DIM_N], D = (size_t)s->v[DIM_D];
    if (pass == FORWARD) {
        t[F_P] = (tn_tensor){"p", TN_F32, TN_OUT, N, 2e-6 + 4e-7 * sqrt((double)D)};
        t[F_H] = (tn_tensor){"h", TN_U8, TN_OUT, N};
        t[F_U] = (tn_tensor){"u", TN_F32, TN_IN, N * D};
        t[F_W] = (tn_tensor){"w", TN_F32, TN_IN, D};
        t[F_B] = (tn_tensor){"b", TN_F32, TN_IN, 1};
        return 5;
    }
    t[B_DU] = (tn_tensor){"du", TN_F32, TN_INOUT, N * D, 2e-6};
    t[B_DW] = (tn_tensor){"dw", TN_F32, TN_OUT, D, 8e-6, 1e-6};
    t[B_DB] = (tn_tensor){"db", TN_F32, TN_OUT, 1, 8e-6, 4e-6};
    t[B_DP] = (tn_tensor){"dp", TN_F32, TN_IN, N};
    t[B_P] = (tn_tensor){"p", TN_F32, TN_IN, N};
    t[B_U] = (tn_tensor){"u", TN_F32, TN_IN, N * D};
    t[B_W] = (tn_tensor){"w", TN_F32, TN_IN, D};
    t[B_B] = (tn_tensor){"b", TN_F32, TN_IN, 1};
    t[B_PRICED] = (tn_tensor){"priced", TN_U8, TN_IN, N};
    return 9;
}

/* Rows whose logit is so small that rounding could turn the decision are moved away from 0. */
static void fill(tn_rng *rng, const tn_shape *s, int pass, tn_tensor *t) {
    int64_t D = s->v[DIM_D];
    double *u = t[pass == FORWARD ? F_U : B_U].f64, *w = t[pass == FORWARD ? F_W : B_W].f64;
    double *b = t[pass == FORWARD ? F_B : B_B].f64;
    for (int64_t n = 0; n < s->v[DIM_N]; n++)
        for (int attempt = 0; attempt < 50; attempt++) {
            double logit = b[0];
            for (int64_t d = 0; d < D; d++)
                logit += w[d] * u[n * D + d];
            if (pass == BACKWARD)
                t[B_P].f64[n] = 1 / (1 + exp(-logit));
            if (fabs(logit - (double)s->v[DIM_MARGIN]) > 1e-3)
                break;
            u[n * D] += 0.25;
        }
    for (int64_t n = 0; pass == BACKWARD && n < s->v[DIM_N]; n++)
        t[B_PRICED].i32[n] = (int32_t)tn_rng_below(rng, 2);
}

static tn_status run(tn_device *dev, const tn_shape *shape, int pass, tn_tensor *t) {
    tn_route_gate_shape s = {shape->v[DIM_N], shape->v[DIM_D]};
    if (pass == FORWARD)
        return tn_route_gate_forward(dev, &s, t[F_P].buffer, t[F_H].buffer, t[F_U].buffer, t[F_W].buffer,
                                     t[F_B].buffer, (double)shape->v[DIM_MARGIN]);
    return tn_route_gate_backward(dev, &s, t[B_DU].buffer, t[B_DW].buffer, t[B_DB].buffer, t[B_DP].buffer,
                                  penalty, least_slope(shape),
                                  shape->v[DIM_PRICED] ? t[B_PRICED].buffer : NULL, t[B_P].buffer,
                                  t[B_U].buffer, t[B_W].buffer, t[B_DU].buffer, NULL);
}

static void reference(const tn_shape *s, int pass, tn_tensor *t) {
    if (pass == FORWARD)
        tn_route_gate_forward_ref(s->v[DIM_N], s->v[DIM_D], t[F_P].f64, t[F_H].i32, t[F_U].f64, t[F_W].f64,
                                  *t[F_B].f64, (double)s->v[DIM_MARGIN]);
    else
        tn_route_gate_backward_ref(
            s->v[DIM_N], s->v[DIM_D], t[B_DU].f64, t[B_DW].f64, t[B_DB].f64, t[B_DP].f64, penalty,
            least_slope(s), s->v[DIM_PRICED] ? t[B_PRICED].i32 : NULL, t[B_P].f64, t[B_U].f64, t[B_W].f64);
}

static bool sees(const tn_shape *s, int pass, const tn_tensor *t, int out, size_t o, int in, size_t i) {
    size_t D = (size_t)s->v[DIM_D];
    (void)t;
    if (out == TN_ANY_OUTPUT)
        return pass == FORWARD || (in != B_B && in != B_PRICED);
    if (pass == FORWARD)
        return in != F_U || o == i / D;
    if (out == B_DU)
        return in == B_DU  ? o == i
               : in == B_W ? o % D == i
                           : in != B_U && in != B_PRICED && in != B_B && o / D == i;
    return in == B_DP || in == B_P || (out == B_DW && in == B_U && o == i % D);
}

static double flops(const tn_shape *s, int pass) {
    return (double)s->v[DIM_N] * (2.0 * (double)s->v[DIM_D] * (pass == FORWARD ? 1 : 2) + 4);
}

static double bytes(const tn_shape *s, int pass) {
    double N = (double)s->v[DIM_N], D = (double)s->v[DIM_D];
    return pass == FORWARD ? 4 * (N * D + D + N) + N : 4 * (3 * N * D + 2 * N + 2 * D);
}

static const char *const dims[] = {"N", "D", "margin", "priced", NULL};
static const char *const passes[] = {"forward", "backward", NULL};

/* No finite differences: dp_const is the gradient of a penalty that is no output. tests/test_route_gate.c has
 * them. */
const tn_case tn_case_route_gate = {.op = "route_gate",
                                    .dims = dims,
                                    .passes = passes,
                                    .draw = draw,
                                    .tensors = tensors,
                                    .fill = fill,
                                    .run = run,
                                    .reference = reference,
                                    .sees = sees,
                                    .flops = flops,
                                    .bytes = bytes};
