#include "case.h"

#include "gelu.h"
#include "gelu_ref.h"

enum { FORWARD, BACKWARD };
/* tensors of the passes, in order */
enum { F_Y, F_X };
enum { B_DX, B_DY, B_X };

static void draw(tn_rng *rng, tn_shape *s) {
    static const int64_t most[] = {40, 9000, 9000, 40000};
    s->v[0] = tn_rng_range(rng, 1, most[tn_rng_below(rng, 4)]);
}

static int tensors(const tn_shape *s, int pass, tn_tensor *t) {
    size_t count = (size_t)s->v[0];
    if (pass == FORWARD) {
        t[F_Y] = (tn_tensor){"y", TN_F32, TN_OUT, count, 1e-6};
        t[F_X] = (tn_tensor){"x", TN_F32, TN_IN, count};
        return 2;
    }
    t[B_DX] = (tn_tensor){"dx", TN_F32, TN_OUT, count, 1e-6};
    t[B_DY] = (tn_tensor){"dy", TN_F32, TN_IN, count};
    t[B_X] = (tn_tensor){"x", TN_F32, TN_IN, count};
    return 3;
}

static void fill(tn_rng *rng, const tn_shape *s, int pass, tn_tensor *t) {
    (void)rng;
    double *x = t[pass == FORWARD ? F_X : B_X].f64;
    for (int64_t i = 0; i < s->v[0]; i++)
        x[i] *= i % 3 + 1;
}

static tn_status run(tn_device *dev, const tn_shape *s, int pass, tn_tensor *t) {
    if (pass == FORWARD)
        return tn_gelu_forward(dev, s->v[0], t[F_Y].buffer, t[F_X].buffer);
    return tn_gelu_backward(dev, s->v[0], t[B_DX].buffer, t[B_DY].buffer, t[B_X].buffer);
}

static void reference(const tn_shape *s, int pass, tn_tensor *t) {
    if (pass == FORWARD)
        tn_gelu_forward_ref(s->v[0], t[F_Y].f64, t[F_X].f64);
    else
        tn_gelu_backward_ref(s->v[0], t[B_DX].f64, t[B_DY].f64, t[B_X].f64);
}

static double element(const tn_shape *s, int pass, const tn_tensor *t, int out, size_t k) {
    double value;
    (void)s;
    (void)out;
    if (pass == FORWARD)
        tn_gelu_forward_ref(1, &value, t[F_X].f64 + k);
    else
        tn_gelu_backward_ref(1, &value, t[B_DY].f64 + k, t[B_X].f64 + k);
    return value;
}

static bool sees(const tn_shape *s, int pass, const tn_tensor *t, int out, size_t o, int in, size_t i) {
    (void)s, (void)pass, (void)t, (void)in;
    return out == TN_ANY_OUTPUT || o == i;
}

/* The cube, the quotient and an exponential counted as one operation. */
static double flops(const tn_shape *s, int pass) {
    return (double)s->v[0] * (pass == FORWARD ? 7 : 14);
}

static double bytes(const tn_shape *s, int pass) {
    return 4.0 * (double)s->v[0] * (pass == FORWARD ? 2 : 3);
}

static const char *const dims[] = {"N", NULL};
static const char *const passes[] = {"forward", "backward", NULL};

const tn_case tn_case_gelu = {.op = "gelu",
                              .dims = dims,
                              .passes = passes,
                              .draw = draw,
                              .tensors = tensors,
                              .fill = fill,
                              .run = run,
                              .reference = reference,
                              .element = element,
                              .sees = sees,
                              .flops = flops,
                              .bytes = bytes,
                              .has_gradient = true};
