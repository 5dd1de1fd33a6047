/* What a study consists of, its rows on disk, and what is worked out from them: no device. */
#include "support.h"

#include "cost.h"
#include "file.h"
#include "learning.h"
#include "study_estimate.h"
#include "study_fill.h"
#include "study_folder.h"
#include "study_plan.h"
#include "study_rows.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

static tn_context ctx;
static tn_study_plan plan;

static void make(const char *parts, const char *distances, int seeds) {
    tn_study_options o = {.seeds = seeds, .sequences = 2000, .device_count = 2, .devices = {"1:0", "0:0"}};
    ck_ok(&ctx, tn_study_parts_parse(&ctx, parts, o.parts));
    if (distances)
        ck_ok(&ctx, tn_study_distances_parse(&ctx, distances, &o));
    ck_ok(&ctx, tn_study_plan_make(&ctx, &o, &plan));
}

static void drop(void) {
    tn_study_plan_free(&plan);
    ck_assert_int_eq(ctx.live, 0);
}

static const tn_study_item *find(const char *name) {
    for (size_t i = 0; i < plan.count; i++)
        if (strcmp(plan.items[i].name, name) == 0)
            return &plan.items[i];
    ck_abort_msg("the plan has no '%s'", name);
    return NULL;
}

/* Names are the keys of a study; a folder must mean one config only. */
static void names_are_sound(void) {
    for (size_t i = 0; i < plan.count; i++)
        for (size_t j = 0; j < i; j++) {
            const tn_study_item *a = &plan.items[i], *b = &plan.items[j];
            ck_assert_str_ne(a->name, b->name);
            if (strcmp(a->run, b->run) == 0)
                ck_ok(&ctx, tn_train_config_same(&ctx, &a->config, &b->config));
            else
                ck_assert_msg(tn_train_config_same(&ctx, &a->config, &b->config) != TN_OK || a->matched[0] ||
                                  b->matched[0] || b->seconds_of[0] || a->seconds_of[0] ||
                                  a->price_measured != b->price_measured,
                              "%s and %s are the same run", a->run, b->run);
        }
}

START_TEST(seed_part) {
    make("seed", NULL, 2);
    ck_assert_uint_eq(plan.count, 6 * 7 * 2);
    names_are_sound();
    for (size_t i = 0; i < plan.count; i++) {
        const tn_study_item *item = &plan.items[i];
        ck_assert_int_eq(item->task.distance, item->config.task.distance);
        ck_assert(item->work > 0 && item->config.seed == item->config.task.seed);
        ck_ok(&ctx, tn_train_config_check(&ctx, &item->config));
        if (!item->matched[0])
            continue;
        const tn_study_item *routed = find(item->matched);
        ck_assert(routed < item); /* it needs that row */
        ck_assert_int_eq(routed->config.model.mixer, TN_MIXER_ROUTED);
        ck_assert(routed->config.curriculum.enabled);
        ck_assert(routed->config.seed == item->config.seed && routed->task.distance == item->task.distance);
    }
    ck_assert_str_eq(find("seed-recall126-random-s2")->matched, "seed-recall126-routed-s2");
    ck_assert(!find("seed-recall126-routed-nocurriculum-s1")->config.curriculum.enabled);
    ck_assert_str_eq(find("seed-recall126-routed-s2")->attention, "recall126-attention-s2");
    drop();
}
END_TEST

START_TEST(far_part) {
    make("far", NULL, 3);
    ck_assert_uint_eq(plan.count, 7 * 3);
    names_are_sound();
    const tn_study_item *near = find("far-recall126-routed-s1-at126"),
                        *far = find("far-recall126-routed-s1-at1048574");
    ck_assert_str_eq(near->run, far->run);
    ck_assert_int_eq(far->task.distance, 1048574);
    ck_assert_int_eq(far->config.task.distance, 126);
    ck_assert_int_eq(near->sequences, 2000);
    ck_assert_int_eq(far->sequences, 8);
    drop();
    make("far", "62,510", 1);
    ck_assert_uint_eq(plan.count, 2);
    ck_assert_int_eq(find("far-recall62-routed-s1-at510")->config.task.distance, 62);
    drop();
}
END_TEST

START_TEST(other_parts) {
    make("mqar,lambda,devices", NULL, 1);
    ck_assert_uint_eq(plan.count, 17 + 8 + 2);
    names_are_sound();
    const tn_study_item *m = find("mqar-mqar512x64-routed-capacity0.15625-s1"),
                        *threshold = find("mqar-mqar512x64-routed-s1");
    ck_assert(m->config.model.routing == TN_ROUTING_CAPACITY && m->config.model.capacity == 0.15625);
    ck_assert(threshold->config.model.routing == TN_ROUTING_THRESHOLD && threshold->task.filler_zero);
    ck_assert(!find("mqar-mqar64x4-routed-random-fillers-s1")->task.filler_zero);
    double lambdas[] = {0.01, 0.03, 0.1, 0.3, 1, 2, 5};
    for (size_t i = 0; i < sizeof lambdas / sizeof lambdas[0]; i++) /* in the plan's order of parts */
        ck_assert(plan.items[17 + i].part == TN_STUDY_LAMBDA &&
                  plan.items[17 + i].config.curriculum.lambda == lambdas[i] &&
                  !plan.items[17 + i].price_measured);
    const tn_study_item *priced = find("lambda-recall126-routed-lambda-measured-s1");
    ck_assert(priced->part == TN_STUDY_LAMBDA && priced->price_measured);
    ck_assert_str_eq(priced->attention, "recall126-attention-s1");
    ck_assert_str_eq(find("devices-recall126-routed-s1-on1:0")->device, "1:0");
    ck_assert_str_eq(plan.items[plan.count - 2].device, "1:0"); /* the study's own first */
    drop();
    make("seed,far,devices", "14,30", 1); /* one routed run for all three */
    names_are_sound();
    ck_assert_str_eq(find("devices-recall14-routed-s1-on0:0")->run, find("seed-recall14-routed-s1")->run);
    ck_assert_str_eq(find("far-recall14-routed-s1-at30")->run, find("seed-recall14-routed-s1")->run);
    drop();
}
END_TEST

static void text_file(const char *path) {
    FILE *stream = fopen(path, "wb");
    for (int i = 0; i < 60000; i++)
        fputc('a' + i % 26, stream);
    ck_assert(fclose(stream) == 0);
}

START_TEST(text_part) {
    static const char path[] = "test_study_plan.txt";
    tn_study_options o = {.seeds = 2, .sequences = 10, .length = 256};
    ck_ok(&ctx, tn_study_parts_parse(&ctx, "text", o.parts));
    ck_assert_int_eq(tn_study_plan_make(&ctx, &o, &plan), TN_ERR_ARG);
    ck_assert(strstr(ctx.message, "--data") && strstr(ctx.message, "bible"));
    drop();
    text_file(path);
    snprintf(o.data, sizeof o.data, "%s", path);
    ck_ok(&ctx, tn_study_plan_make(&ctx, &o, &plan));
    ck_assert_uint_eq(plan.count, 2 * (3 + 5 + 5 + 2 + 6 + 5 + 4 + 5 + 3 * 7));
    names_are_sound();
    ck_assert(find("text-text256-routed-capacity0.1-s1")->config.model.capacity == 0.1);
    ck_assert(find("text-text256-routed-budget0.05-s2")->config.curriculum.budget == 0.05);
    ck_assert_int_eq(find("text-text256-window64-s1")->config.model.window, 64);
    ck_assert_int_eq(find("text-text256-hybrid-s1")->config.model.mixer, TN_MIXER_LAYERS);
    const tn_model_config *both = &find("text-text256-both-window64-s1")->config.model;
    ck_assert(both->added && both->period == 1 && both->window == 64);
    ck_assert(find("text-text256-both-seconds-s2")->config.model.added);
    ck_assert(find("text-text256-routed-budget0.1-s1")->config.model.added);
    const tn_train_config *layer = &find("text-text256-one-layer-routed-budget0.05-s1")->config;
    ck_assert(layer->curriculum.budget == 0.4 && layer->model.added && layer->model.listed == 8);
    const tn_model_config *rule = &find("text-text256-one-layer-match4-s1")->config.model;
    ck_assert(rule->matched == 4 && rule->match == 8 && rule->added && tn_mixer_has_mask(rule));
    ck_assert(tn_study_match(find("text-text256-one-layer-random-s1"), 10).model.random_rho == 0.8);
    ck_assert_str_eq(find("text-text256-one-layer-random-s2")->matched,
                     "text-text256-one-layer-routed-budget0.1-s2");
    const tn_study_item *timed = find("text-text256-hybrid-seconds-s1"),
                        *far = find("text-text256-one-layer-routed-budget0.1-s1-at4096");
    ck_assert_str_eq(timed->timed, "text-text256-hybrid-s1");
    ck_assert_str_eq(timed->seconds_of, "text-text256-one-layer-routed-budget0.1-s1");
    ck_assert(far->task.length == 4096 && far->config.task.length == 256);
    const tn_model_config *routed = &find("text-text256-routed-budget0.1-s1")->config.model;
    for (size_t i = 0; i < plan.count; i++) { /* equal parameters: to within half a column of each mlp */
        const tn_study_item *item = &plan.items[i];
        double mine = (double)tn_cost_parameters(&item->config.model),
               theirs = (double)tn_cost_parameters(routed);
        ck_assert_msg(fabs(mine / theirs - 1) < 0.005, "%s has %g parameters, routed %g", item->name, mine,
                      theirs);
        ck_ok(&ctx, tn_train_config_check(&ctx, &item->config));
        if (item->matched[0])
            ck_assert(find(item->matched) < item);
        if (item->seconds_of[0])
            ck_assert(find(item->seconds_of) < item && find(item->timed) < item);
    }
    ck_assert_str_eq(plan.items[0].config.task.data, path);
    drop();
    o.rows = "text-*-conv-s?,*6-routed-budget0.1-s2";
    ck_ok(&ctx, tn_study_plan_make(&ctx, &o, &plan));
    ck_assert_uint_eq(plan.count, 3);
    find("text-text256-routed-budget0.1-s2");
    drop();
    o.rows = "nothing*";
    ck_assert_int_eq(tn_study_plan_make(&ctx, &o, &plan), TN_ERR_ARG);
    ck_assert(strstr(ctx.message, "--rows nothing*") != NULL);
    drop();
    unlink(path);
}
END_TEST

/* A peer at equal seconds: as many steps as they take. */
START_TEST(equal_seconds) {
    make("seed", "126", 1);
    tn_study_item item = *find("seed-recall126-conv-s1");
    item.config.curriculum.steps = 3000;
    ck_assert_int_eq(tn_study_steps(&item, 90, 30).curriculum.steps, 9000);
    ck_assert_int_eq(tn_study_steps(&item, 10, 30).curriculum.steps, 1000);
    ck_assert_int_eq(tn_study_steps(&item, 0.001, 30).curriculum.steps, 1);
    ck_assert_int_eq(tn_study_steps(&item, 1e9, 1e-9).curriculum.steps, 100000000);
    drop();
}
END_TEST

START_TEST(words_and_lists) {
    bool parts[TN_STUDY_PARTS];
    tn_study_options o = {0};
    ck_ok(&ctx, tn_study_parts_parse(&ctx, "far,text", parts));
    ck_assert(parts[TN_STUDY_FAR] && parts[TN_STUDY_TEXT] && !parts[TN_STUDY_SEED]);
    ck_ok(&ctx, tn_study_distances_parse(&ctx, "62,126", &o));
    ck_assert(o.distance_count == 2 && o.distances[1] == 126);
    ck_ok(&ctx, tn_study_distances_parse(&ctx, "1e3", &o));
    ck_assert(o.distance_count == 1 && o.distances[0] == 1000);
    static const char *const bad_parts[] = {"", "see", "seed,", ",seed", "seedfar", "seed far"};
    static const char *const bad_lists[] = {"", "0", "-1", "1,", ",1", "1,x", "5,5", "16777217", "1e-3"};
    for (size_t i = 0; i < sizeof bad_parts / sizeof bad_parts[0]; i++)
        ck_assert_int_eq(tn_study_parts_parse(&ctx, bad_parts[i], parts), TN_ERR_ARG);
    for (size_t i = 0; i < sizeof bad_lists / sizeof bad_lists[0]; i++)
        ck_assert_int_eq(tn_study_distances_parse(&ctx, bad_lists[i], &o), TN_ERR_ARG);
}
END_TEST

START_TEST(controls_and_sequences) {
    make("seed", "126", 1);
    tn_train_config c = tn_study_match(find("seed-recall126-random-s1"), 0.25);
    ck_assert(c.model.random_rho == 0.0025 && c.model.period == 400);
    ck_ok(&ctx, tn_train_config_check(&ctx, &c));
    c = tn_study_match(find("seed-recall126-periodic-s1"), 0);
    ck_assert(c.model.random_rho == 0 && c.model.period == INT32_MAX);
    c = tn_study_match(find("seed-recall126-periodic-s1"), 100);
    ck_assert(c.model.random_rho == 1 && c.model.period == 1);
    drop();
    ck_assert_int_eq(tn_study_sequences(2000, 128), 2000);
    ck_assert_int_eq(tn_study_sequences(2000, 2048), 2000);
    ck_assert_int_eq(tn_study_sequences(2000, 8192), 500);
    ck_assert_int_eq(tn_study_sequences(2000, 1 << 20), 8);
    ck_assert_int_eq(tn_study_sequences(5, 1 << 20), 5);
}
END_TEST

START_TEST(break_even) {
    ck_assert_double_eq_tol(tn_study_break_even(90, 30, 1, 3), 30000, 1e-6);
    ck_assert_double_eq_tol(tn_study_break_even(20, 30, 1, 3), -5000, 1e-6);
    ck_assert(isnan(tn_study_break_even(90, 30, 3, 3)));
    ck_assert(isnan(tn_study_break_even(90, 30, 4, 3)));
    ck_assert(isnan(tn_study_break_even(90, NAN, 1, 3)));
    ck_assert(isnan(tn_study_break_even(90, 30, 1, NAN)));
}
END_TEST

static void learning_of(const char *rows, tn_learning *out) {
    static const char path[] = "test_study_plan.csv";
    FILE *stream = fopen(path, "wb");
    fprintf(stream,
            "step,phase,lambda,lr,loss,cross_entropy,accuracy,attention_pct,attention_pct_soft,routed_rows,"
            "step_ms,tokens_per_s,elapsed_s\n%s",
            rows);
    fclose(stream);
    ck_ok(&ctx, tn_learning_read(&ctx, path, out));
    unlink(path);
}

START_TEST(learning) {
    tn_learning l;
    learning_of("1,1,0,0,1,1,0.5,9,9,9,1,1,0.1\n10,1,0,0,1,1,1,9,9,9,1,1,1\n20,2,0,0,1,1,0.998,9,9,9,1,1,2\n"
                "30,2,0,0,1,1,0.999,9,9,9,1,1,2.5\n40,2,0,0,1,1,1,9,9,9,1,1,4\n",
                &l);
    ck_assert_double_eq_tol(l.phase1_s, 1, 1e-12);
    ck_assert_double_eq_tol(l.phase2_s, 3, 1e-12);
    ck_assert_int_eq(l.steps_to_999, 30);
    learning_of("1,2,0,0,1,1,1,9,9,9,1,1,0.5\n2,2,0,0,1,1,0.99,9,9,9,1,1,1\n", &l);
    ck_assert_double_eq_tol(l.phase1_s, 0, 1e-12);
    ck_assert_double_eq_tol(l.phase2_s, 1, 1e-12);
    ck_assert_int_eq(l.steps_to_999, -1);
    learning_of("", &l);
    ck_assert_int_eq(l.steps_to_999, -1);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

static void add_row(tn_study_rows *rows, const char *name, const char *status, const char *reason) {
    tn_study_row row = {{0}};
    ck_ok(&ctx, tn_study_row_set(&ctx, &row, "name", "%s", name));
    ck_ok(&ctx, tn_study_row_set(&ctx, &row, "status", "%s", status));
    ck_ok(&ctx, tn_study_row_set(&ctx, &row, "reason", "%s", reason));
    ck_ok(&ctx, tn_study_row_number(&ctx, &row, "accuracy", 1.0 / 3));
    ck_ok(&ctx, tn_study_row_number(&ctx, &row, "regret", NAN));
    ck_ok(&ctx, tn_study_rows_put(rows, &row));
}

START_TEST(rows_there_and_back) {
    static const char path[] = "test_study_rows.csv";
    tn_study_rows rows = {.ctx = &ctx}, back;
    add_row(&rows, "a", "error", "first\nsecond, \"quoted\"");
    add_row(&rows, "b", "ok", "");
    ck_ok(&ctx, tn_study_rows_save(&rows, path));
    ck_ok(&ctx, tn_study_rows_load(&ctx, path, &back));
    ck_assert_uint_eq(back.count, 2);
    const tn_study_row *a = tn_study_rows_find(&back, "a");
    ck_assert_str_eq(tn_study_row_text(a, "reason"), "first second, \"quoted\"");
    ck_assert(!tn_study_row_ok(a) && tn_study_row_ok(tn_study_rows_find(&back, "b")));
    ck_assert_double_eq_tol(tn_study_row_value(a, "accuracy"), 0.333333333, 1e-15);
    ck_assert(isnan(tn_study_row_value(a, "regret")) && !tn_study_rows_find(&back, "c"));
    add_row(&back, "a", "ok", ""); /* in the failed one's place */
    ck_assert_uint_eq(back.count, 2);
    ck_assert(tn_study_row_ok(&back.items[0]));
    tn_study_rows_free(&back);
    tn_study_rows_free(&rows);
    FILE *stream = fopen(path, "ab");
    fputs("torn,", stream);
    fclose(stream);
    ck_assert_int_eq(tn_study_rows_load(&ctx, path, &back), TN_ERR_INPUT);
    stream = fopen(path, "wb");
    fputs("part,name,run,status,colour\n", stream);
    fclose(stream);
    ck_assert_int_eq(tn_study_rows_load(&ctx, path, &back), TN_ERR_INPUT);
    ck_assert(strstr(ctx.message, "colour"));
    unlink(path);
    ck_ok(&ctx, tn_study_rows_load(&ctx, path, &back)); /* none is no row */
    ck_assert_uint_eq(back.count, 0);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

static void add_bits(tn_study_rows *rows, const char *label, int seed, double bits) {
    tn_study_row row = {{0}};
    ck_ok(&ctx, tn_study_row_set(&ctx, &row, "name", "%s-s%d", label, seed));
    ck_ok(&ctx, tn_study_row_set(&ctx, &row, "label", "%s", label));
    ck_ok(&ctx, tn_study_row_set(&ctx, &row, "task", "text"));
    ck_ok(&ctx, tn_study_row_set(&ctx, &row, "status", "ok"));
    ck_ok(&ctx, tn_study_row_set(&ctx, &row, "seed", "%d", seed));
    ck_ok(&ctx, tn_study_row_number(&ctx, &row, "bits_per_byte", bits));
    ck_ok(&ctx, tn_study_rows_put(rows, &row));
}

/* A row that is held against one that comes behind it has its share as soon as that is there. */
START_TEST(kept_in_any_order) {
    tn_study_rows rows = {.ctx = &ctx};
    bool changed;
    add_bits(&rows, "routed", 1, 1.25);
    add_bits(&rows, "conv", 1, 2);
    add_bits(&rows, "both", 2, 1);
    ck_ok(&ctx, tn_study_fill_kept(&rows, &changed));
    ck_assert(!changed && isnan(tn_study_row_value(&rows.items[0], "both_kept_pct")));
    add_bits(&rows, "both", 1, 1);
    ck_ok(&ctx, tn_study_fill_kept(&rows, &changed));
    ck_assert(changed);
    ck_assert_double_eq(tn_study_row_value(&rows.items[0], "both_kept_pct"), 75);
    ck_assert_double_eq(tn_study_row_value(&rows.items[1], "both_kept_pct"), 0);
    ck_assert(isnan(tn_study_row_value(&rows.items[2], "both_kept_pct"))); /* of another seed */
    ck_assert(isnan(tn_study_row_value(&rows.items[0], "win_kept_pct")));
    ck_ok(&ctx, tn_study_fill_kept(&rows, &changed));
    ck_assert(!changed);
    add_bits(&rows, "both", 1, 1.5); /* trained again */
    ck_ok(&ctx, tn_study_fill_kept(&rows, &changed));
    ck_assert(changed);
    ck_assert_double_eq(tn_study_row_value(&rows.items[0], "both_kept_pct"), 150);
    tn_study_rows_free(&rows);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

START_TEST(estimates) {
    tn_study_rows rows = {.ctx = &ctx};
    make("far", "126,254,2046", 1);
    const tn_study_item *near = find("far-recall126-routed-s1-at254"),
                        *far = find("far-recall126-routed-s1-at2046");
    ck_assert(tn_study_estimate_item(&rows, near).pass_s == 0); /* nothing to go by */
    tn_study_row row = {{0}};
    ck_ok(&ctx, tn_study_row_set(&ctx, &row, "name", "a"));
    ck_ok(&ctx, tn_study_row_set(&ctx, &row, "run", "%s", near->run));
    ck_ok(&ctx, tn_study_row_set(&ctx, &row, "distance", "126"));
    ck_ok(&ctx, tn_study_row_number(&ctx, &row, "attention_pct", 0));
    ck_ok(&ctx, tn_study_row_number(&ctx, &row, "eval_ms_per_sequence", 1));
    ck_ok(&ctx, tn_study_row_number(&ctx, &row, "attention_eval_ms_per_sequence", 2));
    ck_ok(&ctx, tn_study_rows_put(&rows, &row));
    tn_study_estimate e = tn_study_estimate_item(&rows, near);
    ck_assert_double_eq_tol(e.evaluation_s, 2000 * 0.001 * 2, 0.05); /* all local: twice the length */
    ck_assert(e.pass_s > 64 * 0.002 * 2 && e.pass_s < 64 * 0.002 * 4);
    ck_assert_double_eq_tol(tn_study_estimate_item(&rows, far).evaluation_s, 2000 * 0.001 * 16, 0.4);
    ck_assert(tn_study_estimate_item(&rows, find("far-recall126-routed-s1-at126")).pass_s == 0);
    tn_study_rows_free(&rows);
    drop();
}
END_TEST

static tn_status open_with(const tn_study_options *o, const char *device) {
    tn_study_folder f;
    tn_device_info info = {.platform_name = "platform", .driver = "1"};
    snprintf(info.name, sizeof info.name, "%s", device);
    tn_status status = tn_study_folder_open(&ctx, "test_study_folder", o, &info, &f);
    if (status == TN_OK) {
        tn_study_folder second;
        ck_assert_int_eq(tn_study_folder_open(&ctx, "test_study_folder", o, &info, &second), TN_ERR_OUTPUT);
        tn_study_folder_close(&f);
    }
    ck_assert_int_eq(ctx.live, 0);
    return status;
}

START_TEST(folder_of_another_study) {
    tn_study_options o = {.seeds = 2, .sequences = 10, .steps = 6, .distances = {14}, .distance_count = 1}, p;
    ck_assert_int_eq(system("rm -rf test_study_folder"), 0);
    ck_ok(&ctx, open_with(&o, "here"));
    ck_assert_int_eq(system("echo torn >test_study_folder/study.csv.part-7"), 0); /* a kill while writing */
    ck_ok(&ctx, open_with(&o, "here"));
    ck_assert(!tn_file_exists("test_study_folder/study.csv.part-7"));
    ck_assert_int_eq(open_with(&o, "there"), TN_ERR_ARG);
    ck_assert(strstr(ctx.message, "device") && strstr(ctx.message, "there"));
    p = o;
    p.sequences = 11;
    ck_assert_int_eq(open_with(&p, "here"), TN_ERR_ARG);
    ck_assert(strstr(ctx.message, "sequences 10") && strstr(ctx.message, "11"));
    p = o;
    p.distances[0] = 15;
    ck_assert_int_eq(open_with(&p, "here"), TN_ERR_ARG);
    p = o;
    p.seeds = 3;
    snprintf(p.data, sizeof p.data, "a");
    p.parts[TN_STUDY_FAR] = true;
    ck_ok(&ctx, open_with(&p, "here"));                  /* more seeds, another part, a file for the text */
    ck_assert_int_eq(open_with(&o, "here"), TN_ERR_ARG); /* fewer seeds */
    p.data[0] = '\0';
    ck_ok(&ctx, open_with(&p, "here"));
    snprintf(p.data, sizeof p.data, "b");
    ck_assert_int_eq(open_with(&p, "here"), TN_ERR_ARG); /* the first file is remembered */
    ck_assert_int_eq(system("rm -rf test_study_folder"), 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("study_plan");
    TCase *t = tcase_create("plan");
    tcase_add_test(t, seed_part);
    tcase_add_test(t, far_part);
    tcase_add_test(t, other_parts);
    tcase_add_test(t, text_part);
    tcase_add_test(t, equal_seconds);
    tcase_add_test(t, words_and_lists);
    tcase_add_test(t, controls_and_sequences);
    tcase_add_test(t, break_even);
    tcase_add_test(t, learning);
    tcase_add_test(t, rows_there_and_back);
    tcase_add_test(t, kept_in_any_order);
    tcase_add_test(t, estimates);
    tcase_add_test(t, folder_of_another_study);
    suite_add_tcase(suite, t);
    return tn_test_main(suite);
}
