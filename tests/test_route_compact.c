/* Beyond the case's small shapes: sequences of many tiles, a length that no vector divides, every density. */
#include "support.h"

#include "case.h"

static void verify_shape(const char *text) {
    static tn_context ctx;
    const tn_case *c = tn_case_find("route_compact");
    tn_device *dev;
    tn_shape shape;
    tn_problem problem;
    double worst;
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    ck_ok(&ctx, tn_shape_parse(&ctx, c, text, &shape));
    ck_ok(&ctx, tn_problem_make(&ctx, dev, c, 0, &shape, 1, &problem));
    ck_ok(&ctx, tn_problem_verify(&ctx, &problem, &worst));
    tn_problem_free(&ctx, &problem);
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}

START_TEST(test_long) {
    verify_shape("B=1 T=1048581 permille=500 block=1");
    verify_shape("B=2 T=524295 permille=1 block=1");
    verify_shape("B=1 T=300000 permille=1000 block=1");
    verify_shape("B=3 T=100003 permille=0 block=1");
    verify_shape("B=2 T=100003 permille=10 block=12");
    verify_shape("B=2 T=100003 permille=1 block=5000"); /* longer than an item's tile */
    setenv("TURNOUT_KIND", "gpu", 1);
    verify_shape("B=2 T=150001 permille=500 block=1");
    verify_shape("B=300 T=3 permille=100 block=1");
    verify_shape("B=300 T=30 permille=100 block=64");
    verify_shape("B=2 T=150001 permille=1 block=64");
    unsetenv("TURNOUT_KIND");
}
END_TEST

int main(void) {
    Suite *suite = tn_test_op_suite("route_compact", 16);
    TCase *more = tcase_create("long");
    tcase_set_timeout(more, 120);
    tcase_add_test(more, test_long);
    suite_add_tcase(suite, more);
    return tn_test_main(suite);
}
