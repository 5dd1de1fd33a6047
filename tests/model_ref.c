#include "model_ref.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Doubles for one pass; freed at its end. */
static double *room(int64_t count) {
    double *block = calloc((size_t)(count > 0 ? count : 1), sizeof(double));
    if (!block)
        abort();
    return block;
}

static const double *value(const tn_model_ref *r, const tn_param *t) {
    return t ? r->values + t->offset : NULL;
}

/* y[out] = W x (+ bias), W [out,in] */
static void linear(const double *w, const double *bias, int64_t out, int64_t in, const double *x, double *y) {
    for (int64_t o = 0; o < out; o++) {
        double sum = bias ? bias[o] : 0;
        for (int64_t i = 0; i < in; i++)
            sum += w[o * in + i] * x[i];
        y[o] = sum;
    }
}

static void norm(const double *w, double eps, int64_t D, const double *x, double *y) {
    double squares = 0;
    for (int64_t d = 0; d < D; d++)
        squares += x[d] * x[d];
    for (int64_t d = 0; d < D; d++)
        y[d] = x[d] / sqrt(squares / (double)D + eps) * w[d];
}

static void rotate(double *x, int64_t H, int64_t Dh, int64_t t) {
    for (int64_t h = 0; h < H; h++)
        for (int64_t i = 0; i < Dh / 2; i++) {
            double angle = (double)t * pow(10000.0, -2.0 * (double)i / (double)Dh);
            double *a = x + h * Dh + i, *b = a + Dh / 2, a0 = *a, b0 = *b;
            *a = a0 * cos(angle) - b0 * sin(angle);
            *b = a0 * sin(angle) + b0 * cos(angle);
        }
}

/* o of one row: attention of q over k, v of the `window` positions of its sequence up to t (0: of all), which
 * have G heads. */
static void attend(int64_t H, int64_t G, int64_t Dh, int64_t window, int64_t t, const double *q,
                   const double *k, const double *v, double *out) {
    const int64_t first = window > 0 && t - window + 1 > 0 ? t - window + 1 : 0;
    double *score = room(t + 1);
    for (int64_t h = 0; h < H; h++) {
        double top = -INFINITY, sum = 0;
        int64_t own = h / (H / G); /* of the heads of keys and values */
        for (int64_t s = first; s <= t; s++) {
            score[s] = 0;
            for (int64_t i = 0; i < Dh; i++)
                score[s] += q[h * Dh + i] * k[(s * G + own) * Dh + i] / sqrt((double)Dh);
            top = fmax(top, score[s]);
        }
        for (int64_t s = first; s <= t; s++)
            sum += exp(score[s] - top);
        for (int64_t i = 0; i < Dh; i++) {
            out[h * Dh + i] = 0;
            for (int64_t s = first; s <= t; s++)
                out[h * Dh + i] += exp(score[s] - top) / sum * v[(s * G + own) * Dh + i];
        }
    }
    free(score);
}

/* c[N,D] of the convolution track. */
static void cheap(const tn_model_ref *r, const tn_layer_params *lp, int64_t B, int64_t T, const double *u,
                  double *c) {
    int64_t D = r->m->config.d_model, K = r->m->config.conv_taps;
    const double *w = value(r, lp->conv_weight), *bias = value(r, lp->conv_bias);
    double *s = room(D);
    for (int64_t n = 0; n < B * T; n++) {
        for (int64_t d = 0; d < D; d++) {
            double sum = bias[d];
            for (int64_t j = 0; j < K && j <= n % T; j++)
                sum += w[d * K + j] * u[(n - j) * D + d];
            s[d] = sum / (1 + exp(-sum));
        }
        linear(value(r, lp->conv_out), NULL, D, D, s, c + n * D);
    }
    free(s);
}

/* o[N,D] of the global track, every row. */
static void global(const tn_model_ref *r, const tn_layer_params *lp, int64_t B, int64_t T, const double *u,
                   double *o) {
    const tn_model_config *cfg = &r->m->config;
    int64_t D = cfg->d_model, H = cfg->heads, G = cfg->kv_heads, Dh = D / H, W = G * Dh, N = B * T;
    double *q = room(N * D), *k = room(N * W), *v = room(N * W), *a = room(D);
    for (int64_t n = 0; n < N; n++) {
        linear(value(r, lp->q), NULL, D, D, u + n * D, q + n * D);
        linear(value(r, lp->k), NULL, W, D, u + n * D, k + n * W);
        linear(value(r, lp->v), NULL, W, D, u + n * D, v + n * W);
        if (cfg->positions == TN_POSITIONS_ROPE) {
            rotate(q + n * D, H, Dh, n % T);
            rotate(k + n * W, G, Dh, n % T);
        }
    }
    for (int64_t n = 0; n < N; n++) {
        attend(H, G, Dh, cfg->window, n % T, q + n * D, k + n / T * T * W, v + n / T * T * W, a);
        linear(value(r, lp->o), NULL, D, D, a, o + n * D);
    }
    free(q);
    free(k);
    free(v);
    free(a);
}

/* Gate values of layer i: g[N], and p, h beside it. */
static void decide(const tn_model_ref *r, int64_t i, int64_t N, const double *u, const unsigned char *mask,
                   double *g, double *p, unsigned char *h) {
    const tn_layer_params *lp = &r->m->params.layers[i];
    int64_t D = r->m->config.d_model;
    for (int64_t n = 0; n < N; n++) {
        double logit = 0;
        if (lp->router_weight)
            linear(value(r, lp->router_weight), value(r, lp->router_bias), 1, D, u + n * D, &logit);
        p[n] = 1 / (1 + exp(-logit));
        h[n] = mask && !lp->router_weight ? mask[n] : logit >= 0;
        g[n] = r->soft && lp->router_weight ? p[n] : h[n];
        if (!r->soft && r->frozen_h) {
            h[n] = r->frozen_h[i * N + n];
            g[n] = h[n] + (r->frozen_p ? p[n] - r->frozen_p[i * N + n] : 0);
            if (r->only_routed && !h[n])
                g[n] = 0;
        }
    }
}

static void mixer(const tn_model_ref *r, int64_t i, int64_t B, int64_t T, const unsigned char *mask,
                  double *x, double *p, unsigned char *h) {
    const tn_model_config *cfg = &r->m->config;
    const tn_layer_params *lp = &r->m->params.layers[i];
    int64_t D = cfg->d_model, N = B * T;
    double *u = room(N * D), *c = room(N * D), *o = room(N * D), *g = room(N);
    for (int64_t n = 0; n < N; n++)
        norm(value(r, lp->norm1), cfg->rms_eps, D, x + n * D, u + n * D);
    if (tn_layer_has_conv(cfg, i))
        cheap(r, lp, B, T, u, c);
    if (tn_layer_has_attention(cfg, i))
        global(r, lp, B, T, u, o);
    decide(r, i, N, u, mask, g, p, h);
    for (int64_t n = 0; n < N; n++) {
        if (tn_layer_mixer(cfg, i) == TN_MIXER_CONV)
            g[n] = h[n] = 0;
        if (tn_layer_mixer(cfg, i) == TN_MIXER_ATTENTION)
            g[n] = h[n] = 1;
        for (int64_t d = 0; d < D; d++)
            x[n * D + d] += c[n * D + d] + g[n] * (cfg->added ? o[n * D + d] : o[n * D + d] - c[n * D + d]);
    }
    free(u);
    free(c);
    free(o);
    free(g);
}

static void mlp(const tn_model_ref *r, const tn_layer_params *lp, int64_t N, double *x) {
    const tn_model_config *cfg = &r->m->config;
    int64_t D = cfg->d_model, F = cfg->mlp_width;
    double *u = room(D), *up = room(F), *down = room(D);
    for (int64_t n = 0; n < N; n++) {
        norm(value(r, lp->norm2), cfg->rms_eps, D, x + n * D, u);
        linear(value(r, lp->up_weight), value(r, lp->up_bias), F, D, u, up);
        for (int64_t f = 0; f < F; f++)
            up[f] = 0.5 * up[f] *
                    (1 + tanh(sqrt(2 / 3.14159265358979323846) * (up[f] + 0.044715 * pow(up[f], 3))));
        linear(value(r, lp->down_weight), value(r, lp->down_bias), D, F, up, down);
        for (int64_t d = 0; d < D; d++)
            x[n * D + d] += down[d];
    }
    free(u);
    free(up);
    free(down);
}

int64_t tn_model_ref_matched(int64_t most, const int32_t *tokens, int64_t n, int64_t T) {
    int64_t longest = 0;
    for (int64_t s = n / T * T; s < n; s++) {
        int64_t k = 0;
        while (k < most && s - k >= n / T * T && tokens[s - k] == tokens[n - k])
            k++;
        longest = k > longest ? k : longest;
    }
    return longest;
}

void tn_model_ref_forward(const tn_model_ref *r, int64_t B, int64_t T, const int32_t *tokens,
                          const unsigned char *mask, double *logits, double *p, unsigned char *h) {
    const tn_model_config *cfg = &r->m->config;
    const tn_params *ps = &r->m->params;
    int64_t D = cfg->d_model, N = B * T;
    double *x = room(N * D), *u = room(D), *own_p = room(cfg->layers * N);
    unsigned char *own_h = calloc((size_t)(cfg->layers * N), 1);
    if (!own_h)
        abort();
    for (int64_t n = 0; n < N; n++) {
        const double *more =
            ps->match ? value(r, ps->match) + tn_model_ref_matched(cfg->match, tokens, n, T) * D : NULL;
        for (int64_t d = 0; d < D; d++)
            x[n * D + d] = value(r, ps->embed)[tokens[n] * D + d] + (more ? more[d] : 0);
    }
    for (int64_t i = 0; i < cfg->layers; i++) {
        mixer(r, i, B, T, mask ? mask + i * N : NULL, x, (p ? p : own_p) + i * N, (h ? h : own_h) + i * N);
        mlp(r, &ps->layers[i], N, x);
    }
    for (int64_t n = 0; n < N; n++) {
        norm(value(r, ps->norm), cfg->rms_eps, D, x + n * D, u);
        linear(value(r, ps->head), NULL, cfg->vocab, D, u, logits + n * cfg->vocab);
    }
    free(x);
    free(u);
    free(own_p);
    free(own_h);
}
