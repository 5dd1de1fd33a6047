#include "curriculum.h"

#include <math.h>

tn_curriculum tn_curriculum_default(int64_t steps) {
    return (tn_curriculum){.enabled = true,
                           .steps = steps,
                           .warmup = 50,
                           .phase1 = steps / 4,
                           .ramp = steps / 4,
                           .explore = 8,
                           .margin = 2,
                           .lambda = 0.5,
                           .lr = 2e-3,
                           .decay = 0.3};
}

static double learning_rate(const tn_curriculum *c, int64_t step) {
    const double floor = 0.05;
    double rise = c->warmup > 0 ? ((double)step + 1) / (double)c->warmup : 1;
    double left = ((double)c->steps - (double)step) / ((double)c->steps * c->decay + 1e-9);
    double fall = left >= 1 ? 1 : floor + (1 - floor) * 0.5 * (1 - cos(3.14159265358979323846 * left));
    return c->lr * fmin(rise, 1) * fall;
}

tn_step_plan tn_curriculum_step(const tn_curriculum *c, const tn_model_config *model, int64_t step) {
    tn_step_plan plan = {.phase = 1, .lambda = 0, .lr = learning_rate(c, step), .gate = TN_GATE_SOFT};
    int64_t into = step - (c->enabled ? c->phase1 : 0);
    if (!tn_mixer_has_router(model)) {
        plan.gate = TN_GATE_COMPACT;
        return plan;
    }
    if (into < 0)
        return plan;
    plan.phase = 2;
    bool rising = c->enabled && into < c->ramp;
    plan.lambda = rising ? c->lambda * (double)(into + 1) / (double)c->ramp : c->lambda;
    plan.margin = c->margin * (rising ? (double)(into + 1) / (double)c->ramp : 1);
    plan.by_threshold = c->enabled && into < (c->steps - c->phase1) / 2;
    bool fixed_share = model->routing == TN_ROUTING_CAPACITY && !plan.by_threshold;
    plan.gate = c->explore > 0 && into % c->explore == 0 ? TN_GATE_DENSE : TN_GATE_COMPACT;
    if (c->enabled && plan.gate == TN_GATE_COMPACT && !fixed_share)
        plan.again_below = c->explore_below;
    return plan;
}

double tn_curriculum_share(const tn_curriculum *c, int64_t step, double first) {
    int64_t into = step - (c->enabled ? c->phase1 : 0);
    if (!(c->budget < first) || !c->enabled || into >= c->ramp)
        return c->budget;
    return first * pow(c->budget / first, (double)(into + 1) / (double)c->ramp);
}

tn_steering tn_steering_start(const tn_curriculum *c) {
    return (tn_steering){.lambda = c->lambda, .share = -1, .first = -1};
}

void tn_steering_step(tn_steering *s, const tn_curriculum *c, int64_t step, double share) {
    const double memory = 0.9, rate = 0.03, least = 1e-4, most = 1e3;
    s->share = s->share < 0 ? share : memory * s->share + (1 - memory) * share;
    if (s->first < 0)
        s->first = share;
    /* By the ratio, since what a row is worth spans decades; at most half a rate's tenfold a step. */
    double off = log((s->share + 1e-6) / tn_curriculum_share(c, step, s->first));
    s->lambda *= exp(rate * fmax(-1, fmin(off, 1)));
    s->lambda = fmax(least, fmin(s->lambda, most));
}
