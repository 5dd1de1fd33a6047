#include "model_reference.h"

#include "embedding.h"
#include "embedding_ref.h"
#include "gemm_ref.h"
#include "mixer_ref.h"
#include "mlp_ref.h"
#include "rms_norm_ref.h"
#include "row_gather_ref.h"
#include "softmax_cross_entropy_ref.h"

#include <string.h>

/* One layer's tensors between its passes. N = B·T rows, F the mlp's width. */
typedef struct layer_pass {
    tn_mixer_ref *mixer;
    double *mid /* [N,D] */, *rstd /* [N] */, *up /* [N,F] */, *u /* [N,D] */, *act /* [N,F] */;
    double *out /* [N,D] */;
} layer_pass;

typedef struct model_pass {
    tn_context *ctx;
    const tn_model_config *c;
    const tn_params *p;
    double *values;
    const tn_reference_input *in;
    const tn_reference_output *to;
    int64_t N;
    layer_pass layers[TN_MODEL_MAX_LAYERS];
    double *x0, *xl, *ul, *rstdl, *lse;       /* [N,D], [L,D], [L,D], [L], [L] */
    double *dx, *dmid, *du, *dup;             /* [N,D], [N,D], [N,D], [N,F] */
    double *dlogits, *dul, *dxl;              /* [L,V], [L,D], [L,D] */
    int32_t *predicted, *all, *order, *start; /* [L], [N], [N], [V+1] */
    uint8_t *ones;                            /* [N] */
} model_pass;

double *tn_reference_at(double *all, const tn_param *p) {
    return p && all ? all + p->offset : NULL;
}

tn_mixer_tensors_ref tn_reference_mixer(const tn_layer_params *lp, double *all) {
    return (tn_mixer_tensors_ref){.norm = tn_reference_at(all, lp->norm1),
                                  .conv = tn_reference_at(all, lp->conv_weight),
                                  .conv_bias = tn_reference_at(all, lp->conv_bias),
                                  .conv_out = tn_reference_at(all, lp->conv_out),
                                  .q = tn_reference_at(all, lp->q),
                                  .k = tn_reference_at(all, lp->k),
                                  .v = tn_reference_at(all, lp->v),
                                  .o = tn_reference_at(all, lp->o),
                                  .router = tn_reference_at(all, lp->router_weight),
                                  .router_bias = tn_reference_at(all, lp->router_bias)};
}

static tn_status room(tn_context *ctx, int64_t count, double **out) {
    return tn_alloc(ctx, (size_t)count, sizeof **out, out);
}

static tn_status layer_make(model_pass *m, int64_t i) {
    int64_t N = m->N, D = m->c->d_model, F = m->c->mlp_width;
    layer_pass *l = &m->layers[i];
    tn_mixer_shape_ref shape = {m->in->B,
                                m->in->T,
                                D,
                                m->c->heads,
                                tn_model_config_kv_heads(m->c),
                                m->c->conv_taps,
                                m->c->rms_eps,
                                .soft = !m->in->h && tn_mixer_has_router(m->c),
                                .added = m->c->added};
    tn_mixer_tensors_ref values = tn_reference_mixer(&m->p->layers[i], m->values);
    const uint8_t *h = m->in->h ? m->in->h + i * N : m->ones;
    TN_TRY(room(m->ctx, N * D, &l->mid));
    TN_TRY(room(m->ctx, N, &l->rstd));
    TN_TRY(room(m->ctx, N * F, &l->up));
    TN_TRY(room(m->ctx, N * D, &l->u));
    TN_TRY(room(m->ctx, N * F, &l->act));
    TN_TRY(room(m->ctx, N * D, &l->out));
    return tn_mixer_ref_make(m->ctx, &shape, &values, N, m->all, h, h, &l->mixer);
}

static tn_status make(model_pass *m) {
    int64_t N = m->N, D = m->c->d_model, F = m->c->mlp_width, L = m->in->L, V = m->c->vocab;
    const struct {
        double **to;
        int64_t count;
    } all[] = {{&m->x0, N * D},  {&m->xl, L * D},      {&m->ul, L * D},   {&m->rstdl, L},
               {&m->lse, L},     {&m->dx, N * D},      {&m->dmid, N * D}, {&m->du, N * D},
               {&m->dup, N * F}, {&m->dlogits, L * V}, {&m->dul, L * D},  {&m->dxl, L * D}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        TN_TRY(room(m->ctx, all[i].count, all[i].to));
    TN_TRY(tn_alloc(m->ctx, (size_t)L, 4, &m->predicted));
    TN_TRY(tn_alloc(m->ctx, (size_t)N, 4, &m->all));
    TN_TRY(tn_alloc(m->ctx, (size_t)N, 4, &m->order));
    TN_TRY(tn_alloc(m->ctx, (size_t)V + 1, 4, &m->start));
    TN_TRY(tn_alloc(m->ctx, (size_t)N, 1, &m->ones));
    for (int64_t n = 0; n < N; n++)
        m->all[n] = (int32_t)n;
    memset(m->ones, 1, (size_t)N);
    for (int64_t i = 0; i < m->c->layers; i++)
        TN_TRY(layer_make(m, i));
    return TN_OK;
}

static void release(model_pass *m) {
    void *all[] = {m->x0,      m->xl,  m->ul,  m->rstdl,     m->lse, m->dx,    m->dmid,  m->du,  m->dup,
                   m->dlogits, m->dul, m->dxl, m->predicted, m->all, m->order, m->start, m->ones};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        tn_free(m->ctx, all[i]);
    for (int64_t i = 0; i < m->c->layers; i++) {
        layer_pass *l = &m->layers[i];
        double *own[] = {l->mid, l->rstd, l->up, l->u, l->act, l->out};
        for (size_t k = 0; k < sizeof own / sizeof own[0]; k++)
            tn_free(m->ctx, own[k]);
        tn_mixer_ref_free(l->mixer);
    }
}

static double *value(const model_pass *m, const tn_param *t) {
    return tn_reference_at(m->values, t);
}

static double *grad(const model_pass *m, const tn_param *t) {
    return tn_reference_at(m->to->grads, t);
}

static void forward(model_pass *m) {
    int64_t N = m->N, D = m->c->d_model, F = m->c->mlp_width, L = m->in->L, V = m->c->vocab;
    const double *x = m->x0;
    tn_embedding_forward_ref(N, D, m->x0, value(m, m->p->embed), m->in->tokens, NULL, NULL);
    for (int64_t i = 0; i < m->c->layers; i++) {
        layer_pass *l = &m->layers[i];
        const tn_layer_params *lp = &m->p->layers[i];
        tn_mixer_ref_forward(l->mixer, l->mid, x);
        memcpy(m->to->gate + i * N, tn_mixer_ref_gate(l->mixer), (size_t)N * sizeof(double));
        tn_mlp_forward_ref(N, D, F, m->c->rms_eps, l->out, l->rstd, l->up, l->u, l->act, l->mid,
                           value(m, lp->norm2), value(m, lp->up_weight), value(m, lp->up_bias),
                           value(m, lp->down_weight), value(m, lp->down_bias));
        x = l->out;
    }
    tn_row_gather_forward_ref(L, D, m->xl, x, m->in->label_rows);
    tn_rms_norm_forward_ref(L, D, m->c->rms_eps, m->ul, m->rstdl, m->xl, value(m, m->p->norm));
    tn_gemm_ref(false, true, L, V, D, m->to->logits, m->ul, value(m, m->p->head), NULL, NULL);
    tn_softmax_cross_entropy_forward_ref(L, V, m->to->loss, m->lse, m->predicted, m->to->logits,
                                         m->in->labels);
}

static void head_backward(model_pass *m) {
    int64_t N = m->N, D = m->c->d_model, L = m->in->L, V = m->c->vocab;
    tn_softmax_cross_entropy_backward_ref(L, V, m->dlogits, m->to->logits, m->in->labels, m->lse,
                                          m->in->weight);
    tn_gemm_ref(true, false, V, D, L, grad(m, m->p->head), m->dlogits, m->ul, NULL, NULL);
    tn_gemm_ref(false, false, L, D, V, m->dul, m->dlogits, value(m, m->p->head), NULL, NULL);
    memset(m->dxl, 0, (size_t)(L * D) * sizeof(double));
    tn_rms_norm_backward_ref(L, D, m->dxl, grad(m, m->p->norm), m->dul, m->xl, value(m, m->p->norm),
                             m->rstdl);
    memset(m->dx, 0, (size_t)(N * D) * sizeof(double));
    tn_row_gather_backward_ref(L, D, m->dx, m->dxl, m->in->label_rows);
}

static void backward(model_pass *m) {
    int64_t N = m->N, D = m->c->d_model, F = m->c->mlp_width;
    head_backward(m);
    for (int64_t i = m->c->layers - 1; i >= 0; i--) {
        layer_pass *l = &m->layers[i];
        const tn_layer_params *lp = &m->p->layers[i];
        tn_mixer_tensors_ref grads = tn_reference_mixer(lp, m->to->grads);
        tn_mlp_backward_ref(N, D, F, m->dmid, grad(m, lp->norm2), grad(m, lp->up_weight),
                            grad(m, lp->up_bias), grad(m, lp->down_weight), grad(m, lp->down_bias), m->du,
                            m->dup, m->dx, l->mid, value(m, lp->norm2), value(m, lp->up_weight),
                            value(m, lp->down_weight), l->rstd, l->up, l->u, l->act);
        tn_mixer_ref_backward(l->mixer, m->dx, &grads, m->dmid, 0);
    }
    tn_embedding_index(m->in->tokens, N, m->c->vocab, m->order, m->start);
    tn_embedding_backward_ref(D, m->c->vocab, grad(m, m->p->embed), m->dx, m->order, m->start);
}

tn_status tn_model_reference(tn_context *ctx, const tn_model_config *c, const tn_params *p, double *values,
                             const tn_reference_input *in, const tn_reference_output *out) {
    model_pass *m;
    TN_TRY(tn_alloc(ctx, 1, sizeof *m, &m));
    *m = (model_pass){.ctx = ctx, .c = c, .p = p, .values = values, .in = in, .to = out, .N = in->B * in->T};
    tn_status status = make(m);
    if (status == TN_OK) {
        forward(m);
        if (out->grads)
            backward(m);
    }
    release(m);
    tn_free(ctx, m);
    return status;
}

double tn_model_reference_cost(const tn_model_config *c, int64_t B, int64_t T, double rho) {
    double N = (double)(B * T), D = (double)c->d_model, F = (double)c->mlp_width;
    tn_mixer_shape_ref shape = {.B = B, .T = T, .D = c->d_model, .H = c->heads};
    double mixer = tn_mixer_ref_cost(&shape, B * T, rho * N * (double)(T + 1) / 2);
    return (double)c->layers * (mixer + 24 * N * D * F) + 24 * (double)B * D * (double)c->vocab;
}
