#include "support.h"

#include "rope.h"

#include <math.h>

enum { R = 64, DH = 34, T = 1 << 24 };

/* (1, 0) in every pair turns into (cos, sin): the angle itself, held against doubles at positions around a
 * million and far past it. In place; then back. */
START_TEST(test_angles_at_long_positions) {
    static tn_context ctx;
    static const tn_rope_shape s = {R, T, 1, DH, 10000};
    static float x[R * DH];
    static int32_t rows[R];
    tn_device *dev;
    tn_buffer *x_buffer, *rows_buffer;
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    for (int r = 0; r < R; r++)
        rows[r] = r < 32 ? 1000000 - 17 * r : T - 1 - 104729 * r;
    for (int i = 0; i < R * DH; i++)
        x[i] = i % DH < DH / 2 ? 1 : 0;
    ck_ok(&ctx, tn_buffer_create(dev, sizeof x, &x_buffer));
    ck_ok(&ctx, tn_buffer_create(dev, sizeof rows, &rows_buffer));
    ck_ok(&ctx, tn_buffer_write(x_buffer, 0, sizeof x, x));
    ck_ok(&ctx, tn_buffer_write(rows_buffer, 0, sizeof rows, rows));
    ck_ok(&ctx, tn_rope_forward(dev, &s, x_buffer, x_buffer, rows_buffer));
    ck_ok(&ctx, tn_buffer_read(x_buffer, 0, sizeof x, x));
    for (int r = 0; r < R; r++)
        for (int i = 0; i < DH / 2; i++) {
            double angle = rows[r] * pow(10000, -2.0 * i / DH);
            double error = hypot(x[r * DH + i] - cos(angle), x[r * DH + DH / 2 + i] - sin(angle));
            ck_assert_msg(error < 3e-7, "position %d, pair %d: off by %g", rows[r], i, error);
        }
    ck_ok(&ctx, tn_rope_backward(dev, &s, x_buffer, x_buffer, rows_buffer));
    ck_ok(&ctx, tn_buffer_read(x_buffer, 0, sizeof x, x));
    for (int i = 0; i < R * DH; i++)
        ck_assert_msg(fabsf(x[i] - (i % DH < DH / 2 ? 1.0f : 0.0f)) < 1e-6f, "x[%d] came back as %g", i,
                      (double)x[i]);
    tn_buffer_destroy(x_buffer);
    tn_buffer_destroy(rows_buffer);
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

START_TEST(test_odd_width_is_refused) {
    static tn_context ctx;
    static const tn_rope_shape s = {1, 4, 1, 7, 10000};
    tn_device *dev;
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    ck_assert_int_eq(tn_rope_forward(dev, &s, NULL, NULL, NULL), TN_ERR_ARG);
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

int main(void) {
    Suite *suite = tn_test_op_suite("rope", 16);
    TCase *more = tcase_create("angles");
    tcase_add_test(more, test_angles_at_long_positions);
    tcase_add_test(more, test_odd_width_is_refused);
    suite_add_tcase(suite, more);
    return tn_test_main(suite);
}
