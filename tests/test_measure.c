/* Measuring against work of known length: the callback sleeps, so the right answer is known without a
 * device's help. */
#include "measure.h"

#include "buffer.h"
#include "clock.h"
#include "suite.h"

#include <stdlib.h>
#include <time.h>

static tn_context ctx;
static tn_device *dev;

static void open_device(void) {
    ctx = (tn_context){.quiet = true};
    ck_assert_msg(tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev) == TN_OK, "%s", ctx.message);
}

static void close_device(void) {
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}

static int calls;

static tn_status sleeper(tn_device *d, void *data) {
    (void)d;
    calls++;
    struct timespec t = {0, *(long *)data};
    nanosleep(&t, NULL);
    return TN_OK;
}

START_TEST(a_known_length) {
    long ns = 1000000;
    tn_sample s;
    tn_raw raw = {0};
    calls = 0;
    ck_assert_int_eq(tn_measure(dev, sleeper, &ns, &(tn_measure_options){.seconds = 0.1, .raw = &raw}, &s),
                     TN_OK);
    ck_assert(raw.wall == s.n && raw.event == 0 && raw.other == 0);
    for (int i = 0; i < raw.wall; i++)
        ck_assert_double_ge(raw.wall_ms[i], 1.0);
    ck_assert_double_ge(s.wall_ms, 1.0);
    ck_assert_double_le(s.wall_ms, 3.0);
    ck_assert(s.q1_ms <= s.wall_ms && s.wall_ms <= s.q3_ms);
    ck_assert_int_ge(s.n, 3);
    ck_assert_int_ge(s.calls, 2); /* a batch lasts 5 ms */
    ck_assert_int_le(calls, 400);
    ck_assert(!s.event_ok && s.launches == 0); /* nothing was launched */
    ck_assert(!s.energy.ok);
}
END_TEST

START_TEST(a_long_call_is_made_once) {
    long ns = 200000000;
    tn_sample s;
    calls = 0;
    ck_assert_int_eq(tn_measure(dev, sleeper, &ns, &(tn_measure_options){.seconds = 0.05}, &s), TN_OK);
    ck_assert_int_eq(s.calls, 1);
    ck_assert_int_le(calls, 4); /* two to warm up, one or so timed, one for events */
    ck_assert_double_ge(s.wall_ms, 200);
}
END_TEST

START_TEST(pairs_give_the_ratio) {
    long a = 1000000, b = 3000000;
    tn_pair_sample s;
    ck_assert_int_eq(
        tn_measure_pair(dev, sleeper, &a, sleeper, &b, &(tn_measure_options){.seconds = 0.3}, &s), TN_OK);
    ck_assert_double_ge(s.ratio, 2.0);
    ck_assert_double_le(s.ratio, 3.5);
    ck_assert(s.ratio_q1 <= s.ratio && s.ratio <= s.ratio_q3);
    ck_assert_int_eq(s.a.n, s.b.n);
}
END_TEST

static tn_status failing(tn_device *d, void *data) {
    int *left = data;
    return (*left)-- > 0 ? TN_OK : tn_fail(tn_device_context(d), TN_ERR_DEVICE, "the third call fails");
}

START_TEST(a_failure_comes_through) {
    int left = 2;
    tn_sample s;
    ck_assert_int_eq(tn_measure(dev, failing, &left, NULL, &s), TN_ERR_DEVICE);
}
END_TEST

static tn_status fill(tn_device *d, void *data) {
    (void)d;
    return tn_buffer_zero(data);
}

START_TEST(device_work) {
    tn_buffer *buf;
    tn_sample s;
    ck_assert_int_eq(tn_buffer_create(dev, 1 << 20, &buf), TN_OK);
    ck_assert_int_eq(tn_measure(dev, fill, buf, &(tn_measure_options){.seconds = 0.05}, &s), TN_OK);
    ck_assert(s.wall_ms > 0);
    tn_buffer_destroy(buf);
}
END_TEST

/* The caches are written over before every call, and none of that counts. */
START_TEST(cold_calls) {
    long ns = 1000000;
    tn_evict *evict;
    tn_sample s;
    tn_pair_sample pair;
    ck_assert_msg(tn_evict_create(dev, &evict) == TN_OK, "%s", ctx.message);
    ck_assert_uint_ge(tn_evict_bytes(evict), (size_t)32 << 20);
    ck_assert_int_eq(tn_evict_run(evict), TN_OK); /* builds the kernel */
    double start = tn_clock_seconds();
    ck_assert_int_eq(tn_evict_run(evict), TN_OK);
    double writing_ms = 1e3 * (tn_clock_seconds() - start);
    tn_measure_options options = {.seconds = 0.2, .evict = evict};
    calls = 0;
    ck_assert_int_eq(tn_measure(dev, sleeper, &ns, &options, &s), TN_OK);
    ck_assert_int_eq(s.calls, 1);
    ck_assert_int_eq(calls, s.n + 3); /* two to warm up, one for the events */
    ck_assert_msg(s.wall_ms >= 1 && s.wall_ms < 1 + writing_ms / 2, "%g ms, writing takes %g", s.wall_ms,
                  writing_ms);
    ck_assert_int_eq(tn_measure_pair(dev, sleeper, &ns, sleeper, &ns, &options, &pair), TN_OK);
    ck_assert_int_eq(pair.b.calls, 1);
    ck_assert(pair.b.wall_ms >= 1 && pair.b.wall_ms < 1 + writing_ms / 2);
    tn_evict_destroy(evict);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("measure");
    TCase *tests = tcase_create("measure");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, open_device, close_device);
    tcase_add_test(tests, a_known_length);
    tcase_add_test(tests, a_long_call_is_made_once);
    tcase_add_test(tests, pairs_give_the_ratio);
    tcase_add_test(tests, a_failure_comes_through);
    tcase_add_test(tests, device_work);
    tcase_add_test(tests, cold_calls);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
