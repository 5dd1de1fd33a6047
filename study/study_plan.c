#include "study_items.h"

#include "pairs.h"

#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

tn_status tn_study_parts_parse(tn_context *ctx, const char *list, bool parts[TN_STUDY_PARTS]) {
    memset(parts, 0, TN_STUDY_PARTS * sizeof *parts);
    tn_slice word;
    while (tn_item_next(&list, &word)) {
        int found = 0;
        while (found < TN_STUDY_PARTS && !tn_slice_is(word, tn_study_part_name((tn_study_part)found)))
            found++;
        if (found == TN_STUDY_PARTS)
            return tn_fail(ctx, TN_ERR_ARG,
                           "a study has no part '%.*s'; there is seed, far, mqar, text, lambda, devices",
                           tn_slice_shown(word), word.at);
        parts[found] = true;
    }
    return TN_OK;
}

tn_status tn_study_distances_parse(tn_context *ctx, const char *list, tn_study_options *o) {
    tn_slice item;
    o->distance_count = 0;
    while (tn_item_next(&list, &item)) {
        int64_t value;
        TN_TRY(tn_number_int(ctx, "--distances, a list as 62,126,", item, 1, 1 << 24, &value));
        for (int i = 0; i < o->distance_count; i++)
            if (o->distances[i] == value)
                return tn_fail(ctx, TN_ERR_ARG, "--distances names %lld twice; leave one out",
                               (long long)value);
        if (o->distance_count == TN_STUDY_DISTANCES)
            return tn_fail(ctx, TN_ERR_ARG, "--distances takes at most %d, and '%.*s' is one more",
                           TN_STUDY_DISTANCES, tn_slice_shown(item), item.at);
        o->distances[o->distance_count++] = value;
    }
    return TN_OK;
}

/* Layers of which a control chooses the rows. */
static int64_t controlled(const tn_model_config *c) {
    int64_t count = 0;
    for (int64_t i = 0; i < c->layers; i++)
        count += tn_layer_mixer(c, i) == TN_MIXER_RANDOM || tn_layer_mixer(c, i) == TN_MIXER_PERIODIC;
    return count;
}

tn_train_config tn_study_match(const tn_study_item *item, double attention_pct) {
    tn_train_config c = item->config;
    double share = attention_pct / 100 * (double)c.model.layers / (double)controlled(&c.model);
    double rho = fmin(fmax(share, 0), 1);
    /* Nothing routed is matched by the longest period a config can hold: no position but the first. */
    c.model.random_rho = rho;
    c.model.period = rho > 1.0 / INT32_MAX ? llround(1 / rho) : INT32_MAX;
    return c;
}

tn_train_config tn_study_steps(const tn_study_item *item, double seconds, double timed_s) {
    tn_train_config c = item->config;
    double steps = fmin((double)c.curriculum.steps * seconds / timed_s, 1e8);
    c.curriculum.steps = steps > 1 ? llround(steps) : 1;
    return c;
}

void tn_study_plan_free(tn_study_plan *plan) {
    if (plan->ctx)
        tn_free(plan->ctx, plan->items);
    *plan = (tn_study_plan){0};
}

static tn_task_config recall(int64_t distance, int64_t seed) {
    return (tn_task_config){.kind = TN_TASK_RECALL, .distance = distance, .seed = (uint64_t)seed};
}

/* The controls run last: they take the routed run's measured fraction. */
static tn_status add_mixers(tn_study_plan *plan, const tn_study_options *o, const tn_task_config *task) {
    static const struct {
        const char *label, *mixer;
        bool no_curriculum, control;
    } kinds[] = {{"conv", "conv"},
                 {"attention", "attention"},
                 {"routed", "routed"},
                 {"routed-nocurriculum", "routed", .no_curriculum = true},
                 {"oracle", "oracle"},
                 {"random", "random:0", .control = true},
                 {"periodic", "periodic:1", .control = true}};
    char routed[TN_STUDY_NAME] = "";
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        tn_study_item *item;
        TN_TRY(tn_study_add(plan, o, TN_STUDY_SEED, task, kinds[i].label, kinds[i].mixer, &item));
        item->config.curriculum.enabled = !kinds[i].no_curriculum;
        tn_study_name_run(task, "attention", item->attention);
        if (strcmp(kinds[i].label, "routed") == 0)
            snprintf(routed, sizeof routed, "%s", item->name);
        if (kinds[i].control)
            snprintf(item->matched, sizeof item->matched, "%s", routed);
    }
    return TN_OK;
}

static const int64_t seed_distances[] = {62, 126, 254, 510, 1022, 2046},
                     far_distances[] = {126, 510, 2046, 8190, 32766, 131070, 1048574};

static int64_t first_distance(const tn_study_options *o) {
    return o->distance_count ? o->distances[0] : 126;
}

static tn_status add_seed(tn_study_plan *plan, const tn_study_options *o, int64_t seed) {
    const int64_t *d = o->distance_count ? o->distances : seed_distances;
    int count = o->distance_count ? o->distance_count : (int)(sizeof seed_distances / sizeof *d);
    for (int i = 0; i < count; i++) {
        tn_task_config task = recall(d[i], seed);
        TN_TRY(add_mixers(plan, o, &task));
    }
    return TN_OK;
}

static tn_status add_far(tn_study_plan *plan, const tn_study_options *o, int64_t seed) {
    const int64_t *d = o->distance_count ? o->distances : far_distances;
    int count = o->distance_count ? o->distance_count : (int)(sizeof far_distances / sizeof *d);
    tn_task_config task = recall(first_distance(o), seed);
    for (int i = 0; i < count; i++) {
        tn_study_item *item;
        TN_TRY(tn_study_add(plan, o, TN_STUDY_FAR, &task, "routed", "routed", &item));
        tn_study_name_run(&task, "attention", item->attention);
        item->task.distance = d[i];
        item->sequences = tn_study_sequences(o->sequences, d[i] + 2);
        snprintf(item->name, TN_STUDY_NAME, "far-%.80s-at%lld", item->run, (long long)d[i]);
        item->work += (double)item->sequences * tn_study_sequence_flops(&item->config.model, d[i] + 2, false);
    }
    return TN_OK;
}

static void by_capacity(tn_study_item *item, double capacity) {
    item->config.model.routing = TN_ROUTING_CAPACITY;
    item->config.model.capacity = capacity;
}

static tn_status add_mqar_row(tn_study_plan *plan, const tn_study_options *o, const tn_task_config *task,
                              const char *label, const char *mixer, tn_study_item **out) {
    TN_TRY(tn_study_add(plan, o, TN_STUDY_MQAR, task, label, mixer, out));
    tn_study_name_run(task, "attention", (*out)->attention);
    return TN_OK;
}

/* Nothing between the queries, as in the figure of the Zoology paper. Capacity is in each layer a quarter
 * more than the task needs in one. With random fillers, at the first size alone: half of those are keys, and
 * one that was paired looks to a router like one that was not. */
static tn_status add_mqar(tn_study_plan *plan, const tn_study_options *o, int64_t seed) {
    static const int64_t sizes[][2] = {{64, 4}, {128, 8}, {256, 16}, {512, 64}};
    static const char *const mixers[] = {"conv", "attention", "routed"};
    tn_task_config task = {.kind = TN_TASK_MQAR, .seed = (uint64_t)seed};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char label[40];
        tn_study_item *item;
        task.length = sizes[i][0];
        task.pairs = sizes[i][1];
        task.filler_zero = true;
        for (int j = 0; j < 3; j++)
            TN_TRY(add_mqar_row(plan, o, &task, mixers[j], mixers[j], &item));
        double capacity = 1.25 * (double)task.pairs / (double)task.length;
        snprintf(label, sizeof label, "routed-capacity%g", capacity);
        TN_TRY(add_mqar_row(plan, o, &task, label, "routed", &item));
        by_capacity(item, capacity);
        if (i > 0)
            continue;
        task.filler_zero = false;
        TN_TRY(tn_study_add(plan, o, TN_STUDY_MQAR, &task, "routed-random-fillers", "routed", &item));
    }
    return TN_OK;
}

/* Fixed prices, then the device's own. */
static tn_status add_lambda(tn_study_plan *plan, const tn_study_options *o, int64_t seed) {
    static const double lambdas[] = {0.01, 0.03, 0.1, 0.3, 1, 2, 5};
    tn_study_item *measured;
    tn_task_config task = recall(first_distance(o), seed);
    for (size_t i = 0; i < sizeof lambdas / sizeof lambdas[0]; i++) {
        char label[40];
        tn_study_item *item;
        tn_train_config usual;
        TN_TRY(tn_train_config_default(plan->ctx, &task, o->steps, &usual));
        /* The usual price is that of the other parts' run, which is not trained twice. */
        bool is_usual = usual.curriculum.lambda >= lambdas[i] && usual.curriculum.lambda <= lambdas[i];
        snprintf(label, sizeof label, is_usual ? "routed" : "routed-lambda%g", lambdas[i]);
        TN_TRY(tn_study_add(plan, o, TN_STUDY_LAMBDA, &task, label, "routed", &item));
        item->config.curriculum.lambda = lambdas[i];
        tn_study_name_run(&task, "attention", item->attention);
    }
    TN_TRY(tn_study_add(plan, o, TN_STUDY_LAMBDA, &task, "routed-lambda-measured", "routed", &measured));
    measured->price_measured = true;
    tn_study_name_run(&task, "attention", measured->attention);
    return TN_OK;
}

/* The routed run of seed and far, by its folder: trained here where neither was. */
static tn_status add_devices(tn_study_plan *plan, const tn_study_options *o) {
    tn_task_config task = recall(first_distance(o), 1);
    for (int i = 0; i < o->device_count; i++) {
        tn_study_item *item;
        TN_TRY(tn_study_add(plan, o, TN_STUDY_DEVICES, &task, "routed", "routed", &item));
        snprintf(item->device, sizeof item->device, "%s", o->devices[i]);
        snprintf(item->name, TN_STUDY_NAME, "devices-%.80s-on%s", item->run, o->devices[i]);
    }
    return TN_OK;
}

void tn_study_unit(const tn_study_item *item, char unit[TN_STUDY_NAME]) {
    const tn_task_config *t = &item->config.task;
    unsigned long long seed = t->seed;
    if (t->kind == TN_TASK_RECALL)
        snprintf(unit, TN_STUDY_NAME, "recall%lld-s%llu", (long long)t->distance, seed);
    else if (t->kind == TN_TASK_MQAR)
        snprintf(unit, TN_STUDY_NAME, "mqar%lldx%lld-s%llu", (long long)t->length, (long long)t->pairs, seed);
    else
        snprintf(unit, TN_STUDY_NAME, "text%lld-s%llu", (long long)t->length, seed);
}

static bool is_wanted(const char *patterns, const char *name) {
    char pattern[TN_STUDY_NAME];
    tn_slice item;
    while (patterns && tn_item_next(&patterns, &item)) {
        snprintf(pattern, sizeof pattern, "%.*s", tn_slice_shown(item), item.at);
        if (fnmatch(pattern, name, 0) == 0)
            return true;
    }
    return false;
}

/* Of the shard, and of the names that are asked for. */
static tn_status keep_wanted(tn_study_plan *plan, const tn_study_options *o) {
    size_t kept = 0, in_shard = 0;
    for (size_t i = 0; i < plan->count; i++) {
        char unit[TN_STUDY_NAME];
        tn_study_unit(&plan->items[i], unit);
        if (!tn_shard_has(&o->shard, unit))
            continue;
        in_shard++;
        if (!o->rows || is_wanted(o->rows, plan->items[i].name))
            plan->items[kept++] = plan->items[i];
    }
    plan->count = kept;
    if (kept == 0 && in_shard > 0)
        return tn_fail(plan->ctx, TN_ERR_ARG, "no row's name fits --rows %s; --dry-run shows the names",
                       o->rows);
    return TN_OK;
}

/* A whole table of seed 1 first, then seed 2: what is there early is worth reading. */
tn_status tn_study_plan_make(tn_context *ctx, const tn_study_options *o, tn_study_plan *out) {
    typedef tn_status (*adder)(tn_study_plan *, const tn_study_options *, int64_t);
    static const adder adders[TN_STUDY_DEVICES] = {add_seed, add_far, add_mqar, tn_study_add_text,
                                                   add_lambda};
    *out = (tn_study_plan){.ctx = ctx};
    if (o->parts[TN_STUDY_TEXT] && !o->data[0])
        return tn_fail(ctx, TN_ERR_ARG,
                       "the part text needs a file to learn from: --data FILE; for example, on Debian, "
                       "`apt-get install bible-kjv`, then `bible -f gen1:1-rev22:21 > FILE`");
    for (int part = 0; part < TN_STUDY_DEVICES; part++)
        for (int64_t seed = 1; o->parts[part] && seed <= o->seeds; seed++)
            TN_TRY(adders[part](out, o, seed));
    if (o->parts[TN_STUDY_DEVICES])
        TN_TRY(add_devices(out, o));
    return keep_wanted(out, o);
}
