/* The pieces of a survey: which cells and programs, what each is worth, about how long it takes. */
#include "survey_plan.h"

#include "cell_list.h"
#include "shapes.h"
#include "style.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

static tn_status add(tn_survey_plan *plan, const tn_survey_item *item) {
    TN_TRY(tn_grow(plan->ctx, &plan->items, &plan->capacity, plan->count + 1, sizeof *plan->items));
    plan->items[plan->count++] = *item;
    return TN_OK;
}

static void say(tn_survey_item *item, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(tn_survey_item *item, const char *format, ...) {
    va_list args;
    if (item->word_count == TN_SURVEY_WORDS)
        return;
    va_start(args, format);
    vsnprintf(item->words[item->word_count++], sizeof item->words[0], format, args);
    va_end(args);
}

static tn_survey_item piece(const tn_survey_plan *plan, tn_survey_stage stage, tn_survey_file file, int tier,
                            double nominal_s, const char *command) {
    tn_survey_item item = {.stage = stage, .file = file, .tier = tier, .nominal_s = nominal_s};
    say(&item, "%s", command);
    say(&item, "--device=%d:%d", plan->info->platform, plan->info->index);
    return item;
}

/* ---- verify ---- */

/* What a model spends its time in comes first. */
static const char *const heavy[] = {"flash_attention", "gemm",          "conv_track", "mlp",
                                    "causal_conv",     "route_compact", "route_gate", "decode_step",
                                    "row_gather",      "row_scatter",   "rms_norm",   NULL};

static int weight_of(const char *op) {
    int i = 0;
    while (heavy[i] && strcmp(heavy[i], op) != 0)
        i++;
    return i;
}

/* By the style of the device the first of its variants is what runs there, the portable one its net. */
static tn_status add_variants(tn_survey_plan *plan, const tn_op *op) {
    const tn_style style = tn_device_info_style(plan->info);
    bool first = true;
    for (int v = 0; op->variants[v]; v++) {
        const tn_variant *variant = op->variants[v];
        const bool own = variant->style == style && !variant->not_default;
        tn_survey_item item = piece(plan, TN_SURVEY_VERIFY, TN_SURVEY_NO_FILE,
                                    own && first               ? 1
                                    : own || variant->portable ? 2
                                                               : 3,
                                    1.5, "verify");
        first = first && !own;
        snprintf(item.name, sizeof item.name, "%s %s", op->name, variant->name);
        say(&item, "--op=%s", op->name);
        say(&item, "--variant=%s", variant->name);
        say(&item, "--cases=2");
        say(&item, "--json");
        say(&item, "--quiet");
        TN_TRY(add(plan, &item));
    }
    return TN_OK;
}

static tn_status add_verify(tn_survey_plan *plan) {
    for (int weight = 0; weight <= weight_of(""); weight++)
        for (int i = 0; i < tn_op_count; i++)
            if (weight_of(tn_ops[i]->name) == weight)
                TN_TRY(add_variants(plan, tn_ops[i]));
    return TN_OK;
}

/* ---- cells ---- */

static bool near(double a, double b) {
    return a > 0.7 * b && a < 1.4 * b;
}

/* Which comes first of a tier. Of layers the fraction that tells from where routing pays, at all lengths,
 * short ones first: a slow device has those in any case. */
static int place_of(const tn_sweep_cell *c) {
    if (strcmp(c->level, "op") == 0)
        return weight_of(c->op);
    if (strcmp(c->level, "decode") == 0)
        return strcmp(c->mixer, "routed") == 0 ? 0 : 1;
    if (strcmp(c->level, "layer") != 0)
        return 0;
    return near(c->rho, 0.01) ? 0 : near(c->rho, 1) ? 1 : strcmp(c->mixer, "routed") == 0 ? 2 : 3;
}

/* About, with 0.2 s of timing: what sweep reckons with. */
static double nominal_of(const tn_sweep_cell *cell) {
    if (strcmp(cell->level, "op") == 0)
        return 0.7;
    if (cell->context > 0) /* the caches are filled, and checked against attention's */
        return 1.5 + 4.0 * (double)cell->context / 262144;
    return strcmp(cell->level, "model") == 0 ? 2.1 : 1.5;
}

/* 0: no survey has it. Some of the fractions tell where the lines cross, the others how they bend. */
static int layer_tier(const tn_sweep_cell *c) {
    const int length = c->T > 16384 ? 4 : c->T > 4096 ? 2 : 1;
    if (c->execution != TN_EXECUTION_COMPACTED)
        return c->T == 4096 && (c->execution == TN_EXECUTION_MASKED || near(c->rho, 0.01)) ? 3 : 0;
    if (strcmp(c->mixer, "attention") == 0)
        return c->T == 4096 ? 1 : length > 3 ? length : 3;
    const int fraction = near(c->rho, 0.01) || near(c->rho, 0.5) || near(c->rho, 1) ? 1
                         : near(c->rho, 0.1) || near(c->rho, 0.25)                  ? 2
                                                                                    : 3;
    return length > fraction ? length : fraction;
}

static int step_tier(const tn_sweep_cell *c) {
    return c->T <= 128 ? 1 : c->T <= 512 ? 2 : 3;
}

static int decode_tier(const tn_sweep_cell *c) {
    if (c->execution != TN_EXECUTION_COMPACTED || strcmp(c->mixer, "conv") == 0)
        return c->context == 262144 ? 3 : 0;
    if (strcmp(c->mixer, "attention") == 0)
        return c->context == 262144 ? 1 : 3;
    return near(c->rho, 0.01) ? c->context >= 4096 ? 1 : 2 : near(c->rho, 1) ? 2 : 3;
}

static int op_tier(const tn_sweep_cell *c) {
    const tn_case *of = tn_case_find(c->op);
    if (!of || tn_case_pass(of, c->pass) > 0)
        return 3;
    return weight_of(c->op) < 8 ? 1 : 2;
}

typedef struct level {
    tn_survey_stage stage;
    tn_survey_file file;
    const char *preset;
    tn_sweep_axes axes;
    int (*tier)(const tn_sweep_cell *cell);
} level;

static const level levels[] = {
    {TN_SURVEY_LAYER,
     TN_SURVEY_COST,
     "full",
     {.level = {{"layer"}, 1},
      .pass = {{"forward"}, 1},
      .T = {{256, 1024, 4096, 16384, 65536}, 5},
      .D = {{64}, 1},
      .rho = {{0.01, 1, 0.5, 0.1, 0.25, 0.001}, 6}},
     layer_tier},
    {TN_SURVEY_STEP,
     TN_SURVEY_STEP_FILE,
     "full",
     {.level = {{"model"}, 1},
      .pass = {{"step"}, 1},
      .T = {{128, 64, 512, 1024}, 4},
      .D = {{64}, 1},
      .batch = {{32}, 1},
      .rho = {{0.01}, 1}},
     step_tier},
    {TN_SURVEY_DECODE,
     TN_SURVEY_DECODE_FILE,
     "quick",
     {.level = {{"decode"}, 1}, .context = {{1024, 4096, 32768, 262144}, 4}, .rho = {{0.01, 1, 0.1}, 3}},
     decode_tier},
    {TN_SURVEY_OPS, TN_SURVEY_COST, "quick", {.level = {{"op"}, 1}}, op_tier},
};

static tn_status add_level(tn_survey_plan *plan, const level *l) {
    tn_cell_list cells = {0};
    tn_status status = TN_OK;
    TN_GO(tn_cells_make(plan->ctx, l->preset, &l->axes, plan->info, false, &cells));
    for (int tier = 1; tier <= 4; tier++)
        for (int weight = 0; weight <= weight_of(""); weight++)
            for (size_t i = 0; i < cells.count; i++) {
                const tn_sweep_cell *cell = &cells.items[i];
                tn_survey_item item = {.stage = l->stage,
                                       .file = l->file,
                                       .tier = tier,
                                       .is_cell = true,
                                       .cell = *cell,
                                       .nominal_s = nominal_of(cell)};
                if (l->tier(cell) != tier || place_of(cell) != weight)
                    continue;
                tn_sweep_cell_describe(cell, item.name, sizeof item.name);
                TN_GO(add(plan, &item));
            }
cleanup:
    tn_cell_list_free(plan->ctx, &cells);
    return status;
}

/* ---- programs ---- */

static tn_status add_tune(tn_survey_plan *plan) {
    tn_survey_item item = piece(plan, TN_SURVEY_TUNE, TN_SURVEY_NO_FILE, 1, 10, "tune");
    snprintf(item.name, sizeof item.name, "tune");
    say(&item, "--json");
    say(&item, "--quiet");
    return add(plan, &item); /* --seconds is known when it begins */
}

static tn_status add_parts(tn_survey_plan *plan) {
    static const struct {
        const char *shape;
        int tier;
    } shapes[] = {{"T=4096", 1}, {"B=4,T=1024", 3}, {"T=16384", 3}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        tn_survey_item item = piece(plan, TN_SURVEY_PARTS, TN_SURVEY_PARTS_FILE, shapes[i].tier, 6, "bench");
        snprintf(item.name, sizeof item.name, "parts of a routed layer %s", shapes[i].shape);
        say(&item, "--level=layer");
        say(&item, "--shape=%s", shapes[i].shape);
        say(&item, "--seconds=0.1");
        say(&item, "--format=csv");
        say(&item, "--quiet");
        TN_TRY(add(plan, &item));
    }
    return TN_OK;
}

/* The first of the shapes that are compared, of the ops that other libraries have. */
static tn_status add_peers(tn_survey_plan *plan) {
    static const struct {
        const char *op, *pass;
        int tier;
    } works[] = {{"gemm", "nn", 2}, {"flash_attention", "forward", 2}, {"gemm", "tn", 3}};
    for (size_t i = 0; i < sizeof works / sizeof works[0]; i++) {
        const tn_case *c = tn_case_find(works[i].op);
        tn_survey_item item = piece(plan, TN_SURVEY_PEERS, TN_SURVEY_PEERS_FILE, works[i].tier, 6, "bench");
        tn_shape shapes[TN_SHAPES_MAX];
        char text[160];
        int count = 0;
        if (!c)
            continue;
        TN_TRY(tn_peer_shapes_of(plan->ctx, c, shapes, &count));
        if (count == 0)
            continue;
        tn_shape_print(c, &shapes[0], text, sizeof text);
        for (char *at = text; *at; at++)
            *at = *at == ' ' ? ',' : *at;
        snprintf(item.name, sizeof item.name, "%s %s %s beside peers", works[i].op, works[i].pass, text);
        say(&item, "--peers");
        say(&item, "--op=%s", works[i].op);
        say(&item, "--pass=%s", works[i].pass);
        say(&item, "--shape=%.150s", text);
        say(&item, "--seconds=0.2");
        say(&item, "--format=csv");
        say(&item, "--quiet");
        TN_TRY(add(plan, &item));
    }
    return TN_OK;
}

void tn_survey_recall_words(tn_survey_item *item, const tn_device_info *info,
                            const tn_survey_recall *recall) {
    item->word_count = 0;
    say(item, "study");
    say(item, "--device=%d:%d", info->platform, info->index);
    say(item, "--only=far");
    say(item, "--seeds=1");
    say(item, "--distances=%lld,8190,510", (long long)recall->distance);
    say(item, "--steps=%lld", (long long)recall->steps);
    say(item, "--sequences=%lld", (long long)recall->sequences);
    say(item, "--seconds=1");
    say(item, "--quiet");
    say(item, "--output");
}

tn_status tn_survey_plan_make(tn_context *ctx, const tn_device_info *info, tn_survey_plan *out) {
    *out = (tn_survey_plan){.ctx = ctx, .info = info};
    tn_survey_item item = {.stage = TN_SURVEY_CEILINGS,
                           .file = TN_SURVEY_NO_FILE,
                           .tier = 1,
                           .name = "ceilings",
                           .nominal_s = 5};
    TN_TRY(add(out, &item));
    TN_TRY(add_verify(out));
    TN_TRY(add_tune(out));
    TN_TRY(add_level(out, &levels[0]));
    TN_TRY(add_level(out, &levels[1]));
    item = (tn_survey_item){.stage = TN_SURVEY_RECALL,
                            .file = TN_SURVEY_NO_FILE,
                            .tier = 1,
                            .name = "recall: trained, then evaluated near and far",
                            .nominal_s = 45};
    TN_TRY(add(out, &item));
    TN_TRY(add_level(out, &levels[2]));
    TN_TRY(add_level(out, &levels[3]));
    TN_TRY(add_parts(out));
    return add_peers(out);
}
