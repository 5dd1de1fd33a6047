/* The mixer of a layer, forward and backward, for a list of its rows, put together from the references of its
 * ops: u = norm(x); c, o and the gate of the listed rows; mid = x + c + g·(o − c) (host/model/README.md).
 * Keys and values are multiplied out: head h's score is (W_kʰᵀ·q)·u[s] and its value W_vʰ·Σ p·u[s], which
 * is the same mathematics, and costs nothing for rows that no listed one sees. */
#ifndef TN_MIXER_REF_H
#define TN_MIXER_REF_H

#include "context.h"

/* Values, or gradients. NULL where the mixer has no such tensor. */
typedef struct tn_mixer_tensors_ref {
    double *norm /* [D] */, *conv /* [D,K] */, *conv_bias /* [D] */, *conv_out /* [D,D] */;
    double *q, *o /* [D,D] */, *k, *v /* [G·D/H,D] */, *router /* [D] */, *router_bias /* [1] */;
} tn_mixer_tensors_ref;

typedef struct tn_mixer_shape_ref {
    int64_t B, T, D, H, G, K; /* G: heads of keys and values */
    double eps;
    bool soft;  /* g = p; else g = h, its gradient passed straight through to p */
    bool added; /* mid = x + c + g·o */
} tn_mixer_shape_ref;

typedef struct tn_mixer_ref tn_mixer_ref;

/* `rows` [S] b·T + t, ascending; took [S]: of these, those whose o is computed (only they give p a gradient);
 * h [S]: those that are routed, which must be among them. `values`' tensors are borrowed, the lists copied.
 */
tn_status tn_mixer_ref_make(tn_context *ctx, const tn_mixer_shape_ref *shape,
                            const tn_mixer_tensors_ref *values, int64_t S, const int32_t *rows,
                            const uint8_t *took, const uint8_t *h, tn_mixer_ref **out);
void tn_mixer_ref_free(tn_mixer_ref *m); /* NULL is fine */
/* x [B,T,D] is borrowed until the backward pass. */
void tn_mixer_ref_forward(tn_mixer_ref *m, double *mid /* [S,D] */, const double *x);
const double *tn_mixer_ref_gate(const tn_mixer_ref *m); /* p [S] of the last forward pass */
/* After forward, for a gradient that is zero at rows that are not listed. dx and `grads` are overwritten.
 * penalty: of Σ p over the listed rows. */
void tn_mixer_ref_backward(tn_mixer_ref *m, double *dx /* [B,T,D] */, const tn_mixer_tensors_ref *grads,
                           const double *dmid /* [S,D] */, double penalty);

/* Rough processor cycles that both passes take where the rows that take the global track see `pairs` keys. */
double tn_mixer_ref_cost(const tn_mixer_shape_ref *shape, int64_t S, double pairs);

#endif
