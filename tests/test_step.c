/* The training step as bench times it: verified, compacted against dense; shapes as text; the loss falls. */
#include "support.h"

#include "step.h"

#include <math.h>
#include <string.h>

START_TEST(test_shapes) {
    static tn_context ctx;
    tn_step_shape s;
    ck_ok(&ctx, tn_step_shape_parse(&ctx, "B=4,T=40", &s));
    ck_assert(s.B == 4 && s.T == 40 && isnan(s.rho));
    ck_ok(&ctx, tn_step_shape_parse(&ctx, "B=4 T=40 rho=0.5", &s));
    ck_assert(s.rho == 0.5);
    static const char *const bad[] = {"B=4,T=2",   "B=0,T=40",      "B=4,T=40,B=4",     "T",
                                      "B=4,T=40x", "B=4,T=40,rho=", "B=4,T=40,rho=nan", "B=4,T=40,rho=1.5"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_int_eq(tn_step_shape_parse(&ctx, bad[i], &s), TN_ERR_ARG);
}
END_TEST

START_TEST(test_row) {
    static tn_context ctx;
    tn_device *dev;
    tn_cost_row row;
    tn_bench_options o = {.seconds = 0.05, .seed = 3};
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    ck_ok(&ctx, tn_step_measure(dev, &(tn_step_shape){4, 40, _i ? 0.05 : NAN}, &o, &row));
    ck_assert_msg(strcmp(row.status, "ok") == 0, "%s", row.reason);
    ck_assert_str_eq(row.level, "step");
    ck_assert_str_eq(row.verified, "outputs, gradients");
    ck_assert(row.wall_ms > 0 && row.event_ms_launches > 50);
    ck_assert(_i ? row.dense_ratio > 0 && row.ideal_ratio > 1 : isnan(row.dense_ratio));
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

/* What few routed rows run is counted, not keys and values of all rows, which weights multiplied out spare.
 */
START_TEST(test_work) {
    static tn_context ctx;
    tn_device *dev;
    tn_cost_row row, soft;
    tn_step *s;
    double flops;
    static float logits[4 * 40 * 192];
    const tn_step_shape shape = {4, 40, 0.05};
    tn_bench_options o = {.seconds = 0.01, .seed = 3};
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    ck_ok(&ctx, tn_step_measure(dev, &shape, &o, &row));
    ck_ok(&ctx, tn_step_measure(dev, &(tn_step_shape){4, 40, NAN}, &o, &soft));
    ck_ok(&ctx, tn_step_make(dev, &shape, 3, &s));
    ck_ok(&ctx, tn_step_logits(s, TN_GATE_COMPACT, logits, &flops));
    ck_assert_double_eq(row.flops, 3 * flops);
    ck_assert_double_eq_tol(row.ideal_ratio, soft.flops / row.flops, 1e-9);
    tn_step_destroy(s);
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

START_TEST(test_learns) {
    static tn_context ctx;
    tn_device *dev;
    tn_step *s;
    double first, last;
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    ck_ok(&ctx, tn_step_make(dev, &(tn_step_shape){4, 20, NAN}, 3, &s));
    ck_ok(&ctx, tn_step_run(dev, s));
    ck_ok(&ctx, tn_step_loss(s, &first));
    for (int i = 0; i < 20; i++)
        ck_ok(&ctx, tn_step_run(dev, s));
    ck_ok(&ctx, tn_step_loss(s, &last));
    ck_assert_msg(last < 0.5 * first, "%g to %g", first, last);
    tn_step_destroy(s);
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("step");
    TCase *t = tcase_create("step");
    tcase_set_timeout(t, 200);
    tcase_add_test(t, test_shapes);
    tcase_add_loop_test(t, test_row, 0, 2);
    tcase_add_test(t, test_work);
    tcase_add_test(t, test_learns);
    suite_add_tcase(suite, t);
    return tn_test_main(suite);
}
