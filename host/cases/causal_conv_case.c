#include "case.h"

#include "causal_conv.h"
#include "causal_conv_ref.h"

#include <math.h>

enum { DIM_B, DIM_T, DIM_D, DIM_K, DIM_SILU };
enum { FORWARD, BACKWARD };
/* tensors of the passes, in order */
enum { F_Y, F_U, F_W, F_B };
enum { B_DU, B_DW, B_DB, B_DY, B_U, B_W, B_B };

static void draw(tn_rng *rng, tn_shape *s) {
    s->v[DIM_B] = tn_rng_range(rng, 1, 4);
    /* around the tile sizes too: 32 and 128 positions */
    int64_t around[] = {1, 2, 31, 33, 127, 128, 129, 260};
    s->v[DIM_T] = tn_rng_below(rng, 3) == 0 ? tn_rng_range(rng, 1, 40) : around[tn_rng_below(rng, 8)];
    s->v[DIM_D] = tn_rng_below(rng, 2) == 0 ? 16 * tn_rng_range(rng, 1, 12) : tn_rng_range(rng, 1, 70);
    uint32_t taps = tn_rng_below(rng, 24);
    s->v[DIM_K] = taps == 0 ? 33 : taps < 8 ? tn_rng_range(rng, 1, 7) : 4;
    s->v[DIM_SILU] = tn_rng_below(rng, 4) != 0;
}

static int tensors(const tn_shape *s, int pass, tn_tensor *t) {
    size_t D = (size_t)s->v[DIM_D], N = (size_t)(s->v[DIM_B] * s->v[DIM_T]) * D,
           taps = D * (size_t)s->v[DIM_K];
    if (pass == FORWARD) {
        t[F_Y] = (tn_tensor){"y", TN_F32, TN_OUT, N, 2e-6};
        t[F_U] = (tn_tensor){"u", TN_F32, TN_IN, N};
        t[F_W] = (tn_tensor){"w", TN_F32, TN_IN, taps};
        t[F_B] = (tn_tensor){"b", TN_F32, TN_IN, D};
        return 4;
    }
    t[B_DU] = (tn_tensor){"du", TN_F32, TN_INOUT, N, 3e-6};
    t[B_DW] = (tn_tensor){"dw", TN_F32, TN_OUT, taps, 4e-6};
    t[B_DB] = (tn_tensor){"db", TN_F32, TN_OUT, D, 4e-6};
    t[B_DY] = (tn_tensor){"dy", TN_F32, TN_IN, N};
    t[B_U] = (tn_tensor){"u", TN_F32, TN_IN, N};
    t[B_W] = (tn_tensor){"w", TN_F32, TN_IN, taps};
    t[B_B] = (tn_tensor){"b", TN_F32, TN_IN, D};
    return 7;
}

static tn_status run(tn_device *dev, const tn_shape *shape, int pass, tn_tensor *t) {
    tn_causal_conv_shape s = {shape->v[DIM_B], shape->v[DIM_T], shape->v[DIM_D], shape->v[DIM_K],
                              (int)shape->v[DIM_SILU]};
    if (pass == FORWARD)
        return tn_causal_conv_forward(dev, &s, t[F_Y].buffer, t[F_U].buffer, t[F_W].buffer, t[F_B].buffer);
    return tn_causal_conv_backward(dev, &s, t[B_DU].buffer, t[B_DW].buffer, t[B_DB].buffer, t[B_DY].buffer,
                                   t[B_U].buffer, t[B_W].buffer, t[B_B].buffer, t[B_DU].buffer, NULL);
}

static void reference(const tn_shape *s, int pass, tn_tensor *t) {
    if (pass == FORWARD)
        tn_causal_conv_forward_ref(s->v[DIM_B], s->v[DIM_T], s->v[DIM_D], s->v[DIM_K], (int)s->v[DIM_SILU],
                                   t[F_Y].f64, t[F_U].f64, t[F_W].f64, t[F_B].f64);
    else
        tn_causal_conv_backward_ref(s->v[DIM_B], s->v[DIM_T], s->v[DIM_D], s->v[DIM_K], (int)s->v[DIM_SILU],
                                    t[B_DU].f64, t[B_DW].f64, t[B_DB].f64, t[B_DY].f64, t[B_U].f64,
                                    t[B_W].f64, t[B_B].f64);
}

/* dz of position p of sequence b, channel d. */
static double dz_at(const tn_shape *s, const tn_tensor *t, int64_t b, int64_t p, int64_t d) {
    int64_t T = s->v[DIM_T], D = s->v[DIM_D], K = s->v[DIM_K];
    double dy = t[B_DY].f64[(b * T + p) * D + d];
    return s->v[DIM_SILU] ? dy * tn_silu_slope_ref(tn_causal_conv_at_ref(p, D, K, t[B_U].f64 + b * T * D + d,
                                                                         t[B_W].f64 + d * K, t[B_B].f64[d]))
                          : dy;
}

static bool sees(const tn_shape *s, int pass, const tn_tensor *t, int out, size_t o, int in, size_t i) {
    int64_t T = s->v[DIM_T], D = s->v[DIM_D], K = s->v[DIM_K], a = (int64_t)o, b = (int64_t)i;
    bool silu = s->v[DIM_SILU] != 0;
    (void)t;
    if (out == TN_ANY_OUTPUT)
        return pass == FORWARD || silu || in != B_B;
    if (pass == FORWARD) {
        int64_t at = a / D % T, back = at - b / D % T;
        return in == F_U   ? a / D / T == b / D / T && a % D == b % D && back >= 0 && back < K
               : in == F_W ? a % D == b / K && b % K <= at
                           : a % D == b;
    }
    int64_t channel = out == B_DU ? a % D : out == B_DW ? a / K : a;
    if (channel != (in == B_W ? b / K : b % D))
        return false;
    if (in == B_W || in == B_B)
        return silu || (in == B_W && out == B_DU);
    int64_t ahead = b / D % T - a / D % T;
    bool near = a / D / T == b / D / T && ahead < K && ahead > (in == B_U ? -K : -1);
    return out == B_DU  ? (in == B_DU ? a == b : near && (in == B_DY || silu))
           : in == B_DY ? out == B_DB || b / D % T >= a % K
                        : in == B_U && (silu || out == B_DW);
}

static double element(const tn_shape *s, int pass, const tn_tensor *t, int out, size_t k) {
    int64_t B = s->v[DIM_B], T = s->v[DIM_T], D = s->v[DIM_D], K = s->v[DIM_K], at = (int64_t)k;
    if (pass == FORWARD) {
        double z = tn_causal_conv_at_ref(at / D % T, D, K, t[F_U].f64 + at / D / T * T * D + at % D,
                                         t[F_W].f64 + at % D * K, t[F_B].f64[at % D]);
        return s->v[DIM_SILU] ? z / (1 + exp(-z)) : z;
    }
    if (out == B_DU) {
        int64_t d = at % D, p = at / D % T, b = at / D / T;
        double sum = t[B_DU].f64[k];
        for (int64_t j = 0; j < K && p + j < T; j++)
            sum += t[B_W].f64[d * K + j] * dz_at(s, t, b, p + j, d);
        return sum;
    }
    int64_t d = out == B_DW ? at / K : at, j = out == B_DW ? at % K : 0;
    double sum = 0;
    for (int64_t b = 0; b < B; b++)
        for (int64_t p = j; p < T; p++)
            sum += dz_at(s, t, b, p, d) * (out == B_DW ? t[B_U].f64[(b * T + p - j) * D + d] : 1);
    return sum;
}

/* A multiplication and an addition a tap: once forward; backward for du, dw and, where it is activated, z. */
static double flops(const tn_shape *s, int pass) {
    double all = (double)s->v[DIM_B] * (double)s->v[DIM_D] *
                 tn_causal_conv_taps_ref((double)s->v[DIM_T], (double)s->v[DIM_K]);
    return 2 * all * (pass == FORWARD ? 1 : s->v[DIM_SILU] ? 3 : 2);
}

/* forward: u read, y written; backward: dy, u and du read, du written; beside them the taps that a sequence
 * reaches, and the gradients of all. */
static double bytes(const tn_shape *s, int pass) {
    double D = (double)s->v[DIM_D], T = (double)s->v[DIM_T], K = (double)s->v[DIM_K];
    double N = (double)s->v[DIM_B] * T * D,
           reached = D * ((T < K ? T : K) + (pass == FORWARD || s->v[DIM_SILU]));
    return 4 * (N * (pass == FORWARD ? 2 : 4) + reached + (pass == FORWARD ? 0 : D * (K + 1)));
}

static const char *const dims[] = {"B", "T", "D", "K", "silu", NULL};
static const char *const passes[] = {"forward", "backward", NULL};

const tn_case tn_case_causal_conv = {.op = "causal_conv",
                                     .dims = dims,
                                     .passes = passes,
                                     .draw = draw,
                                     .tensors = tensors,
                                     .run = run,
                                     .reference = reference,
                                     .element = element,
                                     .sees = sees,
                                     .flops = flops,
                                     .bytes = bytes,
                                     .has_gradient = true};
