/* Beyond the case: both variants give the same bits, forward and backward, with and without a router and
 * something to add; when the fused one is chosen; the reference's gradients against finite differences. */
#include "support.h"

#include "causal_conv_ref.h"
#include "conv_track.h"
#include "conv_track_ref.h"
#include "gemm_ref.h"
#include "rng.h"

#include <math.h>
#include <string.h>

enum { X, NORM, ROUTER, ROUTER_BIAS, CONV, CONV_BIAS, OUT, DC, INPUTS };
/* S and DS are of the composed variant alone. */
enum { C = INPUTS, U, RSTD, P, H, DU, DCONV, DCONV_BIAS, DOUT, S, DS, ALL };

/* Forward, then backward, by one variant: every result, one behind the other. */
static float *results(tn_context *ctx, const char *variant, const tn_conv_track_shape *s, bool router,
                      size_t *floats) {
    size_t N = (size_t)(s->B * s->T), D = (size_t)s->D, K = (size_t)s->K, ND = N * D;
    const size_t counts[ALL] = {ND, D,  D, 1, D * K,       D,  D * D, ND, /* inputs */
                                ND, ND, N, N, (N + 3) / 4, ND, D * K, D,  D * D, ND, ND};
    tn_device *dev;
    tn_buffer *b[ALL];
    setenv("TURNOUT_VARIANT", variant, 1);
    ck_ok(ctx, tn_device_open_selected(ctx, getenv("TURNOUT_DEVICE"), &dev));
    tn_test_buffers_make(dev, counts, INPUTS, 1u << OUT, ALL, b);
    tn_conv_track_weights w = {.norm = b[NORM],
                               .router = router ? b[ROUTER] : NULL,
                               .router_bias = router ? b[ROUTER_BIAS] : NULL,
                               .conv = b[CONV],
                               .conv_bias = b[CONV_BIAS],
                               .out = b[OUT]},
                          grads = {.conv = b[DCONV], .conv_bias = b[DCONV_BIAS], .out = b[DOUT]};
    tn_conv_track_saved saved = {b[U], b[RSTD], b[S], b[P], b[H]};
    ck_ok(ctx, tn_conv_track_forward(dev, s, true, b[C], &saved, b[X], &w, router ? NULL : b[X]));
    ck_ok(ctx, tn_conv_track_backward(dev, s, b[DU], &grads, b[DS], b[DC], &w, &saved, NULL));
    float *got = tn_test_buffers_read(b, counts, INPUTS, S, floats);
    tn_test_buffers_destroy(b, ALL);
    tn_device_close(dev);
    unsetenv("TURNOUT_VARIANT");
    return got;
}

START_TEST(test_same_bits) {
    /* Parts of 512 rows: of whole sequences, of several tiles of one, of one that ends within it. */
    static const tn_conv_track_shape shapes[] = {{32, 128, 64, 4, 1e-5f, 0},
                                                 {8, 512, 32, 4, 1e-5f, 0.5},
                                                 {75, 32, 96, 7, 1e-5f, 0.25},
                                                 {1, 2176, 32, 16, 1e-5f, 0}};
    static tn_context ctx;
    size_t floats, others;
    const tn_conv_track_shape *s = &shapes[_i / 2];
    float *fused = results(&ctx, "conv_track=fused", s, _i % 2, &floats);
    float *composed = results(&ctx, "conv_track=composed", s, _i % 2, &others);
    tn_test_same_bits(fused, floats, composed, others);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

static bool is_fused(tn_context *ctx, tn_device *dev, const tn_conv_track_shape *s, bool training) {
    bool fused;
    ck_ok(ctx, tn_conv_track_is_fused(dev, s, training, &fused));
    return fused;
}

START_TEST(test_when_fused) {
    static tn_context ctx;
    tn_device *dev;
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    const tn_conv_track_shape few = {1, 64, 64, 4, 1e-5f, 0}, odd = {1 << 13, 128, 63, 4, 1e-5f, 0};
    const tn_conv_track_shape cut = {1 << 13, 130, 64, 4, 1e-5f, 0}, many = {1 << 13, 128, 64, 4, 1e-5f, 0};
    ck_assert(!is_fused(&ctx, dev, &few, true)); /* one partial sum */
    ck_assert(!is_fused(&ctx, dev, &cut, true)); /* which would end within a tile */
    ck_assert(!is_fused(&ctx, dev, &odd, true) && !is_fused(&ctx, dev, &odd, false));
    tn_device_close(dev);
    setenv("TURNOUT_KIND", "gpu", 1);
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    ck_assert(!is_fused(&ctx, dev, &many, true) && !is_fused(&ctx, dev, &many, false));
    unsetenv("TURNOUT_KIND");
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

enum { FB = 2, FT = 5, FD = 3, FK = 4, FN = FB * FT };

/* u, conv, conv_bias, out: what the track's own gradients are of. */
typedef struct fields {
    double u[FN * FD], conv[FD * FK], bias[FD], out[FD * FD];
} fields;

/* Σ c·dc with c from u on, and s on the way: the forward pass begins with a norm, the gradients end at u. */
static double objective(const fields *f, const double *dc, double *s) {
    double c[FN * FD], sum = 0;
    tn_causal_conv_forward_ref(FB, FT, FD, FK, 1, s, f->u, f->conv, f->bias);
    tn_gemm_ref(false, true, FN, FD, FD, c, s, f->out, NULL, NULL);
    for (int i = 0; i < FN * FD; i++)
        sum += c[i] * dc[i];
    return sum;
}

START_TEST(test_gradient) {
    fields f, got;
    double dc[FN * FD], ds[FN * FD], s[FN * FD], other[FN * FD], *values = (double *)&f,
                                                                 *gradients = (double *)&got;
    const double step = 1e-5;
    tn_rng rng = tn_rng_make(1, TN_RNG_CASE, 0);
    for (size_t i = 0; i < sizeof f / sizeof *values; i++)
        values[i] = tn_rng_normal(&rng);
    for (int i = 0; i < FN * FD; i++)
        dc[i] = tn_rng_normal(&rng);
    objective(&f, dc, s);
    tn_conv_track_backward_ref(FB, FT, FD, FK, got.u, got.conv, got.bias, got.out, ds, dc, f.u, s, f.conv,
                               f.bias, f.out);
    for (size_t i = 0; i < sizeof f / sizeof *values; i++) {
        double kept = values[i];
        values[i] = kept + step;
        double high = objective(&f, dc, other);
        values[i] = kept - step;
        double low = objective(&f, dc, other);
        values[i] = kept;
        ck_assert_msg(fabs((high - low) / (2 * step) - gradients[i]) <= 1e-8,
                      "value %zu: gradient %.12g, finite differences %.12g", i, gradients[i],
                      (high - low) / (2 * step));
    }
}
END_TEST

int main(void) {
    Suite *suite = tn_test_op_suite("conv_track", 4);
    TCase *more = tcase_create("more");
    tcase_set_timeout(more, 240);
    tn_test_add_drawn(more, test_same_bits, 0, 8, 4);
    tcase_add_test(more, test_when_fused);
    tcase_add_test(more, test_gradient);
    suite_add_tcase(suite, more);
    return tn_test_main(suite);
}
