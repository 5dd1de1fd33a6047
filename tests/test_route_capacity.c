/* Beyond the case's small shapes: sequences of many tiles; the reference's k-th largest against counting
 * every pair; values that are not numbers still give k rows. */
#include "support.h"

#include "case.h"
#include "route_capacity.h"
#include "route_capacity_ref.h"

#include <math.h>

static void verify_shape(const char *text) {
    static tn_context ctx;
    const tn_case *c = tn_case_find("route_capacity");
    for (uint64_t seed = 1; seed <= 2; seed++) { /* a coarse grid full of ties, and hardly any */
        tn_device *dev;
        tn_shape shape;
        tn_problem problem;
        double worst;
        ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
        ck_ok(&ctx, tn_shape_parse(&ctx, c, text, &shape));
        ck_ok(&ctx, tn_problem_make(&ctx, dev, c, 0, &shape, seed, &problem));
        ck_ok(&ctx, tn_problem_verify(&ctx, &problem, &worst));
        tn_problem_free(&ctx, &problem);
        tn_device_close(dev);
        ck_assert_int_eq(ctx.live, 0);
    }
}

START_TEST(test_long) {
    verify_shape("B=1 T=1048581 k=10487");
    verify_shape("B=2 T=100003 k=99000");
    verify_shape("B=1 T=16385 k=1");
    verify_shape("B=2 T=40000 k=0");
    verify_shape("B=1 T=20000 k=20000");
    setenv("TURNOUT_KIND", "gpu", 1);
    verify_shape("B=3 T=50001 k=20000");
    verify_shape("B=40 T=1025 k=11");
    unsetenv("TURNOUT_KIND");
}
END_TEST

START_TEST(test_reference) {
    enum { T = 60 };
    tn_rng rng = tn_rng_make(1, TN_RNG_CASE, 0);
    for (int round = 0; round < 200; round++) {
        double p[T];
        int32_t mask[T];
        int64_t k = tn_rng_range(&rng, 0, T + 2);
        for (int t = 0; t < T; t++)
            p[t] = round % 2 ? (double)tn_rng_below(&rng, 5) / 4 : tn_rng_uniform(&rng);
        tn_route_capacity_forward_ref(1, T, k, mask, p);
        for (int t = 0; t < T; t++) {
            int ahead = 0;
            for (int s = 0; s < T; s++)
                ahead += p[s] > p[t] || (p[s] == p[t] && s < t);
            ck_assert_int_eq(mask[t], ahead < k);
        }
    }
}
END_TEST

/* A model that has come apart still has to fit the rows that were made ready for it. */
START_TEST(test_not_numbers) {
    enum { T = 40000, K = 123 };
    static tn_context ctx;
    static float values[T];
    static unsigned char mask[T];
    tn_device *dev;
    tn_buffer *p, *m;
    int taken = 0;
    for (int t = 0; t < T; t++)
        values[t] = NAN;
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    ck_ok(&ctx, tn_buffer_create(dev, sizeof values, &p));
    ck_ok(&ctx, tn_buffer_create(dev, sizeof mask, &m));
    ck_ok(&ctx, tn_buffer_write(p, 0, sizeof values, values));
    ck_ok(&ctx, tn_route_capacity_forward(dev, &(tn_route_capacity_shape){1, T, K}, m, p));
    ck_ok(&ctx, tn_buffer_read(m, 0, sizeof mask, mask));
    for (int t = 0; t < T; t++)
        taken += mask[t];
    ck_assert_int_eq(taken, K);
    tn_buffer_destroy(p);
    tn_buffer_destroy(m);
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

int main(void) {
    Suite *suite = tn_test_op_suite("route_capacity", 16);
    TCase *more = tcase_create("long");
    tcase_set_timeout(more, 120);
    tcase_add_test(more, test_long);
    tcase_add_test(more, test_reference);
    tcase_add_test(more, test_not_numbers);
    suite_add_tcase(suite, more);
    return tn_test_main(suite);
}
