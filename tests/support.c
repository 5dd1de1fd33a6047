#include "support.h"

#include "case.h"
#include "variant.h"

#include <stdio.h>

enum { MORE = 80 }; /* random shapes that are drawn until each pass had one that fits */
static const char *op_name;
static int op_cases;
static const char *op_tune;

/* Bits of the passes that some random shape gives an f32 input. */
static unsigned passes_with_floats(const tn_case *c) {
    tn_rng rng = tn_rng_make(1, TN_RNG_CASE, 0);
    unsigned bits = 0;
    for (int tries = 0; tries < 20; tries++) {
        tn_shape shape = {{0}};
        c->draw(&rng, &shape);
        for (int pass = 0; c->passes[pass]; pass++) {
            tn_tensor t[TN_CASE_TENSORS] = {{NULL}};
            for (int n = c->tensors(&shape, pass, t); n-- > 0;)
                bits |= (t[n].type == TN_F32 && t[n].role == TN_IN && t[n].count ? 1u : 0u) << pass;
        }
    }
    return bits;
}

/* Bits of the passes that a variant has; NULL: of all. */
static unsigned passes_of(const tn_case *c, const tn_variant *variant) {
    unsigned bits = 0;
    for (int pass = 0; c->passes[pass]; pass++)
        bits |= (!variant || tn_variant_has_pass(variant, pass) ? 1u : 0u) << pass;
    return bits;
}

/* Bits of the passes that ran. */
static unsigned hold(tn_context *ctx, tn_device *dev, const tn_case *c, const tn_variant *variant) {
    tn_verify_result result;
    unsigned fitted = 0, poisoned = 0, wanted = passes_of(c, variant);
    /* Defaults of the other style may fit nothing, nor may values that a test sets. */
    const bool must =
        !variant || variant->portable || (variant->style == tn_device_style(dev) && !getenv("TURNOUT_TUNE"));
    const unsigned floats = passes_with_floats(c) & wanted;
    /* What few shapes fit is given more of them. */
    const uint64_t rounds = must ? (uint64_t)(1 + MORE / op_cases) : 1;
    for (uint64_t round = 0; round < rounds && (fitted != wanted || poisoned != floats); round++) {
        ck_ok(ctx, tn_verify_op(dev, c, op_cases, tn_test_seed() + round, &result));
        ck_assert_int_eq(result.cases, op_cases);
        for (int pass = 0; c->passes[pass]; pass++)
            fitted |= (result.fitted[pass] > 0 ? 1u : 0u) << pass;
        poisoned |= result.poison.passes;
    }
    ck_assert_msg(!must || fitted == wanted, "%s %s: no shape was drawn that fits it: passes %x of %x", c->op,
                  variant ? variant->name : "", fitted, wanted);
    ck_assert_msg(!must || poisoned == floats, "%s %s: not every pass was held to poison.h: %x of %x", c->op,
                  variant ? variant->name : "", poisoned, floats);
    return fitted;
}

/* Every variant of the op, and what is chosen where nothing is tried. */
static void all_cases_pass(void) {
    static tn_context ctx;
    tn_device *dev;
    const tn_case *c = tn_case_find(op_name);
    const tn_op *op = tn_op_find(op_name);
    ck_assert_msg(c != NULL, "no case for %s", op_name);
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    hold(&ctx, dev, c, NULL);
    for (int i = 0; op && op->variants[1] && op->variants[i]; i++) {
        ck_ok(&ctx, tn_variant_try(dev, op, op->variants[i]));
        ck_assert(hold(&ctx, dev, c, op->variants[i]) == 0 ||
                  tn_variant_ran(dev, op_name) == op->variants[i]);
        tn_tunable_untry(dev, op_name);
    }
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}

START_TEST(test_cases) {
    all_cases_pass();
}
END_TEST

START_TEST(test_cases_gpu_style) {
    setenv("TURNOUT_KIND", "gpu", 1); /* the tunables a GPU would get, on whatever device there is */
    all_cases_pass();
    unsetenv("TURNOUT_KIND");
}
END_TEST

START_TEST(test_cases_tuned) {
    setenv("TURNOUT_TUNE", op_tune, 1);
    all_cases_pass();
    unsetenv("TURNOUT_TUNE");
}
END_TEST

void tn_test_op_tuned(Suite *suite, const char *tune) {
    op_tune = tune;
    TCase *fuzz = tcase_create(tune);
    tcase_set_timeout(fuzz, 300);
    tcase_add_test(fuzz, test_cases_tuned);
    suite_add_tcase(suite, fuzz);
}

Suite *tn_test_op_suite(const char *op, int cases) {
    (void)tn_test_seed(); /* here, so that all tests of the suite have the same */
    op_name = op;
    op_cases = cases;
#ifdef __SANITIZE_ADDRESS__ /* it is the C code around the kernels that counts here */
    op_cases = cases < 4 ? cases : 4;
#endif
    Suite *suite = suite_create(op);
    TCase *fuzz = tcase_create("cases");
    tcase_set_timeout(fuzz, 300);
    tcase_add_test(fuzz, test_cases);
    tcase_add_test(fuzz, test_cases_gpu_style);
    suite_add_tcase(suite, fuzz);
    return suite;
}

int tn_test_shape_hold(tn_device *dev, const tn_case *c, const tn_shape *shape) {
    tn_context *ctx = tn_device_context(dev);
    const tn_op *op = tn_op_find(c->op);
    char text[256];
    int fitted = 0;
    tn_shape_print(c, shape, text, sizeof text);
    for (int pass = 0; c->passes[pass]; pass++) {
        tn_problem problem;
        double worst;
        ck_ok(ctx, tn_problem_make(ctx, dev, c, pass, shape, tn_test_seed(), &problem));
        const tn_status status = tn_problem_verify(ctx, &problem, &worst);
        ck_assert_msg(status == TN_OK || (status == TN_ERR_UNSUPPORTED && op && tn_variant_unfit(dev, op)),
                      "%s %s, shape %s: %s", c->op, c->passes[pass], text, ctx->message);
        fitted += status == TN_OK;
        tn_problem_free(ctx, &problem);
    }
    return fitted;
}

void tn_test_buffers_make(tn_device *dev, const size_t *counts, int inputs, unsigned weights, int count,
                          tn_buffer **out) {
    tn_context *ctx = tn_device_context(dev);
    tn_rng rng = tn_rng_make(1, TN_RNG_CASE, 8);
    for (int i = 0; i < count; i++) {
        ck_ok(ctx, tn_buffer_create(dev, counts[i] * 4, &out[i]));
        if (i >= inputs) {
            ck_ok(ctx, tn_buffer_zero(out[i]));
            continue;
        }
        float *host = calloc(counts[i], sizeof *host);
        ck_assert_ptr_nonnull(host);
        for (size_t k = 0; k < counts[i]; k++)
            host[k] = (float)tn_rng_normal(&rng) * (weights >> i & 1u ? 0.125f : 1);
        ck_ok(ctx, tn_buffer_write(out[i], 0, counts[i] * 4, host));
        free(host);
    }
}

float *tn_test_buffers_read(tn_buffer *const *buffers, const size_t *counts, int first, int end,
                            size_t *floats) {
    size_t all = 0;
    for (int i = first; i < end; i++)
        all += counts[i];
    float *got = calloc(all, sizeof *got);
    ck_assert_ptr_nonnull(got);
    *floats = 0;
    for (int i = first; i < end; *floats += counts[i++])
        ck_assert_int_eq(tn_buffer_read(buffers[i], 0, counts[i] * 4, got + *floats), TN_OK);
    return got;
}

void tn_test_buffers_destroy(tn_buffer **buffers, int count) {
    for (int i = 0; i < count; i++)
        tn_buffer_destroy(buffers[i]);
}

void tn_test_same_bits(float *fused, size_t floats, float *composed, size_t others) {
    ck_assert_uint_eq(floats, others);
    for (size_t i = 0; i < floats; i++)
        ck_assert_msg(memcmp(&fused[i], &composed[i], 4) == 0, "float %zu of %zu: fused %.9g, composed %.9g",
                      i, floats, (double)fused[i], (double)composed[i]);
    free(fused);
    free(composed);
}
