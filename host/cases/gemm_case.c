#include "case.h"

#include "gemm.h"
#include "gemm_ref.h"

#include <math.h>

enum { DIM_M, DIM_N, DIM_K, DIM_EPILOGUE };
enum { NN, NT, TN_FORM, BIAS_BACKWARD };
enum { T_C, T_A, T_B, T_BIAS };
enum { T_DB, T_DY };
/* EPILOGUE bits */
enum { WITH_BIAS = 1, WITH_ADD = 2 };

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
    s->v[DIM_EPILOGUE] = (int64_t)tn_rng_below(rng, 4);
}

static tn_status check(tn_context *ctx, const tn_shape *s) {
    if (s->v[DIM_EPILOGUE] > 3)
        return tn_fail(ctx, TN_ERR_ARG, "gemm: epilogue is 0, or 1 with bias, 2 with add, 3 with both");
    return TN_OK;
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
    return 4;
}

static tn_status run(tn_device *dev, const tn_shape *s, int pass, tn_tensor *t) {
    static const tn_gemm_form forms[] = {TN_GEMM_NN, TN_GEMM_NT, TN_GEMM_TN};
    if (pass == BIAS_BACKWARD)
        return tn_gemm_bias_backward(dev, s->v[DIM_M], s->v[DIM_N], t[T_DB].buffer, t[T_DY].buffer);
    tn_gemm_shape shape = {forms[pass], s->v[DIM_M], s->v[DIM_N], s->v[DIM_K]};
    return tn_gemm_forward(dev, &shape, t[T_C].buffer, t[T_A].buffer, t[T_B].buffer, t[T_BIAS].buffer,
                           s->v[DIM_EPILOGUE] & WITH_ADD ? t[T_C].buffer : NULL);
}

static void reference(const tn_shape *s, int pass, tn_tensor *t) {
    if (pass == BIAS_BACKWARD)
        tn_gemm_bias_backward_ref(s->v[DIM_M], s->v[DIM_N], t[T_DB].f64, t[T_DY].f64);
    else
        tn_gemm_ref(pass == TN_FORM, pass == NT, s->v[DIM_M], s->v[DIM_N], s->v[DIM_K], t[T_C].f64,
                    t[T_A].f64, t[T_B].f64, t[T_BIAS].f64, s->v[DIM_EPILOGUE] & WITH_ADD ? t[T_C].f64 : NULL);
}

static double flops(const tn_shape *s, int pass) {
    double M = (double)s->v[DIM_M], N = (double)s->v[DIM_N], K = (double)s->v[DIM_K];
    double extra = ((s->v[DIM_EPILOGUE] & WITH_BIAS) != 0) + ((s->v[DIM_EPILOGUE] & WITH_ADD) != 0);
    return pass == BIAS_BACKWARD ? M * N : 2 * M * N * K + extra * M * N;
}

static double bytes(const tn_shape *s, int pass) {
    double M = (double)s->v[DIM_M], N = (double)s->v[DIM_N], K = (double)s->v[DIM_K];
    bool bias = s->v[DIM_EPILOGUE] & WITH_BIAS, add = s->v[DIM_EPILOGUE] & WITH_ADD;
    return pass == BIAS_BACKWARD ? 4 * (M * N + N)
                                 : 4 * (M * K + K * N + M * N * (add ? 2 : 1) + (bias ? N : 0));
}

static const char *const dims[] = {"M", "N", "K", "epilogue", NULL};
static const char *const passes[] = {"nn", "nt", "tn", "bias_backward", NULL};

static const tn_case_tunable tunables[] = {
    TN_TUNABLE("VW", "lanes of a vector", 4, 8, 16),
    TN_TUNABLE("NV", "vectors side by side in a tile", 1, 2),
    TN_TUNABLE("TM", "rows of a tile", 1, 2, 4, 6, 8, 12),
    TN_TUNABLE("TILES", "tiles of a work-item, one below the other, at most", 1, 2, 4, 8, 16),
    TN_TUNABLE("COPY_A", "1: an item copies its rows of A side by side first", 0, 1),
    TN_TUNABLE("KC", "k of a block, with COPY_A", 128, 256, 512),
    TN_TUNABLE("CACHE", "KiB of B that stay near a unit, with COPY_A", 256, 512, 1024, 2048),
    TN_TUNABLE_LOCAL,
    {NULL},
};

const tn_case tn_case_gemm = {.op = "gemm",
                              .dims = dims,
                              .passes = passes,
                              .draw = draw,
                              .check = check,
                              .tensors = tensors,
                              .run = run,
                              .reference = reference,
                              .flops = flops,
                              .bytes = bytes,
                              .tunables = tunables};
