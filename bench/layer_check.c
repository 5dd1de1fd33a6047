#include "layer_check.h"

#include <math.h>

enum { MAX_WIDTH = 8192 };

static const float *of(const float *values, const tn_param *p) {
    return values + p->offset;
}

static void norm(const tn_model *m, const float *values, const float *x, double *u) {
    int64_t D = m->config.d_model;
    const float *w = of(values, m->params.layers[0].norm1);
    double squares = 0;
    for (int64_t d = 0; d < D; d++)
        squares += (double)x[d] * x[d];
    for (int64_t d = 0; d < D; d++)
        u[d] = x[d] / sqrt(squares / (double)D + m->config.rms_eps) * w[d];
}

static void linear(const float *w, int64_t D, const double *x, double *y) {
    for (int64_t o = 0; o < D; o++) {
        y[o] = 0;
        for (int64_t i = 0; i < D; i++)
            y[o] += w[o * D + i] * x[i];
    }
}

void tn_layer_check_keys(const tn_model *m, const float *values, int64_t T, const float *x, double *kv) {
    int64_t D = m->config.d_model;
    double u[MAX_WIDTH];
    for (int64_t t = 0; t < T; t++) {
        norm(m, values, x + t * D, u);
        linear(of(values, m->params.layers[0].k), D, u, kv + t * D);
        linear(of(values, m->params.layers[0].v), D, u, kv + (T + t) * D);
    }
}

/* a of position t: scores are run over twice instead of being kept. */
static void attend(const tn_model *m, int64_t T, const double *kv, int64_t t, const double *q, double *a) {
    int64_t D = m->config.d_model, H = m->config.heads, Dh = D / H;
    for (int64_t h = 0; h < H; h++) {
        double top = -INFINITY, sum = 0, *out = a + h * Dh;
        for (int64_t i = 0; i < Dh; i++)
            out[i] = 0;
        for (int64_t pass = 0; pass < 2; pass++)
            for (int64_t s = 0; s <= t; s++) {
                const double *k = kv + s * D + h * Dh, *v = kv + (T + s) * D + h * Dh;
                double score = 0;
                for (int64_t i = 0; i < Dh; i++)
                    score += q[h * Dh + i] * k[i] / sqrt((double)Dh);
                if (pass == 0) {
                    top = fmax(top, score);
                    continue;
                }
                sum += exp(score - top);
                for (int64_t i = 0; i < Dh; i++)
                    out[i] += exp(score - top) * v[i];
            }
        for (int64_t i = 0; i < Dh; i++)
            out[i] /= sum;
    }
}

static void convolve(const tn_model *m, const float *values, const float *x, int64_t t, double *s) {
    int64_t D = m->config.d_model, K = m->config.conv_taps;
    const tn_layer_params *lp = &m->params.layers[0];
    double u[MAX_WIDTH];
    for (int64_t d = 0; d < D; d++)
        s[d] = of(values, lp->conv_bias)[d];
    for (int64_t j = 0; j < K && j <= t; j++) {
        norm(m, values, x + (t - j) * D, u);
        for (int64_t d = 0; d < D; d++)
            s[d] += of(values, lp->conv_weight)[d * K + j] * u[d];
    }
    for (int64_t d = 0; d < D; d++)
        s[d] = s[d] / (1 + exp(-s[d]));
}

void tn_layer_check_row(const tn_model *m, const float *values, int64_t T, const float *x, const double *kv,
                        int64_t t, bool global, double *mid) {
    int64_t D = m->config.d_model;
    const tn_layer_params *lp = &m->params.layers[0];
    double u[MAX_WIDTH], q[MAX_WIDTH], inner[MAX_WIDTH];
    if (global) {
        norm(m, values, x + t * D, u);
        linear(of(values, lp->q), D, u, q);
        attend(m, T, kv, t, q, inner);
    } else {
        convolve(m, values, x, t, inner);
    }
    linear(of(values, global ? lp->o : lp->conv_out), D, inner, mid);
    for (int64_t d = 0; d < D; d++)
        mid[d] += x[t * D + d];
}
