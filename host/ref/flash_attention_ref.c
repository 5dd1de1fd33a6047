#include "flash_attention_ref.h"

#include <float.h>
#include <math.h>
#include <stddef.h>

bool tn_attention_allowed(const tn_attention_rows *a, int64_t b, int64_t t, int64_t s) {
    if (s > t || s >= a->kv_start[b + 1] - a->kv_start[b])
        return false;
    if (a->window > 0 && s < t - a->window + 1)
        return false;
    if (a->lengths && t >= a->lengths[b])
        return false;
    return !a->segments || a->segments[b * a->T + s] == a->segments[b * a->T + t];
}

int64_t tn_attention_kv_heads(const tn_attention_rows *a) {
    return a->Hkv ? a->Hkv : a->H;
}

/* From the start of k or v to the first key of sequence b in the head that query head h reads. */
static int64_t keys_of(const tn_attention_rows *a, int64_t b, int64_t h) {
    int64_t Hkv = tn_attention_kv_heads(a);
    return (a->kv_start[b] * Hkv + h / (a->H / Hkv)) * a->Dh;
}

static double scale_of(const tn_attention_rows *a) {
    return a->scale > 0 ? a->scale : 1 / sqrt((double)a->Dh);
}

/* Infinite past the range of fp32, as it is where it is computed. */
static double score(const tn_attention_rows *a, const double *q, const double *k) {
    double sum = 0;
    for (int64_t d = 0; d < a->Dh; d++)
        sum += q[d] * k[d];
    sum *= scale_of(a);
    return fabs(sum) > (double)FLT_MAX ? copysign(INFINITY, sum) : sum;
}

void tn_flash_attention_row_ref(const tn_attention_rows *a, int64_t b, int64_t t, double *o, double *lse,
                                const double *q, const double *k, const double *v) {
    int64_t D = tn_attention_kv_heads(a) * a->Dh;
    double top = -INFINITY, sum = 0;
    int64_t seen = 0;
    for (int64_t s = 0; s <= t; s++)
        if (tn_attention_allowed(a, b, t, s)) {
            double x = score(a, q, k + s * D);
            top = x > top ? x : top; /* a NaN is no top, and comes back below */
            seen++;
        }
    for (int64_t d = 0; d < a->Dh; d++)
        o[d] = 0;
    *lse = 0;
    if (seen == 0)
        return; /* nothing to attend to: exact zeros */
    for (int64_t s = 0; s <= t; s++) {
        if (!tn_attention_allowed(a, b, t, s))
            continue;
        double e = exp(score(a, q, k + s * D) - top);
        sum += e;
        for (int64_t d = 0; d < a->Dh; d++)
            o[d] += e * v[s * D + d];
    }
    for (int64_t d = 0; d < a->Dh; d++)
        o[d] /= sum;
    *lse = top + log(sum);
}

void tn_flash_attention_forward_ref(const tn_attention_rows *a, double *o, double *lse, const double *q,
                                    const double *k, const double *v) {
    int64_t D = a->H * a->Dh;
    for (int64_t b = 0; b < a->B; b++)
        for (int64_t r = a->q_start[b]; r < a->q_start[b + 1]; r++)
            for (int64_t h = 0; h < a->H; h++) {
                int64_t at = r * D + h * a->Dh, keys = keys_of(a, b, h);
                tn_flash_attention_row_ref(a, b, a->rows[r] - b * a->T, o + at, lse + r * a->H + h, q + at,
                                           k + keys, v + keys);
            }
}

static double dot(int64_t n, const double *x, const double *y) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

/* Probability of one key for one query, and the gradient of their score before the scale. */
static void pair(const tn_attention_rows *a, double lse, double delta, const double *dout, const double *q,
                 const double *k, const double *v, double *p, double *ds) {
    *p = exp(score(a, q, k) - lse);
    *ds = *p * (dot(a->Dh, dout, v) - delta) * scale_of(a);
}

void tn_flash_attention_row_backward_ref(const tn_attention_rows *a, int64_t b, int64_t t, double lse,
                                         double *dq, double *dk, double *dv, const double *dout,
                                         const double *q, const double *k, const double *v, const double *o) {
    int64_t D = tn_attention_kv_heads(a) * a->Dh;
    double delta = dot(a->Dh, dout, o), p, ds;
    for (int64_t d = 0; d < a->Dh; d++)
        dq[d] = 0;
    for (int64_t s = 0; s <= t; s++) {
        if (!tn_attention_allowed(a, b, t, s))
            continue;
        pair(a, lse, delta, dout, q, k + s * D, v + s * D, &p, &ds);
        for (int64_t d = 0; d < a->Dh; d++)
            dq[d] += ds * k[s * D + d];
        for (int64_t d = 0; dk && d < a->Dh; d++) {
            dv[s * D + d] += p * dout[d];
            dk[s * D + d] += ds * q[d];
        }
    }
}

double tn_flash_attention_key_backward_ref(const tn_attention_rows *a, int64_t b, int64_t s, int64_t at,
                                           bool of_value, const double *dout, const double *q,
                                           const double *k, const double *v, const double *o,
                                           const double *lse) {
    int64_t share = a->H / tn_attention_kv_heads(a), h = at / a->Dh * share, d = at % a->Dh;
    int64_t key = keys_of(a, b, h) + s * (a->H / share) * a->Dh;
    double sum = 0, p, ds;
    for (int64_t r = a->q_start[b]; r < a->q_start[b + 1]; r++)
        for (int64_t i = r * a->H + h; i < r * a->H + h + share;
             i++) { /* rows of Dh, one a head that reads it */
            int64_t row = i * a->Dh;
            if (!tn_attention_allowed(a, b, a->rows[r] - b * a->T, s))
                continue;
            pair(a, lse[i], dot(a->Dh, dout + row, o + row), dout + row, q + row, k + key, v + key, &p, &ds);
            sum += of_value ? p * dout[row + d] : ds * q[row + d];
        }
    return sum;
}

void tn_flash_attention_backward_ref(const tn_attention_rows *a, double *dq, double *dk, double *dv,
                                     const double *dout, const double *q, const double *k, const double *v,
                                     const double *o, const double *lse) {
    int64_t D = a->H * a->Dh;
    for (int64_t i = 0; i < a->kv_start[a->B] * tn_attention_kv_heads(a) * a->Dh; i++)
        dk[i] = dv[i] = 0;
    for (int64_t b = 0; b < a->B; b++)
        for (int64_t r = a->q_start[b]; r < a->q_start[b + 1]; r++)
            for (int64_t h = 0; h < a->H; h++) {
                int64_t at = r * D + h * a->Dh, keys = keys_of(a, b, h);
                tn_flash_attention_row_backward_ref(a, b, a->rows[r] - b * a->T, lse[r * a->H + h], dq + at,
                                                    dk + keys, dv + keys, dout + at, q + at, k + keys,
                                                    v + keys, o + at);
            }
}
