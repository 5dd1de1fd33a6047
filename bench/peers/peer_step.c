#include "peer_step.h"

#include <math.h>
#include <string.h>

enum { STEPS = 5 };
/* Losses of fp32 programs that sum in another order: about 1e-6 apart at first; the weights then drift apart
 * a little, because AdamW makes a step of full size of the smallest gradient. */
static const double allowed[STEPS] = {1e-5, 1e-4, 1e-4, 1e-4, 1e-4};

static tn_status give_ints(tn_peer *peer, tn_context *ctx, const int32_t *values, int64_t count) {
    float *floats;
    TN_TRY(tn_alloc(ctx, (size_t)count, sizeof *floats, &floats));
    for (int64_t i = 0; i < count; i++)
        floats[i] = (float)values[i]; /* small: exact */
    tn_status status = tn_peer_input(peer, floats, (size_t)count);
    tn_free(ctx, floats);
    return status;
}

/* All parameters in the order of the checkpoint's specification, without padding. */
static tn_status give_weights(tn_peer *peer, tn_context *ctx, const tn_params *p) {
    float *floats;
    size_t at = 0;
    tn_status status = TN_OK;
    TN_TRY(tn_alloc(ctx, p->floats, sizeof *floats, &floats));
    for (int i = 0; i < p->count; i++) {
        TN_GO(tn_buffer_read(p->items[i].value, 0, p->items[i].count * sizeof *floats, floats + at));
        at += p->items[i].count;
    }
    status = tn_peer_input(peer, floats, at);
cleanup:
    tn_free(ctx, floats);
    return status;
}

static tn_status hand_over(tn_peer *peer, tn_step *step, bool compile) {
    tn_model *m = tn_step_model(step);
    const tn_model_config *c = &m->config;
    const tn_input *in = tn_step_input(step);
    const tn_optimizer *o = tn_step_optimizer(step);
    tn_context *ctx = tn_device_context(m->dev);
    char what[600];
    int32_t *all = NULL;
    tn_status status = TN_OK;
    TN_GO(give_weights(peer, ctx, &m->params));
    TN_GO(give_ints(peer, ctx, in->tokens, in->B * in->T));
    if (!in->label_rows) {
        TN_GO(tn_alloc(ctx, (size_t)in->L, sizeof *all, &all));
        for (int64_t i = 0; i < in->L; i++)
            all[i] = (int32_t)i;
    }
    TN_GO(give_ints(peer, ctx, all ? all : in->label_rows, in->L));
    TN_GO(give_ints(peer, ctx, in->labels, in->L));
    snprintf(what, sizeof what,
             "step step compile=%d B=%lld T=%lld L=%lld V=%lld D=%lld layers=%lld H=%lld K=%lld F=%lld "
             "rms_eps=%.17g "
             "lr=%.17g beta1=%.17g beta2=%.17g eps=%.17g weight_decay=%.17g clip=%.17g",
             compile, (long long)in->B, (long long)in->T, (long long)in->L, (long long)c->vocab,
             (long long)c->d_model, (long long)c->layers, (long long)c->heads, (long long)c->conv_taps,
             (long long)c->mlp_width, c->rms_eps, o->lr, o->beta1, o->beta2, o->eps, o->weight_decay,
             o->clip);
    status = tn_peer_prepare(peer, what);
cleanup:
    tn_free(ctx, all);
    return status;
}

static tn_status compare(tn_peer *peer, tn_step *step, tn_cost_row *row) {
    tn_device *dev = tn_step_model(step)->dev;
    float theirs[STEPS];
    double ours[STEPS], squares = 0;
    TN_TRY(tn_peer_output(peer, theirs, STEPS));
    for (int i = 0; i < STEPS; i++) {
        TN_TRY(tn_step_run(dev, step));
        TN_TRY(tn_step_loss(step, &ours[i]));
        squares += (double)theirs[i] * (double)theirs[i];
    }
    row->peer_max_diff = 0;
    for (int i = 0; i < STEPS; i++) {
        double off = fabs(ours[i] - (double)theirs[i]) / sqrt(squares / STEPS);
        row->peer_max_diff = !(off <= row->peer_max_diff) ? off : row->peer_max_diff;
        if (!(off <= allowed[i]))
            return tn_fail(
                tn_device_context(dev), TN_ERR_CHECK,
                "the loss before step %d is %.9g here, %.9g by %s: off by %.3g of its rms, allowed %.3g",
                i + 1, ours[i], (double)theirs[i], row->peer, off, allowed[i]);
    }
    return TN_OK;
}

static tn_status run_peer(tn_device *dev, void *peer, int calls, double *seconds) {
    (void)dev;
    return tn_peer_run(peer, calls, seconds);
}

static tn_status measure(tn_peers *peers, tn_device *dev, int kind, const tn_step_shape *shape,
                         const tn_bench_options *o, tn_step *step, tn_cost_row *row) {
    tn_context *ctx = tn_device_context(dev);
    tn_peer *peer;
    tn_pair_sample pair;
    tn_measure_options m = {.seconds = o->seconds > 0 ? 5 * o->seconds : 2, .raw = o->raw};
    if (shape->rho >= 0)
        return tn_fail(ctx, TN_ERR_UNSUPPORTED,
                       "nothing else does a compacted step; the dense one has peers");
    TN_TRY(tn_peers_process(ctx, peers, kind, 0, &peer));
    TN_TRY(hand_over(peer, step, strcmp(tn_peer_kinds[kind].name, "torch-compile") == 0));
    snprintf(row->peer, sizeof row->peer, "%s", tn_peer_name(peer));
    TN_TRY(tn_step_verify(step));
    TN_TRY(compare(peer, step, row));
    TN_TRY(tn_measure_against(dev, tn_step_run, step, run_peer, peer, &m, &pair));
    tn_step_set_sample(step, &pair.a, o, row);
    tn_row_set_pair(row, &pair);
    return TN_OK;
}

tn_status tn_peers_measure_step(tn_peers *peers, tn_device *dev, int kind, const tn_step_shape *shape,
                                const tn_bench_options *o, tn_cost_row *row) {
    tn_step *step;
    tn_row_init(row);
    TN_TRY(tn_step_make(dev, shape, o->seed, &step));
    tn_step_identify(step, shape, o, row);
    snprintf(row->peer, sizeof row->peer, "%s", tn_peer_kinds[kind].name);
    tn_status status = measure(peers, dev, kind, shape, o, step, row);
    tn_step_destroy(step);
    return tn_row_settle(row, status, tn_device_context(dev));
}
