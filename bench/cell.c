#include "cell.h"

#include "layer.h"
#include "shapes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static tn_status add(tn_context *ctx, tn_cell_list *list, const tn_cell *cell) {
    TN_TRY(tn_grow(ctx, &list->items, &list->capacity, list->count + 1, sizeof *list->items));
    list->items[list->count++] = *cell;
    return TN_OK;
}

void tn_cell_list_free(tn_context *ctx, tn_cell_list *list) {
    tn_free(ctx, list->items);
    *list = (tn_cell_list){0};
}

static tn_cell blank(const tn_device_info *info, const char *level) {
    tn_cell cell = {.info = info, .B = -1, .T = -1, .D = -1, .H = -1, .K = -1, .rho = NAN};
    snprintf(cell.level, sizeof cell.level, "%s", level);
    return cell;
}

static tn_status add_ops(tn_context *ctx, const tn_device_info *info, bool every_shape, tn_cell_list *list) {
    for (int i = 0; i < tn_case_count; i++) {
        const tn_case *c = tn_cases[i];
        tn_shape shapes[TN_SHAPES_MAX];
        int count;
        TN_TRY(tn_shapes_of(ctx, c, shapes, &count));
        for (int s = 0; s < (every_shape || count < 1 ? count : 1); s++)
            for (int p = 0; c->passes[p]; p++) {
                tn_cell cell = blank(info, "op");
                snprintf(cell.op, sizeof cell.op, "%s", c->op);
                snprintf(cell.pass, sizeof cell.pass, "%s", c->passes[p]);
                tn_shape_print(c, &shapes[s], cell.shape, sizeof cell.shape);
                TN_TRY(add(ctx, list, &cell));
            }
    }
    return TN_OK;
}

typedef struct layer_axes {
    const int64_t *T, *D; /* 0 ends */
    const char *const *passes;
} layer_axes;

static const double fractions[] = {0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1};

/* Routed at every fraction that gives another number of rows, and dense attention. */
static tn_status add_layer(tn_context *ctx, const tn_cell *like, tn_cell_list *list) {
    int64_t before = 0;
    tn_cell cell = *like;
    snprintf(cell.mixer, sizeof cell.mixer, "attention");
    TN_TRY(add(ctx, list, &cell));
    snprintf(cell.mixer, sizeof cell.mixer, "routed");
    for (size_t i = 0; i < sizeof fractions / sizeof fractions[0]; i++) {
        int64_t rows = (int64_t)ceil(fractions[i] * (double)cell.T - 1e-9);
        if (rows == before)
            continue;
        before = rows;
        cell.rho = (double)rows / (double)cell.T;
        TN_TRY(add(ctx, list, &cell));
    }
    return TN_OK;
}

static tn_status add_layers(tn_context *ctx, const tn_device_info *info, const layer_axes *axes,
                            tn_cell_list *list) {
    for (const int64_t *T = axes->T; *T; T++)
        for (const int64_t *D = axes->D; *D; D++)
            for (int p = 0; axes->passes[p]; p++) {
                tn_cell cell = blank(info, "layer");
                snprintf(cell.op, sizeof cell.op, "mixer");
                snprintf(cell.pass, sizeof cell.pass, "%s", axes->passes[p]);
                cell.B = *T < 4096 ? 4096 / *T
                                   : 1; /* as many tokens in the short cells as in the first long one */
                cell.T = *T;
                cell.D = *D;
                cell.H = *D < 128 ? 2 : *D / 64;
                cell.K = 4;
                TN_TRY(add_layer(ctx, &cell, list));
            }
    return TN_OK;
}

static const char *const test_kinds[] = {"ok-1", "ok-2", "ok-3",   "slow",  "hang", "crash",
                                         "fail", "lost", "broken", "noise", NULL};

static tn_status add_tests(tn_context *ctx, const tn_device_info *info, tn_cell_list *list) {
    for (int i = 0; test_kinds[i]; i++) {
        tn_cell cell = blank(info, "test");
        snprintf(cell.op, sizeof cell.op, "%s", test_kinds[i]);
        snprintf(cell.pass, sizeof cell.pass, "forward");
        TN_TRY(add(ctx, list, &cell));
    }
    return TN_OK;
}

tn_status tn_cells_of_preset(tn_context *ctx, const char *preset, const tn_device_info *info,
                             tn_cell_list *list) {
    static const char *const forward[] = {"forward", NULL}, *const both[] = {"forward", "backward", NULL};
    static const int64_t quick_T[] = {256, 1024, 4096, 16384, 0}, quick_D[] = {64, 0};
    static const int64_t full_T[] = {256, 1024, 4096, 16384, 65536, 0}, full_D[] = {64, 256, 512, 0};
    const char *testing = getenv("TURNOUT_TEST_CELLS");
    bool full = strcmp(preset, "full") == 0;
    if (testing && strcmp(testing, "1") == 0)
        return add_tests(ctx, info, list);
    TN_TRY(add_ops(ctx, info, full, list));
    return add_layers(ctx, info,
                      &(layer_axes){full ? full_T : quick_T, full ? full_D : quick_D, full ? both : forward},
                      list);
}

void tn_cells_shuffle(tn_cell_list *list, uint64_t seed) {
    tn_rng rng = tn_rng_make(seed, TN_RNG_MEASURE, 0);
    for (size_t i = list->count; i > 1; i--) {
        size_t j = tn_rng_below(&rng, (uint32_t)i);
        tn_cell kept = list->items[i - 1];
        list->items[i - 1] = list->items[j];
        list->items[j] = kept;
    }
}

void tn_cell_identify(const tn_cell *cell, uint64_t seed, const char *cpu_model, tn_cost_row *row) {
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
    row->B = cell->B;
    row->T = cell->T;
    row->D = cell->D;
    row->H = cell->H;
    row->Dh = cell->H > 0 ? cell->D / cell->H : -1;
    row->K = cell->K;
    row->rho = cell->rho;
    if (c && strcmp(cell->level, "op") == 0 && tn_shape_parse(&quiet, c, cell->shape, &shape) == TN_OK)
        tn_row_set_shape(row, c, &shape);
}

void tn_row_key(const tn_cost_row *r, char *key, size_t size) {
    snprintf(key, size, "%s|%s|%s|%s|%s|%s|%s|%s|%s|%lld|%lld|%lld|%lld|%lld|%.6g|%s|%s", r->platform,
             r->device, r->selector, r->driver, r->version, r->level, r->op, r->pass, r->mixer,
             (long long)r->B, (long long)r->T, (long long)r->D, (long long)r->H, (long long)r->K,
             r->rho >= 0 ? r->rho : -1.0, r->shape, r->seed);
}

void tn_cell_describe(const tn_cell *cell, char *text, size_t size) {
    if (strcmp(cell->level, "layer") != 0)
        snprintf(text, size, "%s %s %s", cell->op, cell->pass, cell->shape);
    else if (cell->rho >= 0)
        snprintf(text, size, "layer %s %s T=%lld D=%lld rho=%.4g", cell->mixer, cell->pass,
                 (long long)cell->T, (long long)cell->D, cell->rho);
    else
        snprintf(text, size, "layer %s %s T=%lld D=%lld", cell->mixer, cell->pass, (long long)cell->T,
                 (long long)cell->D);
}

double tn_cell_flops(const tn_cell *cell) {
    const tn_case *c = tn_case_find(cell->op);
    tn_context quiet = {0};
    tn_shape shape;
    double factor = strcmp(cell->pass, "backward") == 0 ? 3.5 : 1;
    if (c && tn_shape_parse(&quiet, c, cell->shape, &shape) == TN_OK)
        return c->flops(&shape, tn_case_pass(c, cell->pass));
    if (cell->T <= 0)
        return 0;
    /* Dense attention, which a routed cell is measured against: scores and values of the causal half, five
     * projections. */
    double T = (double)cell->T, D = (double)cell->D, B = (double)cell->B;
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

tn_status tn_cell_run(tn_device *dev, const tn_cell *cell, const tn_bench_options *options,
                      tn_cost_row *row) {
    tn_context *ctx = tn_device_context(dev);
    tn_status status;
    if (strcmp(cell->level, "op") == 0) {
        const tn_case *c = tn_case_find(cell->op);
        tn_shape shape;
        if (!c || tn_case_pass(c, cell->pass) < 0)
            return tn_fail(ctx, TN_ERR_ARG, "there is no pass '%s' of an op '%s'", cell->pass, cell->op);
        TN_TRY(tn_shape_parse(ctx, c, cell->shape, &shape));
        return tn_bench_op(dev, c, tn_case_pass(c, cell->pass), &shape, options, row);
    }
    tn_cell_identify(cell, options->seed, options->cpu_model ? options->cpu_model : "", row);
    if (strcmp(cell->level, "test") == 0)
        status = run_test(ctx, cell->op, options->raw, row);
    else
        status = tn_layer_measure(dev,
                                  &(tn_layer_shape){.B = cell->B,
                                                    .T = cell->T,
                                                    .D = cell->D,
                                                    .H = cell->H,
                                                    .K = cell->K,
                                                    .rho = cell->rho,
                                                    .mixer = cell->mixer,
                                                    .pass = cell->pass},
                                  options, row);
    return tn_row_settle(row, status, ctx);
}

tn_status tn_cell_attention_rate(tn_device *dev, double *rate) {
    const tn_case *c = tn_case_find("flash_attention");
    tn_shape shapes[TN_SHAPES_MAX];
    int count = 0;
    *rate = 0;
    if (c)
        TN_TRY(tn_shapes_of(tn_device_context(dev), c, shapes, &count));
    return count ? tn_bench_rate(dev, c, 0, &shapes[0], 0.1, rate) : TN_OK;
}
