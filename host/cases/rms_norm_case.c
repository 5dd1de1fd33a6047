#include "case.h"

#include "rms_norm.h"
#include "rms_norm_ref.h"

#include <string.h>

enum { DIM_N, DIM_D };
enum { FORWARD, BACKWARD };
/* tensors of the passes, in order */
enum { F_Y, F_RSTD, F_X, F_W };
enum { B_DX, B_DW, B_DY, B_X, B_W, B_RSTD };

static const float eps = 1e-5f;

static void draw(tn_rng *rng, tn_shape *s) {
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
        t[F_Y] = (tn_tensor){"y", TN_F32, TN_OUT, N * D, 4e-6};
        t[F_RSTD] = (tn_tensor){"rstd", TN_F32, TN_OUT, N, 4e-6};
        t[F_X] = (tn_tensor){"x", TN_F32, TN_IN, N * D};
        t[F_W] = (tn_tensor){"w", TN_F32, TN_IN, D};
        return 4;
    }
    t[B_DX] = (tn_tensor){"dx", TN_F32, TN_INOUT, N * D, 8e-6};
    t[B_DW] = (tn_tensor){"dw", TN_F32, TN_OUT, D, 8e-6};
    t[B_DY] = (tn_tensor){"dy", TN_F32, TN_IN, N * D};
    t[B_X] = (tn_tensor){"x", TN_F32, TN_IN, N * D};
    t[B_W] = (tn_tensor){"w", TN_F32, TN_IN, D};
    t[B_RSTD] = (tn_tensor){"rstd", TN_F32, TN_IN, N};
    return 6;
}

static void fill(tn_rng *rng, const tn_shape *s, int pass, tn_tensor *t) {
    (void)rng;
    if (pass == FORWARD)
        return;
    for (int64_t n = 0; n < s->v[DIM_N]; n++)
        t[B_RSTD].f64[n] = tn_rms_norm_rstd_ref(s->v[DIM_D], eps, t[B_X].f64 + n * s->v[DIM_D]);
}

static tn_status run(tn_device *dev, const tn_shape *shape, int pass, tn_tensor *t) {
    tn_rms_norm_shape s = {shape->v[DIM_N], shape->v[DIM_D], eps};
    if (pass == FORWARD)
        return tn_rms_norm_forward(dev, &s, t[F_Y].buffer, t[F_RSTD].buffer, t[F_X].buffer, t[F_W].buffer);
    return tn_rms_norm_backward(dev, &s, t[B_DX].buffer, t[B_DW].buffer, t[B_DY].buffer, t[B_X].buffer,
                                t[B_W].buffer, t[B_RSTD].buffer, t[B_DX].buffer, NULL);
}

static void reference(const tn_shape *s, int pass, tn_tensor *t) {
    if (pass == FORWARD)
        tn_rms_norm_forward_ref(s->v[DIM_N], s->v[DIM_D], eps, t[F_Y].f64, t[F_RSTD].f64, t[F_X].f64,
                                t[F_W].f64);
    else
        tn_rms_norm_backward_ref(s->v[DIM_N], s->v[DIM_D], t[B_DX].f64, t[B_DW].f64, t[B_DY].f64, t[B_X].f64,
                                 t[B_W].f64, t[B_RSTD].f64);
}

static bool sees(const tn_shape *s, int pass, const tn_tensor *t, int out, size_t o, int in, size_t i) {
    size_t D = (size_t)s->v[DIM_D];
    (void)t;
    if (out == TN_ANY_OUTPUT)
        return true;
    if (pass == FORWARD)
        return in == F_X ? (out == F_Y ? o / D : o) == i / D : out == F_Y && o % D == i;
    if (out == B_DW)
        return in == B_RSTD || ((in == B_DY || in == B_X) && i % D == o);
    return in == B_DX ? o == i : in == B_W || o / D == (in == B_RSTD ? i : i / D);
}

/* forward: square, add, two products an element; backward: about ten. */
static double flops(const tn_shape *s, int pass) {
    return (double)s->v[DIM_N] * (double)s->v[DIM_D] * (pass == FORWARD ? 4 : 10);
}

/* forward: x read, y written; backward: dy, x and dx read, dx written. Weights and rstd are small beside
 * them. */
static double bytes(const tn_shape *s, int pass) {
    double N = (double)s->v[DIM_N], D = (double)s->v[DIM_D];
    return 4 * (N * D * (pass == FORWARD ? 2 : 4) + N + D * (pass == FORWARD ? 1 : 2));
}

static const char *const dims[] = {"N", "D", NULL};
static const char *const passes[] = {"forward", "backward", NULL};

const tn_case tn_case_rms_norm = {.op = "rms_norm",
                                  .dims = dims,
                                  .passes = passes,
                                  .draw = draw,
                                  .tensors = tensors,
                                  .fill = fill,
                                  .run = run,
                                  .reference = reference,
                                  .sees = sees,
                                  .flops = flops,
                                  .bytes = bytes,
                                  .has_gradient = true};
