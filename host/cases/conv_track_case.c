#include "case.h"

#include "causal_conv_ref.h"
#include "conv_track.h"
#include "conv_track_ref.h"
#include "rms_norm_ref.h"

#include <math.h>
#include <stdlib.h>

enum { DIM_B, DIM_T, DIM_D, DIM_K };
enum { FORWARD, BACKWARD };
enum { T_CONV, T_BIAS, T_OUT, SHARED };
enum { F_X = SHARED, F_NORM, F_ROUTER, F_RB, F_C, F_U, F_RSTD, F_P, F_H, F_S, F_TENSORS };
enum { B_DC = SHARED, B_U, B_S, B_DU, B_DCONV, B_DBIAS, B_DOUT, B_DS, B_TENSORS };

static const double eps = 1e-5, margin = 0.5;

/* Widths of whole tiles more often than not; now and then rows enough for several partial sums. */
static void draw(tn_rng *rng, tn_shape *s) {
    static const int64_t around[] = {1, 2, 3, 64, 127, 128, 129, 140, 256, 300};
    uint32_t kind = tn_rng_below(rng, 6);
    bool tiles = kind == 0 || tn_rng_below(rng, 3) > 0;
    s->v[DIM_T] = kind == 0  ? 32 << tn_rng_below(rng, 4)
                  : kind < 3 ? tn_rng_range(rng, 1, 40)
                             : around[tn_rng_below(rng, 10)];
    s->v[DIM_B] = kind == 0 ? tn_rng_range(rng, 2000, 2600) / s->v[DIM_T] + 1 : tn_rng_range(rng, 1, 4);
    s->v[DIM_D] = tiles ? 32 * tn_rng_range(rng, 1, kind == 0 ? 2 : 4) : tn_rng_range(rng, 1, 70);
    s->v[DIM_K] = tn_rng_below(rng, 3) == 0 ? tn_rng_range(rng, 1, 17) : 4;
}

static int tensors(const tn_shape *s, int pass, tn_tensor *t) {
    size_t N = (size_t)(s->v[DIM_B] * s->v[DIM_T]), D = (size_t)s->v[DIM_D], K = (size_t)s->v[DIM_K];
    double wide = 4e-7 * sqrt((double)D), tall = 3e-7 * sqrt((double)N);
    t[T_CONV] = (tn_tensor){"conv", TN_F32, TN_IN, D * K};
    t[T_BIAS] = (tn_tensor){"conv_bias", TN_F32, TN_IN, D};
    t[T_OUT] = (tn_tensor){"out", TN_F32, TN_IN, D * D};
    if (pass == FORWARD) {
        t[F_X] = (tn_tensor){"x", TN_F32, TN_IN, N * D};
        t[F_NORM] = (tn_tensor){"norm", TN_F32, TN_IN, D};
        t[F_ROUTER] = (tn_tensor){"router", TN_F32, TN_IN, D};
        t[F_RB] = (tn_tensor){"router_bias", TN_F32, TN_IN, 1};
        t[F_C] = (tn_tensor){"c", TN_F32, TN_OUT, N * D, 4e-6 + wide};
        t[F_U] = (tn_tensor){"u", TN_F32, TN_OUT, N * D, 2e-6};
        t[F_RSTD] = (tn_tensor){"rstd", TN_F32, TN_OUT, N, 2e-6};
        t[F_P] = (tn_tensor){"p", TN_F32, TN_OUT, N, 4e-6 + wide};
        t[F_H] = (tn_tensor){"h", TN_U8, TN_OUT, N};
        t[F_S] = (tn_tensor){"s", TN_F32, TN_WORK, N * D};
        return F_TENSORS;
    }
    t[B_DC] = (tn_tensor){"dc", TN_F32, TN_IN, N * D};
    t[B_U] = (tn_tensor){"u", TN_F32, TN_IN, N * D};
    t[B_S] = (tn_tensor){"s", TN_F32, TN_IN, N * D, .derived = true};
    t[B_DU] = (tn_tensor){"du", TN_F32, TN_OUT, N * D, 6e-6 + wide};
    t[B_DCONV] = (tn_tensor){"dconv", TN_F32, TN_OUT, D * K, 8e-6 + wide + tall};
    t[B_DBIAS] = (tn_tensor){"dconv_bias", TN_F32, TN_OUT, D, 8e-6 + wide + tall};
    t[B_DOUT] = (tn_tensor){"dout", TN_F32, TN_OUT, D * D, 6e-6 + tall};
    t[B_DS] = (tn_tensor){"ds", TN_F32, TN_WORK, N * D};
    return B_TENSORS;
}

/* Rows whose logit is so close to the margin that rounding could turn the decision are moved away. */
static void part_decisions(const tn_shape *s, tn_tensor *t, double *room) {
    int64_t N = s->v[DIM_B] * s->v[DIM_T], D = s->v[DIM_D], near = 1;
    double *u = room, *rstd = room + N * D;
    for (int attempt = 0; near > 0 && attempt < 50; attempt++) {
        near = 0;
        tn_rms_norm_forward_ref(N, D, eps, u, rstd, t[F_X].f64, t[F_NORM].f64);
        for (int64_t n = 0; n < N; n++) {
            double logit = *t[F_RB].f64;
            for (int64_t d = 0; d < D; d++)
                logit += t[F_ROUTER].f64[d] * u[n * D + d];
            if (fabs(logit - margin) > 1e-3)
                continue;
            t[F_X].f64[n * D + attempt % D] += 0.25;
            near++;
        }
    }
}

static void derive(const tn_shape *s, int pass, tn_tensor *t) {
    if (pass == BACKWARD)
        tn_causal_conv_forward_ref(s->v[DIM_B], s->v[DIM_T], s->v[DIM_D], s->v[DIM_K], 1, t[B_S].f64,
                                   t[B_U].f64, t[T_CONV].f64, t[T_BIAS].f64);
}

/* Weights that keep what lies between near 1; s is what the convolution gives of u. */
static void fill(tn_rng *rng, const tn_shape *s, int pass, tn_tensor *t) {
    int64_t N = s->v[DIM_B] * s->v[DIM_T], D = s->v[DIM_D], K = s->v[DIM_K];
    (void)rng;
    for (int64_t i = 0; i < D * D; i++)
        t[T_OUT].f64[i] /= sqrt((double)D);
    for (int64_t i = 0; i < D * K; i++)
        t[T_CONV].f64[i] /= sqrt((double)K);
    if (pass == BACKWARD) {
        derive(s, pass, t);
        return;
    }
    double *room = calloc((size_t)(N * D + N), sizeof *room);
    if (room)
        part_decisions(s, t, room);
    free(room);
}

static tn_conv_track_weights weights(const tn_tensor *t, const tn_tensor *first) {
    return (tn_conv_track_weights){
        .norm = t ? t[F_NORM].buffer : NULL,
        .router = t ? t[F_ROUTER].buffer : NULL,
        .router_bias = t ? t[F_RB].buffer : NULL,
        .conv = first[0].buffer,
        .conv_bias = first[1].buffer,
        .out = first[2].buffer,
    };
}

static tn_status run(tn_device *dev, const tn_shape *shape, int pass, tn_tensor *t) {
    tn_conv_track_shape s = {shape->v[DIM_B], shape->v[DIM_T], shape->v[DIM_D],
                             shape->v[DIM_K], (float)eps,      margin};
    tn_conv_track_weights w = weights(pass == FORWARD ? t : NULL, t + T_CONV);
    if (pass == FORWARD) {
        tn_conv_track_saved saved = {t[F_U].buffer, t[F_RSTD].buffer, t[F_S].buffer, t[F_P].buffer,
                                     t[F_H].buffer};
        return tn_conv_track_forward(dev, &s, false, t[F_C].buffer, &saved, t[F_X].buffer, &w, NULL);
    }
    tn_conv_track_saved saved = {.u = t[B_U].buffer, .s = t[B_S].buffer};
    tn_conv_track_weights grads = weights(NULL, t + B_DCONV);
    return tn_conv_track_backward(dev, &s, t[B_DU].buffer, &grads, t[B_DS].buffer, t[B_DC].buffer, &w, &saved,
                                  NULL);
}

static void reference(const tn_shape *shape, int pass, tn_tensor *t) {
    int64_t B = shape->v[DIM_B], T = shape->v[DIM_T], D = shape->v[DIM_D], K = shape->v[DIM_K];
    double *s = calloc((size_t)(B * T * D), sizeof *s);
    if (s && pass == FORWARD)
        tn_conv_track_forward_ref(B, T, D, K, eps, margin, t[F_C].f64, t[F_U].f64, t[F_RSTD].f64, s,
                                  t[F_P].f64, t[F_H].i32, t[F_X].f64, t[F_NORM].f64, t[F_ROUTER].f64,
                                  *t[F_RB].f64, t[T_CONV].f64, t[T_BIAS].f64, t[T_OUT].f64);
    else if (s)
        tn_conv_track_backward_ref(B, T, D, K, t[B_DU].f64, t[B_DCONV].f64, t[B_DBIAS].f64, t[B_DOUT].f64, s,
                                   t[B_DC].f64, t[B_U].f64, t[B_S].f64, t[T_CONV].f64, t[T_BIAS].f64,
                                   t[T_OUT].f64);
    free(s);
}

/* The convolution's z of row n, channel d, backward; forward from u as the norm makes it. */
static double z_at(const tn_shape *s, int pass, const tn_tensor *t, int64_t n, int64_t d) {
    int64_t T = s->v[DIM_T], D = s->v[DIM_D], K = s->v[DIM_K], p = n % T;
    const double *w = t[T_CONV].f64 + d * K;
    if (pass == BACKWARD)
        return tn_causal_conv_at_ref(p, D, K, t[B_U].f64 + (n - p) * D + d, w, t[T_BIAS].f64[d]);
    double z = t[T_BIAS].f64[d];
    for (int64_t j = 0; j < K && j <= p; j++)
        z += w[j] * t[F_X].f64[(n - j) * D + d] * t[F_NORM].f64[d] *
             tn_rms_norm_rstd_ref(D, eps, t[F_X].f64 + (n - j) * D);
    return z;
}

static double forward_element(const tn_shape *s, const tn_tensor *t, int out, int64_t k) {
    int64_t D = s->v[DIM_D], n = out == F_C || out == F_U ? k / D : k;
    double sum = *t[F_RB].f64, rstd = tn_rms_norm_rstd_ref(D, eps, t[F_X].f64 + n * D);
    if (out == F_RSTD)
        return rstd;
    if (out == F_U)
        return t[F_X].f64[k] * rstd * t[F_NORM].f64[k % D];
    if (out == F_C) {
        sum = 0;
        for (int64_t d = 0; d < D; d++) {
            double z = z_at(s, FORWARD, t, n, d);
            sum += t[T_OUT].f64[k % D * D + d] * z / (1 + exp(-z));
        }
        return sum;
    }
    for (int64_t d = 0; d < D; d++)
        sum += t[F_ROUTER].f64[d] * t[F_X].f64[n * D + d] * rstd * t[F_NORM].f64[d];
    return out == F_P ? 1 / (1 + exp(-sum)) : sum >= margin;
}

/* Gradient of z of row n, channel d. */
static double dz_at(const tn_shape *s, const tn_tensor *t, int64_t n, int64_t d) {
    int64_t D = s->v[DIM_D];
    double ds = 0;
    for (int64_t e = 0; e < D; e++)
        ds += t[B_DC].f64[n * D + e] * t[T_OUT].f64[e * D + d];
    return ds * tn_silu_slope_ref(z_at(s, BACKWARD, t, n, d));
}

static double element(const tn_shape *s, int pass, const tn_tensor *t, int out, size_t k) {
    int64_t T = s->v[DIM_T], N = s->v[DIM_B] * T, D = s->v[DIM_D], K = s->v[DIM_K], at = (int64_t)k;
    double sum = 0;
    if (pass == FORWARD)
        return forward_element(s, t, out, at);
    if (out == B_DU) {
        for (int64_t j = 0; j < K && at / D % T + j < T; j++)
            sum += t[T_CONV].f64[at % D * K + j] * dz_at(s, t, at / D + j, at % D);
        return sum;
    }
    for (int64_t n = 0; n < N; n++)
        if (out == B_DOUT)
            sum += t[B_DC].f64[n * D + at / D] * t[B_S].f64[n * D + at % D];
        else if (out == B_DBIAS)
            sum += dz_at(s, t, n, at);
        else if (n % T >= at % K)
            sum += dz_at(s, t, n, at / K) * t[B_U].f64[(n - at % K) * D + at / K];
    return sum;
}

static bool sees(const tn_shape *s, int pass, const tn_tensor *t, int out, size_t o, int in, size_t i) {
    int64_t T = s->v[DIM_T], D = s->v[DIM_D], K = s->v[DIM_K], a = (int64_t)o, b = (int64_t)i;
    int64_t ahead = a / D % T - b / D % T;
    (void)t;
    if (out == TN_ANY_OUTPUT)
        return true;
    bool near = a / D / T == b / D / T && ahead < K && ahead > -K;
    if (pass == FORWARD) {
        bool gate = out == F_P || out == F_H;
        if (in == F_X)
            return out == F_C ? near && ahead >= 0 : out == F_U ? a / D == b / D : a == b / D;
        if (in == F_NORM)
            return out == F_U ? a % D == b : out != F_RSTD;
        return in == F_ROUTER || in == F_RB ? gate : out == F_C && (in != T_OUT || a % D == b / D);
    }
    if (out == B_DOUT) /* s is what u gives */
        return in == B_DC                  ? a / D == b % D
               : in == B_U || in == T_BIAS ? a % D == b % D
                                           : in == T_CONV && a % D == b / K;
    int64_t channel = out == B_DU ? a % D : out == B_DCONV ? a / K : a;
    if (in == B_DC)
        return out != B_DU || (near && ahead <= 0);
    if (in == B_U && out == B_DU)
        return near && channel == b % D;
    return channel == (in == T_CONV ? b / K : b % D);
}

/* A product forward, two backward; a multiplication and an addition a tap, three times backward. */
static double flops(const tn_shape *s, int pass) {
    double B = (double)s->v[DIM_B], T = (double)s->v[DIM_T], D = (double)s->v[DIM_D];
    double tapped = 2 * B * D * tn_causal_conv_taps_ref(T, (double)s->v[DIM_K]);
    return pass == FORWARD ? B * T * D * (2 * D + 10) + tapped : B * T * D * (4 * D + 10) + 3 * tapped;
}

/* x read, u and c written, p, h and rstd beside them; dc and u read, du written; weights. */
static double bytes(const tn_shape *s, int pass) {
    double N = (double)(s->v[DIM_B] * s->v[DIM_T]), D = (double)s->v[DIM_D], K = (double)s->v[DIM_K];
    double all = D * D + D * (K + 1), T = (double)s->v[DIM_T],
           read = N > 0 ? D * D + D * (fmin(T, K) + 1) : 0;
    return pass == FORWARD ? 4 * (N * (3 * D + 2) + read + 2 * D) + N : 4 * (3 * N * D + read + all);
}

static const char *const dims[] = {"B", "T", "D", "K", NULL};
static const char *const passes[] = {"forward", "backward", NULL};

/* No finite differences: gradients end at u, which is no input. tests/test_conv_track.c has them. */
const tn_case tn_case_conv_track = {.op = "conv_track",
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
                                    .bytes = bytes};
