/* The global track of a layer, for the rows that are routed: projected, with keys and values of every
 * position up to the last of them, or absorbed, where the rows of u are keys and values themselves
 * (attention_absorb). */
#include "workspace.h"

#include "attention_absorb.h"
#include "clock.h"
#include "flash_attention.h"
#include "gemm.h"
#include "launch.h"
#include "linear.h"
#include "rope.h"
#include "row_gather.h"

#include <math.h>

/* Absorbed, every head is a query of its own on one head as wide as the model. */
static tn_flash_attention_shape attention_shape(const tn_workspace *ws, const tn_input *in,
                                                const tn_layer_state *st) {
    const tn_model_config *c = &ws->m->config;
    int64_t Dh = c->d_model / c->heads;
    if (st->absorbed)
        return (tn_flash_attention_shape){.B = in->B,
                                          .T = in->T,
                                          .R = st->R * c->heads,
                                          .Rkv = st->P,
                                          .max_rows = st->max_rows * c->heads,
                                          .H = 1,
                                          .Dh = c->d_model,
                                          .window = c->window,
                                          .scale = 1 / sqrt((double)Dh)};
    return (tn_flash_attention_shape){.B = in->B,
                                      .T = in->T,
                                      .R = st->R,
                                      .Rkv = st->P,
                                      .max_rows = st->max_rows,
                                      .H = c->heads,
                                      .Hkv = c->kv_heads,
                                      .Dh = Dh,
                                      .window = c->window,
                                      .at_most = st->rows_count != NULL};
}

/* The lists that the global track works from; borrowed. */
typedef struct tn_row_lists {
    tn_buffer *rows;
    const tn_buffer *q_start, *kv_rows, *kv_start;
    const tn_buffer *q_input, *kv_input; /* rows of u1 for q; for k and v */
} tn_row_lists;

static tn_row_lists lists_of(const tn_workspace *ws, const tn_layer_state *st) {
    if (st->dense)
        return (tn_row_lists){ws->iota, ws->dense_start, ws->iota, ws->dense_start, st->u1, st->u1};
    return (tn_row_lists){st->rows,     st->start, st->kv_gathered ? st->kv_rows : ws->iota,
                          st->kv_start, st->uq,    st->kv_gathered ? st->ukv : st->u1};
}

/* x [R,H·Dh] of any number of heads, in place; of its rows as many as `count` has, where it is not NULL. */
static tn_status rotate(tn_workspace *ws, const tn_input *in, tn_buffer *x, int64_t R, const tn_buffer *count,
                        int64_t H, const tn_buffer *rows, bool back) {
    const tn_model_config *c = &ws->m->config;
    if (c->positions != TN_POSITIONS_ROPE)
        return TN_OK;
    tn_rope_shape s = {
        .R = R, .T = in->T, .H = H, .Dh = c->d_model / c->heads, .base = TN_ROPE_BASE, .count = count};
    return back ? tn_rope_backward(ws->m->dev, &s, x, x, rows) : tn_rope_forward(ws->m->dev, &s, x, x, rows);
}

/* q, k and v, those of the same rows in one product where the weights allow it. */
static tn_status project(tn_workspace *ws, const tn_layer_state *st, const tn_layer_params *lp,
                         const tn_row_lists *l) {
    tn_device *dev = ws->m->dev;
    int64_t D = ws->m->config.d_model, width = tn_model_config_kv_width(&ws->m->config);
    tn_buffer *to[] = {st->q, st->k, st->v};
    if (lp->qkv && l->q_input == l->kv_input)
        return tn_gemm_grouped(dev, &(tn_gemm_shape){TN_GEMM_NT, st->P, 3 * D, D}, 3, to, &l->kv_input,
                               lp->qkv, lp->qkv_packed, NULL, NULL);
    TN_TRY(tn_linear(dev, st->R, st->rows_count, lp->q, st->q, l->q_input, NULL, NULL));
    if (lp->kv)
        return tn_gemm_grouped(dev, &(tn_gemm_shape){TN_GEMM_NT, st->P, 2 * width, D, st->keys_count}, 2,
                               to + 1, &l->kv_input, lp->kv, lp->kv_packed, NULL, NULL);
    TN_TRY(tn_linear(dev, st->P, st->keys_count, lp->k, st->k, l->kv_input, NULL, NULL));
    return tn_linear(dev, st->P, st->keys_count, lp->v, st->v, l->kv_input, NULL, NULL);
}

tn_status tn_global_gather(tn_workspace *ws, const tn_input *in, int64_t layer) {
    tn_device *dev = ws->m->dev;
    tn_layer_state *st = tn_workspace_state(ws, layer);
    int64_t D = ws->m->config.d_model, N = in->B * in->T;
    if (!st->dense) {
        TN_TRY(tn_workspace_floats(ws, &st->uq, st->R, D));
        TN_TRY(tn_row_gather_forward(dev, &(tn_row_gather_shape){st->R, N, D, st->rows_count}, st->uq, st->u1,
                                     st->rows));
    }
    if (!st->kv_gathered)
        return TN_OK;
    TN_TRY(tn_workspace_floats(ws, &st->ukv, st->P, D));
    return tn_row_gather_forward(dev, &(tn_row_gather_shape){st->P, N, D, st->keys_count}, st->ukv, st->u1,
                                 st->kv_rows);
}

static tn_status absorbed_project(tn_workspace *ws, int64_t layer) {
    tn_device *dev = ws->m->dev;
    tn_layer_state *st = tn_workspace_state(ws, layer);
    const tn_absorbed *w = &ws->m->params.absorbed[layer];
    int64_t D = ws->m->config.d_model, H = ws->m->config.heads, R = st->R;
    tn_row_lists l = lists_of(ws, st);
    TN_TRY(tn_workspace_need(ws, &st->query_rows, (size_t)(R * H) * 4));
    TN_TRY(tn_workspace_floats(ws, &st->q, R, H * D));
    TN_TRY(tn_params_absorb(&ws->m->params, layer, H));
    TN_TRY(tn_attention_absorb_rows(dev, R, H, st->query_rows, l.rows));
    return tn_gemm_with_packed(dev, &(tn_gemm_shape){TN_GEMM_NT, R, H * D, D}, st->q, l.q_input, w->mq,
                               w->mq_packed, NULL, NULL);
}

tn_status tn_global_project(tn_workspace *ws, const tn_input *in, int64_t layer) {
    tn_layer_state *st = tn_workspace_state(ws, layer);
    const tn_model_config *c = &ws->m->config;
    int64_t width = tn_model_config_kv_width(c);
    if (st->absorbed)
        return absorbed_project(ws, layer);
    tn_row_lists l = lists_of(ws, st);
    TN_TRY(tn_workspace_floats(ws, &st->q, st->R, c->d_model));
    TN_TRY(tn_workspace_floats(ws, &st->k, st->P, width));
    TN_TRY(tn_workspace_floats(ws, &st->v, st->P, width));
    TN_TRY(project(ws, st, &ws->m->params.layers[layer], &l));
    TN_TRY(rotate(ws, in, st->q, st->R, st->rows_count, c->heads, l.rows, false));
    return rotate(ws, in, st->k, st->P, st->keys_count, c->kv_heads, l.kv_rows, false);
}

/* What attention reads and writes: of the whole list, or of a piece of it. */
typedef struct tn_attend {
    tn_buffer *a, *lse, *q, *rows;
    const tn_buffer *k, *v, *start, *kv_start;
} tn_attend;

static tn_status attend(tn_device *dev, const tn_flash_attention_shape *s, const tn_attend *x) {
    return tn_flash_attention_forward(dev, s, x->a, x->lse, x->q, x->k, x->v, x->rows, x->start, x->kv_start,
                                      NULL, NULL);
}

/* `count` queries from `first` on, each `width` wide: views of what the whole list has. */
static tn_status attend_piece(tn_workspace *ws, const tn_flash_attention_shape *s, const tn_attend *x,
                              int64_t first, int64_t count, int64_t width) {
    tn_flash_attention_shape piece = *s;
    const int32_t start[2] = {0, (int32_t)count};
    tn_buffer *const whole[] = {x->a, x->lse, x->q, x->rows};
    const int64_t floats[] = {width, s->H, width, 1};
    tn_buffer *views[4] = {NULL};
    tn_status status = TN_OK;
    piece.R = piece.max_rows = count;
    for (int i = 0; i < 4; i++)
        TN_GO(tn_buffer_view(whole[i], (size_t)(first * floats[i]) * 4, (size_t)(count * floats[i]) * 4,
                             &views[i]));
    TN_GO(tn_device_finish(ws->m->dev)); /* one piece at a time, so that Ctrl-C waits for one alone */
    TN_GO(tn_workspace_need(ws, &ws->piece_start, sizeof start));
    TN_GO(tn_buffer_write(ws->piece_start, 0, sizeof start, start));
    TN_GO(attend(
        ws->m->dev, &piece,
        &(tn_attend){views[0], views[1], views[2], views[3], x->k, x->v, ws->piece_start, x->kv_start}));
cleanup:
    for (int i = 0; i < 4; i++)
        tn_buffer_destroy(views[i]);
    return status;
}

static void tell(tn_workspace *ws, int64_t layer, int64_t done, int64_t of) {
    const double seldom = 10;
    double now = tn_clock_seconds();
    if (!(now - ws->told >= seldom))
        return;
    if (ws->told > 0)
        tn_progress(tn_device_context(ws->m->dev), "attention of layer %lld of %lld: %lld of %lld rows",
                    (long long)layer + 1, (long long)ws->m->config.layers, (long long)done, (long long)of);
    ws->told = now;
}

/* One sequence, so long that Ctrl-C would wait too long for it: its list goes in pieces. A row's bits do not
 * depend on the rows beside it. `each` queries a row. */
static tn_status attend_in_pieces(tn_workspace *ws, int64_t layer, const tn_flash_attention_shape *s,
                                  const tn_attend *x, double row_work, int64_t each) {
    int64_t rows = s->R / each, width = s->H * s->Dh;
    int64_t pieces = 1 + (int64_t)((double)rows * row_work / ws->piece_work);
    int64_t step = tn_ceil_div(tn_ceil_div(rows, pieces), TN_PIECE_ROWS) * TN_PIECE_ROWS;
    for (int64_t at = 0; at < rows; at += step) {
        int64_t count = at + step <= rows ? step : rows - at;
        TN_TRY(attend_piece(ws, s, x, at * each, count * each, width));
        TN_TRY(tn_workspace_pause(ws, (double)count * row_work));
        tell(ws, layer, at + count, rows);
    }
    return TN_OK;
}

tn_status tn_global_attend(tn_workspace *ws, const tn_input *in, int64_t layer) {
    tn_layer_state *st = tn_workspace_state(ws, layer);
    int64_t D = ws->m->config.d_model, H = ws->m->config.heads, each = st->absorbed ? H : 1;
    tn_row_lists l = lists_of(ws, st);
    tn_flash_attention_shape s = attention_shape(ws, in, st);
    TN_TRY(tn_workspace_floats(ws, &st->a, st->R, each * D));
    TN_TRY(tn_workspace_floats(ws, &st->lse, st->R, H));
    tn_attend x = {.a = st->a,
                   .lse = st->lse,
                   .q = st->q,
                   .k = st->absorbed ? l.kv_input : st->k,
                   .v = st->absorbed ? l.kv_input : st->v,
                   .rows = st->absorbed ? st->query_rows : l.rows,
                   .start = st->absorbed ? st->query_start : l.q_start,
                   .kv_start = l.kv_start};
    double row_work = /* of the last row: at most */
        2 * (double)(each * D) * (double)tn_model_config_keys(&ws->m->config, in->T - 1);
    bool can = in->B == 1 && TN_PIECE_ROWS * sizeof(float) % tn_buffer_align(ws->m->dev) == 0;
    if (!ws->m->training && can && !st->rows_count && (double)st->R * row_work > ws->piece_work)
        return attend_in_pieces(ws, layer, &s, &x, row_work, each);
    return attend(ws->m->dev, &s, &x);
}

tn_status tn_global_output(tn_workspace *ws, int64_t layer, tn_buffer *out, const tn_buffer *add) {
    tn_device *dev = ws->m->dev;
    tn_layer_state *st = tn_workspace_state(ws, layer);
    const tn_absorbed *w = &ws->m->params.absorbed[layer];
    int64_t D = ws->m->config.d_model, H = ws->m->config.heads;
    if (!st->absorbed)
        return tn_linear(dev, st->R, st->rows_count, ws->m->params.layers[layer].o, out, st->a, NULL, add);
    return tn_gemm_with_packed(dev, &(tn_gemm_shape){TN_GEMM_NT, st->R, D, H * D}, out, st->a, w->mo,
                               w->mo_packed, NULL, add);
}

tn_status tn_global_forward(tn_workspace *ws, const tn_input *in, int64_t layer, tn_buffer *out,
                            const tn_buffer *add) {
    TN_TRY(tn_global_gather(ws, in, layer));
    TN_TRY(tn_global_project(ws, in, layer));
    TN_TRY(tn_global_attend(ws, in, layer));
    return tn_global_output(ws, layer, out, add);
}

/* Gradients of W_q, W_k, W_v. */
static tn_status project_weight_grads(tn_workspace *ws, const tn_layer_state *st, const tn_layer_params *lp,
                                      const tn_row_lists *l) {
    tn_device *dev = ws->m->dev;
    int64_t D = ws->m->config.d_model, width = tn_model_config_kv_width(&ws->m->config);
    const tn_buffer *from[] = {ws->dq, ws->dk, ws->dv};
    if (lp->qkv && l->q_input == l->kv_input)
        return tn_gemm_grouped(dev, &(tn_gemm_shape){TN_GEMM_TN, 3 * D, D, st->P}, 3, &lp->qkv_grad, from,
                               l->kv_input, NULL, NULL, ws->sums);
    TN_TRY(tn_linear_weight_grad(ws, st->R, st->rows_count, lp->q, ws->dq, l->q_input));
    if (lp->kv)
        return tn_gemm_grouped(dev, &(tn_gemm_shape){TN_GEMM_TN, 2 * width, D, st->P, st->keys_count}, 2,
                               &lp->kv_grad, from + 1, l->kv_input, NULL, NULL, ws->sums);
    TN_TRY(tn_linear_weight_grad(ws, st->P, st->keys_count, lp->k, ws->dk, l->kv_input));
    return tn_linear_weight_grad(ws, st->P, st->keys_count, lp->v, ws->dv, l->kv_input);
}

/* du = gradient at the input of k and v, of `rows` rows, or as many as `count` has (+ add, which may be du).
 */
static tn_status keys_input_grad(tn_workspace *ws, const tn_layer_params *lp, int64_t rows,
                                 const tn_buffer *count, tn_buffer *du, const tn_buffer *add) {
    tn_device *dev = ws->m->dev;
    int64_t D = ws->m->config.d_model, width = tn_model_config_kv_width(&ws->m->config);
    const tn_buffer *from[] = {ws->dk, ws->dv};
    if (lp->kv)
        return tn_gemm_grouped(dev, &(tn_gemm_shape){TN_GEMM_NN, rows, D, 2 * width, count}, 2, &du, from,
                               lp->kv, NULL, add, NULL);
    TN_TRY(tn_linear_input_grad(dev, rows, count, lp->k, du, ws->dk, add));
    return tn_linear_input_grad(dev, rows, count, lp->v, du, ws->dv, du);
}

/* The same of q, k and v, of all rows. */
static tn_status project_input_grad(tn_workspace *ws, const tn_layer_params *lp, int64_t rows, tn_buffer *du,
                                    const tn_buffer *add) {
    int64_t D = ws->m->config.d_model;
    const tn_buffer *from[] = {ws->dq, ws->dk, ws->dv};
    if (lp->qkv)
        return tn_gemm_grouped(ws->m->dev, &(tn_gemm_shape){TN_GEMM_NN, rows, D, 3 * D}, 3, &du, from,
                               lp->qkv, NULL, add, NULL);
    TN_TRY(tn_linear_input_grad(ws->m->dev, rows, NULL, lp->q, du, ws->dq, add));
    return keys_input_grad(ws, lp, rows, NULL, du, du);
}

/* M's and C's gradients from those of queries and output, and from them the weights'. */
static tn_status absorbed_weight_grads(tn_workspace *ws, const tn_layer_state *st, const tn_layer_params *lp,
                                       const tn_buffer *do_, const tn_buffer *q_input) {
    tn_device *dev = ws->m->dev;
    int64_t D = ws->m->config.d_model, H = ws->m->config.heads, R = st->R;
    TN_TRY(tn_workspace_floats(ws, &ws->dmq, H * D, D));
    TN_TRY(tn_workspace_floats(ws, &ws->dmo, H * D, D));
    TN_TRY(tn_gemm_forward(dev, &(tn_gemm_shape){TN_GEMM_TN, H * D, D, R}, ws->dmq, ws->dq, q_input, NULL,
                           NULL));
    TN_TRY(tn_gemm_forward(dev, &(tn_gemm_shape){TN_GEMM_TN, D, H * D, R}, ws->dmo, do_, st->a, NULL, NULL));
    return tn_attention_absorb_backward(dev, &(tn_attention_absorb_shape){H, D / H}, lp->q->grad, lp->k->grad,
                                        lp->v->grad, lp->o->grad, ws->dmq, ws->dmo, lp->q->value,
                                        lp->k->value, lp->v->value, lp->o->value);
}

/* A row of u is key and value at once: both gradients reach it. */
static tn_status absorbed_backward(tn_workspace *ws, const tn_input *in, int64_t layer, tn_buffer *du,
                                   const tn_buffer *do_) {
    tn_device *dev = ws->m->dev;
    tn_layer_state *st = tn_workspace_state(ws, layer);
    int64_t D = ws->m->config.d_model, H = ws->m->config.heads, R = st->R, P = st->P, N = in->B * in->T;
    tn_row_lists l = lists_of(ws, st);
    TN_TRY(tn_workspace_floats(ws, &ws->da, R, H * D));
    TN_TRY(tn_workspace_floats(ws, &ws->dq, R, H * D));
    TN_TRY(tn_workspace_floats(ws, &ws->dk, P, D));
    TN_TRY(tn_workspace_floats(ws, &ws->dv, P, D));
    TN_TRY(tn_workspace_floats(ws, &ws->duq, R, D));
    TN_TRY(tn_gemm_forward(dev, &(tn_gemm_shape){TN_GEMM_NN, R, H * D, D}, ws->da, do_,
                           ws->m->params.absorbed[layer].mo, NULL, NULL));
    tn_flash_attention_shape s = attention_shape(ws, in, st);
    TN_TRY(tn_flash_attention_backward(dev, &s, ws->dq, ws->dk, ws->dv, ws->da, st->q, l.kv_input, l.kv_input,
                                       st->a, st->lse, st->query_rows, st->query_start, l.kv_start, NULL,
                                       NULL));
    TN_TRY(absorbed_weight_grads(ws, st, &ws->m->params.layers[layer], do_, l.q_input));
    TN_TRY(tn_gemm_forward(dev, &(tn_gemm_shape){TN_GEMM_NN, R, D, H * D}, ws->duq, ws->dq,
                           ws->m->params.absorbed[layer].mq, NULL, NULL));
    TN_TRY(tn_row_gather_backward(dev, &(tn_row_gather_shape){R, N, D}, du, ws->duq, l.rows));
    TN_TRY(tn_row_gather_backward(dev, &(tn_row_gather_shape){P, N, D}, du, ws->dk, l.kv_rows));
    return tn_row_gather_backward(dev, &(tn_row_gather_shape){P, N, D}, du, ws->dv, l.kv_rows);
}

tn_status tn_global_backward(tn_workspace *ws, const tn_input *in, int64_t layer, tn_buffer *du,
                             const tn_buffer *do_, bool du_empty) {
    tn_model *m = ws->m;
    tn_layer_state *st = tn_workspace_state(ws, layer);
    const tn_layer_params *lp = &m->params.layers[layer];
    int64_t D = m->config.d_model, width = tn_model_config_kv_width(&m->config);
    int64_t R = st->R, P = st->P, N = in->B * in->T;
    const tn_buffer *there = st->rows_count, *keys = st->keys_count;
    if (st->absorbed)
        return absorbed_backward(ws, in, layer, du, do_);
    tn_row_lists l = lists_of(ws, st);
    TN_TRY(tn_workspace_floats(ws, &ws->da, R, D));
    TN_TRY(tn_workspace_floats(ws, &ws->dq, R, D));
    TN_TRY(tn_workspace_floats(ws, &ws->dk, P, width));
    TN_TRY(tn_workspace_floats(ws, &ws->dv, P, width));
    TN_TRY(tn_linear_input_grad(m->dev, R, there, lp->o, ws->da, do_, NULL));
    TN_TRY(tn_linear_weight_grad(ws, R, there, lp->o, do_, st->a));
    tn_flash_attention_shape s = attention_shape(ws, in, st);
    TN_TRY(tn_flash_attention_backward(m->dev, &s, ws->dq, ws->dk, ws->dv, ws->da, st->q, st->k, st->v, st->a,
                                       st->lse, l.rows, l.q_start, l.kv_start, NULL, NULL));
    TN_TRY(rotate(ws, in, ws->dq, R, there, m->config.heads, l.rows, true));
    TN_TRY(rotate(ws, in, ws->dk, P, keys, m->config.kv_heads, l.kv_rows, true));
    TN_TRY(project_weight_grads(ws, st, lp, &l));
    if (st->dense)
        return project_input_grad(ws, lp, N, du, du_empty ? NULL : du);
    TN_TRY(tn_workspace_floats(ws, &ws->duq, R, D));
    TN_TRY(tn_linear_input_grad(m->dev, R, there, lp->q, ws->duq, ws->dq, NULL));
    TN_TRY(tn_row_gather_backward(m->dev, &(tn_row_gather_shape){R, N, D, there}, du, ws->duq, l.rows));
    if (!st->kv_gathered)
        return keys_input_grad(ws, lp, P, keys, du, du);
    TN_TRY(tn_workspace_floats(ws, &ws->dukv, P, D));
    TN_TRY(keys_input_grad(ws, lp, P, keys, ws->dukv, NULL));
    return tn_row_gather_backward(m->dev, &(tn_row_gather_shape){P, N, D, keys}, du, ws->dukv, l.kv_rows);
}
