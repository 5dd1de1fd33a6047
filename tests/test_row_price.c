/* λ from what a row costs: the formula and its bounds, a measurement on the device, and what a folder has. */
#include "support.h"

#include "row_price.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static tn_context ctx;

static double lambda_of(double routed_ms, double unrouted_ms) {
    return tn_row_price_lambda(&(tn_row_cost){routed_ms, unrouted_ms});
}

START_TEST(formula) {
    ck_assert_double_eq_tol(lambda_of(0.003, 0.003), 0.5, 1e-15); /* the usual λ at equal costs */
    ck_assert_double_eq_tol(lambda_of(0.003, 0.0005), 3, 1e-12);
    ck_assert(lambda_of(-0.001, 0.001) == TN_ROW_PRICE_LEAST); /* noise */
    ck_assert(lambda_of(0.000001, 0.001) == TN_ROW_PRICE_LEAST);
    ck_assert(lambda_of(1, 0.001) == TN_ROW_PRICE_MOST);
}
END_TEST

static tn_train_config config(int64_t distance) {
    tn_task_config task = {.kind = TN_TASK_RECALL, .distance = distance, .seed = 3};
    tn_train_config c;
    ck_ok(&ctx, tn_train_config_default(&ctx, &task, 4, &c));
    c.model.d_model = 32;
    c.model.mlp_width = 64;
    c.batch = 4;
    return c;
}

/* Sequences shorter than nine rows, and longer. */
START_TEST(measured) {
    tn_device *dev;
    ck_ok(&ctx, tn_device_open_selected(&ctx, NULL, &dev));
    for (int64_t distance = 2; distance <= 30; distance += 28) {
        tn_train_config c = config(distance);
        ck_ok(&ctx, tn_row_price_measure(dev, &c));
        ck_assert(c.row_cost.unrouted_ms > 0 && c.row_cost.unrouted_ms < 1000);
        ck_assert(isfinite(c.row_cost.routed_ms) && c.row_cost.routed_ms < 1000);
        ck_assert(c.curriculum.lambda == tn_row_price_lambda(&c.row_cost));
        ck_ok(&ctx, tn_train_config_check(&ctx, &c));
    }
    tn_train_config conv = config(30);
    conv.model.mixer = TN_MIXER_CONV;
    ck_assert_int_eq(tn_row_price_measure(dev, &conv), TN_ERR_ARG);
    ck_assert(strstr(ctx.message, "mixer routed") != NULL && conv.row_cost.unrouted_ms == 0);
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

START_TEST(recorded) {
    static const char folder[] = "test_row_price_run", path[] = "test_row_price_run/config.json";
    bool found = true;
    tn_train_config c = config(30), kept = c;
    unlink(path);
    rmdir(folder);
    ck_ok(&ctx, tn_row_price_recorded(&ctx, folder, &c, &found));
    ck_assert(!found && c.curriculum.lambda == kept.curriculum.lambda);
    ck_assert_int_eq(mkdir(folder, 0777), 0);
    kept.curriculum.lambda = 0.25; /* given */
    ck_ok(&ctx, tn_train_config_save(&ctx, &kept, path));
    ck_assert_int_eq(tn_row_price_recorded(&ctx, folder, &c, &found), TN_ERR_ARG);
    ck_assert(strstr(ctx.message, "0.25") != NULL && strstr(ctx.message, folder) != NULL);
    kept.row_cost = (tn_row_cost){0.001 / 3, 0.002 / 3};
    ck_ok(&ctx, tn_train_config_save(&ctx, &kept, path));
    ck_ok(&ctx, tn_row_price_recorded(&ctx, folder, &c, &found));
    ck_assert(found && c.curriculum.lambda == 0.25);
    ck_ok(&ctx, tn_train_config_same(&ctx, &kept, &c)); /* to the last bit */
    unlink(path);
    rmdir(folder);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("row_price");
    TCase *t = tcase_create("row_price");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, formula);
    tcase_add_test(t, measured);
    tcase_add_test(t, recorded);
    suite_add_tcase(suite, t);
    return tn_test_main(suite);
}
