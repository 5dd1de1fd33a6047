/* The rule of poison.h finds what breaks it, in the device's result, in the reference and in what a case
 * says. The suites of the ops hold every op to it. */
#include "support.h"

#include "case.h"

#include <math.h>
#include <string.h>

enum { COUNT = 100, HIDDEN_FROM = 90 };

static tn_context ctx;
static tn_device *dev;
static const tn_case *gelu;

/* Nothing sees the last elements. */
static bool sees_first(const tn_shape *s, int pass, const tn_tensor *t, int out, size_t o, int in, size_t i) {
    (void)s, (void)pass, (void)t, (void)in;
    return i < HIDDEN_FROM && (out == TN_ANY_OUTPUT || o == i);
}

static void float_change(tn_buffer *buffer, int at, bool nan_only, float value) {
    float old;
    ck_ok(&ctx, tn_buffer_read(buffer, (size_t)at * 4, 4, &old));
    if (!nan_only || isnan(old))
        ck_ok(&ctx, tn_buffer_write(buffer, (size_t)at * 4, 4, &value));
}

/* gelu, but hidden elements as zeros. */
static void reference_first(const tn_shape *s, int pass, tn_tensor *t) {
    gelu->reference(s, pass, t);
    for (int i = HIDDEN_FROM; i < COUNT; i++)
        t[0].f64[i] = 0;
}

static tn_status run_first(tn_device *d, const tn_shape *s, int pass, tn_tensor *t) {
    TN_TRY(gelu->run(d, s, pass, t));
    for (int i = HIDDEN_FROM; i < COUNT; i++)
        float_change(t[0].buffer, i, false, 0);
    return TN_OK;
}

static tn_status run_swallowing(tn_device *d, const tn_shape *s, int pass, tn_tensor *t) {
    TN_TRY(run_first(d, s, pass, t));
    for (int i = 0; i < COUNT; i++)
        float_change(t[0].buffer, i, true, 1);
    return TN_OK;
}

/* A last hidden element that is no number reaches the first result. */
static tn_status run_leaking(tn_device *d, const tn_shape *s, int pass, tn_tensor *t) {
    float last;
    TN_TRY(run_first(d, s, pass, t));
    ck_ok(&ctx, tn_buffer_read(t[1].buffer, (COUNT - 1) * 4, 4, &last));
    if (isnan(last))
        float_change(t[0].buffer, 0, false, last);
    return TN_OK;
}

static void reference_leaking(const tn_shape *s, int pass, tn_tensor *t) {
    reference_first(s, pass, t);
    t[0].f64[0] += 0 * t[1].f64[COUNT - 1];
}

static tn_status outcome(const tn_case *c) {
    const tn_shape shape = {{COUNT}};
    tn_problem p;
    unsigned char *results[TN_CASE_TENSORS] = {NULL};
    tn_poison_tally tally = {0};
    double worst;
    ck_ok(&ctx, tn_problem_make(&ctx, dev, c, 0, &shape, 1, &p));
    ck_ok(&ctx, tn_problem_verify(&ctx, &p, &worst)); /* nobody sees a difference without poison */
    ck_ok(&ctx, tn_problem_run(&ctx, &p, results));
    tn_status status = tn_problem_poison(&ctx, &p, results, 1, 1, &tally);
    for (int i = 0; i < TN_CASE_TENSORS; i++)
        tn_free(&ctx, results[i]);
    ck_assert_int_eq(tally.hidden, 1);
    ck_assert_int_eq(tally.seen, status == TN_OK);
    tn_problem_free(&ctx, &p);
    return status;
}

START_TEST(test_finds) {
    gelu = tn_case_find("gelu");
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    tn_case c = *gelu;
    c.sees = sees_first;
    ck_assert_msg(outcome(&c) == TN_ERR_CHECK && strstr(ctx.message, "the reference's"), "%s", ctx.message);
    c.reference = reference_first;
    c.run = run_first;
    ck_ok(&ctx, outcome(&c));
    c.run = run_swallowing;
    ck_assert_msg(outcome(&c) == TN_ERR_CHECK && strstr(ctx.message, "sees the NaN of x"), "%s", ctx.message);
    c.run = run_leaking;
    ck_assert_msg(outcome(&c) == TN_ERR_CHECK && strstr(ctx.message, "y[0] moves"), "%s", ctx.message);
    c.run = run_first;
    c.reference = reference_leaking;
    ck_assert_msg(outcome(&c) == TN_ERR_CHECK && strstr(ctx.message, "the reference's y[0]"), "%s",
                  ctx.message);
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("poison");
    TCase *t = tcase_create("poison");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_finds);
    suite_add_tcase(suite, t);
    return tn_test_main(suite);
}
