#include "support.h"

#include "grad_clip.h"

#include <math.h>

enum { N = 5000 };

/* scale and norm of a gradient of zeros but for one value in its midst. */
static void clip(float value, float max_norm, float *scale, float *norm) {
    static tn_context ctx;
    static float g[N];
    tn_device *dev;
    tn_buffer *g_buffer, *scale_buffer, *norm_buffer;
    g[N / 2] = value;
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    ck_ok(&ctx, tn_buffer_create(dev, sizeof g, &g_buffer));
    ck_ok(&ctx, tn_buffer_create(dev, sizeof(float), &scale_buffer));
    ck_ok(&ctx, tn_buffer_create(dev, sizeof(float), &norm_buffer));
    ck_ok(&ctx, tn_buffer_write(g_buffer, 0, sizeof g, g));
    ck_ok(&ctx, tn_grad_clip_forward(dev, N, max_norm, scale_buffer, norm_buffer, g_buffer));
    ck_ok(&ctx, tn_buffer_read(scale_buffer, 0, sizeof *scale, scale));
    ck_ok(&ctx, tn_buffer_read(norm_buffer, 0, sizeof *norm, norm));
    ck_assert_int_eq(tn_grad_clip_forward(dev, N, 0.0f, scale_buffer, norm_buffer, g_buffer), TN_ERR_ARG);
    tn_buffer_destroy(g_buffer);
    tn_buffer_destroy(scale_buffer);
    tn_buffer_destroy(norm_buffer);
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}

START_TEST(test_scale) {
    float scale, norm;
    clip(0.0f, 1.0f, &scale, &norm);
    ck_assert(scale == 1.0f && norm == 0.0f);
    clip(-4.0f, 1.0f, &scale, &norm);
    ck_assert(scale == 0.25f && norm == 4.0f);
    clip(0.5f, 1.0f, &scale, &norm);
    ck_assert(scale == 1.0f && norm == 0.5f);
    clip(100.0f, INFINITY, &scale, &norm);
    ck_assert(scale == 1.0f && norm == 100.0f);
}
END_TEST

START_TEST(test_broken_gradients_show) {
    float scale, norm;
    clip(NAN, 1.0f, &scale, &norm);
    ck_assert(isnan(scale) && isnan(norm));
    clip(INFINITY, 1.0f, &scale, &norm);
    ck_assert(isnan(scale) && isinf(norm));
    clip(1e30f, 1.0f, &scale, &norm); /* its square is past fp32 */
    ck_assert(isnan(scale) && isinf(norm));
}
END_TEST

int main(void) {
    Suite *suite = tn_test_op_suite("grad_clip", 16);
    TCase *more = tcase_create("scale");
    tcase_add_test(more, test_scale);
    tcase_add_test(more, test_broken_gradients_show);
    suite_add_tcase(suite, more);
    return tn_test_main(suite);
}
