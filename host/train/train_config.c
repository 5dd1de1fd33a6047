/* config.json of a run: one table of fields, from which writing, reading and comparing are made. */
#include "trainer.h"

#include "causal_conv.h"
#include "file.h"

#include <jansson.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const char schema[] = "turnout-run-1";

typedef enum tn_field_type { FIELD_I64, FIELD_U64, FIELD_F64, FIELD_BOOL } tn_field_type;

typedef struct tn_field {
    const char *name;
    tn_field_type type;
    size_t offset;
    bool optional; /* not written where it is 0, and 0 where it is absent */
} tn_field;

#define FIELD(name, type, member)                                                                            \
    { name, type, offsetof(tn_train_config, member), false }
#define OPTIONAL(name, type, member)                                                                         \
    { name, type, offsetof(tn_train_config, member), true }
static const tn_field fields[] = {
    FIELD("distance", FIELD_I64, task.distance),
    FIELD("length", FIELD_I64, task.length),
    FIELD("pairs", FIELD_I64, task.pairs),
    FIELD("filler_zero", FIELD_BOOL, task.filler_zero),
    FIELD("vocab", FIELD_I64, model.vocab),
    FIELD("d_model", FIELD_I64, model.d_model),
    FIELD("layers", FIELD_I64, model.layers),
    FIELD("heads", FIELD_I64, model.heads),
    FIELD("conv_taps", FIELD_I64, model.conv_taps),
    FIELD("mlp_width", FIELD_I64, model.mlp_width),
    FIELD("rms_eps", FIELD_F64, model.rms_eps),
    FIELD("curriculum", FIELD_BOOL, curriculum.enabled),
    FIELD("steps", FIELD_I64, curriculum.steps),
    FIELD("warmup", FIELD_I64, curriculum.warmup),
    FIELD("phase1", FIELD_I64, curriculum.phase1),
    FIELD("ramp", FIELD_I64, curriculum.ramp),
    FIELD("explore", FIELD_I64, curriculum.explore),
    FIELD("router_bias", FIELD_F64, router_bias),
    FIELD("explore_below", FIELD_F64, curriculum.explore_below),
    FIELD("lambda", FIELD_F64, curriculum.lambda),
    FIELD("gate_margin", FIELD_F64, curriculum.margin),
    FIELD("lr", FIELD_F64, curriculum.lr),
    FIELD("decay", FIELD_F64, curriculum.decay),
    FIELD("beta1", FIELD_F64, optimizer.beta1),
    FIELD("beta2", FIELD_F64, optimizer.beta2),
    FIELD("eps", FIELD_F64, optimizer.eps),
    FIELD("weight_decay", FIELD_F64, optimizer.weight_decay),
    FIELD("clip", FIELD_F64, optimizer.clip),
    FIELD("batch", FIELD_I64, batch),
    FIELD("seed", FIELD_U64, seed),
    FIELD("log_every", FIELD_I64, log_every),
    FIELD("checkpoint_every", FIELD_I64, checkpoint_every),
    OPTIONAL("budget", FIELD_F64, curriculum.budget),
    OPTIONAL("price_known", FIELD_BOOL, curriculum.price_known),
    OPTIONAL("data_hash", FIELD_U64, task.data_hash),
    OPTIONAL("kv_heads", FIELD_I64, model.kv_heads),
    OPTIONAL("window", FIELD_I64, model.window),
    OPTIONAL("added", FIELD_BOOL, model.added),
    OPTIONAL("match", FIELD_I64, model.match),
    OPTIONAL("head_init", FIELD_F64, head_init),
    OPTIONAL("short_steps", FIELD_I64, shorter.steps),
    OPTIONAL("short_length", FIELD_I64, shorter.length),
    OPTIONAL("routed_row_ms", FIELD_F64, row_cost.routed_ms),
    OPTIONAL("unrouted_row_ms", FIELD_F64, row_cost.unrouted_ms),
};
enum { FIELD_COUNT = sizeof fields / sizeof fields[0] };

/* Fields that are words. */
enum { TEXT_TASK, TEXT_DATA, TEXT_MIXER, TEXT_ROUTING, TEXT_POSITIONS, TEXT_PENALTY, TEXT_COUNT };
static const char *const text_names[TEXT_COUNT] = {"task",    "data",      "mixer",
                                                   "routing", "positions", "penalty"};

static const char *text_of(const tn_train_config *c, int i, char buffer[TN_CONFIG_TEXT]) {
    if (i == TEXT_TASK)
        return tn_task_kind_name(c->task.kind);
    if (i == TEXT_DATA)
        return c->task.data;
    if (i == TEXT_PENALTY)
        return c->penalty == TN_PENALTY_ROWS ? "rows" : "mean";
    tn_model_config_field(&c->model, i - TEXT_MIXER + 6, buffer);
    return buffer;
}

static tn_status text_set(tn_context *ctx, tn_train_config *c, int i, const char *text) {
    if (i == TEXT_TASK)
        return tn_task_kind_parse(ctx, text, &c->task.kind);
    if (i == TEXT_DATA) {
        if (strlen(text) >= TN_TASK_PATH)
            return tn_fail(ctx, TN_ERR_INPUT, "the path of the data is longer than %d", TN_TASK_PATH - 1);
        snprintf(c->task.data, TN_TASK_PATH, "%s", text);
        return TN_OK;
    }
    if (i == TEXT_PENALTY)
        return tn_penalty_parse(ctx, text, &c->penalty);
    return tn_model_config_set(ctx, &c->model, text_names[i], text);
}

tn_status tn_penalty_parse(tn_context *ctx, const char *text, tn_penalty *out) {
    if (strcmp(text, "mean") != 0 && strcmp(text, "rows") != 0)
        return tn_fail(ctx, TN_ERR_ARG, "unknown penalty '%s'; there is mean and rows", text);
    *out = text[0] == 'r' ? TN_PENALTY_ROWS : TN_PENALTY_MEAN;
    return TN_OK;
}

static bool has_many_pairs(const tn_task_config *task) {
    return task->kind == TN_TASK_MQAR && task->pairs >= 32;
}

static int64_t usual_steps(const tn_task_config *task) {
    if (task->kind == TN_TASK_TEXT)
        return 4000;
    return task->kind == TN_TASK_RECALL ? 2500 : has_many_pairs(task) ? 3500 : 2000;
}

static void recall_recipe(tn_train_config *c) {
    c->penalty = TN_PENALTY_ROWS;
    c->router_bias = 2;
    c->curriculum.phase1 = c->curriculum.steps / 5; /* attention has learned by then */
    c->curriculum.lr = 3e-3;
    c->curriculum.decay = 0.5;
    c->curriculum.margin = 4;
    c->curriculum.explore_below = 1;
}

/* Of many queries the first is so few that a batch without it passes for right: then more must be right, and
 * more than half of the steps without a price are at the full length, where the router learns to tell it.
 * What a margin holds back in training is routed afterwards, and upsets the layer that attends. */
static void many_pairs_recipe(tn_train_config *c) {
    const int64_t steps = c->curriculum.steps;
    c->curriculum.phase1 = steps * 16 / 35;
    c->curriculum.ramp = steps * 6 / 35;
    c->curriculum.lambda = 1;
    c->curriculum.margin = 0;
    c->curriculum.explore_below = 0.995;
    if (c->shorter.steps > 0)
        c->shorter.steps = steps / 5;
}

/* The first query may follow the last pair at once. Only how far the start is tells it from one more key, and
 * that a router can know as far as the convolutions before it reach: one that sees all pairs and what is
 * before them, since it is not known which layer will route. */
static void mqar_recipe(tn_train_config *c) {
    const int64_t positions = 4096, length = 64, taps = 2 * c->task.pairs + 4;
    int64_t L = c->task.length, fit = positions / L, steps = c->curriculum.steps;
    c->model.conv_taps = taps < 16 ? 16 : taps > TN_CAUSAL_CONV_TAPS ? TN_CAUSAL_CONV_TAPS : taps;
    c->penalty = TN_PENALTY_ROWS;
    c->router_bias = 2;
    c->head_init = 0.07;
    c->batch = fit < 8 ? 8 : fit > 256 ? 256 : fit;
    c->curriculum.phase1 = steps * 3 / 10;
    c->curriculum.ramp = steps / 8;
    c->curriculum.lr = 3e-3;
    c->curriculum.decay = 0.5;
    c->curriculum.lambda = 2;
    c->curriculum.explore_below = 0.97;
    if (L > length && L % length == 0 && c->task.pairs % (L / length) == 0 && steps >= 20)
        c->shorter = (tn_shorter){.steps = steps * 11 / 20, .length = length};
    if (has_many_pairs(&c->task))
        many_pairs_recipe(c);
}

/* Eight taps a layer: what lies near is the convolutions' to see, so that attention is left with what is far.
 * Its distances are told by its positions. No row needs it as a query of recall does: a router that was
 * trained with a margin routes twice as many without, rows that learned to do without. In a compacted step a
 * row that is not routed would feel the price and not what attention would be worth to it: there it feels
 * neither. So routers start with all rows, which the budget takes away one by one. Phase 1 is short: what a
 * soft gate learns goes when it turns hard, and has to be learned again. */
static void text_recipe(tn_train_config *c) {
    const int64_t positions = 4096; /* of a step */
    c->model.conv_taps = 8;
    c->model.heads = 4;
    c->model.positions = TN_POSITIONS_ROPE;
    c->model.added = true;
    c->curriculum.phase1 = c->curriculum.steps * 2 / 15;
    c->curriculum.ramp = c->curriculum.steps / 2;
    c->curriculum.explore = 4;
    c->curriculum.budget = 0.1;
    c->curriculum.price_known = true;
    c->router_bias = 2;
    c->batch = positions > c->task.length ? positions / c->task.length : 1;
    c->curriculum.lr = 3e-3;
    c->curriculum.lambda = 0.03;
    c->curriculum.margin = 0;
}

tn_status tn_train_config_default(tn_context *ctx, const tn_task_config *task, int64_t steps,
                                  tn_train_config *out) {
    tn_task_config known = *task;
    TN_TRY(tn_task_config_read(ctx, &known));
    *out = (tn_train_config){
        .task = known,
        .model = tn_model_config_default(tn_task_config_vocab(task)),
        .curriculum = tn_curriculum_default(steps ? steps : usual_steps(task)),
        .optimizer = {.beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .weight_decay = 0.01, .clip = 1},
        .penalty = TN_PENALTY_MEAN,
        .batch = 32,
        .seed = task->seed,
        .log_every = 10,
        .checkpoint_every = 100};
    if (task->kind == TN_TASK_RECALL)
        recall_recipe(out);
    if (task->kind == TN_TASK_MQAR)
        mqar_recipe(out);
    if (task->kind == TN_TASK_TEXT)
        text_recipe(out);
    return TN_OK;
}

void tn_train_config_plain(tn_train_config *c) {
    c->penalty = TN_PENALTY_MEAN;
    c->router_bias = 0;
    c->curriculum.margin = 0;
    c->curriculum.explore_below = 0;
}

/* The shorter task is the task in small: as many times fewer pairs, as many times more sequences a step. */
static tn_status check_shorter(tn_context *ctx, const tn_train_config *c) {
    int64_t length = c->shorter.length;
    if (c->shorter.steps == 0 && length == 0)
        return TN_OK;
    if (c->task.kind != TN_TASK_MQAR)
        return tn_fail(ctx, TN_ERR_ARG, "a shorter task to begin with is mqar's alone");
    if (c->shorter.steps < 1 || length < 1 || c->task.length % length != 0 ||
        c->task.pairs % (c->task.length / length) != 0)
        return tn_fail(
            ctx, TN_ERR_ARG,
            "the shorter task wants 1 or more steps and a length by which %lld can be divided, and "
            "by the same number its %lld pairs; not %lld steps at a length of %lld",
            (long long)c->task.length, (long long)c->task.pairs, (long long)c->shorter.steps,
            (long long)length);
    tn_task_config task = tn_train_config_task(c, 0);
    return tn_task_config_check(ctx, &task);
}

tn_task_config tn_train_config_task(const tn_train_config *c, int64_t step) {
    tn_task_config task = c->task;
    int64_t times = step < c->shorter.steps ? task.length / c->shorter.length : 1;
    task.length /= times;
    task.pairs /= times;
    return task;
}

tn_status tn_train_config_check(tn_context *ctx, const tn_train_config *c) {
    const tn_curriculum *u = &c->curriculum;
    TN_TRY(tn_task_config_check(ctx, &c->task));
    TN_TRY(tn_model_config_check(ctx, &c->model));
    if (u->steps < 1 || u->steps > 100000000 || c->batch < 1 || c->batch > 1 << 20 || c->log_every < 1 ||
        c->checkpoint_every < 1)
        return tn_fail(ctx, TN_ERR_ARG,
                       "steps, batch and intervals must be at least 1 (steps %lld, batch %lld)",
                       (long long)u->steps, (long long)c->batch);
    if (u->warmup < 0 || u->phase1 < 0 || u->ramp < 0 || u->explore < 0)
        return tn_fail(ctx, TN_ERR_ARG, "warm-up, phase 1, ramp and explore are counts of steps, 0 or more");
    if (!(u->lambda >= 0 && isfinite(u->lambda)) || !(u->lr > 0 && u->lr < 10) ||
        !(u->decay >= 0 && u->decay <= 1) || !(u->margin >= 0 && u->margin <= 100) ||
        !(u->explore_below >= 0 && u->explore_below <= 1) || !(u->budget >= 0 && u->budget < 1) ||
        !(fabs(c->router_bias) <= 100))
        return tn_fail(ctx, TN_ERR_ARG,
                       "λ must be 0 or more, the learning rate in (0,10), its decay and explore_below in "
                       "0..1, a budget of "
                       "rows from 0 to below 1, "
                       "the gate's margin in 0..100, the routers' bias in -100..100");
    if (!(c->head_init >= 0 && c->head_init <= 100))
        return tn_fail(ctx, TN_ERR_ARG,
                       "the head starts as the embedding times a number in 0..100 (0: at random), not %g",
                       c->head_init);
    if (!isfinite(c->row_cost.routed_ms) || !(c->row_cost.unrouted_ms >= 0) ||
        !isfinite(c->row_cost.unrouted_ms))
        return tn_fail(ctx, TN_ERR_ARG, "the measured cost of a row is no time: routed %g ms, unrouted %g ms",
                       c->row_cost.routed_ms, c->row_cost.unrouted_ms);
    json_t *data = json_string(c->task.data);
    json_decref(data);
    if (!data)
        return tn_fail(ctx, TN_ERR_ARG,
                       "the path of the data is not UTF-8, as config.json has to be; give the file another "
                       "name, or a link to it");
    if (u->budget > 0 && (c->model.routing == TN_ROUTING_CAPACITY || u->explore == 1))
        return tn_fail(ctx, TN_ERR_ARG,
                       "a budget steers the price of routing by threshold, from steps that are compacted: it "
                       "wants no --routing capacity and no --explore 1");
    return check_shorter(ctx, c);
}

static bool is_absent(const tn_train_config *c, const tn_field *f) {
    const void *at = (const char *)c + f->offset;
    if (!f->optional)
        return false;
    if (f->type == FIELD_BOOL)
        return !*(const bool *)at;
    return f->type == FIELD_F64 ? fpclassify(*(const double *)at) == FP_ZERO : *(const int64_t *)at == 0;
}

static json_t *field_json(const tn_train_config *c, const tn_field *f) {
    const char *at = (const char *)c + f->offset;
    if (f->type == FIELD_F64)
        return json_real(*(const double *)(const void *)at);
    if (f->type == FIELD_BOOL)
        return json_boolean(*(const bool *)(const void *)at);
    return json_integer((json_int_t) * (const int64_t *)(const void *)at);
}

/* Caller releases. */
static json_t *to_json(const tn_train_config *c) {
    char buffer[TN_CONFIG_TEXT];
    json_t *root = json_object();
    json_object_set_new(root, "schema", json_string(schema));
    for (int i = 0; i < TEXT_COUNT; i++)
        json_object_set_new(root, text_names[i], json_string(text_of(c, i, buffer)));
    for (int i = 0; i < FIELD_COUNT; i++)
        if (!is_absent(c, &fields[i]))
            json_object_set_new(root, fields[i].name, field_json(c, &fields[i]));
    return root;
}

tn_status tn_train_config_save(tn_context *ctx, const tn_train_config *c, const char *path) {
    tn_outfile file;
    json_t *root = to_json(c);
    tn_status status = tn_outfile_open(ctx, path, &file);
    if (status == TN_OK) {
        json_dumpf(root, file.stream, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
        fputc('\n', file.stream);
        status = tn_outfile_commit(ctx, &file);
    }
    json_decref(root);
    return status;
}

tn_status tn_train_config_text(tn_context *ctx, const tn_train_config *c, char **out) {
    json_t *root = to_json(c);
    char *text = json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(root);
    *out = NULL;
    tn_status status =
        text ? tn_strdup(ctx, text, out) : tn_fail(ctx, TN_ERR_MEMORY, "out of host memory for a config");
    free(text);
    return status;
}

static tn_status field_load(tn_context *ctx, const char *path, json_t *root, const tn_field *f,
                            tn_train_config *c) {
    json_t *value = json_object_get(root, f->name);
    char *at = (char *)c + f->offset;
    if (!value && f->optional)
        return TN_OK;
    bool fits = f->type == FIELD_BOOL  ? json_is_boolean(value)
                : f->type == FIELD_F64 ? json_is_number(value)
                                       : json_is_integer(value);
    if (!fits)
        return tn_fail(ctx, TN_ERR_INPUT, "%s: field '%s' is %s; is it the config.json of a run?", path,
                       f->name, value ? "of the wrong type" : "missing");
    if (f->type == FIELD_F64)
        *(double *)(void *)at = json_number_value(value);
    else if (f->type == FIELD_BOOL)
        *(bool *)(void *)at = json_boolean_value(value);
    else
        *(int64_t *)(void *)at = json_integer_value(value);
    return TN_OK;
}

static tn_status load(tn_context *ctx, const char *path, json_t *root, tn_train_config *out) {
    const char *found = json_string_value(json_object_get(root, "schema"));
    if (!found || strcmp(found, schema) != 0)
        return tn_fail(ctx, TN_ERR_INPUT, "%s is not the config.json of a run: its schema is %s, not %s",
                       path, found ? found : "missing", schema);
    *out = (tn_train_config){0};
    for (int i = 0; i < TEXT_COUNT; i++) {
        const char *text = json_string_value(json_object_get(root, text_names[i]));
        if (!text)
            return tn_fail(ctx, TN_ERR_INPUT, "%s: field '%s' is missing; is it the config.json of a run?",
                           path, text_names[i]);
        if (text_set(ctx, out, i, text) != TN_OK) {
            tn_fail_prefix(ctx, "%s", path);
            return ctx->status = TN_ERR_INPUT;
        }
    }
    for (int i = 0; i < FIELD_COUNT; i++)
        TN_TRY(field_load(ctx, path, root, &fields[i], out));
    out->task.seed = out->seed;
    tn_task_config_trim(&out->task);
    tn_model_config_trim(&out->model);
    if (tn_train_config_check(ctx, out) != TN_OK) {
        tn_fail_prefix(ctx, "%s", path);
        return ctx->status = TN_ERR_INPUT;
    }
    return TN_OK;
}

static tn_status parse(tn_context *ctx, const char *path, const char *text, size_t size,
                       tn_train_config *out) {
    json_error_t error;
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    tn_status status =
        root ? load(ctx, path, root, out)
             : tn_fail(ctx, TN_ERR_INPUT, "%s is not JSON: line %d: %s", path, error.line, error.text);
    json_decref(root);
    return status;
}

tn_status tn_train_config_load(tn_context *ctx, const char *path, tn_train_config *out) {
    char *text;
    size_t size;
    TN_TRY(tn_file_read(ctx, path, &text, &size));
    tn_status status = parse(ctx, path, text, size, out);
    tn_free(ctx, text);
    return status;
}

/* Name and both values of the first field that differs; NULL: none. The texts are the caller's to free. */
static const char *difference(const tn_train_config *a, const tn_train_config *b, char **mine,
                              char **theirs) {
    char buffer_a[TN_CONFIG_TEXT], buffer_b[TN_CONFIG_TEXT];
    tn_train_config mine_full = *a, theirs_full = *b; /* with the heads of keys that 0 stands for */
    mine_full.model.kv_heads = tn_model_config_kv_heads(&a->model);
    theirs_full.model.kv_heads = tn_model_config_kv_heads(&b->model);
    for (int i = 0; i < TEXT_COUNT + FIELD_COUNT; i++) {
        const tn_field *f = &fields[i < TEXT_COUNT ? 0 : i - TEXT_COUNT];
        json_t *x =
            i < TEXT_COUNT ? json_string(text_of(&mine_full, i, buffer_a)) : field_json(&mine_full, f);
        json_t *y =
            i < TEXT_COUNT ? json_string(text_of(&theirs_full, i, buffer_b)) : field_json(&theirs_full, f);
        bool same = json_equal(x, y);
        *mine = same ? NULL : json_dumps(x, JSON_ENCODE_ANY);
        *theirs = same ? NULL : json_dumps(y, JSON_ENCODE_ANY);
        json_decref(x);
        json_decref(y);
        if (!same)
            return i < TEXT_COUNT ? text_names[i] : f->name;
    }
    return NULL;
}

tn_status tn_train_config_same(tn_context *ctx, const tn_train_config *a, const tn_train_config *b) {
    char *mine, *theirs;
    const char *name = difference(a, b, &mine, &theirs);
    if (!name)
        return TN_OK;
    tn_fail(ctx, TN_ERR_ARG,
            "the run in the folder has %s %s, the command line %s; give it the same options, or another "
            "folder",
            name, mine ? mine : "?", theirs ? theirs : "?");
    free(mine);
    free(theirs);
    return TN_ERR_ARG;
}

tn_status tn_train_config_of_file(tn_context *ctx, const tn_train_config *c, const char *path,
                                  const char *run) {
    tn_train_config kept;
    char *mine, *theirs;
    if (!run)
        return TN_OK;
    TN_TRY(parse(ctx, path, run, strlen(run), &kept));
    const char *name = difference(c, &kept, &mine, &theirs);
    if (!name)
        return TN_OK;
    tn_fail(ctx, TN_ERR_INPUT,
            "%s is another run's than the config.json beside it: it was trained with %s %s, config.json has "
            "%s; put the two of one run together",
            path, name, theirs ? theirs : "?", mine ? mine : "?");
    free(mine);
    free(theirs);
    return TN_ERR_INPUT;
}
