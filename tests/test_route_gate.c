/* Beyond the case: the router's start (w = b = 0) routes everything with p = ½ exactly; the reference's
 * gradient against finite differences of Σ p·dp + penalty·Σp. */
#include "support.h"

#include "rng.h"
#include "route_gate.h"
#include "route_gate_ref.h"

#include <math.h>

START_TEST(test_start) {
    enum { N = 37, D = 20 };
    static tn_context ctx;
    tn_device *dev;
    tn_buffer *u, *w, *b, *p, *h;
    float values[N * D], got[N];
    unsigned char decided[N];
    for (int i = 0; i < N * D; i++)
        values[i] = (float)i - 300;
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    ck_ok(&ctx, tn_buffer_create(dev, sizeof values, &u));
    ck_ok(&ctx, tn_buffer_create(dev, D * 4, &w));
    ck_ok(&ctx, tn_buffer_create(dev, 4, &b));
    ck_ok(&ctx, tn_buffer_create(dev, N * 4, &p));
    ck_ok(&ctx, tn_buffer_create(dev, N, &h));
    ck_ok(&ctx, tn_buffer_write(u, 0, sizeof values, values));
    ck_ok(&ctx, tn_buffer_zero(w));
    ck_ok(&ctx, tn_buffer_zero(b));
    ck_ok(&ctx, tn_route_gate_forward(dev, &(tn_route_gate_shape){N, D}, p, h, u, w, b, 0));
    ck_ok(&ctx, tn_buffer_read(p, 0, sizeof got, got));
    ck_ok(&ctx, tn_buffer_read(h, 0, sizeof decided, decided));
    for (int n = 0; n < N; n++)
        ck_assert(got[n] == 0.5f && decided[n] == 1);
    tn_buffer *all[] = {u, w, b, p, h};
    for (int i = 0; i < 5; i++)
        tn_buffer_destroy(all[i]);
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

enum { FN = 9, FD = 7 };

static double objective(const double *u, const double *w, double b, const double *dp, double penalty) {
    double p[FN], sum = 0;
    int32_t h[FN];
    tn_route_gate_forward_ref(FN, FD, p, h, u, w, b, 0);
    for (int n = 0; n < FN; n++)
        sum += p[n] * (dp[n] + penalty);
    return sum;
}

static void same(double got, double high, double low, double step) {
    double slope = (high - low) / (2 * step);
    ck_assert_msg(fabs(slope - got) <= 1e-8, "gradient %.12g, finite differences %.12g", got, slope);
}

START_TEST(test_gradient) {
    double u[FN * FD], w[FD], b = 0.3, dp[FN], p[FN], du[FN * FD] = {0}, dw[FD], db;
    int32_t h[FN];
    const double penalty = 0.7, step = 1e-5;
    tn_rng rng = tn_rng_make(1, TN_RNG_CASE, 0);
    for (int i = 0; i < FN * FD; i++)
        u[i] = tn_rng_normal(&rng);
    for (int d = 0; d < FD; d++)
        w[d] = tn_rng_normal(&rng);
    for (int n = 0; n < FN; n++)
        dp[n] = tn_rng_normal(&rng);
    tn_route_gate_forward_ref(FN, FD, p, h, u, w, b, 0);
    tn_route_gate_backward_ref(FN, FD, du, dw, &db, dp, penalty, 0, NULL, p, u, w);
    for (int i = 0; i < FN * FD; i++) {
        double kept = u[i], high, low;
        u[i] = kept + step;
        high = objective(u, w, b, dp, penalty);
        u[i] = kept - step;
        low = objective(u, w, b, dp, penalty);
        u[i] = kept;
        same(du[i], high, low, step);
    }
    for (int d = 0; d < FD; d++) {
        double kept = w[d], high, low;
        w[d] = kept + step;
        high = objective(u, w, b, dp, penalty);
        w[d] = kept - step;
        low = objective(u, w, b, dp, penalty);
        w[d] = kept;
        same(dw[d], high, low, step);
    }
    same(db, objective(u, w, b + step, dp, penalty), objective(u, w, b - step, dp, penalty), step);
}
END_TEST

int main(void) {
    Suite *suite = tn_test_op_suite("route_gate", 16);
    TCase *more = tcase_create("gate");
    tcase_add_test(more, test_start);
    tcase_add_test(more, test_gradient);
    suite_add_tcase(suite, more);
    return tn_test_main(suite);
}
