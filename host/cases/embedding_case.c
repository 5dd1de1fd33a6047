#include "case.h"

#include "embedding.h"
#include "embedding_ref.h"

#include <math.h>
#include <stdlib.h>

enum { DIM_N, DIM_D, DIM_V, DIM_C };
enum { FORWARD, BACKWARD };
/* tensors of the passes, in order; the backward pass carries the tokens for the gradient check alone */
enum { F_Y, F_TABLE, F_TOKENS, F_MORE, F_CODES };
enum { B_DTABLE, B_DY, B_ORDER, B_START, B_TOKENS };

static void draw(tn_rng *rng, tn_shape *s) {
    s->v[DIM_N] = tn_rng_below(rng, 4) == 0 ? 1 : tn_rng_range(rng, 1, 300);
    s->v[DIM_D] = tn_rng_below(rng, 2) == 0 ? 16 * tn_rng_range(rng, 1, 5) : tn_rng_range(rng, 1, 90);
    s->v[DIM_V] = tn_rng_below(rng, 4) == 0 ? 1 : tn_rng_range(rng, 2, 100);
    s->v[DIM_C] = tn_rng_below(rng, 2) == 0 ? 0 : tn_rng_range(rng, 1, 20);
}

static int tensors(const tn_shape *s, int pass, tn_tensor *t) {
    size_t N = (size_t)s->v[DIM_N], D = (size_t)s->v[DIM_D], V = (size_t)s->v[DIM_V], C = (size_t)s->v[DIM_C];
    if (pass == FORWARD) {
        t[F_Y] = (tn_tensor){"y", TN_F32, TN_OUT, N * D, 0};
        t[F_TABLE] = (tn_tensor){"table", TN_F32, TN_IN, V * D};
        t[F_TOKENS] = (tn_tensor){"tokens", TN_I32, TN_IN, N};
        if (C == 0)
            return 3;
        t[F_Y].tol = 1e-6; /* one addition */
        t[F_MORE] = (tn_tensor){"more", TN_F32, TN_IN, C * D};
        t[F_CODES] = (tn_tensor){"codes", TN_I32, TN_IN, N};
        return 5;
    }
    /* Rounding of a sum of n terms of size 1, one after the other, is about 2e-8·n; the longest list has N/3.
     */
    double longest = (double)(N + 2) / 3 + (double)N / (double)V;
    t[B_DTABLE] = (tn_tensor){"dtable", TN_F32, TN_OUT, V * D, 4e-6 + 1e-7 * longest};
    t[B_DY] = (tn_tensor){"dy", TN_F32, TN_IN, N * D};
    t[B_ORDER] = (tn_tensor){"order", TN_I32, TN_IN, N};
    t[B_START] = (tn_tensor){"start", TN_I32, TN_IN, V + 1};
    t[B_TOKENS] = (tn_tensor){"tokens", TN_I32, TN_IN, N};
    return 5;
}

/* Every third token is token 0, as in a task with one filler, so that lists are long, short and empty. */
static void fill(tn_rng *rng, const tn_shape *s, int pass, tn_tensor *t) {
    int32_t *tokens = t[pass == FORWARD ? F_TOKENS : B_TOKENS].i32;
    for (int64_t n = 0; n < s->v[DIM_N]; n++)
        tokens[n] = n % 3 == 0 ? 0 : (int32_t)tn_rng_below(rng, (uint32_t)s->v[DIM_V]);
    for (int64_t n = 0; pass == FORWARD && s->v[DIM_C] > 0 && n < s->v[DIM_N]; n++)
        t[F_CODES].i32[n] = (int32_t)tn_rng_below(rng, (uint32_t)s->v[DIM_C]);
    if (pass == BACKWARD)
        tn_embedding_index(tokens, s->v[DIM_N], s->v[DIM_V], t[B_ORDER].i32, t[B_START].i32);
}

static tn_status run(tn_device *dev, const tn_shape *shape, int pass, tn_tensor *t) {
    tn_embedding_shape s = {shape->v[DIM_N], shape->v[DIM_D], shape->v[DIM_V], shape->v[DIM_C]};
    if (pass == FORWARD)
        return tn_embedding_forward(dev, &s, t[F_Y].buffer, t[F_TABLE].buffer, t[F_TOKENS].buffer,
                                    s.C > 0 ? t[F_MORE].buffer : NULL, s.C > 0 ? t[F_CODES].buffer : NULL);
    return tn_embedding_backward(dev, &s, t[B_DTABLE].buffer, t[B_DY].buffer, t[B_ORDER].buffer,
                                 t[B_START].buffer);
}

static void reference(const tn_shape *s, int pass, tn_tensor *t) {
    if (pass == FORWARD)
        tn_embedding_forward_ref(s->v[DIM_N], s->v[DIM_D], t[F_Y].f64, t[F_TABLE].f64, t[F_TOKENS].i32,
                                 s->v[DIM_C] > 0 ? t[F_MORE].f64 : NULL,
                                 s->v[DIM_C] > 0 ? t[F_CODES].i32 : NULL);
    else
        tn_embedding_backward_ref(s->v[DIM_D], s->v[DIM_V], t[B_DTABLE].f64, t[B_DY].f64, t[B_ORDER].i32,
                                  t[B_START].i32);
}

static bool sees(const tn_shape *s, int pass, const tn_tensor *t, int out, size_t o, int in, size_t i) {
    size_t D = (size_t)s->v[DIM_D], N = (size_t)s->v[DIM_N];
    const int32_t *tokens = t[pass == BACKWARD ? B_TOKENS : in == F_MORE ? F_CODES : F_TOKENS].i32;
    if (pass == BACKWARD)
        return out == TN_ANY_OUTPUT || (o % D == i % D && (size_t)tokens[i / D] == o / D);
    for (size_t n = 0; out == TN_ANY_OUTPUT && n < N; n++)
        if ((size_t)tokens[n] == i / D)
            return true;
    return out != TN_ANY_OUTPUT && o % D == i % D && (size_t)tokens[o / D] == i / D;
}

/* forward copies, and adds a code's row; backward adds every row but the first of a token. */
static double flops(const tn_shape *s, int pass) {
    return pass == FORWARD && s->v[DIM_C] == 0 ? 0 : (double)s->v[DIM_N] * (double)s->v[DIM_D];
}

/* Rows of the codes' table that can be read, and the list of codes. */
static double code_bytes(const tn_shape *s, double rows) {
    return s->v[DIM_C] > 0 ? 4 * (rows * (double)s->v[DIM_D] + (double)s->v[DIM_N]) : 0;
}

/* forward: at most min(N, V) different rows read, all written; backward: dy read, the table written. */
static double bytes(const tn_shape *s, int pass) {
    double N = (double)s->v[DIM_N], D = (double)s->v[DIM_D], V = (double)s->v[DIM_V];
    if (pass == BACKWARD)
        return 4 * (N * D + V * D + N + V);
    return 4 * (N * D + fmin(N, V) * D + N) + code_bytes(s, fmin(N, (double)s->v[DIM_C]));
}

/* How many of `most` numbers occur. */
static double distinct(const tn_tensor *list, int64_t most) {
    double count = 0;
    bool *seen = calloc((size_t)most, sizeof *seen);
    for (size_t n = 0; seen && n < list->count; n++) {
        count += !seen[list->i32[n]];
        seen[list->i32[n]] = true;
    }
    free(seen);
    return count;
}

/* Of a table only rows that occur are read, and the first row of a token is added to nothing. */
static void least(const tn_shape *s, int pass, const tn_tensor *t, double *flops, double *bytes) {
    double D = (double)s->v[DIM_D], N = (double)s->v[DIM_N];
    double tokens = distinct(&t[pass == FORWARD ? F_TOKENS : B_TOKENS], s->v[DIM_V]);
    if (pass == BACKWARD)
        *flops = (N - tokens) * D;
    else
        *bytes = 4 * (N * D + tokens * D + N) +
                 (s->v[DIM_C] > 0 ? code_bytes(s, distinct(&t[F_CODES], s->v[DIM_C])) : 0);
}

static const char *const dims[] = {"N", "D", "V", "C", NULL};
static const char *const passes[] = {"forward", "backward", NULL};

const tn_case tn_case_embedding = {.op = "embedding",
                                   .dims = dims,
                                   .optional = DIM_C,
                                   .passes = passes,
                                   .draw = draw,
                                   .tensors = tensors,
                                   .fill = fill,
                                   .run = run,
                                   .reference = reference,
                                   .sees = sees,
                                   .flops = flops,
                                   .bytes = bytes,
                                   .least = least,
                                   .has_gradient = true};
