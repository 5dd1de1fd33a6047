/* The part text: every mixer at the routed model's number of parameters, at equal steps and at equal seconds;
 * the rows that say most first. */
#include "study_items.h"

#include "cost.h"

#include <string.h>

enum { USUAL_LENGTH = 512, LAYERS = 8, MATCH = 8 };
static const char routed_label[] = "one-layer-routed-budget0.1"; /* whose share and seconds others take */

/* With the control or peer go what the routed model has: its parameters. */
static tn_status add(tn_study_plan *plan, const tn_study_options *o, const tn_task_config *task,
                     const char *label, const char *mixer, tn_study_item **out) {
    TN_TRY(tn_study_add(plan, o, TN_STUDY_TEXT, task, label, mixer, out));
    (*out)->config.model.layers = LAYERS;
    (*out)->config.model.match = MATCH;
    tn_model_config routed = (*out)->config.model;
    TN_TRY(tn_mixer_parse(plan->ctx, "routed", &routed));
    (*out)->config.model.mlp_width = tn_cost_equal_width(&(*out)->config.model, tn_cost_parameters(&routed));
    if (strcmp(label, "attention") != 0)
        tn_study_name_run(task, "attention", (*out)->attention);
    return TN_OK;
}

/* What people build who need no routing: attention beside the convolution in every row. */
static tn_status add_both(tn_study_plan *plan, const tn_study_options *o, const tn_task_config *task,
                          const char *label, tn_study_item **out) {
    return add(plan, o, task, label, "periodic:1", out);
}

/* Another mixer in the sixth of eight layers, convolutions in the others: where few rows are to attend, it
 * says more in which layer they do than how many they are (docs/results.md, "Source code"). */
static tn_status add_one_layer(tn_study_plan *plan, const tn_study_options *o, const tn_task_config *task,
                               const char *kind, const char *mixer, tn_study_item **out) {
    char label[TN_STUDY_LABEL], list[80];
    snprintf(label, sizeof label, "one-layer%s%.28s", *kind ? "-" : "", kind);
    snprintf(list, sizeof list, "conv,conv,conv,conv,conv,%s,conv,conv", mixer);
    return add(plan, o, task, label, list, out);
}

/* Shares of the rows of all layers; a budget is of the rows of those that route. */
static const double budgets[] = {0.1, 0.05, 0.058, 0.025, 0.0125};
enum { BUDGETS = sizeof budgets / sizeof budgets[0] };

static tn_status add_budgets(tn_study_plan *plan, const tn_study_options *o, const tn_task_config *task,
                             bool one_layer) {
    for (int i = 0; i < BUDGETS; i++) {
        tn_study_item *item;
        char label[TN_STUDY_LABEL];
        snprintf(label, sizeof label, "routed-budget%g", budgets[i]);
        TN_TRY(one_layer ? add_one_layer(plan, o, task, label, "routed", &item)
                         : add(plan, o, task, label, "routed", &item));
        item->config.curriculum.budget = budgets[i] * (one_layer ? LAYERS : 1);
    }
    return TN_OK;
}

/* Attention in all rows of one layer, and by a rule instead of a router: where the last n bytes stood
 * before. */
static tn_status add_rules(tn_study_plan *plan, const tn_study_options *o, const tn_task_config *task) {
    static const int matched[] = {2, 3, 4, 6};
    tn_study_item *item;
    TN_TRY(add_one_layer(plan, o, task, "", "periodic:1", &item));
    for (size_t i = 0; i < sizeof matched / sizeof matched[0]; i++) {
        char word[16], kind[16];
        snprintf(word, sizeof word, "match:%d", matched[i]);
        snprintf(kind, sizeof kind, "match%d", matched[i]);
        TN_TRY(add_one_layer(plan, o, task, kind, word, &item));
    }
    return TN_OK;
}

/* The row's name of a run of the part. */
static void name_row(const tn_task_config *task, const char *label, char name[TN_STUDY_NAME]) {
    char run[TN_STUDY_NAME];
    tn_study_name_run(task, label, run);
    tn_study_name_row(TN_STUDY_TEXT, run, name);
}

static tn_status add_controls(tn_study_plan *plan, const tn_study_options *o, const tn_task_config *task) {
    static const char *const controls[][2] = {{"random", "random:0"}, {"periodic", "periodic:1"}};
    for (int i = 0; i < 2; i++) {
        tn_study_item *item;
        TN_TRY(add_one_layer(plan, o, task, controls[i][0], controls[i][1], &item));
        name_row(task, routed_label, item->matched);
    }
    return TN_OK;
}

/* Attention made cheap without a router: in one layer of four, or of the last positions alone. And
 * convolutions that see no farther than a few bytes. */
static tn_status add_hybrid(tn_study_plan *plan, const tn_study_options *o, const tn_task_config *task,
                            const char *label, tn_study_item **out) {
    return add(plan, o, task, label, "conv,conv,attention,conv,conv,conv,attention,conv", out);
}

static tn_status add_window(tn_study_plan *plan, const tn_study_options *o, const tn_task_config *task,
                            const char *label, int window, tn_study_item **out) {
    TN_TRY(add(plan, o, task, label, "attention", out));
    (*out)->config.model.window = window;
    return TN_OK;
}

static tn_status add_both_window(tn_study_plan *plan, const tn_study_options *o, const tn_task_config *task,
                                 int window) {
    tn_study_item *item;
    char label[40];
    snprintf(label, sizeof label, "both-window%d", window);
    TN_TRY(add_both(plan, o, task, label, &item));
    item->config.model.window = window;
    return TN_OK;
}

static tn_status add_peers(tn_study_plan *plan, const tn_study_options *o, const tn_task_config *task) {
    static const int windows[] = {64, 128, 32}, taps = 2;
    tn_study_item *item;
    char label[40];
    TN_TRY(add_hybrid(plan, o, task, "hybrid", &item));
    for (int i = 0; i < 3; i++) {
        snprintf(label, sizeof label, "window%d", windows[i]);
        TN_TRY(add_window(plan, o, task, label, windows[i], &item));
    }
    TN_TRY(add_both_window(plan, o, task, windows[0]));
    snprintf(label, sizeof label, "conv-taps%d", taps);
    TN_TRY(add(plan, o, task, label, "conv", &item));
    const int64_t parameters = tn_cost_parameters(&item->config.model);
    item->config.model.conv_taps = taps;
    item->config.model.mlp_width = tn_cost_equal_width(&item->config.model, parameters);
    return TN_OK;
}

static tn_status add_capacities(tn_study_plan *plan, const tn_study_options *o, const tn_task_config *task) {
    static const double capacities[] = {0.1, 0.05, 0.25, 0.02};
    for (size_t i = 0; i < sizeof capacities / sizeof capacities[0]; i++) {
        tn_study_item *item;
        char label[40];
        snprintf(label, sizeof label, "routed-capacity%g", capacities[i]);
        TN_TRY(add(plan, o, task, label, "routed", &item));
        item->config.curriculum.budget = 0;
        item->config.model.routing = TN_ROUTING_CAPACITY;
        item->config.model.capacity = capacities[i];
    }
    return TN_OK;
}

/* What the others learn in the seconds of the routed run, by a step's time in their own rows. */
static tn_status add_equal_seconds(tn_study_plan *plan, const tn_study_options *o,
                                   const tn_task_config *task) {
    static const char *const labels[] = {"attention", "conv", "both", "hybrid", "window64"};
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
        tn_study_item *item;
        char label[40];
        snprintf(label, sizeof label, "%s-seconds", labels[i]);
        if (i < 2)
            TN_TRY(add(plan, o, task, label, labels[i], &item));
        else if (i == 2)
            TN_TRY(add_both(plan, o, task, label, &item));
        else if (i == 3)
            TN_TRY(add_hybrid(plan, o, task, label, &item));
        else
            TN_TRY(add_window(plan, o, task, label, 64, &item));
        name_row(task, labels[i], item->timed);
        name_row(task, routed_label, item->seconds_of);
    }
    return TN_OK;
}

static bool is_evaluated_longer(const tn_study_item *item) {
    static const char *const labels[] = {"conv",      "attention",        "both",      "hybrid",
                                         "one-layer", "one-layer-match3", routed_label};
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++)
        if (strcmp(item->label, labels[i]) == 0)
            return true;
    return false;
}

/* The same runs on windows so many times as long: of the items from `first` on, which are one seed's. */
static tn_status add_length(tn_study_plan *plan, const tn_study_options *o, size_t first, size_t last,
                            int64_t times) {
    for (size_t i = first; i < last; i++) {
        tn_study_item item = plan->items[i];
        if (!is_evaluated_longer(&item))
            continue;
        item.task.length *= times;
        item.sequences = tn_study_sequences(o->sequences, item.task.length);
        snprintf(item.name, TN_STUDY_NAME, "text-%.90s-at%lld", item.run, (long long)item.task.length);
        item.work =
            (double)item.sequences * tn_study_sequence_flops(&item.config.model, item.task.length, false);
        TN_TRY(tn_grow(plan->ctx, &plan->items, &plan->capacity, plan->count + 1, sizeof *plan->items));
        plan->items[plan->count++] = item;
    }
    return TN_OK;
}

tn_status tn_study_add_text(tn_study_plan *plan, const tn_study_options *o, int64_t seed) {
    tn_task_config task = {
        .kind = TN_TASK_TEXT, .length = o->length ? o->length : USUAL_LENGTH, .seed = (uint64_t)seed};
    static const int64_t times[] = {2, 4, 16};
    const size_t first = plan->count;
    tn_study_item *item;
    snprintf(task.data, sizeof task.data, "%s", o->data);
    TN_TRY(tn_task_config_read(plan->ctx, &task)); /* once, not for every item */
    TN_TRY(add(plan, o, &task, "conv", "conv", &item));
    TN_TRY(add(plan, o, &task, "attention", "attention", &item));
    TN_TRY(add_both(plan, o, &task, "both", &item));
    TN_TRY(add_rules(plan, o, &task));
    TN_TRY(add_budgets(plan, o, &task, true));
    TN_TRY(add_controls(plan, o, &task));
    TN_TRY(add_peers(plan, o, &task));
    TN_TRY(add_budgets(plan, o, &task, false));
    TN_TRY(add_capacities(plan, o, &task));
    TN_TRY(add_equal_seconds(plan, o, &task));
    const size_t last = plan->count;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
        TN_TRY(add_length(plan, o, first, last, times[i]));
    return TN_OK;
}
