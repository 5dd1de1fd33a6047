#include "case.h"

#include "grad_clip.h"
#include "grad_clip_ref.h"

enum { DIM_N, DIM_CLIPS };
/* tensors, in order */
enum { T_SCALE, T_NORM, T_G };

static void draw(tn_rng *rng, tn_shape *s) {
    s->v[DIM_N] = tn_rng_below(rng, 4) == 0 ? tn_rng_range(rng, 1, 40) : tn_rng_range(rng, 1, 60000);
    s->v[DIM_CLIPS] = tn_rng_below(rng, 2);
}

static int tensors(const tn_shape *s, int pass, tn_tensor *t) {
    (void)pass;
    t[T_SCALE] = (tn_tensor){"scale", TN_F32, TN_OUT, 1, 1e-6};
    t[T_NORM] = (tn_tensor){"norm", TN_F32, TN_OUT, 1, 1e-6};
    t[T_G] = (tn_tensor){"g", TN_F32, TN_IN, (size_t)s->v[DIM_N]};
    return 3;
}

/* The norm is about √n, far from either of these. */
static float max_norm(const tn_shape *s) {
    return s->v[DIM_CLIPS] ? 1e-3f : 1e4f;
}

static tn_status run(tn_device *dev, const tn_shape *s, int pass, tn_tensor *t) {
    (void)pass;
    return tn_grad_clip_forward(dev, s->v[DIM_N], max_norm(s), t[T_SCALE].buffer, t[T_NORM].buffer,
                                t[T_G].buffer);
}

static void reference(const tn_shape *s, int pass, tn_tensor *t) {
    (void)pass;
    tn_grad_clip_forward_ref(s->v[DIM_N], (double)max_norm(s), t[T_SCALE].f64, t[T_NORM].f64, t[T_G].f64);
}

static double flops(const tn_shape *s, int pass) {
    (void)pass;
    return 2 * (double)s->v[DIM_N];
}

static double bytes(const tn_shape *s, int pass) {
    (void)pass;
    return 4 * (double)s->v[DIM_N] + 8;
}

static const char *const dims[] = {"N", "clips", NULL};
static const char *const passes[] = {"forward", NULL};

const tn_case tn_case_grad_clip = {.op = "grad_clip",
                                   .dims = dims,
                                   .passes = passes,
                                   .draw = draw,
                                   .tensors = tensors,
                                   .run = run,
                                   .reference = reference,
                                   .flops = flops,
                                   .bytes = bytes};
