#include "support.h"

#include "case.h"
#include "softmax_cross_entropy.h"

#include <math.h>

enum { L = 4, V = 37, N = L * V };

/* dlogits may be the logits themselves, and the scale multiplies: the same bits as into another buffer. Rows
 * whose logits are huge or hold one -INFINITY stay finite. */
START_TEST(test_in_place_and_far_out) {
    static tn_context ctx;
    static const tn_softmax_cross_entropy_shape s = {L, V};
    static const int32_t labels[L] = {0, -1, 36, 3};
    float logits[N], apart[N], in_place[N], loss[L];
    tn_device *dev;
    tn_buffer *x, *dx, *label, *lse, *out, *predicted;
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    for (int i = 0; i < N; i++)
        logits[i] = (i / V == 2 ? 1e30f : 3.0f) * sinf((float)i);
    logits[3 * V + 5] = -INFINITY;
    ck_ok(&ctx, tn_buffer_create(dev, sizeof logits, &x));
    ck_ok(&ctx, tn_buffer_create(dev, sizeof logits, &dx));
    ck_ok(&ctx, tn_buffer_create(dev, sizeof labels, &label));
    ck_ok(&ctx, tn_buffer_create(dev, sizeof loss, &lse));
    ck_ok(&ctx, tn_buffer_create(dev, sizeof loss, &out));
    ck_ok(&ctx, tn_buffer_create(dev, sizeof loss, &predicted));
    ck_ok(&ctx, tn_buffer_write(x, 0, sizeof logits, logits));
    ck_ok(&ctx, tn_buffer_write(label, 0, sizeof labels, labels));
    ck_ok(&ctx, tn_softmax_cross_entropy_forward(dev, &s, out, lse, predicted, x, label));
    ck_ok(&ctx, tn_softmax_cross_entropy_backward(dev, &s, dx, x, label, lse, 0.25f));
    ck_ok(&ctx, tn_softmax_cross_entropy_backward(dev, &s, x, x, label, lse, 0.25f));
    ck_ok(&ctx, tn_buffer_read(out, 0, sizeof loss, loss));
    ck_ok(&ctx, tn_buffer_read(dx, 0, sizeof apart, apart));
    ck_ok(&ctx, tn_buffer_read(x, 0, sizeof in_place, in_place));
    ck_assert_mem_eq(apart, in_place, sizeof apart);
    for (int l = 0; l < L; l++)
        ck_assert_msg(isfinite(loss[l]), "loss[%d] is %g", l, (double)loss[l]);
    ck_assert(loss[1] == 0.0f);
    for (int l = 0; l < L; l++) {
        float sum = 0, largest = 0;
        for (int v = 0; v < V; v++) {
            sum += apart[l * V + v];
            largest = fmaxf(largest, fabsf(apart[l * V + v]));
        }
        ck_assert_msg(fabsf(sum) < 1e-6f && largest <= 0.25f, "row %d sums to %g, up to %g", l, (double)sum,
                      (double)largest);
    }
    tn_buffer *all[] = {x, dx, label, lse, out, predicted};
    for (int i = 0; i < 6; i++)
        tn_buffer_destroy(all[i]);
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

/* Two classes far from zero: a logarithm of sums that was rounded to a float is off by more than the gradient
 * may be. */
START_TEST(test_gradient_far_out) {
    static tn_context ctx;
    static const tn_shape shape = {{60, 2}};
    for (uint64_t seed = 0; seed < 400; seed++)
        ck_ok(&ctx, tn_problem_gradient_check(&ctx, tn_case_find("softmax_cross_entropy"), &shape, seed));
}
END_TEST

int main(void) {
    Suite *suite = tn_test_op_suite("softmax_cross_entropy", 16);
    TCase *more = tcase_create("places");
    tcase_add_test(more, test_in_place_and_far_out);
    tcase_add_test(more, test_gradient_far_out);
    suite_add_tcase(suite, more);
    return tn_test_main(suite);
}
