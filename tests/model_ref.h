/* The whole model once more, naive and in doubles, written from host/model/README.md alone: what the device's
 * logits, routes and gradients are held against. */
#ifndef TN_MODEL_REF_H
#define TN_MODEL_REF_H

#include "model.h"

/* Parameters as doubles, in the flat order of tn_params (offsets of tn_param). */
typedef struct tn_model_ref {
    const tn_model *m; /* names, offsets, config */
    double *values;    /* [floats] */
    /* Where not NULL, decisions taken in place of the model's own. [layers,N] */
    const unsigned char *frozen_h;
    /* Straight-through: beside frozen_h, g = frozen_h + (p − frozen_p), so its slope is dp. [layers,N] */
    const double *frozen_p;
    bool only_routed; /* compacted pass: rows with frozen_h = 0 keep g = 0 */
    bool soft;        /* g = p in layers with a router */
} tn_model_ref;

/* logits [B·T,V]; p [layers,B·T] and h (may be NULL) as decided. `mask` [layers,B·T] is h in layers without
 * a router (else NULL). */
void tn_model_ref_forward(const tn_model_ref *r, int64_t B, int64_t T, const int32_t *tokens,
                          const unsigned char *mask, double *logits, double *p, unsigned char *h);

/* How many tokens up to row n, of `most`, stood before in its sequence of T, by looking everywhere. */
int64_t tn_model_ref_matched(int64_t most, const int32_t *tokens, int64_t n, int64_t T);

#endif
