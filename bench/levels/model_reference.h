/* Inside bench: the whole model, forward and backward, in doubles, put together from the references of its
 * ops and of the mixer (mixer_ref.h). */
#ifndef TN_MODEL_REFERENCE_H
#define TN_MODEL_REFERENCE_H

#include "mixer_ref.h"
#include "model.h"

/* What the reference sees of a batch: B sequences as far as position T. */
typedef struct tn_reference_input {
    int64_t B, T, L;
    const int32_t *tokens;              /* [B,T] */
    const int32_t *label_rows, *labels; /* [L] rows b·T + t */
    const uint8_t *h;                   /* [layers,B,T] routed rows; NULL: a soft gate */
    double weight;                      /* of a label's loss */
} tn_reference_input;

typedef struct tn_reference_output {
    double *logits; /* [L,V] */
    double *loss;   /* [L] */
    double *gate;   /* [layers,B,T] p; without a router zeros */
    double *grads;  /* [floats] as tn_params lays them out, of Σ weight · loss; NULL: forward alone */
} tn_reference_output;

/* `values` [floats] as tn_params lays them out. */
tn_status tn_model_reference(tn_context *ctx, const tn_model_config *c, const tn_params *p, double *values,
                             const tn_reference_input *in, const tn_reference_output *out);
/* Rough processor cycles that takes for B sequences of T positions. */
double tn_model_reference_cost(const tn_model_config *c, int64_t B, int64_t T, double rho);
/* A tensor's place in a flat array; NULL where the mixer has no such tensor. */
double *tn_reference_at(double *all, const tn_param *p);
/* Those of a layer's mixer. */
tn_mixer_tensors_ref tn_reference_mixer(const tn_layer_params *lp, double *all);

#endif
