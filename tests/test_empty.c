/* Shapes with nothing to do: every op, each of its dimensions that is 0 in few of the shapes that are drawn,
 * too few for every variant to meet one: by the variant that it takes and by each of its others, as on a CPU
 * or as on a GPU, which is drawn anew; both with TURNOUT_TEST_ALL. */
#include "support.h"

#include "case.h"
#include "variant.h"

#include <stdio.h>
#include <stdlib.h>

enum { SHAPES = 40 };

/* The first shape by default, and by each variant the first that fits it. */
static void every_variant(tn_context *ctx, tn_device *dev, const tn_case *c, const tn_shape *shapes,
                          int count) {
    const tn_op *op = tn_op_find(c->op);
    int passes = 0;
    while (c->passes[passes])
        passes++;
    ck_assert_int_eq(tn_test_shape_hold(dev, c, &shapes[0]), passes);
    for (int i = 0; op && op->variants[i]; i++) {
        int n = 0;
        ck_ok(ctx, tn_variant_try(dev, op, op->variants[i]));
        while (n < count && tn_test_shape_hold(dev, c, &shapes[n]) == 0)
            n++;
        if (n == count)
            printf("%s/%s fits none of %d\n", op->name, op->variants[i]->name, count);
        tn_tunable_untry(dev, op->name);
    }
}

/* Shapes with nothing to do for dimension `dim` is 0, of those that are drawn, up to SHAPES; 0: there is
 * none, or they are many. */
static int empty_shapes(const tn_case *c, int dim, tn_shape *shapes) {
    enum { DRAWN = 2000, MANY = 300 };
    tn_rng rng = tn_rng_make(tn_test_seed(), TN_RNG_CASE, 77);
    int found = 0;
    for (int n = 0; n < DRAWN; n++) {
        tn_shape drawn = {0};
        c->draw(&rng, &drawn);
        if (drawn.v[dim] != 0 || c->flops(&drawn, 0) != 0)
            continue;
        if (found < SHAPES)
            shapes[found] = drawn;
        found++;
    }
    return found >= MANY ? 0 : found < SHAPES ? found : SHAPES;
}

static void hold_op(const tn_case *c) {
    static tn_context ctx;
    tn_device *dev;
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    for (int dim = 0; c->dims[dim]; dim++) {
        tn_shape shapes[SHAPES];
        const int found = empty_shapes(c, dim, shapes);
        if (found == 0)
            continue;
        printf("%s: no %s\n", c->op, c->dims[dim]);
        every_variant(&ctx, dev, c, shapes, found);
    }
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}

START_TEST(test_empty) {
    const tn_case *c = tn_cases[_i];
    const bool whole = getenv("TURNOUT_TEST_ALL") != NULL, gpu = (tn_test_seed() + (uint64_t)_i) % 2;
    if (whole || gpu) {
        setenv("TURNOUT_KIND", "gpu", 1);
        hold_op(c);
        unsetenv("TURNOUT_KIND");
    }
    if (whole || !gpu)
        hold_op(c);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("empty");
    TCase *tests = tcase_create("ops");
    tcase_set_timeout(tests, 300);
    (void)tn_test_seed(); /* here, so that all tests of the suite have the same */
    tcase_add_loop_test(tests, test_empty, 0, tn_case_count);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
