/* Beyond the case: variants give the same bits, forward and backward, where a device takes them; training
 * takes the fused one of a CPU where there are rows enough for every unit. */
#include "support.h"

#include "mlp.h"
#include "variant.h"

#include <string.h>

enum { X, NORM, UP, UP_BIAS, DOWN, DOWN_BIAS, DY, INPUTS };
/* U and ACT are of the composed variant alone. */
enum { Y = INPUTS, RSTD, UP_ROWS, DX, DNORM, DUP, DUP_BIAS, DDOWN, DDOWN_BIAS, U, ACT, ALL };

static tn_mlp_weights weights(tn_buffer *const *b, int first) {
    return (tn_mlp_weights){.norm = b[first],
                            .up = b[first + 1],
                            .up_bias = b[first + 2],
                            .down = b[first + 3],
                            .down_bias = b[first + 4]};
}

/* Forward, then backward, by one variant: every result, one behind the other. Forward alone: with what it
 * leaves in u and act. */
static float *results(tn_context *ctx, const char *variant, const tn_mlp_shape *s, bool backward,
                      size_t *floats) {
    size_t ND = (size_t)(s->N * s->D), NF = (size_t)(s->N * s->F), D = (size_t)s->D, F = (size_t)s->F;
    const size_t counts[ALL] = {
        [X] = ND,         [NORM] = D,  [UP] = D * F,  [UP_BIAS] = F,         [DOWN] = D * F,
        [DOWN_BIAS] = D,  [DY] = ND,   [Y] = ND,      [RSTD] = (size_t)s->N, [UP_ROWS] = NF,
        [DX] = ND,        [DNORM] = D, [DUP] = D * F, [DUP_BIAS] = F,        [DDOWN] = D * F,
        [DDOWN_BIAS] = D, [U] = ND,    [ACT] = NF};
    tn_device *dev;
    tn_buffer *b[ALL];
    setenv("TURNOUT_VARIANT", variant, 1);
    ck_ok(ctx, tn_device_open_selected(ctx, getenv("TURNOUT_DEVICE"), &dev));
    tn_test_buffers_make(dev, counts, INPUTS, 1u << UP | 1u << DOWN, ALL, b);
    tn_mlp_weights w = weights(b, NORM), grads = weights(b, DNORM);
    tn_mlp_saved saved = {b[RSTD], b[UP_ROWS], b[U], b[ACT]};
    ck_ok(ctx, tn_mlp_forward(dev, s, true, b[Y], &saved, b[X], &w));
    ck_assert_str_eq(tn_variant_ran(dev, "mlp")->name, strchr(variant, '=') + 1);
    if (backward)
        ck_ok(ctx, tn_mlp_backward(dev, s, b[DX], &grads, b[DY], b[X], &w, &saved, NULL));
    float *got = tn_test_buffers_read(b, counts, INPUTS, backward ? U : ALL, floats);
    tn_test_buffers_destroy(b, ALL);
    tn_device_close(dev);
    unsetenv("TURNOUT_VARIANT");
    return got;
}

START_TEST(test_same_bits) {
    static const tn_mlp_shape shapes[] = {
        {4096, 64, 128, 1e-5f}, {2309, 32, 64, 1e-5f}, {4001, 96, 96, 1e-5f}};
    static tn_context ctx;
    size_t floats, others;
    float *fused = results(&ctx, "mlp=fused", &shapes[_i], true, &floats);
    float *composed = results(&ctx, "mlp=composed", &shapes[_i], true, &others);
    tn_test_same_bits(fused, floats, composed, others);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

enum { TILES = 8 /* of all shapes below */ };

/* Every tile that a work-group may have, with edges; what backward, composed's, takes from forward too. */
START_TEST(test_same_bits_of_groups) {
    static const struct {
        tn_mlp_shape shape;
        const char *tiles;
    } cases[] = {{{77, 60, 76, 1e-5f}, "0126"}, {{33, 124, 256, 1e-5f}, "345"}, {{5, 4, 8, 1e-5f}, "2"}};
    static tn_context ctx;
    char tune[] = "mlp.TILE=?";
    size_t floats, others;
    int shape = 0, tile = _i;
    for (; tile >= (int)strlen(cases[shape].tiles); shape++)
        tile -= (int)strlen(cases[shape].tiles);
    tune[sizeof tune - 2] = cases[shape].tiles[tile];
    setenv("TURNOUT_KIND", "gpu", 1);
    setenv("TURNOUT_TUNE", tune, 1);
    float *fused = results(&ctx, "mlp=fused_groups", &cases[shape].shape, false, &floats);
    float *composed = results(&ctx, "mlp=composed", &cases[shape].shape, false, &others);
    tn_test_same_bits(fused, floats, composed, others);
    unsetenv("TURNOUT_TUNE");
    unsetenv("TURNOUT_KIND");
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
    ck_assert(!is_fused(&ctx, dev, &many, true) && is_fused(&ctx, dev, &many, false));
    ck_assert(is_fused(&ctx, dev, &few, false) && !is_fused(&ctx, dev, &odd, false));
    unsetenv("TURNOUT_KIND");
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

int main(void) {
    Suite *suite = tn_test_op_suite("mlp", 3);
    TCase *more = tcase_create("more");
    tcase_set_timeout(more, 240);
    tn_test_add_drawn(more, test_same_bits, 0, 3, 3);
    tn_test_add_drawn(more, test_same_bits_of_groups, 0, TILES, 4);
    tcase_add_test(more, test_when_fused);
    suite_add_tcase(suite, more);
    return tn_test_main(suite);
}
