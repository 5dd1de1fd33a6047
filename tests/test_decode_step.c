/* Beyond the case: attention split among items, what comes out of chunks of keys, and models that say that
 * they have attention, the convolution or a router though none of their layers has it. */
#include "support.h"

#include "case.h"
#include "variant.h"

#include <stdlib.h>

/* model=67: layers that lack one thing in turn, from one that K gives on. window=0 and C=700: keys enough to
 * be split among items. */
static const char *const lacking[] = {
    "rows=2,slots=3,H=2,Hkv=1,Dh=16,K=2,F=32,V=20,layers=1,C=700,model=79,window=0", /* attention */
    "rows=2,slots=3,H=2,Hkv=1,Dh=16,K=4,F=32,V=20,layers=1,C=700,model=67,window=0", /* the convolution */
    "rows=2,slots=3,H=2,Hkv=1,Dh=16,K=3,F=32,V=20,layers=2,C=700,model=71,window=0", /* a router */
};
enum { LACKING = sizeof lacking / sizeof lacking[0] };

START_TEST(test_what_no_layer_has) {
    static tn_context ctx;
    const tn_case *c = tn_case_find("decode_step");
    const tn_op *op = tn_op_find("decode_step");
    tn_shape shape = {{0}};
    tn_device *dev;
    if (!tn_test_drawn("lacking", _i, LACKING))
        return;
    setenv("TURNOUT_TUNE", "decode_step.ALONE=0,decode_step.LEAST=0", 1);
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    ck_ok(&ctx, tn_shape_parse(&ctx, c, lacking[_i], &shape));
    for (int i = 0; op->variants[i]; i++) {
        ck_ok(&ctx, tn_variant_try(dev, op, op->variants[i]));
        ck_assert_msg(tn_test_shape_hold(dev, c, &shape) == 1, "%s refuses it: %s", op->variants[i]->name,
                      ctx.message);
        tn_tunable_untry(dev, op->name);
    }
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

int main(void) {
    Suite *suite = tn_test_op_suite("decode_step", 4);
    tn_test_op_tuned(suite, "decode_step.CHUNK=16,decode_step.ALONE=0,decode_step.LEAST=0");
    TCase *tests = tcase_create("lacking");
    tcase_set_timeout(tests, 300);
    tcase_add_loop_test(tests, test_what_no_layer_has, 0, LACKING);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
