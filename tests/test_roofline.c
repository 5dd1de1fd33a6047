/* The ceilings are positive, believable beside each other, and hold up twice. */
#include "roofline.h"

#include "clock.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

static tn_context ctx;

START_TEST(ceilings) {
    tn_device *dev;
    tn_roofline r;
    ctx = (tn_context){.quiet = true};
    ck_assert_int_eq(tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev), TN_OK);
    double start = tn_clock_seconds();
    ck_assert_msg(tn_roofline_measure(dev, &r) == TN_OK, "%s", ctx.message);
    printf("%.1f GFLOP/s, copy %.1f GB/s, read %.1f GB/s, launch %.1f us, round trip %.1f us; %.2f s\n",
           1e-9 * r.flops, 1e-9 * r.copy_bytes, 1e-9 * r.read_bytes, 1e6 * r.launch_s, 1e6 * r.round_trip_s,
           tn_clock_seconds() - start);
    ck_assert(isfinite(r.flops) && r.flops > 1e8);
    ck_assert(isfinite(r.copy_bytes) && r.copy_bytes > 1e7);
    ck_assert(isfinite(r.read_bytes) && r.read_bytes > 1e7);
    ck_assert(r.launch_s > 0 && r.launch_s < 0.1);
    ck_assert(r.round_trip_s > 0 && r.round_trip_s < 0.1);
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

START_TEST(percent) {
    tn_roofline r = {.flops = 100, .copy_bytes = 10};
    ck_assert_double_eq_tol(tn_roofline_pct(&r, 100, 1, 2), 50, 1e-12); /* bound by arithmetic */
    ck_assert_double_eq_tol(tn_roofline_pct(&r, 1, 10, 2), 50, 1e-12);  /* bound by memory */
    ck_assert(tn_roofline_pct(&r, 1, 1, 0) == 0);
    r.flops = 0;
    ck_assert(tn_roofline_pct(&r, 1, 1, 1) == 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("roofline");
    TCase *tests = tcase_create("roofline");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, ceilings);
    tcase_add_test(tests, percent);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
