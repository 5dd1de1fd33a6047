/* Style GROUPS on devices that allow less than this one: every op, by the variant that it takes and by each
 * that is written for work-groups, at work-group limits of 64, 128, 256 and 1024 items and 16, 32, 48 and 64
 * KiB of local memory. A variant shrinks or does not fit, and then another that does has its turn; the result
 * is right either way. One pair of limits and every other op a run, drawn anew, and all with
 * TURNOUT_TEST_ALL. */
#include "support.h"

#include "case.h"
#include "variant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const size_t groups[] = {64, 128, 256, 1024}, kibs[] = {16, 32, 48, 64};
enum {
    GROUPS = sizeof groups / sizeof groups[0],
    KIBS = sizeof kibs / sizeof kibs[0],
    LIMITS = GROUPS * KIBS,
    CASES_ALL = 4 /* of an op at a pair of limits, where all are held */
};

static void smaller(size_t *value, size_t most) {
    *value = *value < most ? *value : most;
}

/* Plans are made when a shape is first met, so what the device is said to have counts from here on; of
 * kernels no more is believed. */
static tn_device *small_device(tn_context *ctx, size_t items, size_t local_bytes) {
    tn_device *dev;
    ck_ok(ctx, tn_device_open_selected(ctx, getenv("TURNOUT_DEVICE"), &dev));
    tn_device_info *info = (tn_device_info *)tn_device_get_info(dev);
    smaller(&info->max_work_group, items);
    smaller(&info->local_bytes, local_bytes);
    return dev;
}

static int fitted(const tn_verify_result *result) {
    int sum = 0;
    for (int pass = 0; pass < TN_CASE_PASSES; pass++)
        sum += result->fitted[pass];
    return sum;
}

/* By default, and by each variant for groups. */
static void hold(tn_context *ctx, tn_device *dev, const tn_case *c, int cases) {
    const tn_op *op = tn_op_find(c->op);
    tn_verify_result result;
    ck_ok(ctx, tn_verify_op(dev, c, cases, tn_test_seed(), &result));
    ck_assert_msg(result.cases > 0, "%s: no case", c->op);
    for (int i = 0; op && op->variants[i]; i++) {
        const tn_variant *variant = op->variants[i];
        if (variant->style != TN_STYLE_GROUPS || variant->not_default)
            continue;
        ck_ok(ctx, tn_variant_try(dev, op, variant));
        ck_ok(ctx, tn_verify_op(dev, c, cases, tn_test_seed(), &result));
        tn_tunable_untry(dev, op->name);
        printf("%s/%s ran %d times\n", op->name, variant->name, fitted(&result));
    }
}

START_TEST(test_limits) {
    static tn_context ctx;
    const bool whole = getenv("TURNOUT_TEST_ALL") != NULL;
    const size_t items = groups[_i / KIBS], kib = kibs[_i % KIBS];
    if (!whole && _i != (int)(tn_test_seed() % LIMITS))
        return;
    printf("%zu items, %zu KiB\n", items, kib);
    setenv("TURNOUT_KIND", "gpu", 1);
    tn_device *dev = small_device(&ctx, items, kib << 10);
    for (int c = 0; c < tn_case_count; c++)
        if (whole || (uint64_t)c % 2 == tn_test_seed() / LIMITS % 2)
            hold(&ctx, dev, tn_cases[c], whole ? CASES_ALL : 1);
    tn_device_close(dev);
    unsetenv("TURNOUT_KIND");
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

/* The limits reach the variants: with little local memory no tile of gemm's takes more. */
START_TEST(test_limits_count) {
    static tn_context ctx;
    static const char *const ops[] = {"gemm", "flash_attention"};
    setenv("TURNOUT_KIND", "gpu", 1);
    tn_device *dev = small_device(&ctx, 64, 8 << 10);
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        tn_verify_result result;
        ck_ok(&ctx, tn_verify_op(dev, tn_case_find(ops[i]), 2, tn_test_seed(), &result));
        ck_assert_str_ne(tn_variant_ran(dev, ops[i])->name, "groups");
    }
    tn_device_close(dev);
    unsetenv("TURNOUT_KIND");
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("limits");
    TCase *tc = tcase_create("limits");
    tcase_set_timeout(tc, 600);
    tcase_add_loop_test(tc, test_limits, 0, LIMITS);
    tcase_add_test(tc, test_limits_count);
    suite_add_tcase(suite, tc);
    return tn_test_main(suite);
}
