#include "row_price.h"

#include "file.h"
#include "layer.h"
#include "measure.h"

#include <math.h>

enum { NONE, FEW, MANY, LAYERS };

static const double seconds_of_pair = 0.6;

static double unbounded(const tn_row_cost *cost) {
    return 0.5 * cost->routed_ms / cost->unrouted_ms;
}

double tn_row_price_lambda(const tn_row_cost *cost) {
    return fmin(fmax(unbounded(cost), TN_ROW_PRICE_LEAST), TN_ROW_PRICE_MOST);
}

/* In turn, so that a drift of the machine touches neighbours alike: none beside few, few beside many. */
static tn_status time_layers(tn_device *dev, tn_layer *layers[LAYERS], int64_t rows_between, int64_t rows,
                             tn_row_cost *out) {
    tn_measure_options options = {.seconds = seconds_of_pair};
    tn_pair_sample low, high;
    TN_TRY(
        tn_measure_pair(dev, tn_layer_forward, layers[NONE], tn_layer_forward, layers[FEW], &options, &low));
    TN_TRY(
        tn_measure_pair(dev, tn_layer_forward, layers[FEW], tn_layer_forward, layers[MANY], &options, &high));
    out->unrouted_ms = low.a.wall_ms / (double)rows;
    out->routed_ms = high.a.wall_ms * (high.ratio - 1) / (double)rows_between;
    return TN_OK;
}

static tn_status measure(tn_device *dev, const tn_train_config *c, int64_t T, tn_row_cost *out) {
    int64_t many = T < 9 ? T : 9;
    const int64_t routed[LAYERS] = {0, 1, many};
    tn_layer *layers[LAYERS] = {NULL};
    tn_status status = TN_OK;
    for (int i = 0; i < LAYERS; i++) {
        tn_layer_shape shape = {.B = c->batch,
                                .T = T,
                                .D = c->model.d_model,
                                .H = c->model.heads,
                                .G = c->model.kv_heads,
                                .K = c->model.conv_taps,
                                .rho = (double)routed[i] / (double)T,
                                .mixer = "routed",
                                .pass = "forward"};
        TN_GO(tn_layer_open(dev, &shape, c->seed, &layers[i]));
    }
    TN_GO(time_layers(dev, layers, c->batch * (many - 1), c->batch * T, out));
cleanup:
    for (int i = 0; i < LAYERS; i++)
        tn_layer_close(layers[i]);
    return status;
}

static void warn_at_bounds(tn_context *ctx, const tn_row_cost *cost) {
    double price = unbounded(cost);
    if (price < TN_ROW_PRICE_LEAST)
        tn_warn(ctx,
                "λ measured is %g and is held at %g: a routed row at %.3g ms cannot be told from one that is "
                "not, %.3g ms; measure again on a quiet machine or give --lambda a number",
                price, TN_ROW_PRICE_LEAST, cost->routed_ms, cost->unrouted_ms);
    else if (price > TN_ROW_PRICE_MOST)
        tn_warn(ctx,
                "λ measured is %g and is held at %g: a routed row takes %.3g ms, one that is not %.3g ms; "
                "--lambda with a number may be larger",
                price, TN_ROW_PRICE_MOST, cost->routed_ms, cost->unrouted_ms);
}

tn_status tn_row_price_measure(tn_device *dev, tn_train_config *c) {
    tn_context *ctx = tn_device_context(dev);
    tn_task *task;
    if (!tn_mixer_has_router(&c->model))
        return tn_fail(ctx, TN_ERR_ARG, "λ prices the rows of a router, which only the mixer routed has");
    TN_TRY(tn_task_make(ctx, &c->task, &task));
    int64_t T = tn_task_length(task);
    tn_task_free(ctx, task);
    if (T < 2)
        return tn_fail(ctx, TN_ERR_ARG,
                       "λ is measured between one routed row and more, and a sequence of %lld has no more; "
                       "give --lambda a number",
                       (long long)T);
    tn_row_cost cost = {0};
    if (measure(dev, c, T, &cost) != TN_OK)
        return tn_fail_prefix(ctx, "measuring λ");
    warn_at_bounds(ctx, &cost);
    c->row_cost = cost;
    c->curriculum.lambda = tn_row_price_lambda(&cost);
    return TN_OK;
}

tn_status tn_row_price_recorded(tn_context *ctx, const char *folder, tn_train_config *c, bool *found) {
    tn_train_config kept;
    char *path;
    TN_TRY(tn_path_join(ctx, folder, "config.json", &path));
    *found = tn_file_exists(path);
    tn_status status = *found ? tn_train_config_load(ctx, path, &kept) : TN_OK;
    tn_free(ctx, path);
    if (status != TN_OK || !*found)
        return status;
    if (!(kept.row_cost.unrouted_ms > 0))
        return tn_fail(ctx, TN_ERR_ARG,
                       "the run in %s was given its λ, %g, and did not measure it; give it the same options, "
                       "or another folder",
                       folder, kept.curriculum.lambda);
    c->row_cost = kept.row_cost;
    c->curriculum.lambda = kept.curriculum.lambda;
    return TN_OK;
}
