#include "mixer_ref.h"

#include "causal_conv_ref.h"
#include "flash_attention_ref.h"
#include "gemm_ref.h"
#include "rms_norm_ref.h"
#include "route_gate_ref.h"
#include "route_mix_ref.h"

#include <math.h>
#include <string.h>

/* S listed rows, R of them with an o. */
struct tn_mixer_ref {
    tn_context *ctx;
    tn_mixer_shape_ref shape;
    tn_mixer_tensors_ref w;
    int64_t S, R;
    int32_t *rows, *slot, *h, *own; /* [S]; own: what the router itself decides, unused */
    int32_t *queries;               /* [R] of `rows`, those with an o */
    int32_t *q_start, *kv_start;    /* [B+1] */
    const double *x;
    double *u, *rstd, *us, *window, *s, *c, *p;         /* [N,D], [N], [S,D], [S,K,D], [S,D], [S,D], [S] */
    double *uq, *q, *wide_q, *wide_a, *lse, *a, *o;     /* [R,D]; wide_*: [H,R,D]; lse: [H,R] */
    double *dc, *dp, *ds, *du, *dus, *dwindow, *dsteps; /* as c, p, s, u, us, window, window */
    double *do_, *da, *dq, *dwide_q, *dwide_a, *dkv;    /* as o, a, q, one head of wide_*, u */
    double *head, *dhead;                               /* [R,Dh] */
};

static tn_status lists(tn_mixer_ref *m, const int32_t *rows, const uint8_t *took, const uint8_t *h) {
    int64_t B = m->shape.B, T = m->shape.T;
    TN_TRY(tn_alloc(m->ctx, (size_t)m->S, 4, &m->rows));
    TN_TRY(tn_alloc(m->ctx, (size_t)m->S, 4, &m->slot));
    TN_TRY(tn_alloc(m->ctx, (size_t)m->S, 4, &m->h));
    TN_TRY(tn_alloc(m->ctx, (size_t)m->S, 4, &m->own));
    TN_TRY(tn_alloc(m->ctx, (size_t)m->S, 4, &m->queries));
    TN_TRY(tn_alloc(m->ctx, (size_t)B + 1, 4, &m->q_start));
    TN_TRY(tn_alloc(m->ctx, (size_t)B + 1, 4, &m->kv_start));
    for (int64_t i = 0; i < m->S; i++) {
        bool has = m->w.q && took[i];
        m->rows[i] = rows[i];
        m->h[i] = has && h[i];
        m->slot[i] = has ? (int32_t)m->R : -1;
        if (has) {
            m->queries[m->R++] = rows[i];
            m->q_start[rows[i] / T + 1]++;
        }
    }
    for (int64_t b = 0; b < B; b++) {
        m->q_start[b + 1] += m->q_start[b];
        m->kv_start[b + 1] = (int32_t)((b + 1) * T);
    }
    return TN_OK;
}

static tn_status room(tn_mixer_ref *m) {
    int64_t N = m->shape.B * m->shape.T, D = m->shape.D, H = m->shape.H, K = m->shape.K, S = m->S, R = m->R;
    const struct {
        double **to;
        int64_t count;
    } all[] = {{&m->u, N * D},
               {&m->rstd, N},
               {&m->us, S * D},
               {&m->window, S * K * D},
               {&m->s, S * D},
               {&m->c, S * D},
               {&m->p, S},
               {&m->uq, R * D},
               {&m->q, R * D},
               {&m->wide_q, H * R * D},
               {&m->wide_a, H * R * D},
               {&m->lse, H * R},
               {&m->a, R * D},
               {&m->o, R * D},
               {&m->dc, S * D},
               {&m->dp, S},
               {&m->ds, S * D},
               {&m->du, N * D},
               {&m->dus, S * D},
               {&m->dwindow, S * K * D},
               {&m->dsteps, S * K * D},
               {&m->do_, R * D},
               {&m->da, R * D},
               {&m->dq, R * D},
               {&m->dwide_q, R * D},
               {&m->dwide_a, R * D},
               {&m->dkv, R > 0 ? N * D : 0},
               {&m->head, R * D / H},
               {&m->dhead, R * D / H}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        TN_TRY(tn_alloc(m->ctx, (size_t)all[i].count, sizeof(double), all[i].to));
    return TN_OK;
}

tn_status tn_mixer_ref_make(tn_context *ctx, const tn_mixer_shape_ref *shape,
                            const tn_mixer_tensors_ref *values, int64_t S, const int32_t *rows,
                            const uint8_t *took, const uint8_t *h, tn_mixer_ref **out) {
    tn_mixer_ref *m;
    *out = NULL;
    TN_TRY(tn_alloc(ctx, 1, sizeof *m, &m));
    *m = (tn_mixer_ref){.ctx = ctx, .shape = *shape, .w = *values, .S = S};
    tn_status status = lists(m, rows, took, h);
    if (status == TN_OK)
        status = room(m);
    if (status != TN_OK) {
        tn_mixer_ref_free(m);
        return status;
    }
    *out = m;
    return TN_OK;
}

void tn_mixer_ref_free(tn_mixer_ref *m) {
    if (!m)
        return;
    void *all[] = {
        m->rows,   m->slot, m->h,  m->queries, m->q_start, m->kv_start, m->u,      m->rstd,    m->us,
        m->window, m->s,    m->c,  m->p,       m->uq,      m->q,        m->wide_q, m->wide_a,  m->lse,
        m->a,      m->o,    m->dc, m->dp,      m->ds,      m->du,       m->dus,    m->dwindow, m->dsteps,
        m->do_,    m->da,   m->dq, m->dwide_q, m->dwide_a, m->dkv,      m->head,   m->dhead,   m->own};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        tn_free(m->ctx, all[i]);
    tn_free(m->ctx, m);
}

static void gather(int64_t count, int64_t D, double *to, const double *from, const int32_t *rows) {
    for (int64_t i = 0; i < count; i++)
        memcpy(to + i * D, from + rows[i] * D, (size_t)D * sizeof *to);
}

static void scatter_add(int64_t count, int64_t D, double *to, const double *from, const int32_t *rows) {
    for (int64_t i = 0; i < count; i++)
        for (int64_t d = 0; d < D; d++)
            to[rows[i] * D + d] += from[i * D + d];
}

/* y = x·Wᵀ, dx = dy·W and dW = dyᵀ·x of a linear layer of `rows` rows, W [out,in]. */
static void linear(int64_t rows, int64_t out, int64_t in, double *y, const double *x, const double *w) {
    tn_gemm_ref(false, true, rows, out, in, y, x, w, NULL, NULL);
}

static void linear_input(int64_t rows, int64_t out, int64_t in, double *dx, const double *dy,
                         const double *w) {
    tn_gemm_ref(false, false, rows, in, out, dx, dy, w, NULL, NULL);
}

static void linear_weight(int64_t rows, int64_t out, int64_t in, double *dw, const double *dy,
                          const double *x) {
    tn_gemm_ref(true, false, out, in, rows, dw, dy, x, NULL, NULL);
}

static void linear_weight_add(int64_t rows, int64_t out, int64_t in, double *dw, const double *dy,
                              const double *x) {
    tn_gemm_ref(true, false, out, in, rows, dw, dy, x, NULL, dw);
}

/* Columns of head h of [R,D] as [R,Dh], and back. */
static void head_get(const tn_mixer_ref *m, int64_t h, double *head, const double *all) {
    int64_t D = m->shape.D, Dh = D / m->shape.H;
    for (int64_t r = 0; r < m->R; r++)
        memcpy(head + r * Dh, all + r * D + h * Dh, (size_t)Dh * sizeof *head);
}

static void head_put(const tn_mixer_ref *m, int64_t h, double *all, const double *head) {
    int64_t D = m->shape.D, Dh = D / m->shape.H;
    for (int64_t r = 0; r < m->R; r++)
        memcpy(all + r * D + h * Dh, head + r * Dh, (size_t)Dh * sizeof *head);
}

/* One head as wide as the model, rows of u being keys and values. */
static tn_attention_rows wide(const tn_mixer_ref *m) {
    double Dh = (double)m->shape.D / (double)m->shape.H;
    return (tn_attention_rows){.B = m->shape.B,
                               .T = m->shape.T,
                               .H = 1,
                               .Dh = m->shape.D,
                               .scale = 1 / sqrt(Dh),
                               .rows = m->queries,
                               .q_start = m->q_start,
                               .kv_start = m->kv_start};
}

/* Where the rows of W_k and W_v begin that query head h reads. */
static int64_t key_head(const tn_mixer_ref *m, int64_t h) {
    const tn_mixer_shape_ref *s = &m->shape;
    return h / (s->H / s->G) * (s->D / s->H) * s->D;
}

static void global_forward(tn_mixer_ref *m) {
    int64_t D = m->shape.D, Dh = D / m->shape.H, R = m->R;
    tn_attention_rows rows = wide(m);
    gather(R, D, m->uq, m->u, m->queries);
    linear(R, D, D, m->q, m->uq, m->w.q);
    for (int64_t h = 0; h < m->shape.H; h++) {
        double *q = m->wide_q + h * R * D, *a = m->wide_a + h * R * D;
        head_get(m, h, m->head, m->q);
        linear_input(R, Dh, D, q, m->head, m->w.k + key_head(m, h));
        tn_flash_attention_forward_ref(&rows, a, m->lse + h * R, q, m->u, m->u);
        linear(R, Dh, D, m->head, a, m->w.v + key_head(m, h));
        head_put(m, h, m->a, m->head);
    }
    linear(R, D, D, m->o, m->a, m->w.o);
}

static void global_backward(tn_mixer_ref *m, const tn_mixer_tensors_ref *g) {
    int64_t N = m->shape.B * m->shape.T, D = m->shape.D, Dh = D / m->shape.H, R = m->R;
    tn_attention_rows rows = wide(m);
    for (int64_t i = 0; i < m->shape.G * Dh * D; i++)
        g->k[i] = g->v[i] = 0;
    linear_weight(R, D, D, g->o, m->do_, m->a);
    linear_input(R, D, D, m->da, m->do_, m->w.o);
    for (int64_t h = 0; R > 0 && h < m->shape.H; h++) {
        const double *q = m->wide_q + h * R * D, *a = m->wide_a + h * R * D;
        int64_t at = key_head(m, h);
        head_get(m, h, m->dhead, m->da);
        linear_weight_add(R, Dh, D, g->v + at, m->dhead, a);
        linear_input(R, Dh, D, m->dwide_a, m->dhead, m->w.v + at);
        /* One array takes the gradients of keys and values: they are the same rows. */
        tn_flash_attention_backward_ref(&rows, m->dwide_q, m->dkv, m->dkv, m->dwide_a, q, m->u, m->u, a,
                                        m->lse + h * R);
        for (int64_t i = 0; i < N * D; i++)
            m->du[i] += m->dkv[i];
        head_get(m, h, m->head, m->q);
        linear_weight_add(R, Dh, D, g->k + at, m->head, m->dwide_q);
        linear(R, Dh, D, m->dhead, m->dwide_q, m->w.k + at);
        head_put(m, h, m->dq, m->dhead);
    }
    linear_weight(R, D, D, g->q, m->dq, m->uq);
    linear_input(R, D, D, m->uq, m->dq, m->w.q);
    scatter_add(R, D, m->du, m->uq, m->queries);
}

/* Row j of listed row i's window; NULL before the sequence's start, where u counts as zero. */
static double *window_row(const tn_mixer_ref *m, double *all, int64_t i, int64_t j) {
    int64_t back = m->shape.K - 1 - j;
    return m->rows[i] % m->shape.T < back ? NULL : all + (m->rows[i] - back) * m->shape.D;
}

/* Every listed row is the last one of a sequence as long as the convolution sees. */
static void conv_track_forward(tn_mixer_ref *m) {
    int64_t D = m->shape.D, K = m->shape.K, S = m->S;
    for (int64_t i = 0; i < S; i++)
        for (int64_t j = 0; j < K; j++) {
            const double *from = window_row(m, m->u, i, j);
            for (int64_t d = 0; d < D; d++)
                m->window[(i * K + j) * D + d] = from ? from[d] : 0;
        }
    tn_causal_conv_forward_ref(S, K, D, K, 1, m->dwindow, m->window, m->w.conv, m->w.conv_bias);
    for (int64_t i = 0; i < S; i++)
        memcpy(m->s + i * D, m->dwindow + (i * K + K - 1) * D, (size_t)D * sizeof *m->s);
    linear(S, D, D, m->c, m->s, m->w.conv_out);
}

static void conv_track_backward(tn_mixer_ref *m, const tn_mixer_tensors_ref *g) {
    int64_t D = m->shape.D, K = m->shape.K, S = m->S;
    linear_weight(S, D, D, g->conv_out, m->dc, m->s);
    linear_input(S, D, D, m->ds, m->dc, m->w.conv_out);
    memset(m->dwindow, 0, (size_t)(S * K * D) * sizeof(double));
    memset(m->dsteps, 0, (size_t)(S * K * D) * sizeof(double));
    for (int64_t i = 0; i < S; i++)
        memcpy(m->dsteps + (i * K + K - 1) * D, m->ds + i * D, (size_t)D * sizeof(double));
    tn_causal_conv_backward_ref(S, K, D, K, 1, m->dwindow, g->conv, g->conv_bias, m->dsteps, m->window,
                                m->w.conv, m->w.conv_bias);
    for (int64_t i = 0; i < S; i++)
        for (int64_t j = 0; j < K; j++) {
            double *to = window_row(m, m->du, i, j);
            for (int64_t d = 0; to && d < D; d++)
                to[d] += m->dwindow[(i * K + j) * D + d];
        }
}

void tn_mixer_ref_forward(tn_mixer_ref *m, double *mid, const double *x) {
    int64_t N = m->shape.B * m->shape.T, D = m->shape.D, S = m->S;
    m->x = x;
    tn_rms_norm_forward_ref(N, D, m->shape.eps, m->u, m->rstd, x, m->w.norm);
    gather(S, D, m->us, m->u, m->rows);
    if (m->w.router)
        tn_route_gate_forward_ref(S, D, m->p, m->own, m->us, m->w.router, *m->w.router_bias, 0);
    if (m->w.conv)
        conv_track_forward(m);
    if (m->w.q)
        global_forward(m);
    gather(S, D, m->dus, x, m->rows);
    tn_route_mix_forward_ref(S, D, !m->shape.soft, m->shape.added, mid, m->dus, m->c, m->o, m->p, m->h,
                             m->slot);
}

const double *tn_mixer_ref_gate(const tn_mixer_ref *m) {
    return m->p;
}

void tn_mixer_ref_backward(tn_mixer_ref *m, double *dx, const tn_mixer_tensors_ref *g, const double *dmid,
                           double penalty) {
    int64_t N = m->shape.B * m->shape.T, D = m->shape.D, S = m->S;
    tn_route_mix_backward_ref(S, D, !m->shape.soft, m->shape.added, m->dc, m->do_, m->dp, dmid, m->c, m->o,
                              m->p, m->h, m->slot);
    memset(m->du, 0, (size_t)(N * D) * sizeof(double));
    if (m->w.conv)
        conv_track_backward(m, g);
    if (m->w.q)
        global_backward(m, g);
    if (m->w.router) {
        memset(m->dus, 0, (size_t)(S * D) * sizeof(double));
        tn_route_gate_backward_ref(S, D, m->dus, g->router, g->router_bias, m->dp, penalty, 0, NULL, m->p,
                                   m->us, m->w.router);
        scatter_add(S, D, m->du, m->dus, m->rows);
    }
    memset(dx, 0, (size_t)(N * D) * sizeof *dx);
    scatter_add(S, D, dx, dmid, m->rows);
    tn_rms_norm_backward_ref(N, D, dx, g->norm, m->du, m->x, m->w.norm, m->rstd);
}

double tn_mixer_ref_cost(const tn_mixer_shape_ref *shape, int64_t S, double pairs) {
    double N = (double)(shape->B * shape->T), D = (double)shape->D, H = (double)shape->H;
    return 24 * pairs * H * D + 60 * (double)S * D * D + 30 * N * D;
}
