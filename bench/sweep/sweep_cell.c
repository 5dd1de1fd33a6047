#include "sweep_cell.h"

#include "layer.h"
#include "shapes.h"
#include "model_forward.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static tn_decoding_shape decoding_of(const tn_sweep_cell *cell) {
    return (tn_decoding_shape){.B = cell->B,
                               .context = cell->context,
                               .D = cell->D,
                               .H = cell->H,
                               .K = cell->K,
                               .rho = cell->rho,
                               .ragged = cell->ragged,
                               .masked = cell->execution == TN_EXECUTION_MASKED,
                               .mixer = cell->mixer};
}

void tn_sweep_cell_identify(const tn_sweep_cell *cell, uint64_t seed, const char *cpu_model,
                            tn_cost_row *row) {
    const tn_case *c = tn_case_find(cell->op);
    tn_context quiet = {0};
    tn_shape shape;
    tn_row_init(row);
    tn_row_set_device(row, cell->info, cpu_model);
    snprintf(row->level, sizeof row->level, "%s", cell->level);
    snprintf(row->op, sizeof row->op, "%s", cell->op);
    snprintf(row->pass, sizeof row->pass, "%s", cell->pass);
    snprintf(row->mixer, sizeof row->mixer, "%s", cell->mixer);
    snprintf(row->seed, sizeof row->seed, "%llu", (unsigned long long)seed);
    if (cell->execution != TN_EXECUTION_COMPACTED)
        snprintf(row->schedule, sizeof row->schedule, "%s", tn_execution_name(cell->execution));
    tn_row_set_cache(row, cell->cold);
    if (cell->cores > 0)
        row->compute_units = row->cores = cell->cores;
    row->B = cell->B;
    row->T = cell->T;
    row->D = cell->D;
    row->H = cell->H;
    row->Dh = cell->H > 0 ? cell->D / cell->H : -1;
    row->K = cell->K;
    row->rho = cell->rho;
    if (cell->context > 0) {
        const tn_decoding_shape decoding = decoding_of(cell);
        tn_decoding_identify(&decoding, row);
    }
    if (c && strcmp(cell->level, "op") == 0 && tn_shape_parse(&quiet, c, cell->shape, &shape) == TN_OK)
        tn_row_set_shape(row, c, &shape);
}

void tn_sweep_cell_describe(const tn_sweep_cell *cell, char *text, size_t size) {
    char rho[40] = "", cores[80] = "";
    if (cell->rho >= 0)
        snprintf(rho, sizeof rho, " rho=%.4g", cell->rho);
    if (cell->cores > 0)
        snprintf(cores, sizeof cores, " on %d core%s", cell->cores, cell->cores == 1 ? "" : "s");
    if (cell->cold)
        strcat(cores, ", cold");
    if (cell->execution != TN_EXECUTION_COMPACTED)
        strcat(strcat(cores, ", "), tn_execution_name(cell->execution));
    if (cell->context > 0)
        snprintf(text, size, "decode %s at %s%lld B=%lld D=%lld H=%lld%s%s", cell->mixer,
                 cell->ragged ? "up to " : "", (long long)cell->context, (long long)cell->B,
                 (long long)cell->D, (long long)cell->H, rho, cores);
    else if (cell->T <= 0)
        snprintf(text, size, "%s %s %s%s", cell->op, cell->pass, cell->shape, cores);
    else
        snprintf(text, size, "%s %s %s B=%lld T=%lld D=%lld H=%lld%s%s", cell->level, cell->mixer, cell->pass,
                 (long long)cell->B, (long long)cell->T, (long long)cell->D, (long long)cell->H, rho, cores);
}

double tn_sweep_cell_flops(const tn_sweep_cell *cell) {
    const tn_case *c = tn_case_find(cell->op);
    tn_context quiet = {0};
    tn_shape shape;
    double factor = strcmp(cell->pass, "backward") == 0 ? 2.5 : strcmp(cell->pass, "step") == 0 ? 3.5 : 1;
    if (c && tn_shape_parse(&quiet, c, cell->shape, &shape) == TN_OK)
        return c->flops(&shape, tn_case_pass(c, cell->pass));
    if (cell->T <= 0)
        return 0;
    /* Dense attention, which a routed cell is measured against: scores and values of the causal half, five
     * projections. */
    double T = (double)cell->T, D = (double)cell->D, B = (double)cell->B;
    if (strcmp(cell->level, "model") == 0) /* four layers, each with an mlp of 2·D */
        return (factor > 1 ? 3 : 1) * 4 * B * (2 * T * T * D + 18 * T * D * D);
    return factor * B * (2 * T * T * D + 10 * T * D * D);
}

/* Stand-ins for devices that misbehave, for the tests of the sweep. */
static tn_status run_test(tn_context *ctx, const char *kind, tn_raw *raw, tn_cost_row *row) {
    if (strcmp(kind, "hang") == 0)
        for (;;)
            pause();
    if (strcmp(kind, "crash") == 0)
        abort();
    if (strcmp(kind, "lost") == 0)
        exit(3);
    if (strcmp(kind, "noise") == 0) {
        puts("this is no row");
        exit(0);
    }
    if (strcmp(kind, "fail") == 0)
        return tn_fail(ctx, TN_ERR_DEVICE, "the device is lost");
    if (strcmp(kind, "broken") == 0)
        return tn_fail(ctx, TN_ERR_UNSUPPORTED, "too large for it");
    usleep(strcmp(kind, "slow") == 0 ? 300000 : 20000);
    row->wall_ms = 1;
    if (raw)
        *raw = (tn_raw){.wall = 3, .wall_ms = {1, 0.5, 2}, .event = 1, .event_ms = {0.25}};
    return TN_OK;
}

static tn_status run_layer(tn_device *dev, const tn_sweep_cell *cell, const tn_bench_options *o,
                           tn_cost_row *row) {
    return tn_layer_measure(dev,
                            &(tn_layer_shape){.B = cell->B,
                                              .T = cell->T,
                                              .D = cell->D,
                                              .H = cell->H,
                                              .K = cell->K,
                                              .rho = cell->rho,
                                              .execution = cell->execution,
                                              .mixer = cell->mixer,
                                              .pass = cell->pass},
                            o, row);
}

static tn_status run_decoding(tn_device *dev, const tn_sweep_cell *cell, const tn_bench_options *o,
                              tn_cost_row *row) {
    const tn_decoding_shape shape = decoding_of(cell);
    return tn_decoding_fill(dev, &shape, o, row);
}

static tn_status run_model(tn_device *dev, const tn_sweep_cell *cell, const tn_bench_options *o,
                           tn_cost_row *row) {
    tn_step_shape shape = {
        .B = cell->B, .T = cell->T, .D = cell->D, .H = cell->H, .K = cell->K, .rho = cell->rho};
    if (strcmp(cell->pass, "step") == 0)
        return tn_step_fill(dev, &shape, o, row);
    if (strcmp(cell->pass, "forward") == 0)
        return tn_model_forward_fill(dev, &shape, o, row);
    return tn_fail(tn_device_context(dev), TN_ERR_ARG,
                   "there is no pass '%s' of a model; there is forward and step", cell->pass);
}

tn_status tn_sweep_cell_run(tn_device *dev, const tn_sweep_cell *cell, const tn_bench_options *options,
                            tn_cost_row *row) {
    tn_context *ctx = tn_device_context(dev);
    tn_status status;
    if (strcmp(cell->level, "op") == 0) {
        const tn_case *c = tn_case_find(cell->op);
        tn_shape shape;
        if (!c || tn_case_pass(c, cell->pass) < 0)
            return tn_fail(ctx, TN_ERR_ARG, "there is no pass '%s' of an op '%s'", cell->pass, cell->op);
        TN_TRY(tn_shape_parse(ctx, c, cell->shape, &shape));
        TN_TRY(tn_bench_op(dev, c, tn_case_pass(c, cell->pass), &shape, options, row));
        row->cores = cell->cores > 0 ? cell->cores : -1;
        return TN_OK;
    }
    tn_sweep_cell_identify(cell, options->seed, options->cpu_model ? options->cpu_model : "", row);
    if (strcmp(cell->level, "test") == 0)
        status = run_test(ctx, cell->op, options->raw, row);
    else if (strcmp(cell->level, "model") == 0)
        status = run_model(dev, cell, options, row);
    else if (strcmp(cell->level, "decode") == 0)
        status = run_decoding(dev, cell, options, row);
    else
        status = run_layer(dev, cell, options, row);
    if (status == TN_ERR_ARG) { /* sizes that are right by themselves and too large together */
        tn_row_set_status(row, "unsupported", ctx->message);
        return TN_OK;
    }
    return tn_row_settle(row, status, ctx);
}

tn_status tn_sweep_cell_attention_rate(tn_device *dev, double *rate) {
    const tn_case *c = tn_case_find("flash_attention");
    tn_shape shapes[TN_SHAPES_MAX];
    int count = 0;
    *rate = 0;
    if (c)
        TN_TRY(tn_shapes_of(tn_device_context(dev), c, shapes, &count));
    return count ? tn_bench_rate(dev, c, 0, &shapes[0], 0.1, rate) : TN_OK;
}
