/* Style GROUPS on devices that allow less than this one: every op at work-group limits of 64, 128, 256 and
 * 1024 items and 16, 32, 48 and 64 KiB of local memory. A variant shrinks or does not fit, and then another
 * that does has its turn; the result is right either way. One pair of limits and every other op a run, drawn
 * anew, and all with TURNOUT_TEST_ALL. */
#include "support.h"

#include "case.h"
#include "variant.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    size_t items, local_bytes;
} limits[] = {{64, 16 << 10},   {128, 32 << 10}, {256, 48 << 10},
              {1024, 64 << 10}, {64, 48 << 10},  {1024, 16 << 10}};
enum { LIMITS = sizeof limits / sizeof limits[0] };

/* Plans are made when a shape is first met, so what the device is said to have counts from here on. */
static tn_device *small_device(tn_context *ctx, int i) {
    tn_device *dev;
    ck_ok(ctx, tn_device_open_selected(ctx, getenv("TURNOUT_DEVICE"), &dev));
    tn_device_info *info = (tn_device_info *)tn_device_get_info(dev);
    if (info->max_work_group > limits[i].items)
        info->max_work_group = limits[i].items;
    if (info->local_bytes > limits[i].local_bytes)
        info->local_bytes = limits[i].local_bytes;
    return dev;
}

START_TEST(test_limits) {
    static tn_context ctx;
    const bool whole = getenv("TURNOUT_TEST_ALL") != NULL;
    if (!whole && _i != (int)(tn_test_seed() % LIMITS))
        return;
    setenv("TURNOUT_KIND", "gpu", 1);
    tn_device *dev = small_device(&ctx, _i);
    for (int c = 0; c < tn_case_count; c++) {
        tn_verify_result result;
        if (!whole && (uint64_t)c % 2 != tn_test_seed() / LIMITS % 2)
            continue;
        ck_ok(&ctx, tn_verify_op(dev, tn_cases[c], whole ? 6 : 1, tn_test_seed(), &result));
        ck_assert_msg(result.cases > 0, "%s: no case", tn_cases[c]->op);
    }
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
    tn_device *dev = small_device(&ctx, 0);
    tn_device_info *info = (tn_device_info *)tn_device_get_info(dev);
    info->local_bytes = 8 << 10;
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
