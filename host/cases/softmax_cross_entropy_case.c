#include "case.h"

#include "softmax_cross_entropy.h"
#include "softmax_cross_entropy_ref.h"

#include <math.h>

enum { DIM_L, DIM_V };
enum { FORWARD, BACKWARD };
/* tensors of the passes, in order; dloss is 1 and feeds the gradient check */
enum { F_LOSS, F_LSE, F_PREDICTED, F_LOGITS, F_LABELS };
enum { B_DLOGITS, B_DLOSS, B_LOGITS, B_LABELS, B_LSE };

static void draw(tn_rng *rng, tn_shape *s) {
    s->v[DIM_L] = tn_rng_below(rng, 4) == 0 ? 1 : tn_rng_range(rng, 1, 60);
    s->v[DIM_V] = tn_rng_below(rng, 2) == 0 ? 16 * tn_rng_range(rng, 1, 20) : tn_rng_range(rng, 1, 300);
}

static int tensors(const tn_shape *s, int pass, tn_tensor *t) {
    size_t L = (size_t)s->v[DIM_L], V = (size_t)s->v[DIM_V];
    if (pass == FORWARD) {
        t[F_LOSS] = (tn_tensor){"loss", TN_F32, TN_OUT, L, 2e-6};
        t[F_LSE] = (tn_tensor){"lse", TN_F32, TN_OUT, L, 2e-6};
        t[F_PREDICTED] = (tn_tensor){"predicted", TN_I32, TN_OUT, L};
        t[F_LOGITS] = (tn_tensor){"logits", TN_F32, TN_IN, L * V};
        t[F_LABELS] = (tn_tensor){"labels", TN_I32, TN_IN, L};
        return 5;
    }
    t[B_DLOGITS] = (tn_tensor){"dlogits", TN_F32, TN_OUT, L * V, 4e-6};
    t[B_DLOSS] = (tn_tensor){"dloss", TN_F32, TN_IN, L};
    t[B_LOGITS] = (tn_tensor){"logits", TN_F32, TN_IN, L * V};
    t[B_LABELS] = (tn_tensor){"labels", TN_I32, TN_IN, L};
    t[B_LSE] = (tn_tensor){"lse", TN_F32, TN_IN, L};
    return 5;
}

/* Logits rounded to eighths, so that the largest is often shared: the first of them must be predicted. Far
 * from zero in some rows: only differences count. */
static void fill(tn_rng *rng, const tn_shape *s, int pass, tn_tensor *t) {
    int64_t L = s->v[DIM_L], V = s->v[DIM_V];
    double *logits = t[pass == FORWARD ? F_LOGITS : B_LOGITS].f64;
    int32_t *labels = t[pass == FORWARD ? F_LABELS : B_LABELS].i32;
    for (int64_t l = 0; l < L; l++) {
        labels[l] = tn_rng_below(rng, 4) == 0 ? -1 : (int32_t)tn_rng_below(rng, (uint32_t)V);
        for (int64_t v = 0; v < V; v++)
            logits[l * V + v] = round(16 * logits[l * V + v]) / 8 + (l % 5 == 4 ? -300 : 0);
    }
    if (pass == FORWARD)
        return;
    for (int64_t l = 0; l < L; l++)
        t[B_DLOSS].f64[l] = 1;
    /* dlogits holds loss and prediction for a moment: only lse is wanted. V ≥ 1, so there is room. */
    double *loss = t[B_DLOGITS].f64;
    for (int64_t l = 0; l < L; l++) {
        int32_t predicted;
        tn_softmax_cross_entropy_forward_ref(1, V, loss + l, t[B_LSE].f64 + l, &predicted, logits + l * V,
                                             labels + l);
    }
}

static tn_status run(tn_device *dev, const tn_shape *shape, int pass, tn_tensor *t) {
    tn_softmax_cross_entropy_shape s = {shape->v[DIM_L], shape->v[DIM_V]};
    if (pass == FORWARD)
        return tn_softmax_cross_entropy_forward(dev, &s, t[F_LOSS].buffer, t[F_LSE].buffer,
                                                t[F_PREDICTED].buffer, t[F_LOGITS].buffer,
                                                t[F_LABELS].buffer);
    return tn_softmax_cross_entropy_backward(dev, &s, t[B_DLOGITS].buffer, t[B_LOGITS].buffer,
                                             t[B_LABELS].buffer, t[B_LSE].buffer, 1.0f);
}

static void reference(const tn_shape *s, int pass, tn_tensor *t) {
    if (pass == FORWARD)
        tn_softmax_cross_entropy_forward_ref(s->v[DIM_L], s->v[DIM_V], t[F_LOSS].f64, t[F_LSE].f64,
                                             t[F_PREDICTED].i32, t[F_LOGITS].f64, t[F_LABELS].i32);
    else
        tn_softmax_cross_entropy_backward_ref(s->v[DIM_L], s->v[DIM_V], t[B_DLOGITS].f64, t[B_LOGITS].f64,
                                              t[B_LABELS].i32, t[B_LSE].f64, 1);
}

static double element(const tn_shape *s, int pass, const tn_tensor *t, int out, size_t k) {
    int64_t V = s->v[DIM_V];
    double loss, lse;
    int32_t predicted;
    if (pass == BACKWARD) {
        int32_t label = t[B_LABELS].i32[(int64_t)k / V];
        return label < 0 ? 0
                         : exp(t[B_LOGITS].f64[k] - t[B_LSE].f64[(int64_t)k / V]) - ((int64_t)k % V == label);
    }
    tn_softmax_cross_entropy_forward_ref(1, V, &loss, &lse, &predicted, t[F_LOGITS].f64 + (int64_t)k * V,
                                         t[F_LABELS].i32 + k);
    return out == F_LOSS ? loss : out == F_LSE ? lse : predicted;
}

static bool sees(const tn_shape *s, int pass, const tn_tensor *t, int out, size_t o, int in, size_t i) {
    size_t V = (size_t)s->v[DIM_V], row = in == B_LSE ? i : i / V;
    if (pass == FORWARD)
        return out == TN_ANY_OUTPUT || (o == row && (out != F_LOSS || t[F_LABELS].i32[row] >= 0));
    return in != B_DLOSS && t[B_LABELS].i32[row] >= 0 &&
           (out == TN_ANY_OUTPUT || (in == B_LSE ? o / V == i : o == i));
}

/* forward: comparison, subtraction, exponential, addition; backward: two subtractions, exponential, product.
 */
static double flops(const tn_shape *s, int pass) {
    (void)pass;
    return 4 * (double)s->v[DIM_L] * (double)s->v[DIM_V];
}

static double bytes(const tn_shape *s, int pass) {
    double L = (double)s->v[DIM_L], V = (double)s->v[DIM_V];
    return 4 * (pass == FORWARD ? L * V + 4 * L : 2 * L * V + 2 * L);
}

/* The gradient of a row without a label is zero, whatever its logits are. */
static void least(const tn_shape *s, int pass, const tn_tensor *t, double *flops, double *bytes) {
    double V = (double)s->v[DIM_V], labelled = 0;
    for (size_t l = 0; pass == BACKWARD && l < t[B_LABELS].count; l++)
        labelled += t[B_LABELS].i32[l] >= 0;
    if (pass == FORWARD)
        return;
    *flops = labelled * (3 * V + 1);
    *bytes = 4 * ((double)s->v[DIM_L] * (V + 1) + labelled * (V + 1));
}

static const char *const dims[] = {"L", "V", NULL};
static const char *const passes[] = {"forward", "backward", NULL};

const tn_case tn_case_softmax_cross_entropy = {.op = "softmax_cross_entropy",
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
                                               .least = least,
                                               .has_gradient = true};
