#include "cell_shapes.h"

#include "routed_rows.h"

#include <math.h>
#include <string.h>

static int64_t *dim(const tn_case *c, const char *name, tn_shape *shape) {
    for (int i = 0; c->dims[i]; i++)
        if (strcmp(c->dims[i], name) == 0)
            return &shape->v[i];
    return NULL;
}

/* Positions of a shape: B·T, or N; 0 where it has none. */
static int64_t positions(const tn_case *c, tn_shape *shape) {
    const int64_t *B = dim(c, "B", shape), *T = dim(c, "T", shape), *N = dim(c, "N", shape);
    return B && T ? *B * *T : N ? *N : 0;
}

/* Routed rows, as the op names them, by the new positions: `share` of them. */
static void set_rows(const tn_case *c, double share, tn_shape *shape) {
    int64_t *R = dim(c, "R", shape), *k = dim(c, "k", shape), *permille = dim(c, "permille", shape);
    const int64_t *B = dim(c, "B", shape), *T = dim(c, "T", shape);
    int64_t N = positions(c, shape);
    if (R && B && T)
        *R = *B * tn_routed_rows(share, *T);
    else if (R && N)
        *R = tn_routed_rows(share, N);
    if (k && T)
        *k = tn_routed_rows(share, *T);
    if (permille)
        *permille = (int64_t)round(1000 * share);
}

/* The share of the positions that is routed as the shape stands; NaN where it does not say. */
static double share_of(const tn_case *c, tn_shape *shape) {
    const int64_t *R = dim(c, "R", shape), *k = dim(c, "k", shape), *T = dim(c, "T", shape);
    int64_t N = positions(c, shape);
    if (R && N)
        return (double)*R / (double)N;
    return k && T ? (double)*k / (double)*T : NAN;
}

static void set(int64_t *to, int64_t value) {
    if (to && value >= 0)
        *to = value;
}

tn_status tn_cell_shape_apply(tn_context *ctx, const tn_case *c, const tn_cell_dims *d, tn_shape *shape) {
    double share = share_of(c, shape);
    int64_t *H = dim(c, "H", shape), *Dh = dim(c, "Dh", shape), *Hkv = dim(c, "Hkv", shape);
    int64_t before = positions(c, shape), D = H && Dh ? *H * *Dh : -1;
    set(dim(c, "B", shape), d->B);
    set(dim(c, "T", shape), d->T);
    set(dim(c, "D", shape), d->D);
    set(H, d->H);
    if (H && Hkv && *Hkv > 0 && *H % *Hkv != 0)
        *Hkv = 0; /* heads in a number that cannot share those of keys have their own */
    if (dim(c, "T", shape))
        set(dim(c, "K", shape), d->K);
    if (H && Dh && (d->D >= 0 || d->H >= 0)) {
        D = d->D >= 0 ? d->D : D;
        if (D % *H != 0)
            return tn_fail(ctx, TN_ERR_ARG, "%s: D=%lld is not divisible by H=%lld", c->op, (long long)D,
                           (long long)*H);
        *Dh = D / *H;
    }
    if (d->rho >= 0)
        set_rows(c, d->rho, shape);
    else if (share >= 0 && positions(c, shape) != before)
        set_rows(c, share, shape);
    return c->check ? c->check(ctx, shape) : TN_OK;
}
