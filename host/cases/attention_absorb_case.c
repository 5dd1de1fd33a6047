#include "case.h"

#include "attention_absorb.h"
#include "attention_absorb_ref.h"

enum { DIM_H, DIM_DH };
enum { FORWARD, BACKWARD };
/* tensors of the passes, in order */
enum { F_MQ, F_MO, F_WQ, F_WK, F_WV, F_WO };
enum { B_DWQ, B_DWK, B_DWV, B_DWO, B_DMQ, B_DMO, B_WQ, B_WK, B_WV, B_WO };

static void draw(tn_rng *rng, tn_shape *s) {
    s->v[DIM_H] = tn_rng_range(rng, 1, 4);
    s->v[DIM_DH] = 4 * tn_rng_range(rng, 1, tn_rng_below(rng, 3) == 0 ? 20 : 8);
    if (tn_rng_below(rng, 4) == 0) { /* an odd head width, four heads */
        s->v[DIM_H] = 4;
        s->v[DIM_DH] = tn_rng_range(rng, 1, 17);
    }
}

static tn_status check(tn_context *ctx, const tn_shape *s) {
    if (s->v[DIM_H] >= 1 && s->v[DIM_DH] >= 1 && s->v[DIM_H] * s->v[DIM_DH] % 4 == 0)
        return TN_OK;
    return tn_fail(ctx, TN_ERR_ARG, "attention_absorb: H and Dh at least 1, H·Dh a multiple of 4");
}

static int tensors(const tn_shape *s, int pass, tn_tensor *t) {
    size_t H = (size_t)s->v[DIM_H], D = H * (size_t)s->v[DIM_DH];
    static const char *const weights[] = {"wq", "wk", "wv", "wo"};
    static const char *const gradients[] = {"dwq", "dwk", "dwv", "dwo"};
    if (pass == FORWARD) {
        t[F_MQ] = (tn_tensor){"mq", TN_F32, TN_OUT, H * D * D, 4e-6};
        t[F_MO] = (tn_tensor){"mo", TN_F32, TN_OUT, H * D * D, 4e-6};
        for (int i = 0; i < 4; i++)
            t[F_WQ + i] = (tn_tensor){weights[i], TN_F32, TN_IN, D * D};
        return 6;
    }
    for (int i = 0; i < 4; i++) {
        t[B_DWQ + i] = (tn_tensor){gradients[i], TN_F32, TN_OUT, D * D, 6e-6};
        t[B_WQ + i] = (tn_tensor){weights[i], TN_F32, TN_IN, D * D};
    }
    t[B_DMQ] = (tn_tensor){"dmq", TN_F32, TN_IN, H * D * D};
    t[B_DMO] = (tn_tensor){"dmo", TN_F32, TN_IN, H * D * D};
    return 10;
}

static tn_status run(tn_device *dev, const tn_shape *shape, int pass, tn_tensor *t) {
    tn_attention_absorb_shape s = {shape->v[DIM_H], shape->v[DIM_DH]};
    if (pass == FORWARD)
        return tn_attention_absorb_forward(dev, &s, t[F_MQ].buffer, t[F_MO].buffer, t[F_WQ].buffer,
                                           t[F_WK].buffer, t[F_WV].buffer, t[F_WO].buffer);
    return tn_attention_absorb_backward(dev, &s, t[B_DWQ].buffer, t[B_DWK].buffer, t[B_DWV].buffer,
                                        t[B_DWO].buffer, t[B_DMQ].buffer, t[B_DMO].buffer, t[B_WQ].buffer,
                                        t[B_WK].buffer, t[B_WV].buffer, t[B_WO].buffer);
}

static void reference(const tn_shape *s, int pass, tn_tensor *t) {
    int64_t H = s->v[DIM_H], Dh = s->v[DIM_DH];
    if (pass == FORWARD)
        tn_attention_absorb_forward_ref(H, Dh, t[F_MQ].f64, t[F_MO].f64, t[F_WQ].f64, t[F_WK].f64,
                                        t[F_WV].f64, t[F_WO].f64);
    else
        tn_attention_absorb_backward_ref(H, Dh, t[B_DWQ].f64, t[B_DWK].f64, t[B_DWV].f64, t[B_DWO].f64,
                                         t[B_DMQ].f64, t[B_DMO].f64, t[B_WQ].f64, t[B_WK].f64, t[B_WV].f64,
                                         t[B_WO].f64);
}

static double element(const tn_shape *s, int pass, const tn_tensor *t, int out, size_t k) {
    size_t Dh = (size_t)s->v[DIM_DH], H = (size_t)s->v[DIM_H], D = H * Dh, x = k / D, y = k % D;
    double sum = 0;
    if (pass == FORWARD) { /* mq [H,D,D], mo [D,H,D] */
        size_t h = out == F_MQ ? x / D : x % H, i = out == F_MQ ? x % D : x / H;
        for (size_t j = h * Dh; j < (h + 1) * Dh; j++)
            sum += out == F_MQ ? t[F_WK].f64[j * D + i] * t[F_WQ].f64[j * D + y]
                               : t[F_WO].f64[i * D + j] * t[F_WV].f64[j * D + y];
        return sum;
    }
    size_t h = (out == B_DWO ? y : x) / Dh; /* dwo is [D, H·Dh], the others [H·Dh, D] */
    const double *dmq = t[B_DMQ].f64 + h * D * D, *dmo = t[B_DMO].f64 + h * D;
    for (size_t i = 0; i < D; i++)
        sum += out == B_DWK   ? dmq[y * D + i] * t[B_WQ].f64[x * D + i]
               : out == B_DWQ ? dmq[i * D + y] * t[B_WK].f64[x * D + i]
               : out == B_DWO ? dmo[x * H * D + i] * t[B_WV].f64[y * D + i]
                              : dmo[i * H * D + y] * t[B_WO].f64[i * D + x];
    return sum;
}

static bool sees(const tn_shape *s, int pass, const tn_tensor *t, int out, size_t o, int in, size_t i) {
    size_t D = (size_t)(s->v[DIM_H] * s->v[DIM_DH]), Dh = (size_t)s->v[DIM_DH], row = i / D, column = i % D;
    (void)t;
    if (out == TN_ANY_OUTPUT)
        return true;
    if (pass == FORWARD && out == F_MQ) /* [H·D,D]: row h·D + i sees column i of a head's rows of wk */
        return (in == F_WQ || in == F_WK) && row / Dh == o / D / D &&
               column == (in == F_WQ ? o % D : o / D % D);
    if (pass == FORWARD) /* [D,H·D] */
        return in == F_WV ? row / Dh == o % (D * D / Dh) / D && column == o % D
                          : in == F_WO && row == o / (D * D / Dh) && column / Dh == o % (D * D / Dh) / D;
    size_t unit = out == B_DWO ? o % D : o / D, other = out == B_DWO ? o / D : o % D; /* h·Dh + j; of D */
    if (in == B_DMQ)                                                                  /* [H·D,D] */
        return row / D == unit / Dh && (out == B_DWQ ? column == other : out == B_DWK && row % D == other);
    if (in == B_DMO) /* [D,H·D] */
        return i % (D * D / Dh) / D == unit / Dh &&
               (out == B_DWO ? i / (D * D / Dh) == other : out == B_DWV && column == other);
    return out == B_DWQ   ? in == B_WK && row == unit
           : out == B_DWK ? in == B_WQ && row == unit
           : out == B_DWV ? in == B_WO && column == unit
                          : in == B_WV && row == unit;
}

/* forward: D·D sums of Dh products for each head, twice; backward: twice that. */
static double flops(const tn_shape *s, int pass) {
    double D = (double)(s->v[DIM_H] * s->v[DIM_DH]);
    return 4 * D * D * D * (pass == FORWARD ? 1 : 2);
}

static double bytes(const tn_shape *s, int pass) {
    double D = (double)(s->v[DIM_H] * s->v[DIM_DH]), H = (double)s->v[DIM_H];
    return 4 * D * D * (pass == FORWARD ? 4 + 2 * H : 8 + 2 * H);
}

static const char *const dims[] = {"H", "Dh", NULL};
static const char *const passes[] = {"forward", "backward", NULL};

const tn_case tn_case_attention_absorb = {.op = "attention_absorb",
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
                                          .bytes = bytes,
                                          .has_gradient = true};
