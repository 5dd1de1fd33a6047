/* Layer cells: what a layer takes, and what of it the row says. */
#include "layer.h"

#include "cost.h"
#include "launch.h"
#include "layer_check.h"
#include "layer_run.h"

#include <string.h>

/* What training does with it: forward, then backward. */
static tn_status step(tn_device *dev, void *data) {
    TN_TRY(tn_layer_run_forward(dev, data));
    return tn_layer_run_backward(dev, data);
}

/* Forward work, from the rows that took the global track; a backward pass costs twice that, up to
 * element-wise work. */
static double flops_of(const layer_run *r, const layer_side *side) {
    const tn_mixer_pass pass = tn_mixer_last(side->ws, 0);
    int64_t B = r->shape->B, T = r->shape->T;
    tn_layer_stats stats = {
        .routed = pass.R, .kv_rows = pass.absorbed ? 0 : pass.P, .absorbed_passes = pass.absorbed};
    for (int64_t n = 0; n < B * T; n++)
        if (tn_layer_run_takes(r, &pass, n))
            stats.pairs += (double)(n % T + 1);
    if (pass.absorbed) {
        stats.absorbed_rows = stats.routed;
        stats.absorbed_pairs = stats.pairs;
    }
    if (!tn_mixer_has_attention(&side->model->config))
        stats = (tn_layer_stats){0};
    tn_cost cost = tn_cost_mixer(&side->model->config, 0, B * T, &stats);
    double back = 2 * cost.flops + 0.5 * cost.score_flops;
    return (tn_layer_run_has_forward(r) ? cost.flops : 0) + (tn_layer_run_has_backward(r) ? back : 0);
}

/* x read, mid written, every weight read once; backward: x, dmid read, dx and gradients written. */
static double bytes_of(const layer_run *r, const layer_side *side) {
    double weights = 0, ND = (double)(r->shape->B * r->shape->T * r->shape->D);
    for (int i = 0; i < side->model->params.count; i++)
        if (strstr(side->model->params.items[i].name, "mixer."))
            weights += (double)side->model->params.items[i].count;
    double once = tn_layer_run_has_forward(r) ? 2 * ND + weights : 0,
           back = tn_layer_run_has_backward(r) ? 3 * ND + 2 * weights : 0;
    return 4 * (once + back);
}

static const char *keys_of(const layer_side *side) {
    const tn_mixer_pass pass = tn_mixer_last(side->ws, 0);
    return pass.R == 0 ? "" : pass.absorbed ? "absorbed" : "projected";
}

static tn_status time_it(layer_run *r, const tn_bench_options *options, tn_cost_row *row) {
    tn_measure_run run = !tn_layer_run_has_backward(r) ? tn_layer_run_forward
                         : tn_layer_run_has_forward(r) ? step
                                                       : tn_layer_run_backward;
    tn_measure_options measure = {
        .seconds = options->seconds, .energy = options->energy, .evict = options->evict, .raw = options->raw};
    tn_sample alone;
    double flops = flops_of(r, &r->mine);
    TN_TRY(tn_measure(r->dev, run, &r->mine, &measure, &alone));
    if (r->dense.model) {
        tn_pair_sample pair;
        measure.energy = NULL;
        measure.seconds = options->seconds > 0 ? 2 * options->seconds : 0.8;
        TN_TRY(tn_measure_pair(r->dev, run, &r->mine, run, &r->dense, &measure, &pair));
        tn_row_set_dense(row, &pair, flops_of(r, &r->dense) / flops, &alone);
    }
    TN_TRY(tn_mixer_count(r->mine.ws, 0));
    tn_row_set_choice(row, r->dev, NULL);
    tn_row_set_sample(row, &alone, flops, bytes_of(r, &r->mine), options->roofline);
    snprintf(row->schedule, sizeof row->schedule, "%s",
             r->dense.model ? tn_execution_name(r->shape->execution) : "dense");
    if (r->dense.model) {
        const tn_mixer_pass pass = tn_mixer_last(r->mine.ws, 0);
        row->block = r->shape->execution == TN_EXECUTION_BLOCKS ? pass.block : -1;
        row->executed_rho = (double)pass.R / (double)(r->shape->B * r->shape->T);
        snprintf(row->keys, sizeof row->keys, "%s", keys_of(&r->mine));
    }
    snprintf(row->verified, sizeof row->verified, "%s", tn_layer_run_verified(r));
    return TN_OK;
}

tn_status tn_layer_measure(tn_device *dev, const tn_layer_shape *shape, const tn_bench_options *options,
                           tn_cost_row *row) {
    layer_run r = {
        .ctx = tn_device_context(dev), .dev = dev, .shape = shape, .in = {.B = shape->B, .T = shape->T}};
    bool routed = strcmp(shape->mixer, "routed") == 0;
    tn_status status = TN_OK;
    if (routed && !(shape->rho >= 0 && shape->rho <= 1))
        return tn_fail(r.ctx, TN_ERR_ARG, "a routed fraction of %g: it must lie in 0..1", shape->rho);
    if (strcmp(shape->pass, "forward") != 0 && strcmp(shape->pass, "backward") != 0 &&
        strcmp(shape->pass, "step") != 0)
        return tn_fail(r.ctx, TN_ERR_ARG, "unknown pass '%s' of a layer; there is forward, backward, step",
                       shape->pass);
    if (shape->execution != TN_EXECUTION_COMPACTED && !routed)
        return tn_fail(r.ctx, TN_ERR_ARG, "a %s '%s' layer: only a routed one can be run so",
                       tn_execution_name(shape->execution), shape->mixer);
    TN_GO(tn_layer_run_make(&r, options->seed, routed));
    TN_GO(tn_layer_run_check(&r));
    TN_GO(time_it(&r, options, row));
cleanup:
    tn_layer_run_free(&r);
    return status;
}

struct tn_layer {
    layer_run run;
    tn_layer_shape shape;
};

tn_status tn_layer_open(tn_device *dev, const tn_layer_shape *shape, uint64_t seed, tn_layer **out) {
    tn_context *ctx = tn_device_context(dev);
    TN_TRY(tn_alloc(ctx, 1, sizeof **out, out));
    tn_layer *l = *out;
    l->shape = *shape;
    l->run =
        (layer_run){.ctx = ctx, .dev = dev, .shape = &l->shape, .in = {.B = l->shape.B, .T = l->shape.T}};
    tn_status status = TN_OK;
    TN_GO(tn_layer_run_make(&l->run, seed, false));
    TN_GO(tn_layer_run_check(&l->run));
    return TN_OK;
cleanup:
    tn_layer_close(l);
    *out = NULL;
    return status;
}

void tn_layer_close(tn_layer *l) {
    if (!l)
        return;
    tn_context *ctx = l->run.ctx;
    tn_layer_run_free(&l->run);
    tn_free(ctx, l);
}

tn_status tn_layer_forward(tn_device *dev, void *layer) {
    return tn_layer_run_forward(dev, &((tn_layer *)layer)->run.mine);
}

tn_status tn_layer_forward_other(tn_layer *l) {
    TN_TRY(tn_layer_run_other(&l->run));
    TN_TRY(tn_layer_run_forward(l->run.dev, &l->run.mine));
    return tn_layer_run_usual(&l->run);
}

tn_status tn_layer_part(tn_layer *l, tn_mixer_part part) {
    return tn_mixer_part_forward(l->run.mine.ws, &l->run.in, 0, l->run.x, part);
}

tn_status tn_layer_parts_run(tn_layer *l) {
    tn_status status = tn_workspace_spoil(l->run.mine.ws);
    tn_launch_watch(l->run.dev, l->run.watched);
    for (int i = 0; i < TN_PARTS && status == TN_OK; i++)
        status = tn_layer_part(l, i);
    l->run.watched = tn_launch_unwatch(l->run.dev);
    return status;
}

const tn_buffer *tn_layer_output(tn_layer *l) {
    return tn_mixer_last(l->run.mine.ws, 0).mid;
}

tn_status tn_layer_work(const tn_layer *l, double *flops, double *bytes, const char **keys) {
    TN_TRY(tn_mixer_count(l->run.mine.ws, 0));
    *keys = keys_of(&l->run.mine);
    *flops = flops_of(&l->run, &l->run.mine);
    *bytes = bytes_of(&l->run, &l->run.mine);
    return TN_OK;
}

const char *tn_layer_verified(const tn_layer *l) {
    return tn_layer_run_verified(&l->run);
}
