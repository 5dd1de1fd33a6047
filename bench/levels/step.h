/* A whole training step of the model, forward, loss, backward and update, as the trainer runs it: what it
 * takes, and what of it is spent outside kernels. */
#ifndef TN_STEP_H
#define TN_STEP_H

#include "bench_op.h"
#include "model.h"

typedef struct tn_step_shape {
    int64_t B, T;
    double rho; /* of a compacted step, exactly ⌈rho·T⌉ rows a sequence in every layer; NaN: the dense step of
                   phase 1, soft gate and both tracks for all rows */
    int64_t D, H, K;   /* of the model, its mlp 2·D wide; 0: as the recall model has them */
    const char *mixer; /* NULL: routed */
    bool forward_only; /* without gradients: for tn_step_forward alone */
} tn_step_shape;

/* "B=32,T=128" or "B=32,T=128,rho=0.01". TN_ERR_ARG otherwise. */
tn_status tn_step_shape_parse(tn_context *ctx, const char *text, tn_step_shape *out);

/* Fills the whole row, of a failed one the reason: identity, times and work of a row. The recall model of
 * default size on a fixed batch of recall at distance T − 2. Verified first, in the pass that is timed,
 * against a reference of the whole model: loss, the gradient of every parameter, and the update. Where the
 * reference would take too long, labels stand early in few sequences for that; the loss with all labels in
 * their places is then held along the gradient, or, compacted, against that of the same decisions with both
 * tracks computed for all rows. A compacted step is timed in turn with the dense one (columns dense_*),
 * verified as well. */
tn_status tn_step_measure(tn_device *dev, const tn_step_shape *shape, const tn_bench_options *options,
                          tn_cost_row *row);

/* The same into a row whose identity (device, shape, seed) is already set; failures are passed on. */
tn_status tn_step_fill(tn_device *dev, const tn_step_shape *shape, const tn_bench_options *options,
                       tn_cost_row *row);

/* The step itself, for who compares it with another's: made with weights from `seed`. */
typedef struct tn_step tn_step;
tn_status tn_step_make(tn_device *dev, const tn_step_shape *shape, uint64_t seed, tn_step **out);
void tn_step_destroy(tn_step *step); /* NULL is fine */
tn_status tn_step_run(tn_device *dev, void *step);
tn_status tn_step_forward(tn_device *dev,
                          void *step); /* forward and loss as evaluation runs them, compacted */
/* [L,V], of a forward pass of its own; `flops` (may be NULL): its least work, from what was routed. */
tn_status tn_step_logits(tn_step *step, tn_gate gate, float *logits, double *flops);
tn_model *tn_step_model(tn_step *step);                       /* borrowed */
const tn_input *tn_step_input(const tn_step *step);           /* borrowed */
tn_status tn_step_loss(tn_step *step, double *cross_entropy); /* of the last step, before its update */
const tn_optimizer *tn_step_optimizer(const tn_step *step);
/* As tn_step_measure does it; weights stay as they are. Counts the step's work, which tn_step_set_sample
 * needs. */
tn_status tn_step_verify(tn_step *step);
void tn_step_identify(const tn_step *step, const tn_step_shape *shape, const tn_bench_options *options,
                      tn_cost_row *row);
void tn_step_set_sample(const tn_step *step, const tn_sample *sample, const tn_bench_options *options,
                        tn_cost_row *row);

#endif
