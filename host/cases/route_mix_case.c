#include "case.h"

#include "route_mix.h"
#include "route_mix_ref.h"

#include <math.h>

/* R rows are routed; form 0: soft; 1: hard with o for every row; 2: hard with o for the routed rows;
 * 3: the same, forward where y holds res + c already; 4: so, and h has not all that are listed; 5 to 9: the
 * same, o added to c */
enum { DIM_N, DIM_D, DIM_R, DIM_FORM };
enum { FORWARD, BACKWARD };
enum { SOFT, HARD_ALL, HARD_LIST, HARD_FEW, HARD_SOME, FORMS };

static int form(const tn_shape *s) {
    return (int)(s->v[DIM_FORM] % FORMS);
}

static bool added(const tn_shape *s) {
    return s->v[DIM_FORM] >= FORMS;
}
enum { F_Y, F_RES, F_C, F_O, F_P, F_H, F_SLOT, F_ROWS };
enum { B_DC, B_DO, B_DP, B_DY, B_C, B_O, B_P, B_H, B_SLOT };

static void draw(tn_rng *rng, tn_shape *s) {
    int64_t N = tn_rng_below(rng, 5) == 0 ? 1 : tn_rng_range(rng, 1, 200);
    uint32_t kind = tn_rng_below(rng, 4);
    s->v[DIM_N] = N;
    s->v[DIM_D] = tn_rng_below(rng, 2) ? 16 * tn_rng_range(rng, 1, 8) : tn_rng_range(rng, 1, 100);
    s->v[DIM_R] = kind == 0 ? 0 : kind == 1 ? N : tn_rng_range(rng, 0, N);
    s->v[DIM_FORM] = (int64_t)tn_rng_below(rng, 2 * FORMS);
    if (tn_rng_below(rng, 8) == 0) /* wider than what a work-group takes at once */
        s->v[DIM_D] = tn_rng_range(rng, 130, 600);
}

static tn_status check(tn_context *ctx, const tn_shape *s) {
    if (s->v[DIM_R] > s->v[DIM_N] || s->v[DIM_FORM] >= 2 * FORMS)
        return tn_fail(
            ctx, TN_ERR_ARG,
            "route_mix: R is at most N; form is 0 soft, 1 hard, 2 hard with a list, 3 the listed rows alone, "
            "4 some of them; 5 to 9 the same, o added to c");
    return TN_OK;
}

static int tensors(const tn_shape *s, int pass, tn_tensor *t) {
    size_t N = (size_t)s->v[DIM_N], D = (size_t)s->v[DIM_D], list = form(s) >= HARD_LIST ? N : 0;
    size_t R = list ? (size_t)s->v[DIM_R] : N;
    if (pass == FORWARD) {
        bool few = form(s) >= HARD_FEW;
        t[F_Y] = (tn_tensor){"y", TN_F32, few ? TN_INOUT : TN_OUT, N * D, 4e-7, .derived = few};
        t[F_RES] = (tn_tensor){"res", TN_F32, TN_IN, N * D};
        t[F_C] = (tn_tensor){"c", TN_F32, TN_IN, N * D};
        t[F_O] = (tn_tensor){"o", TN_F32, TN_IN, R * D};
        t[F_P] = (tn_tensor){"p", TN_F32, TN_IN, N};
        t[F_H] = (tn_tensor){"h", TN_U8, TN_IN, N};
        t[F_SLOT] = (tn_tensor){"slot", TN_I32, TN_IN, list};
        t[F_ROWS] = (tn_tensor){"rows", TN_I32, TN_IN, few ? R : 0};
        return 8;
    }
    t[B_DC] = (tn_tensor){"dc", TN_F32, TN_OUT, N * D, 4e-7};
    t[B_DO] = (tn_tensor){"do", TN_F32, TN_OUT, R * D, 4e-7};
    t[B_DP] = (tn_tensor){"dp", TN_F32, TN_OUT, N, 2e-6 + 2e-7 * sqrt((double)D), 1e-6};
    t[B_DY] = (tn_tensor){"dy", TN_F32, TN_IN, N * D};
    t[B_C] = (tn_tensor){"c", TN_F32, TN_IN, N * D};
    t[B_O] = (tn_tensor){"o", TN_F32, TN_IN, R * D};
    t[B_P] = (tn_tensor){"p", TN_F32, TN_IN, N};
    t[B_H] = (tn_tensor){"h", TN_U8, TN_IN, N};
    t[B_SLOT] = (tn_tensor){"slot", TN_I32, TN_IN, list};
    return 9;
}

static void derive(const tn_shape *s, int pass, tn_tensor *t) {
    for (int64_t i = 0; pass == FORWARD && form(s) >= HARD_FEW && i < s->v[DIM_N] * s->v[DIM_D]; i++)
        t[F_Y].f64[i] = (double)((float)t[F_RES].f64[i] + (float)t[F_C].f64[i]);
}

static void fill(tn_rng *rng, const tn_shape *s, int pass, tn_tensor *t) {
    int64_t N = s->v[DIM_N], R = s->v[DIM_R], r = 0;
    tn_tensor *p = &t[pass == FORWARD ? F_P : B_P], *h = &t[pass == FORWARD ? F_H : B_H];
    tn_tensor *slot = &t[pass == FORWARD ? F_SLOT : B_SLOT];
    for (int64_t n = 0; n < N; n++) {
        bool routed = r < R && tn_rng_uniform(rng) * (double)(N - n) < (double)(R - r);
        p->f64[n] = 1 / (1 + exp(-p->f64[n]));
        h->i32[n] = routed && (form(s) != HARD_SOME || tn_rng_below(rng, 3) > 0);
        if (slot->count)
            slot->i32[n] = routed ? (int32_t)r : -1;
        if (pass == FORWARD && routed && t[F_ROWS].count)
            t[F_ROWS].i32[r] = (int32_t)n;
        r += routed;
    }
    derive(s, pass, t);
}

static tn_status run(tn_device *dev, const tn_shape *shape, int pass, tn_tensor *t) {
    bool list = form(shape) >= HARD_LIST;
    tn_route_mix_shape s = {.N = shape->v[DIM_N],
                            .D = shape->v[DIM_D],
                            .R = list ? shape->v[DIM_R] : shape->v[DIM_N],
                            .hard = form(shape) != SOFT,
                            .added = added(shape)};
    if (pass == FORWARD && form(shape) >= HARD_FEW)
        return tn_route_mix_few(dev, &s, t[F_Y].buffer, t[F_RES].buffer, t[F_O].buffer, t[F_P].buffer,
                                t[F_ROWS].buffer, form(shape) == HARD_SOME ? t[F_H].buffer : NULL);
    if (pass == FORWARD)
        return tn_route_mix_forward(dev, &s, t[F_Y].buffer, t[F_RES].buffer, t[F_C].buffer, t[F_O].buffer,
                                    t[F_P].buffer, t[F_H].buffer, t[F_SLOT].buffer);
    return tn_route_mix_backward(dev, &s, t[B_DC].buffer, t[B_DO].buffer, t[B_DP].buffer, t[B_DY].buffer,
                                 t[B_C].buffer, t[B_O].buffer, t[B_P].buffer, t[B_H].buffer,
                                 t[B_SLOT].buffer);
}

static void reference(const tn_shape *s, int pass, tn_tensor *t) {
    bool hard = form(s) != SOFT;
    if (pass == FORWARD)
        tn_route_mix_forward_ref(s->v[DIM_N], s->v[DIM_D], hard, added(s), t[F_Y].f64, t[F_RES].f64,
                                 t[F_C].f64, t[F_O].f64, t[F_P].f64, t[F_H].i32, t[F_SLOT].i32);
    else
        tn_route_mix_backward_ref(s->v[DIM_N], s->v[DIM_D], hard, added(s), t[B_DC].f64, t[B_DO].f64,
                                  t[B_DP].f64, t[B_DY].f64, t[B_C].f64, t[B_O].f64, t[B_P].f64, t[B_H].i32,
                                  t[B_SLOT].i32);
}

static bool sees(const tn_shape *s, int pass, const tn_tensor *t, int out, size_t o, int in, size_t i) {
    size_t D = (size_t)s->v[DIM_D], N = (size_t)s->v[DIM_N];
    const int32_t *h = t[pass == FORWARD ? F_H : B_H].i32, *slot = t[pass == FORWARD ? F_SLOT : B_SLOT].i32;
    bool hard = form(s) != SOFT;
    for (size_t n = 0; n < N; n++) {
        size_t row = slot ? (size_t)slot[n] : n; /* past every row where n is not routed */
        bool listed = !slot || slot[n] >= 0, cheap = added(s) || !hard || !h[n], global = !hard || h[n];
        if (pass == FORWARD) {
            size_t e = in == F_O   ? row * D + i % D
                       : in == F_P ? n
                                   : n * D + i % D; /* what row n has of `in` */
            if (out != TN_ANY_OUTPUT && (o / D != n || (in != F_P && o % D != i % D)))
                continue;
            if (e == i && (in == F_RES || (in == F_C && cheap) || (in == F_O && listed && global) ||
                           (in == F_P && global)))
                return true;
            continue;
        }
        size_t e = in == B_O ? row * D + i % D : in == B_P ? n : n * D + i % D;
        if (e != i || (!listed && in != B_DY))
            continue;
        bool dc = (in == B_DY && cheap) || (in == B_P && !hard && !added(s)),
             dout = (in == B_DY && global) || (in == B_P && !hard);
        bool column = in == B_P || o % D == i % D, dp = in != B_P && (in != B_C || !added(s)) && listed;
        if (out == TN_ANY_OUTPUT ? dc || (dout && listed) || dp
            : out == B_DC        ? dc && o / D == n && column
            : out == B_DO        ? dout && listed && o / D == row && column
                                 : dp && o == n)
            return true;
    }
    return false;
}

/* A hard gate's gradient is passed straight through: it is no derivative of the forward pass. */
static bool smooth(const tn_shape *s) {
    return form(s) == SOFT;
}

static double flops(const tn_shape *s, int pass) {
    double ND = (double)s->v[DIM_N] * (double)s->v[DIM_D], RD = (double)s->v[DIM_R] * (double)s->v[DIM_D];
    if (form(s) == SOFT)
        return ND * (pass == FORWARD ? (added(s) ? 3 : 4) : (added(s) ? 3 : 5));
    if (pass == FORWARD)
        return form(s) >= HARD_FEW ? RD : added(s) ? ND + RD : ND;
    /* dp alone: the rest is one or nothing of dy */
    return (added(s) ? 2 : 3) * (form(s) >= HARD_LIST ? RD : ND);
}

/* Rows that are not routed need no o. */
static double bytes(const tn_shape *s, int pass) {
    double ND = (double)s->v[DIM_N] * (double)s->v[DIM_D], RD = (double)s->v[DIM_R] * (double)s->v[DIM_D];
    if (form(s) >= HARD_FEW && pass == FORWARD)
        return 4 * 3 * RD;
    if (pass == FORWARD)
        return 4 * (form(s) == SOFT ? 4 * ND : 3 * ND + (added(s) ? RD : 0));
    if (form(s) < HARD_LIST)
        return 4 * ND * (added(s) ? 4 : 5);
    return 4 * (2 * ND + (added(s) ? 2 : 3) * RD);
}

/* Listed rows that the gate leaves out keep what they have. */
static void least(const tn_shape *s, int pass, const tn_tensor *t, double *flops, double *bytes) {
    double routed = 0;
    if (pass == BACKWARD || form(s) != HARD_SOME)
        return;
    for (size_t n = 0; n < t[F_H].count; n++)
        routed += t[F_H].i32[n];
    *flops = routed * (double)s->v[DIM_D];
    *bytes = 12 * routed * (double)s->v[DIM_D];
}

static const char *const dims[] = {"N", "D", "R", "form", NULL};
static const char *const passes[] = {"forward", "backward", NULL};

const tn_case tn_case_route_mix = {.op = "route_mix",
                                   .dims = dims,
                                   .passes = passes,
                                   .draw = draw,
                                   .check = check,
                                   .tensors = tensors,
                                   .fill = fill,
                                   .derive = derive,
                                   .run = run,
                                   .reference = reference,
                                   .sees = sees,
                                   .flops = flops,
                                   .bytes = bytes,
                                   .least = least,
                                   .has_gradient = true,
                                   .smooth = smooth};
