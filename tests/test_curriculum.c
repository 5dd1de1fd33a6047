/* What step s of a run does, and config.json there and back. */
#include "support.h"

#include "curriculum.h"
#include "trainer.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

static tn_context ctx;

START_TEST(test_phases) {
    tn_curriculum c = tn_curriculum_default(1000);
    tn_model_config routed = tn_model_config_default(192), conv = routed;
    conv.mixer = TN_MIXER_CONV;
    c.explore_below = 0.75;
    double last = 0;
    int dense = 0;
    for (int64_t s = 0; s < 1000; s++) {
        tn_step_plan p = tn_curriculum_step(&c, &routed, s);
        ck_assert_int_eq(p.phase, s < c.phase1 ? 1 : 2);
        ck_assert(p.lr > 0 && p.lr <= c.lr);
        if (p.phase == 1) {
            ck_assert(p.lambda == 0 && p.margin == 0 && p.gate == TN_GATE_SOFT && p.again_below == 0);
            continue;
        }
        ck_assert(p.gate == TN_GATE_DENSE || p.gate == TN_GATE_COMPACT);
        ck_assert(p.again_below == (p.gate == TN_GATE_COMPACT ? 0.75 : 0));
        dense += p.gate == TN_GATE_DENSE;
        ck_assert(p.lambda >= last && p.lambda <= c.lambda);
        ck_assert(fabs(p.margin / c.margin - p.lambda / c.lambda) < 1e-12);
        last = p.lambda;
    }
    ck_assert(last == c.lambda);
    ck_assert_int_eq(dense, (int)((1000 - c.phase1 + c.explore - 1) / c.explore));
    ck_assert(tn_curriculum_step(&c, &routed, 999).lr < c.lr / 10);
    ck_assert(tn_curriculum_step(&c, &routed, 0).lr < c.lr / 10);
    ck_assert(tn_curriculum_step(&c, &conv, 999).phase == 1);
    ck_assert(tn_curriculum_step(&c, &conv, 999).lambda == 0);
}
END_TEST

/* Routing by capacity begins once the price has ranked the rows; in the ablation at once. */
START_TEST(test_capacity_comes_late) {
    tn_curriculum c = tn_curriculum_default(1000);
    tn_model_config model = tn_model_config_default(192);
    model.routing = TN_ROUTING_CAPACITY;
    model.capacity = 1.0 / 16;
    c.explore_below = 0.5;
    for (int64_t s = c.phase1; s < 1000; s++) {
        tn_step_plan p = tn_curriculum_step(&c, &model, s);
        ck_assert(p.by_threshold == (s < c.phase1 + (1000 - c.phase1) / 2));
        ck_assert(p.lambda > 0 && (p.again_below > 0) == (p.by_threshold && p.gate == TN_GATE_COMPACT));
    }
    c.enabled = false;
    for (int64_t s = 0; s < 1000; s++)
        ck_assert(!tn_curriculum_step(&c, &model, s).by_threshold);
}
END_TEST

START_TEST(test_ablation) {
    tn_curriculum c = tn_curriculum_default(1000);
    tn_model_config routed = tn_model_config_default(192);
    c.enabled = false;
    c.explore_below = 1;
    for (int64_t s = 0; s < 1000; s++) {
        tn_step_plan p = tn_curriculum_step(&c, &routed, s);
        ck_assert(p.phase == 2 && p.lambda == c.lambda && p.gate != TN_GATE_SOFT && p.again_below == 0);
    }
}
END_TEST

/* Rows that are worth 10^-4 to 10^-1 each, as many a decade: the share whose worth is above a price. */
static double share_at(double lambda) {
    return fmin(1, fmax(0, -(log10(lambda) + 1) / 3));
}

/* λ goes where the budget's share is, and stays, whatever it starts from. */
START_TEST(test_budget) {
    tn_curriculum c = tn_curriculum_default(2000);
    static const double starts[] = {1e-4, 0.03, 30};
    for (int i = 0; i < 3; i++) {
        c.budget = 0.05;
        c.lambda = starts[i];
        tn_steering s = tn_steering_start(&c);
        double last = 1;
        for (int64_t step = c.phase1; step < 2000; step++) {
            double aim = tn_curriculum_share(&c, step, 0.9);
            ck_assert(aim <= last && aim >= c.budget && aim < 0.9);
            last = aim;
            tn_steering_step(&s, &c, step, share_at(s.lambda));
            if (step > 1500)
                ck_assert_msg(fabs(share_at(s.lambda) / c.budget - 1) < 0.02, "from %g: %g at step %lld",
                              starts[i], share_at(s.lambda), (long long)step);
        }
        ck_assert(tn_curriculum_share(&c, 1999, 0.9) == c.budget &&
                  tn_curriculum_share(&c, c.phase1, 0.01) == c.budget);
        double before = s.lambda;
        for (int64_t step = 0; step < 4000; step++) /* where nothing helps λ stays finite */
            tn_steering_step(&s, &c, 1999, 1);
        ck_assert(s.lambda > before && isfinite(s.lambda));
        for (int64_t step = 0; step < 4000; step++)
            tn_steering_step(&s, &c, 1999, 0);
        ck_assert(s.lambda > 0 && s.lambda < before);
    }
    c.enabled = false;
    ck_assert(tn_curriculum_share(&c, 0, 0.9) == c.budget);
}
END_TEST

/* Recall's own recipe, and the published one behind one call. */
START_TEST(test_recipes) {
    tn_task_config task = {.kind = TN_TASK_RECALL, .distance = 126, .seed = 1};
    tn_train_config recall;
    ck_ok(&ctx, tn_train_config_default(&ctx, &task, 0, &recall));
    ck_assert(recall.penalty == TN_PENALTY_ROWS && recall.router_bias > 0 &&
              recall.curriculum.explore_below == 1 && recall.curriculum.lambda == 0.5);
    ck_ok(&ctx, tn_train_config_check(&ctx, &recall));
    tn_train_config_plain(&recall);
    ck_assert(recall.penalty == TN_PENALTY_MEAN && recall.router_bias == 0 &&
              recall.curriculum.explore_below == 0 && recall.curriculum.margin == 0 &&
              recall.curriculum.enabled && recall.curriculum.lambda == 0.5);
    recall.router_bias = NAN;
    ck_assert_int_eq(tn_train_config_check(&ctx, &recall), TN_ERR_ARG);
}
END_TEST

static double row_price_of(const tn_task_config *config, int64_t batch, tn_penalty penalty) {
    tn_train_config c;
    tn_task *task;
    ck_ok(&ctx, tn_train_config_default(&ctx, config, 0, &c));
    c.batch = batch;
    c.penalty = penalty;
    ck_ok(&ctx, tn_task_make(&ctx, config, &task));
    double price = tn_penalty_of_row(&c, task, c.batch, 0.5);
    tn_task_free(&ctx, task);
    return price;
}

/* By the mean a row's price falls with length; by rows with what the task needs, and with nothing else. */
START_TEST(test_price_of_a_row) {
    tn_task_config recall = {.kind = TN_TASK_RECALL, .distance = 126, .seed = 1}, far = recall;
    tn_task_config mqar = {.kind = TN_TASK_MQAR, .length = 64, .pairs = 4, .seed = 1}, longer = mqar;
    far.distance = 510;
    longer.length = 256;
    ck_assert(row_price_of(&recall, 32, TN_PENALTY_ROWS) == 0.5 / (4 * 32));
    ck_assert(row_price_of(&recall, 8, TN_PENALTY_ROWS) == 0.5 / (4 * 8));
    ck_assert(row_price_of(&far, 32, TN_PENALTY_ROWS) == 0.5 / (4 * 32));
    ck_assert(row_price_of(&mqar, 32, TN_PENALTY_ROWS) == 0.5 / (4 * 32 * 4));
    ck_assert(row_price_of(&longer, 32, TN_PENALTY_ROWS) == 0.5 / (4 * 32 * 4));
    ck_assert(row_price_of(&recall, 32, TN_PENALTY_MEAN) == 0.5 / (4 * 32 * 128));
    ck_assert(row_price_of(&mqar, 32, TN_PENALTY_MEAN) == 0.5 / (4 * 32 * 64));
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

/* `train` parses options of every task, `study` sets those of one: a run of either must be the other's too.
 */
START_TEST(test_fields_of_other_tasks) {
    static const char path[] = "test_curriculum.json";
    tn_task_config mqar = {.kind = TN_TASK_MQAR, .length = 64, .pairs = 4, .filler_zero = true, .seed = 1},
                   recall = {.kind = TN_TASK_RECALL, .distance = 126, .seed = 1};
    tn_task_config *own[] = {&mqar, &recall};
    for (int i = 0; i < 2; i++) {
        tn_train_config a, b, kept;
        tn_task_config full = *own[i];
        full.distance = 126;
        full.length = 64;
        full.pairs = 4;
        full.filler_zero = true;
        snprintf(full.data, sizeof full.data, "a");
        ck_ok(&ctx, tn_train_config_default(&ctx, own[i], 10, &a));
        ck_ok(&ctx, tn_train_config_default(&ctx, &full, 10, &b));
        ck_assert_int_eq(tn_train_config_same(&ctx, &a, &b), TN_ERR_ARG);
        ck_ok(&ctx, tn_train_config_save(&ctx, &b, path));
        ck_ok(&ctx, tn_train_config_load(&ctx, path, &kept));
        ck_ok(&ctx, tn_train_config_same(&ctx, &a, &kept));
        tn_task_config_trim(&full);
        ck_assert(full.distance == own[i]->distance && full.length == own[i]->length &&
                  full.pairs == own[i]->pairs && full.filler_zero == own[i]->filler_zero && !full.data[0]);
    }
    remove(path);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

START_TEST(test_config_file) {
    static const char path[] = "test_curriculum.json";
    tn_task_config task = {.kind = TN_TASK_MQAR, .length = 64, .pairs = 4, .seed = 12};
    tn_train_config a, b;
    ck_ok(&ctx, tn_train_config_default(&ctx, &task, 77, &a));
    ck_ok(&ctx, tn_routing_parse(&ctx, "capacity:0.0625", &a.model));
    a.curriculum.lr = 1.0 / 3;
    ck_ok(&ctx, tn_train_config_save(&ctx, &a, path));
    ck_ok(&ctx, tn_train_config_load(&ctx, path, &b));
    ck_ok(&ctx, tn_train_config_same(&ctx, &a, &b));
    ck_assert(b.curriculum.lr == a.curriculum.lr && b.task.seed == 12 && b.model.capacity == 0.0625);
    ck_assert(b.row_cost.unrouted_ms == 0);
    b.row_cost = (tn_row_cost){-1.0 / 7, 1.0 / 3}; /* noise may be larger than a row's cost */
    ck_ok(&ctx, tn_train_config_save(&ctx, &b, path));
    ck_ok(&ctx, tn_train_config_load(&ctx, path, &b));
    ck_assert(b.row_cost.routed_ms == -1.0 / 7 && b.row_cost.unrouted_ms == 1.0 / 3);
    ck_assert_int_eq(tn_train_config_same(&ctx, &a, &b), TN_ERR_ARG);
    ck_assert(strstr(ctx.message, "routed_row_ms") != NULL);
    b.row_cost.unrouted_ms = -1;
    ck_assert_int_eq(tn_train_config_check(&ctx, &b), TN_ERR_ARG);
    b.row_cost = a.row_cost;
    b.curriculum.lambda = 0.25;
    ck_assert_int_eq(tn_train_config_same(&ctx, &a, &b), TN_ERR_ARG);
    ck_assert(strstr(ctx.message, "lambda") != NULL);
    b = a;
    b.model.mixer = TN_MIXER_CONV;
    ck_assert_int_eq(tn_train_config_same(&ctx, &a, &b), TN_ERR_ARG);
    ck_assert(strstr(ctx.message, "mixer") != NULL);
    b = a;
    b.curriculum.budget = 0.05; /* beside capacity */
    ck_assert_int_eq(tn_train_config_check(&ctx, &b), TN_ERR_ARG);
    ck_ok(&ctx, tn_routing_parse(&ctx, "threshold", &b.model));
    b.curriculum.price_known = true;
    ck_ok(&ctx, tn_train_config_check(&ctx, &b));
    ck_ok(&ctx, tn_train_config_save(&ctx, &b, path));
    tn_train_config c;
    ck_ok(&ctx, tn_train_config_load(&ctx, path, &c));
    ck_ok(&ctx, tn_train_config_same(&ctx, &b, &c));
    b.curriculum.budget = 1;
    ck_assert_int_eq(tn_train_config_check(&ctx, &b), TN_ERR_ARG);
    b.curriculum.budget = 0.05;
    b.curriculum.explore = 1;
    ck_assert_int_eq(tn_train_config_check(&ctx, &b), TN_ERR_ARG);
    b = a;
    b.curriculum.steps = 0;
    ck_assert_int_eq(tn_train_config_check(&ctx, &b), TN_ERR_ARG);
    b = a;
    b.curriculum.lambda = NAN;
    ck_assert_int_eq(tn_train_config_check(&ctx, &b), TN_ERR_ARG);
    FILE *stream = fopen(path, "w");
    fputs("{\"schema\": \"turnout-run-1\", \"task\": \"recall\"}", stream);
    fclose(stream);
    ck_assert_int_eq(tn_train_config_load(&ctx, path, &b), TN_ERR_INPUT);
    unlink(path);
    ck_assert_int_eq(tn_train_config_load(&ctx, path, &b), TN_ERR_INPUT);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("curriculum");
    TCase *t = tcase_create("curriculum");
    tcase_add_test(t, test_phases);
    tcase_add_test(t, test_capacity_comes_late);
    tcase_add_test(t, test_ablation);
    tcase_add_test(t, test_budget);
    tcase_add_test(t, test_recipes);
    tcase_add_test(t, test_price_of_a_row);
    tcase_add_test(t, test_fields_of_other_tasks);
    tcase_add_test(t, test_config_file);
    suite_add_tcase(suite, t);
    return tn_test_main(suite);
}
