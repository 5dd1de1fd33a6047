#include "support.h"

#include "gelu.h"
#include "gelu_ref.h"

#include <math.h>

enum { N = 4001 };

/* A sweep of the whole useful range, each value held relatively: y must keep its digits in the tail. Backward
 * runs in place. */
START_TEST(test_every_value_relatively) {
    static tn_context ctx;
    static float x[N], y[N], dx[N];
    static double exact[N], want[N], slope[N], ones[N];
    tn_device *dev;
    tn_buffer *x_buffer, *y_buffer;
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    ck_ok(&ctx, tn_buffer_create(dev, sizeof x, &x_buffer));
    ck_ok(&ctx, tn_buffer_create(dev, sizeof y, &y_buffer));
    for (int i = 0; i < N; i++) {
        exact[i] = x[i] = (float)(i - 1000) * 0.003f;
        ones[i] = dx[i] = 1;
    }
    ck_ok(&ctx, tn_buffer_write(x_buffer, 0, sizeof x, x));
    ck_ok(&ctx, tn_gelu_forward(dev, N, y_buffer, x_buffer));
    ck_ok(&ctx, tn_buffer_read(y_buffer, 0, sizeof y, y));
    ck_ok(&ctx, tn_buffer_write(y_buffer, 0, sizeof dx, dx));
    ck_ok(&ctx, tn_gelu_backward(dev, N, y_buffer, y_buffer, x_buffer));
    ck_ok(&ctx, tn_buffer_read(y_buffer, 0, sizeof dx, dx));
    tn_gelu_forward_ref(N, want, exact);
    tn_gelu_backward_ref(N, slope, ones, exact);
    for (int i = 0; i < N; i++) {
        ck_assert_msg(fabs(y[i] - want[i]) <= 1e-6 * fabs(want[i]), "gelu(%g) is %.9g, not %.9g", exact[i],
                      (double)y[i], want[i]);
        ck_assert_msg(fabs(dx[i] - slope[i]) <= 5e-7, "gelu'(%g) is %.9g, not %.9g", exact[i], (double)dx[i],
                      slope[i]);
    }
    tn_buffer_destroy(x_buffer);
    tn_buffer_destroy(y_buffer);
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

START_TEST(test_far_out) {
    static tn_context ctx;
    static const float x[] = {0.0f, -20.0f, 20.0f, -1e4f, 1e4f, -1e30f, 1e30f, INFINITY, NAN};
    static const float want[] = {0.0f, 0.0f, 20.0f, 0.0f, 1e4f, 0.0f, 1e30f, INFINITY, NAN};
    static const float slope[] = {0.5f, 0.0f, 1.0f, 0.0f, 1.0f, 0.0f, 1.0f, 1.0f, NAN};
    enum { COUNT = sizeof x / sizeof x[0] };
    float y[COUNT], dx[COUNT];
    tn_device *dev;
    tn_buffer *x_buffer, *y_buffer;
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    ck_ok(&ctx, tn_buffer_create(dev, sizeof x, &x_buffer));
    ck_ok(&ctx, tn_buffer_create(dev, sizeof x, &y_buffer));
    ck_ok(&ctx, tn_buffer_write(x_buffer, 0, sizeof x, x));
    ck_ok(&ctx, tn_gelu_forward(dev, COUNT, y_buffer, x_buffer));
    ck_ok(&ctx, tn_buffer_read(y_buffer, 0, sizeof y, y));
    ck_ok(&ctx, tn_buffer_fill_u32(y_buffer, 0, sizeof y, 0x3f800000)); /* 1.0f */
    ck_ok(&ctx, tn_gelu_backward(dev, COUNT, y_buffer, y_buffer, x_buffer));
    ck_ok(&ctx, tn_buffer_read(y_buffer, 0, sizeof dx, dx));
    for (int i = 0; i < COUNT; i++) {
        ck_assert_msg(isnan(want[i]) ? isnan(y[i]) : y[i] == want[i] || fabsf(y[i] - want[i]) < 1e-6f,
                      "gelu(%g) is %g", (double)x[i], (double)y[i]);
        ck_assert_msg(isnan(slope[i]) ? isnan(dx[i]) : fabsf(dx[i] - slope[i]) < 1e-6f, "gelu'(%g) is %g",
                      (double)x[i], (double)dx[i]);
    }
    tn_buffer_destroy(x_buffer);
    tn_buffer_destroy(y_buffer);
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

int main(void) {
    Suite *suite = tn_test_op_suite("gelu", 16);
    tn_test_op_tuned(suite, "gelu.STREAM=1,gelu.VECTORS=1024");
    TCase *more = tcase_create("values");
    tcase_add_test(more, test_every_value_relatively);
    tcase_add_test(more, test_far_out);
    suite_add_tcase(suite, more);
    return tn_test_main(suite);
}
