#include "case.h"

#include "gelu_ref.h"
#include "mlp.h"
#include "mlp_ref.h"
#include "rms_norm_ref.h"

#include <math.h>
#include <stdlib.h>

enum { DIM_N, DIM_D, DIM_F };
enum { FORWARD, BACKWARD };
enum { T_X, T_W, T_W1, T_B1, T_W2, T_B2, F_Y, F_RSTD, F_UP, F_U, F_ACT, F_TENSORS };
enum { B_DY = F_Y, B_RSTD, B_UP, B_U, B_ACT, B_DX, B_DW, B_DW1, B_DB1, B_DW2, B_DB2, B_TENSORS };

static const double eps = 1e-5;

/* Widths of whole tiles more often than not, and now and then rows enough for several partial sums. */
static void draw(tn_rng *rng, tn_shape *s) {
    bool tiles = tn_rng_below(rng, 3) > 0;
    uint32_t kind = tn_rng_below(rng, 8);
    s->v[DIM_N] = kind == 0 ? 1 : kind == 1 ? tn_rng_range(rng, 1800, 2200) : tn_rng_range(rng, 1, 300);
    tiles = tiles || kind == 1;
    s->v[DIM_D] = tiles ? 32 * tn_rng_range(rng, 1, kind == 1 ? 1 : 3) : tn_rng_range(rng, 1, 70);
    s->v[DIM_F] = tiles ? 32 * tn_rng_range(rng, 1, kind == 1 ? 2 : 5) : tn_rng_range(rng, 1, 100);
}

static int tensors(const tn_shape *s, int pass, tn_tensor *t) {
    size_t N = (size_t)s->v[DIM_N], D = (size_t)s->v[DIM_D], F = (size_t)s->v[DIM_F];
    double wide = 4e-7 * sqrt((double)D) + 4e-7 * sqrt((double)F), tall = 3e-7 * sqrt((double)N);
    t[T_X] = (tn_tensor){"x", TN_F32, TN_IN, N * D};
    t[T_W] = (tn_tensor){"w", TN_F32, TN_IN, D};
    t[T_W1] = (tn_tensor){"w1", TN_F32, TN_IN, F * D};
    t[T_B1] = (tn_tensor){"b1", TN_F32, TN_IN, F};
    t[T_W2] = (tn_tensor){"w2", TN_F32, TN_IN, D * F};
    t[T_B2] = (tn_tensor){"b2", TN_F32, TN_IN, D};
    if (pass == FORWARD) {
        t[F_Y] = (tn_tensor){"y", TN_F32, TN_OUT, N * D, 4e-6 + wide};
        t[F_RSTD] = (tn_tensor){"rstd", TN_F32, TN_OUT, N, 2e-6};
        t[F_UP] = (tn_tensor){"up", TN_F32, TN_OUT, N * F, 3e-6 + wide};
        t[F_U] = (tn_tensor){"u", TN_F32, TN_WORK, N * D};
        t[F_ACT] = (tn_tensor){"act", TN_F32, TN_WORK, N * F};
        return F_TENSORS;
    }
    t[B_DY] = (tn_tensor){"dy", TN_F32, TN_IN, N * D};
    t[B_RSTD] = (tn_tensor){"rstd", TN_F32, TN_IN, N};
    t[B_UP] = (tn_tensor){"up", TN_F32, TN_IN, N * F};
    t[B_U] = (tn_tensor){"u", TN_F32, TN_IN, N * D, .derived = true};
    t[B_ACT] = (tn_tensor){"act", TN_F32, TN_IN, N * F, .derived = true};
    t[B_DX] = (tn_tensor){"dx", TN_F32, TN_OUT, N * D, 6e-6 + wide};
    t[B_DW] = (tn_tensor){"dw", TN_F32, TN_OUT, D, 1e-5 + wide + tall};
    t[B_DW1] = (tn_tensor){"dw1", TN_F32, TN_OUT, F * D, 8e-6 + wide + tall};
    t[B_DB1] = (tn_tensor){"db1", TN_F32, TN_OUT, F, 8e-6 + wide + tall};
    t[B_DW2] = (tn_tensor){"dw2", TN_F32, TN_OUT, D * F, 6e-6 + tall};
    t[B_DB2] = (tn_tensor){"db2", TN_F32, TN_OUT, D, 4e-6 + tall};
    return B_TENSORS;
}

/* Weights that keep what lies between near 1; what a forward pass leaves. Of a large shape `up` stays as
 * drawn, which is as good to a backward pass that takes it as given. */
static void fill(tn_rng *rng, const tn_shape *s, int pass, tn_tensor *t) {
    (void)rng;
    int64_t N = s->v[DIM_N], D = s->v[DIM_D], F = s->v[DIM_F];
    for (int64_t i = 0; i < F * D; i++) {
        t[T_W1].f64[i] /= sqrt((double)D);
        t[T_W2].f64[i] /= sqrt((double)F);
    }
    if (pass == FORWARD)
        return;
    bool large = (double)N * (double)D * (double)F > 1 << 24;
    double *y = calloc((size_t)(N * D), sizeof *y);
    if (large) {
        tn_rms_norm_forward_ref(N, D, eps, t[B_U].f64, t[B_RSTD].f64, t[T_X].f64, t[T_W].f64);
        tn_gelu_forward_ref(N * F, t[B_ACT].f64, t[B_UP].f64);
    }
    if (y && !large)
        tn_mlp_forward_ref(N, D, F, eps, y, t[B_RSTD].f64, t[B_UP].f64, t[B_U].f64, t[B_ACT].f64, t[T_X].f64,
                           t[T_W].f64, t[T_W1].f64, t[T_B1].f64, t[T_W2].f64, t[T_B2].f64);
    free(y);
}

static void derive(const tn_shape *s, int pass, tn_tensor *t) {
    int64_t D = s->v[DIM_D];
    if (pass == FORWARD)
        return;
    for (int64_t i = 0; i < s->v[DIM_N] * D; i++)
        t[B_U].f64[i] = t[T_X].f64[i] * t[B_RSTD].f64[i / D] * t[T_W].f64[i % D];
    tn_gelu_forward_ref(s->v[DIM_N] * s->v[DIM_F], t[B_ACT].f64, t[B_UP].f64);
}

/* Five tensors from `first` on. */
static tn_mlp_weights weights(const tn_tensor *first) {
    return (tn_mlp_weights){.norm = first[0].buffer,
                            .up = first[1].buffer,
                            .up_bias = first[2].buffer,
                            .down = first[3].buffer,
                            .down_bias = first[4].buffer};
}

static tn_status run(tn_device *dev, const tn_shape *shape, int pass, tn_tensor *t) {
    tn_mlp_shape s = {shape->v[DIM_N], shape->v[DIM_D], shape->v[DIM_F], (float)eps};
    tn_mlp_weights w = weights(t + T_W);
    if (pass == FORWARD) {
        tn_mlp_saved saved = {t[F_RSTD].buffer, t[F_UP].buffer, t[F_U].buffer, t[F_ACT].buffer};
        return tn_mlp_forward(dev, &s, false, t[F_Y].buffer, &saved, t[T_X].buffer, &w);
    }
    tn_mlp_saved saved = {t[B_RSTD].buffer, t[B_UP].buffer, t[B_U].buffer, t[B_ACT].buffer};
    tn_mlp_weights grads = weights(t + B_DW);
    return tn_mlp_backward(dev, &s, t[B_DX].buffer, &grads, t[B_DY].buffer, t[T_X].buffer, &w, &saved, NULL);
}

static void reference(const tn_shape *s, int pass, tn_tensor *t) {
    int64_t N = s->v[DIM_N], D = s->v[DIM_D], F = s->v[DIM_F];
    double *a = calloc((size_t)(N * D), sizeof *a), *b = calloc((size_t)(N * F), sizeof *b);
    if (a && b && pass == FORWARD)
        tn_mlp_forward_ref(N, D, F, eps, t[F_Y].f64, t[F_RSTD].f64, t[F_UP].f64, a, b, t[T_X].f64, t[T_W].f64,
                           t[T_W1].f64, t[T_B1].f64, t[T_W2].f64, t[T_B2].f64);
    else if (a && b)
        tn_mlp_backward_ref(N, D, F, t[B_DX].f64, t[B_DW].f64, t[B_DW1].f64, t[B_DB1].f64, t[B_DW2].f64,
                            t[B_DB2].f64, a, b, t[B_DY].f64, t[T_X].f64, t[T_W].f64, t[T_W1].f64, t[T_W2].f64,
                            t[B_RSTD].f64, t[B_UP].f64, t[B_U].f64, t[B_ACT].f64);
    free(a);
    free(b);
}

static double forward_element(const tn_shape *s, const tn_tensor *t, int out, int64_t k) {
    int64_t D = s->v[DIM_D], F = s->v[DIM_F], n = out == F_Y ? k / D : out == F_UP ? k / F : k;
    const double *x = t[T_X].f64 + n * D;
    double rstd = tn_rms_norm_rstd_ref(D, eps, x), sum = out == F_Y ? x[k % D] + t[T_B2].f64[k % D] : 0;
    if (out == F_RSTD)
        return rstd;
    for (int64_t f = out == F_UP ? k % F : 0; f < (out == F_UP ? k % F + 1 : F); f++) {
        double up = t[T_B1].f64[f];
        for (int64_t d = 0; d < D; d++)
            up += t[T_W1].f64[f * D + d] * x[d] * rstd * t[T_W].f64[d];
        if (out == F_UP)
            return up;
        tn_gelu_forward_ref(1, &up, &up);
        sum += t[T_W2].f64[k % D * F + f] * up;
    }
    return sum;
}

/* Gradient of up[n,f] for f from `from` on, `count` of them. */
static void dup_at(const tn_shape *s, const tn_tensor *t, int64_t n, int64_t from, int64_t count,
                   double *dup) {
    int64_t D = s->v[DIM_D], F = s->v[DIM_F];
    for (int64_t f = 0; f < count; f++)
        dup[f] = 0;
    for (int64_t d = 0; d < D; d++)
        for (int64_t f = 0; f < count; f++)
            dup[f] += t[B_DY].f64[n * D + d] * t[T_W2].f64[d * F + from + f];
    tn_gelu_backward_ref(count, dup, dup, t[B_UP].f64 + n * F + from);
}

/* Gradient of u[n,d] from that of all up[n]. */
static double du_at(const tn_shape *s, const tn_tensor *t, int64_t d, const double *dup) {
    double du = 0;
    for (int64_t f = 0; f < s->v[DIM_F]; f++)
        du += dup[f] * t[T_W1].f64[f * s->v[DIM_D] + d];
    return du;
}

static double dx_at(const tn_shape *s, const tn_tensor *t, int64_t n, int64_t d, double *dup) {
    int64_t D = s->v[DIM_D];
    const double *x = t[T_X].f64 + n * D;
    double mean = 0, mine = 0, rstd = t[B_RSTD].f64[n];
    dup_at(s, t, n, 0, s->v[DIM_F], dup);
    for (int64_t i = 0; i < D; i++) {
        double of_norm = t[T_W].f64[i] * du_at(s, t, i, dup);
        mean += of_norm * x[i] * rstd / (double)D;
        mine = i == d ? of_norm : mine;
    }
    return t[B_DY].f64[n * D + d] + rstd * (mine - x[d] * rstd * mean);
}

static double backward_element(const tn_shape *s, const tn_tensor *t, int out, int64_t k, double *dup) {
    int64_t D = s->v[DIM_D], F = s->v[DIM_F],
            rows = out == B_DW1 || out == B_DW2 ? (out == B_DW1 ? D : F) : 1;
    int64_t i = k / rows, j = k % rows; /* dw1 [F,D], dw2 [D,F] */
    double sum = 0;
    if (out == B_DX)
        return dx_at(s, t, k / D, k % D, dup);
    for (int64_t n = 0; n < s->v[DIM_N]; n++)
        if (out == B_DB2 || out == B_DW2) {
            sum += t[B_DY].f64[n * D + i] * (out == B_DW2 ? t[B_ACT].f64[n * F + j] : 1);
        } else if (out == B_DW) {
            dup_at(s, t, n, 0, F, dup);
            sum += du_at(s, t, i, dup) * t[T_X].f64[n * D + i] * t[B_RSTD].f64[n];
        } else {
            dup_at(s, t, n, i, 1, dup);
            sum += *dup * (out == B_DW1 ? t[B_U].f64[n * D + j] : 1);
        }
    return sum;
}

static double element(const tn_shape *s, int pass, const tn_tensor *t, int out, size_t k) {
    if (pass == FORWARD)
        return forward_element(s, t, out, (int64_t)k);
    double *dup = calloc((size_t)s->v[DIM_F], sizeof *dup);
    double value = dup ? backward_element(s, t, out, (int64_t)k, dup) : NAN;
    free(dup);
    return value;
}

static bool sees(const tn_shape *s, int pass, const tn_tensor *t, int out, size_t o, int in, size_t i) {
    size_t D = (size_t)s->v[DIM_D], F = (size_t)s->v[DIM_F];
    (void)t;
    if (out == TN_ANY_OUTPUT)
        return pass == FORWARD || (in != T_B1 && in != T_B2);
    if (pass == FORWARD) {
        size_t row = out == F_Y ? o / D : out == F_UP ? o / F : o;
        return in == T_X       ? row == i / D
               : out == F_RSTD ? false
               : out == F_UP   ? in == T_W || (in == T_W1 && i / D == o % F) || (in == T_B1 && i == o % F)
               : in == T_W2    ? i / F == o % D
                               : in != T_B2 || i == o % D;
    }
    /* u is x·rstd·w, act is gelu(up) */
    if (out == B_DX)
        return in == T_W || in == T_W1 || in == T_W2 ||
               o / D == (in == B_UP     ? i / F
                         : in == B_RSTD ? i
                                        : i / D);
    if (out == B_DW || out == B_DB2)
        return in == T_X || in == T_W1 || in == B_DY ? (out == B_DW && in == B_DY) || i % D == o
                                                     : out == B_DW && in != T_W;
    if (out == B_DW2)
        return (in == B_DY && i % D == o / F) || (in == B_UP && i % F == o % F);
    if (in == B_UP || in == T_W2)
        return i % F == (out == B_DB1 ? o : o / D);
    return in == B_DY || (out == B_DW1 && in != T_W1 && (in == B_RSTD || i % D == o % D));
}

/* Two products forward, four backward; norm and gelu an element. */
static double flops(const tn_shape *s, int pass) {
    double N = (double)s->v[DIM_N], D = (double)s->v[DIM_D], F = (double)s->v[DIM_F];
    return pass == FORWARD ? N * (4 * D * F + 5 * D + 8 * F) : N * (8 * D * F + 12 * D + 15 * F);
}

/* x, y and up; dy, x, up and dx; weights, backward without biases, and the gradients of all. */
static double bytes(const tn_shape *s, int pass) {
    double N = (double)s->v[DIM_N], D = (double)s->v[DIM_D], F = (double)s->v[DIM_F];
    double all = 2 * D * F + 2 * D + F, read = N == 0 ? 0 : pass == FORWARD ? all : 2 * D * F + D;
    return 4 * (N * (D * (pass == FORWARD ? 2 : 3) + F + 1) + read + (pass == FORWARD ? 0 : all));
}

static const char *const dims[] = {"N", "D", "F", NULL};
static const char *const passes[] = {"forward", "backward", NULL};

const tn_case tn_case_mlp = {.op = "mlp",
                             .dims = dims,
                             .passes = passes,
                             .draw = draw,
                             .tensors = tensors,
                             .fill = fill,
                             .derive = derive,
                             .run = run,
                             .reference = reference,
                             .element = element,
                             .sees = sees,
                             .flops = flops,
                             .bytes = bytes,
                             .has_gradient = true};
