/* The ceilings are positive, believable beside each other, and hold up twice. */
#include "roofline.h"

#include "clock.h"
#include "suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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
    for (int i = 0; i < TN_ROOFLINE_SIZES; i++)
        ck_assert(isfinite(r.cached_bytes[i]) && (i == 0 || r.cached_bytes[i] <= r.cached_bytes[i - 1]));
    ck_assert(r.cached_bytes[0] > 1e7);
    tn_roofline before = r;
    ck_assert(tn_roofline_again(&r)); /* the better of the two */
    ck_assert(r.flops >= before.flops && r.copy_bytes >= before.copy_bytes &&
              r.cached_bytes[2] >= before.cached_bytes[2]);
    r.asked = 1000;
    ck_assert(!tn_roofline_again(&r));
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

START_TEST(percent) {
    tn_roofline r = {.flops = 100, .copy_bytes = 10};
    ck_assert_double_eq_tol(tn_roofline_pct(&r, 100, 1, 2), 50, 1e-12); /* bound by arithmetic */
    ck_assert_double_eq_tol(tn_roofline_pct(&r, 1, 10, 2), 50, 1e-12);  /* bound by memory */
    ck_assert(tn_roofline_pct(&r, 1, 1, 0) == 0);
    /* what sits in a cache is held against that cache: a set of half the bytes, or more */
    r.cached_bytes[0] = 80;
    r.cached_bytes[1] = 40;
    r.cached_bytes[2] = 20;
    ck_assert_double_eq_tol(tn_roofline_bandwidth(&r, 4 * TN_ROOFLINE_LEAST), 80, 1e-12);
    ck_assert_double_eq_tol(tn_roofline_bandwidth(&r, 8 * TN_ROOFLINE_LEAST), 40, 1e-12);
    ck_assert_double_eq_tol(tn_roofline_bandwidth(&r, 33 * TN_ROOFLINE_LEAST), 20, 1e-12);
    ck_assert_double_eq_tol(tn_roofline_bandwidth(&r, 1e12), 10, 1e-12);
    r.flops = 0;
    ck_assert(tn_roofline_pct(&r, 1, 1, 1) == 0);
}
END_TEST

START_TEST(to_another_process_and_back) {
    tn_roofline r = {.flops = 1e12, .copy_bytes = 6.5e10, .read_bytes = 5e10, .cached_bytes = {3e11, 2e11}},
                back;
    char text[TN_ROOFLINE_TEXT + 8];
    tn_roofline_print(&r, text);
    strcat(text, ",7.5");
    const char *rest = tn_roofline_parse(text, &back);
    ck_assert_ptr_nonnull(rest);
    ck_assert_str_eq(rest, "7.5");
    ck_assert(back.flops == r.flops && back.read_bytes == r.read_bytes && back.cached_bytes[1] == 2e11);
    ck_assert_ptr_null(tn_roofline_parse("1,2,3", &back));
    ck_assert_ptr_null(tn_roofline_parse("", &back));
    ck_assert_ptr_null(tn_roofline_parse("1,2,3,4,x,6,7,8,9,10", &back));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("roofline");
    TCase *tests = tcase_create("roofline");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, ceilings);
    tcase_add_test(tests, percent);
    tcase_add_test(tests, to_another_process_and_back);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
