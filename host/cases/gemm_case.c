#include "case.h"

#include "gelu_ref.h"
#include "gemm.h"
#include "gemm_ref.h"

#include <math.h>

enum { DIM_M, DIM_N, DIM_K, DIM_EPILOGUE };
enum { NN, NT, TN_FORM, BIAS_BACKWARD };
enum { T_C, T_A, T_B, T_BIAS, T_ACT };
enum { T_DB, T_DY };
/* EPILOGUE bits */
enum { WITH_BIAS = 1, WITH_ADD = 2, WITH_GELU = 4, WITH_SLOPE = 8, GELU_ALONE = WITH_GELU | WITH_SLOPE };

static int gelu_of(const tn_shape *s) {
    return (int)(s->v[DIM_EPILOGUE] & GELU_ALONE);
}

static int64_t side(tn_rng *rng) {
    switch (tn_rng_below(rng, 4)) {
    case 0:
        return tn_rng_range(rng, 1, 5);
    case 1:
        return 32 * tn_rng_range(rng, 1, 5);
    default:
        return tn_rng_range(rng, 1, 140);
    }
}

static void draw(tn_rng *rng, tn_shape *s) {
    s->v[DIM_M] = side(rng);
    s->v[DIM_N] = side(rng);
    s->v[DIM_K] = tn_rng_below(rng, 5) == 0 ? tn_rng_range(rng, 500, 1300) : side(rng);
    static const int64_t epilogues[] = {0, 1, 2, 3, 4, 5, 8, 13};
    s->v[DIM_EPILOGUE] = epilogues[tn_rng_below(rng, 8)];
}

static tn_status check(tn_context *ctx, const tn_shape *s) {
    int64_t e = s->v[DIM_EPILOGUE];
    if (e <= 15 && !(gelu_of(s) && e & WITH_ADD) && !(gelu_of(s) == WITH_SLOPE && e & WITH_BIAS))
        return TN_OK;
    return tn_fail(
        ctx, TN_ERR_ARG,
        "gemm: epilogue is 0, or 1 with bias, 2 with add, 3 with both; 4 with gelu beside the product, 12 "
        "with gelu alone, 5 and 13 with bias too; 8 times the slope of gelu");
}

static int tensors(const tn_shape *s, int pass, tn_tensor *t) {
    size_t M = (size_t)s->v[DIM_M], N = (size_t)s->v[DIM_N], K = (size_t)s->v[DIM_K];
    bool bias = s->v[DIM_EPILOGUE] & WITH_BIAS, add = s->v[DIM_EPILOGUE] & WITH_ADD;
    if (pass == BIAS_BACKWARD) {
        t[T_DB] = (tn_tensor){"db", TN_F32, TN_OUT, N, 2e-6 + 1e-7 * sqrt((double)M)};
        t[T_DY] = (tn_tensor){"dy", TN_F32, TN_IN, M * N};
        return 2;
    }
    t[T_C] = (tn_tensor){"c", TN_F32, add ? TN_INOUT : TN_OUT, M * N, 2e-6 + 2e-7 * sqrt((double)K)};
    t[T_A] = (tn_tensor){"a", TN_F32, TN_IN, M * K};
    t[T_B] = (tn_tensor){"b", TN_F32, TN_IN, K * N};
    t[T_BIAS] = (tn_tensor){"bias", TN_F32, TN_IN, bias ? N : 0};
    t[T_ACT] = gelu_of(s) == WITH_GELU
                   ? (tn_tensor){"act", TN_F32, TN_OUT, M * N, t[T_C].tol + 4e-6}
                   : (tn_tensor){"at", TN_F32, TN_IN, gelu_of(s) == WITH_SLOPE ? M * N : 0};
    t[T_C].tol += gelu_of(s) ? 4e-6 : 0;
    return 5;
}

static tn_status run(tn_device *dev, const tn_shape *s, int pass, tn_tensor *t) {
    static const tn_gemm_form forms[] = {TN_GEMM_NN, TN_GEMM_NT, TN_GEMM_TN};
    if (pass == BIAS_BACKWARD)
        return tn_gemm_bias_backward(dev, s->v[DIM_M], s->v[DIM_N], t[T_DB].buffer, t[T_DY].buffer, NULL);
    tn_gemm_shape shape = {forms[pass], s->v[DIM_M], s->v[DIM_N], s->v[DIM_K]};
    if (gelu_of(s) == WITH_SLOPE)
        return tn_gemm_gelu_backward(dev, &shape, t[T_C].buffer, t[T_A].buffer, t[T_B].buffer,
                                     t[T_ACT].buffer);
    if (gelu_of(s))
        return tn_gemm_gelu_forward(dev, &shape, t[T_C].buffer,
                                    gelu_of(s) == GELU_ALONE ? t[T_C].buffer : t[T_ACT].buffer, t[T_A].buffer,
                                    t[T_B].buffer, NULL, t[T_BIAS].buffer);
    return tn_gemm_forward(dev, &shape, t[T_C].buffer, t[T_A].buffer, t[T_B].buffer, t[T_BIAS].buffer,
                           s->v[DIM_EPILOGUE] & WITH_ADD ? t[T_C].buffer : NULL);
}

static void reference(const tn_shape *s, int pass, tn_tensor *t) {
    int64_t count = s->v[DIM_M] * s->v[DIM_N];
    if (pass == BIAS_BACKWARD) {
        tn_gemm_bias_backward_ref(s->v[DIM_M], s->v[DIM_N], t[T_DB].f64, t[T_DY].f64);
        return;
    }
    tn_gemm_ref(pass == TN_FORM, pass == NT, s->v[DIM_M], s->v[DIM_N], s->v[DIM_K], t[T_C].f64, t[T_A].f64,
                t[T_B].f64, t[T_BIAS].f64, s->v[DIM_EPILOGUE] & WITH_ADD ? t[T_C].f64 : NULL);
    if (gelu_of(s) == WITH_SLOPE)
        tn_gelu_backward_ref(count, t[T_C].f64, t[T_C].f64, t[T_ACT].f64);
    else if (gelu_of(s))
        tn_gelu_forward_ref(count, gelu_of(s) == GELU_ALONE ? t[T_C].f64 : t[T_ACT].f64, t[T_C].f64);
}

static double element(const tn_shape *s, int pass, const tn_tensor *t, int out, size_t k) {
    size_t M = (size_t)s->v[DIM_M], N = (size_t)s->v[DIM_N], K = (size_t)s->v[DIM_K], m = k / N, n = k % N;
    double sum = 0;
    for (size_t i = 0; pass == BIAS_BACKWARD && i < M; i++)
        sum += t[T_DY].f64[i * N + k];
    if (pass == BIAS_BACKWARD)
        return sum;
    for (size_t i = 0; i < K; i++)
        sum += t[T_A].f64[pass == TN_FORM ? i * M + m : m * K + i] *
               t[T_B].f64[pass == NT ? n * K + i : i * N + n];
    if (s->v[DIM_EPILOGUE] & WITH_BIAS)
        sum += t[T_BIAS].f64[n];
    if (s->v[DIM_EPILOGUE] & WITH_ADD)
        sum += t[T_C].f64[k];
    if (gelu_of(s) == WITH_SLOPE)
        tn_gelu_backward_ref(1, &sum, &sum, &t[T_ACT].f64[k]);
    else if (gelu_of(s) == GELU_ALONE || out == T_ACT)
        tn_gelu_forward_ref(1, &sum, &sum);
    return sum;
}

static bool sees(const tn_shape *s, int pass, const tn_tensor *t, int out, size_t o, int in, size_t i) {
    size_t M = (size_t)s->v[DIM_M], N = (size_t)s->v[DIM_N], K = (size_t)s->v[DIM_K], m = o / N, n = o % N;
    (void)t;
    if (out == TN_ANY_OUTPUT)
        return true;
    if (pass == BIAS_BACKWARD)
        return o == i % N;
    return in == T_A   ? m == (pass == TN_FORM ? i % M : i / K)
           : in == T_B ? n == (pass == NT ? i / K : i % N)
                       : (in == T_BIAS ? n : o) == i;
}

static double flops(const tn_shape *s, int pass) {
    double M = (double)s->v[DIM_M], N = (double)s->v[DIM_N], K = (double)s->v[DIM_K];
    double extra = ((s->v[DIM_EPILOGUE] & WITH_BIAS) != 0) + ((s->v[DIM_EPILOGUE] & WITH_ADD) != 0);
    extra += gelu_of(s) ? 8 : 0;
    return pass == BIAS_BACKWARD ? M * N : 2 * M * N * K + extra * M * N;
}

static double bytes(const tn_shape *s, int pass) {
    double M = (double)s->v[DIM_M], N = (double)s->v[DIM_N], K = (double)s->v[DIM_K];
    bool bias = s->v[DIM_EPILOGUE] & WITH_BIAS, add = s->v[DIM_EPILOGUE] & WITH_ADD;
    bool both = gelu_of(s) == WITH_GELU || gelu_of(s) == WITH_SLOPE;
    return pass == BIAS_BACKWARD ? 4 * (M * N + N)
                                 : 4 * (M * K + K * N + M * N * (add || both ? 2 : 1) + (bias ? N : 0));
}

static const char *const dims[] = {"M", "N", "K", "epilogue", NULL};
static const char *const passes[] = {"nn", "nt", "tn", "bias_backward", NULL};

const tn_case tn_case_gemm = {.op = "gemm",
                              .dims = dims,
                              .passes = passes,
                              .draw = draw,
                              .check = check,
                              .tensors = tensors,
                              .run = run,
                              .reference = reference,
                              .element = element,
                              .sees = sees,
                              .flops = flops,
                              .bytes = bytes};
