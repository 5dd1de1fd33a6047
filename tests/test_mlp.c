/* Beyond the case: both variants give the same bits, forward and backward, where a device takes both;
 * training takes the fused one where there are rows enough for every unit. */
#include "support.h"

#include "mlp.h"
#include "rng.h"

#include <string.h>

enum { X, NORM, UP, UP_BIAS, DOWN, DOWN_BIAS, DY, INPUTS };
enum { Y = INPUTS, RSTD, UP_ROWS, U, ACT, DX, DNORM, DUP, DUP_BIAS, DDOWN, DDOWN_BIAS, ALL };

static tn_mlp_weights weights(tn_buffer *const *b, int first) {
    return (tn_mlp_weights){.norm = b[first],
                            .up = b[first + 1],
                            .up_bias = b[first + 2],
                            .down = b[first + 3],
                            .down_bias = b[first + 4]};
}

/* Forward, then backward, by one variant: every result, one behind the other. */
static float *results(tn_context *ctx, const char *variant, const tn_mlp_shape *s, size_t *floats) {
    size_t ND = (size_t)(s->N * s->D), NF = (size_t)(s->N * s->F), D = (size_t)s->D, F = (size_t)s->F;
    const size_t counts[ALL] = {ND,    D,
                                D * F, F,
                                D * F, D,
                                ND, /* inputs */
                                ND,    (size_t)s->N,
                                NF,    ND,
                                NF,    ND,
                                D,     D * F,
                                F,     D * F,
                                D};
    tn_rng rng = tn_rng_make(1, TN_RNG_CASE, 8);
    tn_device *dev;
    tn_buffer *b[ALL];
    float *host = calloc(NF + ND, sizeof *host), *got = calloc(6 * (NF + ND + D * F), sizeof *got);
    ck_assert(host && got);
    setenv("TURNOUT_VARIANT", variant, 1);
    ck_ok(ctx, tn_device_open_selected(ctx, getenv("TURNOUT_DEVICE"), &dev));
    for (int i = 0; i < ALL; i++) {
        ck_ok(ctx, tn_buffer_create(dev, counts[i] * 4, &b[i]));
        for (size_t k = 0; i < INPUTS && k < counts[i]; k++)
            host[k] = (float)tn_rng_normal(&rng) * (i == UP || i == DOWN ? 0.125f : 1);
        if (i < INPUTS)
            ck_ok(ctx, tn_buffer_write(b[i], 0, counts[i] * 4, host));
    }
    tn_mlp_weights w = weights(b, NORM), grads = weights(b, DNORM);
    tn_mlp_saved saved = {b[RSTD], b[UP_ROWS], b[U], b[ACT]};
    ck_ok(ctx, tn_mlp_forward(dev, s, true, b[Y], &saved, b[X], &w));
    ck_ok(ctx, tn_mlp_backward(dev, s, b[DX], &grads, b[DY], b[X], &w, &saved, NULL));
    *floats = 0;
    for (int i = INPUTS; i < ALL; i++) {
        if (i != U && i != ACT) { /* which the composed variant has alone */
            ck_ok(ctx, tn_buffer_read(b[i], 0, counts[i] * 4, got + *floats));
            *floats += counts[i];
        }
        tn_buffer_destroy(b[i]);
    }
    for (int i = 0; i < INPUTS; i++)
        tn_buffer_destroy(b[i]);
    tn_device_close(dev);
    unsetenv("TURNOUT_VARIANT");
    free(host);
    return got;
}

START_TEST(test_same_bits) {
    static const tn_mlp_shape shapes[] = {
        {4096, 64, 128, 1e-5f}, {2309, 32, 64, 1e-5f}, {4001, 96, 96, 1e-5f}};
    static tn_context ctx;
    size_t floats, others;
    float *fused = results(&ctx, "mlp=fused", &shapes[_i], &floats);
    float *composed = results(&ctx, "mlp=composed", &shapes[_i], &others);
    tn_test_same_bits(fused, floats, composed, others);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

static bool is_fused(tn_context *ctx, tn_device *dev, const tn_mlp_shape *s, bool training) {
    bool fused;
    ck_ok(ctx, tn_mlp_is_fused(dev, s, training, &fused));
    return fused;
}

START_TEST(test_when_fused) {
    static tn_context ctx;
    tn_device *dev;
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    const tn_mlp_shape few = {64, 64, 128, 1e-5f}, odd = {1 << 20, 63, 128, 1e-5f};
    ck_assert(!is_fused(&ctx, dev, &few, true)); /* one partial sum */
    ck_assert(!is_fused(&ctx, dev, &odd, true) && !is_fused(&ctx, dev, &odd, false));
    tn_device_close(dev);
    setenv("TURNOUT_KIND", "gpu", 1);
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    const tn_mlp_shape many = {1 << 20, 64, 128, 1e-5f};
    ck_assert(!is_fused(&ctx, dev, &many, true) && !is_fused(&ctx, dev, &many, false));
    unsetenv("TURNOUT_KIND");
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

int main(void) {
    Suite *suite = tn_test_op_suite("mlp", 8);
    TCase *more = tcase_create("more");
    tcase_set_timeout(more, 240);
    tcase_add_loop_test(more, test_same_bits, 0, 3);
    tcase_add_test(more, test_when_fused);
    suite_add_tcase(suite, more);
    return tn_test_main(suite);
}
