/* The curriculum: what step s of a run does. Phase 1: λ = 0, soft gate, both tracks for all rows. Phase 2: λ
 * rises linearly to its final value and stays; the gate is hard with a straight-through gradient and the
 * global track runs for routed rows alone, but for every `explore`-th step, which is dense so that a row
 * routed away can come back. Without a curriculum phase 2 starts at step 0 with the full λ: the ablation,
 * known to collapse to no attention at all.
 *
 * A model that routes by capacity chooses by threshold in the first half of phase 2: it is the price that
 * sets the gates apart, and a share enforced before they are ranked takes rows that no layer has learned to
 * give up. The price stays, for it keeps them ranked; no batch is run again, which would raise the gates of
 * all rows. */
#ifndef TN_CURRICULUM_H
#define TN_CURRICULUM_H

#include <stdbool.h>
#include <stdint.h>

#include "model.h"

typedef struct tn_curriculum {
    bool enabled;
    int64_t steps, warmup; /* of the whole run; of the learning rate */
    int64_t phase1, ramp;  /* steps of phase 1; of λ's rise after it */
    int64_t explore;       /* every explore-th step of phase 2 is dense; 0: never */
    double explore_below;  /* a compacted batch with a smaller share of right answers is run again whole; 0:
                              none */
    double margin;         /* what a logit must reach to be routed when λ is at its top; rises with λ */
    double lambda, lr;     /* final λ; top learning rate */
    /* Share of rows that is to take attention: λ is not given but steered there, and `lambda` is where it
     * begins. 0: λ is given. */
    double budget;
    bool price_known; /* a compacted step prices the rows that are routed alone */
    double decay;     /* share of the run, at its end, over which the learning rate falls to a twentieth */
} tn_curriculum;

/* λ that a budget steers: a function of the shares that were seen. */
typedef struct tn_steering {
    double lambda;       /* of the next step */
    double share, first; /* of routed rows: smoothed over some steps; of the first step; −1: none seen */
} tn_steering;

typedef struct tn_step_plan {
    int phase; /* 1 or 2 */
    double lambda, lr, margin;
    bool by_threshold; /* whatever the model's routing is */
    tn_gate gate;
    double again_below; /* with a smaller share of right answers the batch is run again whole; 0: never */
} tn_step_plan;

/* The usual split of a run: phase 1 is a quarter of it, λ rises over the next quarter, the learning rate
 * falls over the last 30 %. */
tn_curriculum tn_curriculum_default(int64_t steps);
/* Step counts from 0. A model without a router is in phase 1 throughout, with λ = 0. */
tn_step_plan tn_curriculum_step(const tn_curriculum *c, const tn_model_config *model, int64_t step);
/* The share that a step aims at: in equal ratios from `first` down to the budget while λ would rise, then the
 * budget. */
double tn_curriculum_share(const tn_curriculum *c, int64_t step, double first);
tn_steering tn_steering_start(const tn_curriculum *c);
/* After a step of phase 2 that routed `share` of its rows. */
void tn_steering_step(tn_steering *s, const tn_curriculum *c, int64_t step, double share);

#endif
