#include "decode_step_ref.h"

#include "gelu_ref.h"
#include "gemm_ref.h"
#include "rms_norm_ref.h"
#include "rope_ref.h"
#include "route_gate_ref.h"

#include <math.h>
#include <string.h>

/* In the order of a row of the table. */
enum {
    NORM1,
    CONV,
    CONV_BIAS,
    CONV_OUT,
    Q,
    KEY,
    VALUE,
    OUT,
    ROUTER,
    ROUTER_BIAS,
    NORM2,
    UP,
    UP_BIAS,
    DOWN,
    DOWN_BIAS,
    CACHE,
    COLUMNS,
    EMBED = 0,
    NORM,
    HEAD,
    CODES
};

/* One row in one layer. */
typedef struct layer_row {
    const tn_decode_step_ref *s;
    const int32_t *at;
    double *ring, *k, *v; /* of the sequence in the layer */
    int32_t *projected;
    int64_t t;
} layer_row;

static const double *weight(const layer_row *r, int which) {
    return r->s->values + r->at[which];
}

static void product(double *y, const double *w, const double *x, int64_t N, int64_t K) {
    tn_gemm_ref(false, true, 1, N, K, y, x, w, NULL, NULL);
}

static void turn(const layer_row *r, double *z, int64_t heads, int64_t t) {
    const tn_decode_step_ref *s = r->s;
    const int32_t row = (int32_t)t;
    if (s->rope)
        tn_rope_ref(1, INT32_MAX, heads, s->D / s->H, 10000, 1, z, z, &row);
}

/* c = W_c·silu(bias + Σ_j w[j]·u[t−j]) */
static void cheap_track(const layer_row *r, double *c, double *s, const double *u) {
    const int64_t D = r->s->D, K = r->s->K;
    for (int64_t d = 0; d < D; d++) {
        double z = weight(r, CONV_BIAS)[d];
        for (int64_t j = 0; j < K && j <= r->t; j++)
            z += weight(r, CONV)[d * K + j] * (j == 0 ? u[d] : r->ring[(r->t - j) % r->s->ring_rows * D + d]);
        s[d] = z / (1 + exp(-z));
    }
    product(c, weight(r, CONV_OUT), s, D, D);
}

/* Keys and values of the positions that wait, once one is routed or enough of them do. */
static void project(const layer_row *r, bool routed) {
    const tn_decode_step_ref *s = r->s;
    const int64_t width = s->D / s->H * s->Hkv, first = *r->projected < r->t ? *r->projected : r->t;
    *r->projected = (int32_t)first;
    if (!routed && r->t + 1 - first < s->pending)
        return;
    for (int64_t m = first; m <= r->t; m++) {
        const double *u = r->ring + m % s->ring_rows * s->D;
        product(r->k + m * width, weight(r, KEY), u, width, s->D);
        product(r->v + m * width, weight(r, VALUE), u, width, s->D);
        turn(r, r->k + m * width, s->Hkv, m);
    }
    *r->projected = (int32_t)(r->t + 1);
}

static bool has(const layer_row *r, int64_t any, int which) {
    return any && r->at[which] >= 0;
}

/* a = softmax(q·k/√Dh)·v over positions 0 to t, of a window those in it. */
static void attend(const layer_row *r, double *a, const double *q, double *p) {
    const tn_decode_step_ref *s = r->s;
    const int64_t Dh = s->D / s->H, width = Dh * s->Hkv,
                  first = s->window && r->t + 1 > s->window ? r->t + 1 - s->window : 0;
    for (int64_t h = 0; h < s->H; h++) {
        const int64_t at = h / (s->H / s->Hkv) * Dh;
        double top = -INFINITY, sum = 0;
        for (int64_t j = first; j <= r->t; j++) {
            p[j] = 0;
            for (int64_t d = 0; d < Dh; d++)
                p[j] += q[h * Dh + d] * r->k[j * width + at + d] / sqrt((double)Dh);
            top = p[j] > top ? p[j] : top;
        }
        for (int64_t j = first; j <= r->t; j++)
            sum += p[j] = exp(p[j] - top);
        for (int64_t d = 0; d < Dh; d++) {
            a[h * Dh + d] = 0;
            for (int64_t j = first; j <= r->t; j++)
                a[h * Dh + d] += p[j] / sum * r->v[j * width + at + d];
        }
    }
}

static void add_row(double *x, const double *y, int64_t D) {
    for (int64_t d = 0; d < D; d++)
        x[d] += y[d];
}

/* x + one of the tracks, or both where that is so, to x; gives h. */
static int32_t mixer(const layer_row *r, double *x, int32_t given, double *scratch) {
    const tn_decode_step_ref *s = r->s;
    const int64_t D = s->D;
    double *u = scratch, *y = u + D, *q = y + D, *a = q + D, *p = a + D, rstd;
    const bool conv = has(r, s->conv, CONV), attention = has(r, s->attention, KEY);
    int32_t h = !conv;
    tn_rms_norm_forward_ref(1, D, s->eps, u, &rstd, x, weight(r, NORM1));
    memcpy(r->ring + r->t % s->ring_rows * D, u, (size_t)D * sizeof *u);
    if (has(r, s->router, ROUTER))
        tn_route_gate_forward_ref(1, D, &rstd, &h, u, weight(r, ROUTER), *weight(r, ROUTER_BIAS), 0);
    if (given < 2 && conv && attention)
        h = given;
    if (attention)
        project(r, h);
    if (h) {
        product(q, weight(r, Q), u, D, D);
        turn(r, q, s->H, r->t);
        attend(r, a, q, p);
        product(y, weight(r, OUT), a, D, D);
        add_row(x, y, D);
    }
    if (conv && (!h || s->added)) {
        cheap_track(r, y, q, u);
        add_row(x, y, D);
    }
    return h;
}

static void mlp(const layer_row *r, double *x, double *scratch) {
    const int64_t D = r->s->D, F = r->s->F;
    double *u = scratch, *y = u + D, *act = y + D, rstd;
    tn_rms_norm_forward_ref(1, D, r->s->eps, u, &rstd, x, weight(r, NORM2));
    tn_gemm_ref(false, true, 1, F, D, act, u, weight(r, UP), weight(r, UP_BIAS), NULL);
    tn_gelu_forward_ref(F, act, act);
    tn_gemm_ref(false, true, 1, D, F, y, act, weight(r, DOWN), weight(r, DOWN_BIAS), NULL);
    for (int64_t d = 0; d < D; d++)
        x[d] += y[d];
}

void tn_decode_step_forward_ref(const tn_decode_step_ref *s, double *out, int32_t *routes, double *ring,
                                double *k, double *v, int32_t *projected, double *scratch) {
    const int64_t D = s->D, width = D / s->H * s->Hkv;
    const int32_t *beside = s->table + s->layers * COLUMNS;
    double *x = scratch, *more = x + D, rstd;
    for (int64_t r = 0; r < s->rows; r++) {
        memcpy(x, s->V ? s->values + beside[EMBED] + s->steps[r] * D : s->x + r * D, (size_t)D * sizeof *x);
        if (s->coded)
            add_row(x, s->values + beside[CODES] + s->steps[3 * s->rows + r] * D, D);
        for (int64_t i = 0; i < s->layers; i++) {
            const int32_t *at = s->table + i * COLUMNS, slot = s->steps[2 * s->rows + r];
            const int64_t place = i * s->slots + slot, cache = at[CACHE] * s->slots + slot;
            const layer_row row = {s,
                                   at,
                                   ring + place * s->ring_rows * D,
                                   k + cache * s->capacity * width,
                                   v + cache * s->capacity * width,
                                   projected + place,
                                   s->steps[s->rows + r]};
            routes[i * s->rows + r] = mixer(&row, x, s->given ? s->given[i * s->rows + r] : 2, more);
            if (s->F)
                mlp(&row, x, more);
        }
        if (!s->V) {
            memcpy(out + r * D, x, (size_t)D * sizeof *x);
            continue;
        }
        tn_rms_norm_forward_ref(1, D, s->eps, more, &rstd, x, s->values + beside[NORM]);
        product(out + r * s->V, s->values + beside[HEAD], more, s->V, D);
    }
}
