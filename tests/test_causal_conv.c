#include "support.h"

#include "causal_conv.h"

#include <math.h>

enum { T = 40, D = 20, K = 4, N = T * D };

/* y of one sequence. */
static void convolve(tn_context *ctx, tn_device *dev, const float *u, float *y) {
    static const tn_causal_conv_shape s = {1, T, D, K, 1};
    float w[D * K], b[D];
    tn_buffer *y_buffer, *u_buffer, *w_buffer, *b_buffer;
    for (int i = 0; i < D * K; i++)
        w[i] = 0.25f - 0.011f * (float)i;
    for (int d = 0; d < D; d++)
        b[d] = 0.1f * (float)d;
    ck_ok(ctx, tn_buffer_create(dev, N * sizeof *y, &y_buffer));
    ck_ok(ctx, tn_buffer_create(dev, N * sizeof *u, &u_buffer));
    ck_ok(ctx, tn_buffer_create(dev, sizeof w, &w_buffer));
    ck_ok(ctx, tn_buffer_create(dev, sizeof b, &b_buffer));
    ck_ok(ctx, tn_buffer_write(u_buffer, 0, N * sizeof *u, u));
    ck_ok(ctx, tn_buffer_write(w_buffer, 0, sizeof w, w));
    ck_ok(ctx, tn_buffer_write(b_buffer, 0, sizeof b, b));
    ck_ok(ctx, tn_causal_conv_forward(dev, &s, y_buffer, u_buffer, w_buffer, b_buffer));
    ck_ok(ctx, tn_buffer_read(y_buffer, 0, N * sizeof *y, y));
    tn_buffer_destroy(y_buffer);
    tn_buffer_destroy(u_buffer);
    tn_buffer_destroy(w_buffer);
    tn_buffer_destroy(b_buffer);
}

/* Another input at position t changes y at t and nothing before it, bit by bit. */
START_TEST(test_no_look_ahead) {
    static tn_context ctx;
    static float u[N], before[N], after[N];
    tn_device *dev;
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    for (int i = 0; i < N; i++)
        u[i] = sinf((float)i);
    convolve(&ctx, dev, u, before);
    const int t = 17;
    for (int d = 0; d < D; d++)
        u[t * D + d] += 1.0f;
    convolve(&ctx, dev, u, after);
    for (int i = 0; i < N; i++) {
        int position = i / D;
        if (position < t || position >= t + K)
            ck_assert_msg(before[i] == after[i], "position %d saw position %d", position, t);
        else
            ck_assert_msg(before[i] != after[i], "position %d did not see position %d", position, t);
    }
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

/* Far outside what training meets: 0 and z itself, never NaN. */
START_TEST(test_large_inputs) {
    static tn_context ctx;
    static float u[N], y[N];
    tn_device *dev;
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    for (int i = 0; i < N; i++)
        u[i] = i % 3 == 0 ? 1e30f : i % 3 == 1 ? -1e30f : 200.0f;
    convolve(&ctx, dev, u, y);
    for (int i = 0; i < N; i++)
        ck_assert_msg(isfinite(y[i]), "y[%d] is %g", i, (double)y[i]);
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

int main(void) {
    Suite *suite = tn_test_op_suite("causal_conv", 12);
    tn_test_op_tuned(suite, "causal_conv.STREAM=1");
    TCase *more = tcase_create("causality");
    tcase_add_test(more, test_no_look_ahead);
    tcase_add_test(more, test_large_inputs);
    suite_add_tcase(suite, more);
    return tn_test_main(suite);
}
