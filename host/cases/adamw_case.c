#include "case.h"

#include "adamw.h"
#include "adamw_ref.h"

enum { DIM_N, DIM_DECAY, DIM_T };
/* tensors, in order */
enum { T_P, T_M, T_V, T_G, T_SCALE };

/* A learning rate far above any real one, so that the update shows in p. */
static const double lr = 0.1, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0.1;

static void draw(tn_rng *rng, tn_shape *s) {
    s->v[DIM_N] = tn_rng_below(rng, 4) == 0 ? tn_rng_range(rng, 1, 20) : tn_rng_range(rng, 1, 5000);
    s->v[DIM_DECAY] =
        tn_rng_below(rng, 4) == 0 ? tn_rng_below(rng, 2) * s->v[DIM_N] : tn_rng_range(rng, 0, s->v[DIM_N]);
    s->v[DIM_T] = tn_rng_below(rng, 2) == 0 ? 1 : tn_rng_range(rng, 1, 5000);
}

static tn_status check(tn_context *ctx, const tn_shape *s) {
    return s->v[DIM_DECAY] > s->v[DIM_N] || s->v[DIM_T] < 1
               ? tn_fail(ctx, TN_ERR_ARG, "adamw wants decay ≤ N and t ≥ 1")
               : TN_OK;
}

static int tensors(const tn_shape *s, int pass, tn_tensor *t) {
    (void)pass;
    size_t n = (size_t)s->v[DIM_N];
    t[T_P] = (tn_tensor){"p", TN_F32, TN_INOUT, n, 1e-6};
    t[T_M] = (tn_tensor){"m", TN_F32, TN_INOUT, n, 1e-6};
    t[T_V] = (tn_tensor){"v", TN_F32, TN_INOUT, n, 1e-6};
    t[T_G] = (tn_tensor){"g", TN_F32, TN_IN, n};
    t[T_SCALE] = (tn_tensor){"grad_scale", TN_F32, TN_IN, 1};
    return 5;
}

/* Moments as updates leave them: v at least as large as m² can be, zero at the first update; some gradients
 * zero. */
static void fill(tn_rng *rng, const tn_shape *s, int pass, tn_tensor *t) {
    (void)pass;
    for (int64_t i = 0; i < s->v[DIM_N]; i++) {
        double m = t[T_M].f64[i], first = s->v[DIM_T] == 1;
        t[T_M].f64[i] = first ? 0 : 0.3 * m;
        t[T_V].f64[i] = first ? 0 : m * m * (0.1 + tn_rng_uniform(rng));
        if (tn_rng_below(rng, 8) == 0)
            t[T_G].f64[i] = 0;
    }
    t[T_SCALE].f64[0] = tn_rng_below(rng, 2) ? 1 : tn_rng_uniform(rng) + 0.01;
}

static tn_status run(tn_device *dev, const tn_shape *shape, int pass, tn_tensor *t) {
    (void)pass;
    tn_adamw_shape s = {shape->v[DIM_N], shape->v[DIM_DECAY], lr, beta1, beta2, eps,
                        weight_decay,    shape->v[DIM_T]};
    return tn_adamw_forward(dev, &s, t[T_P].buffer, t[T_M].buffer, t[T_V].buffer, t[T_G].buffer,
                            t[T_SCALE].buffer);
}

static void reference(const tn_shape *s, int pass, tn_tensor *t) {
    (void)pass;
    tn_adamw_settings_ref o = {lr, beta1, beta2, eps, weight_decay, t[T_SCALE].f64[0], s->v[DIM_T]};
    tn_adamw_forward_ref(s->v[DIM_N], s->v[DIM_DECAY], &o, t[T_P].f64, t[T_M].f64, t[T_V].f64, t[T_G].f64);
}

static bool sees(const tn_shape *s, int pass, const tn_tensor *t, int out, size_t o, int in, size_t i) {
    (void)s, (void)pass, (void)t;
    return out == TN_ANY_OUTPUT || in == T_SCALE || (o == i && (in == T_G || in == out || out == T_P));
}

static double flops(const tn_shape *s, int pass) {
    (void)pass;
    return 14 * (double)s->v[DIM_N] + (double)s->v[DIM_DECAY];
}

/* p, m, v read and written, g read */
static double bytes(const tn_shape *s, int pass) {
    (void)pass;
    return 28 * (double)s->v[DIM_N];
}

static const char *const dims[] = {"N", "decay", "t", NULL};
static const char *const passes[] = {"forward", NULL};

const tn_case tn_case_adamw = {.op = "adamw",
                               .dims = dims,
                               .passes = passes,
                               .draw = draw,
                               .check = check,
                               .tensors = tensors,
                               .fill = fill,
                               .run = run,
                               .reference = reference,
                               .sees = sees,
                               .flops = flops,
                               .bytes = bytes};
