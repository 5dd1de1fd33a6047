#include "support.h"

#include "adamw.h"

#include <math.h>

enum { N = 100 };

static tn_buffer *make(tn_context *ctx, tn_device *dev, size_t count, float value) {
    tn_buffer *buffer;
    float values[N];
    for (size_t i = 0; i < count; i++)
        values[i] = value;
    ck_ok(ctx, tn_buffer_create(dev, count * sizeof(float), &buffer));
    ck_ok(ctx, tn_buffer_write(buffer, 0, count * sizeof(float), values));
    return buffer;
}

/* p of one value (1.0 before) after `updates` with a gradient of 2 and this scale; two thirds decay. */
static void update(int updates, float scale, float p[N]) {
    static tn_context ctx;
    tn_device *dev;
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    tn_buffer *all[] = {make(&ctx, dev, N, 1), make(&ctx, dev, N, 0), make(&ctx, dev, N, 0),
                        make(&ctx, dev, N, 2), make(&ctx, dev, 1, scale)};
    tn_adamw_shape s = {N, 66, 0.01, 0.9, 0.999, 1e-8, 0.5, 0};
    for (s.t = 1; s.t <= updates; s.t++)
        ck_ok(&ctx, tn_adamw_forward(dev, &s, all[0], all[1], all[2], all[3], all[4]));
    ck_ok(&ctx, tn_buffer_read(all[0], 0, N * sizeof *p, p));
    for (int i = 0; i < 5; i++)
        tn_buffer_destroy(all[i]);
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}

/* A steady gradient moves p by lr an update, whatever its size and scale; decay takes lr·weight_decay·p more.
 */
START_TEST(test_steady_gradient) {
    float p[N];
    update(10, 0.125f, p);
    double decayed = 1;
    for (int i = 0; i < 10; i++)
        decayed -= 0.01 * (1 + 0.5 * decayed);
    for (int i = 0; i < N; i++)
        ck_assert_msg(fabs(p[i] - (i < 66 ? decayed : 0.9)) < 2e-6, "p[%d] is %.9g", i, (double)p[i]);
}
END_TEST

/* A broken step shows: the clip gives NaN for a gradient that is not finite. */
START_TEST(test_nan_scale_is_visible) {
    float p[N];
    update(1, NAN, p);
    for (int i = 0; i < N; i++)
        ck_assert_msg(isnan(p[i]), "p[%d] is %g", i, (double)p[i]);
}
END_TEST

int main(void) {
    Suite *suite = tn_test_op_suite("adamw", 16);
    TCase *more = tcase_create("updates");
    tcase_add_test(more, test_steady_gradient);
    tcase_add_test(more, test_nan_scale_is_visible);
    suite_add_tcase(suite, more);
    return tn_test_main(suite);
}
