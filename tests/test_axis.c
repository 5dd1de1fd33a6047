/* Lists of the command line as a sweep's axes. */
#include "axis.h"
#include "suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static tn_context ctx;
static const tn_axis_kind T = {"T", "256..65536*2 or 126,510", 1, 1 << 24, true},
                          rho = {"rho", "0,0.001..1*10", 0, 1, false},
                          cores = {"cores", "1..N*2", 1, 6, true, 6};

static void gives(const tn_axis_kind *kind, const char *text, int count, const double *want) {
    tn_axis axis;
    ck_assert_msg(tn_axis_parse(&ctx, kind, text, &axis) == TN_OK, "%s", ctx.message);
    ck_assert_msg(axis.count == count, "'%s' gives %d values, not %d", text, axis.count, count);
    for (int i = 0; i < count; i++)
        ck_assert_msg(fabs(axis.v[i] - want[i]) <= 1e-12 * fabs(want[i]),
                      "'%s': value %d is %.17g, not %.17g", text, i, axis.v[i], want[i]);
}
#define GIVES(kind, text, ...)                                                                               \
    do {                                                                                                     \
        const double want_[] = {__VA_ARGS__};                                                                \
        gives(kind, text, sizeof want_ / sizeof want_[0], want_);                                            \
    } while (0)

START_TEST(values_and_ranges) {
    GIVES(&T, "256", 256);
    GIVES(&T, "510,126", 510, 126);
    GIVES(&T, "256..2048*2", 256, 512, 1024, 2048);
    GIVES(&T, "1..10+3", 1, 4, 7, 10);
    GIVES(&T, "1..11+3", 1, 4, 7, 10, 11); /* both ends are in */
    GIVES(&T, "100..300*1.5", 100, 150, 225, 300);
    GIVES(&T, "64..64*2", 64);
    GIVES(&T, "256,128..512*2,512", 256, 128, 512);
    GIVES(&rho, "0,0.001..1*10", 0, 0.001, 0.01, 0.1, 1);
    GIVES(&rho, "0..1+0.25", 0, 0.25, 0.5, 0.75, 1);
    GIVES(&rho, "1e-3,.5", 0.001, 0.5);
    GIVES(&cores, "1..N*2", 1, 2, 4, 6);
    GIVES(&cores, "N,1", 6, 1);
}
END_TEST

static void refuses(const tn_axis_kind *kind, const char *text, const char *item) {
    tn_axis axis;
    ck_assert_msg(tn_axis_parse(&ctx, kind, text, &axis) == TN_ERR_ARG, "'%s' was taken", text);
    ck_assert_msg(strstr(ctx.message, item) && strstr(ctx.message, kind->name) &&
                      strstr(ctx.message, kind->example),
                  "'%s' names neither '%s' nor an example: %s", text, item, ctx.message);
}

START_TEST(mistakes_name_the_item_and_an_example) {
    refuses(&T, "", "''");
    refuses(&T, "256,", "''");
    refuses(&T, "abc", "'abc'");
    refuses(&T, "256,12x", "'12x'");
    refuses(&T, "2.5", "'2.5'");
    refuses(&T, "0", "'0'");
    refuses(&T, "256..1024", "without *FACTOR or +STEP");
    refuses(&T, "256..1024*1", "a factor above 1");
    refuses(&T, "256..1024*0.5", "a factor above 1");
    refuses(&T, "256..1024+0", "a step above 0");
    refuses(&T, "1024..256*2", "goes downwards");
    refuses(&T, "256..1024*2x", "behind its range");
    refuses(&T, "1..1000+1", "more than 64 values");
    refuses(&T, "N", "'N'");
    refuses(&rho, "1.5", "'1.5'");
    refuses(&rho, "-0.1", "'-0.1'");
    refuses(&rho, "0..1*2", "a start above 0");
    refuses(&rho, "nan", "'nan'");
    refuses(&cores, "7", "'7'");
}
END_TEST

START_TEST(lists_of_words) {
    static const char *const choices[] = {"op", "layer", "model", NULL};
    tn_words words = {.count = 0};
    ck_assert(tn_words_allow(&words, "op")); /* no list leaves nothing out */
    ck_assert_int_eq(tn_words_parse(&ctx, "level", "layer,op,layer", choices, &words), TN_OK);
    ck_assert_int_eq(words.count, 2);
    ck_assert(tn_words_allow(&words, "op") && tn_words_allow(&words, "layer"));
    ck_assert(!tn_words_allow(&words, "model"));
    ck_assert_int_eq(tn_words_parse(&ctx, "level", "op,opp", choices, &words), TN_ERR_ARG);
    ck_assert_ptr_nonnull(strstr(ctx.message, "'opp' is none of op, layer, model"));
    ck_assert_int_eq(tn_words_parse(&ctx, "level", "", choices, &words), TN_ERR_ARG);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("axis");
    TCase *tests = tcase_create("axis");
    tcase_add_test(tests, values_and_ranges);
    tcase_add_test(tests, mistakes_name_the_item_and_an_example);
    tcase_add_test(tests, lists_of_words);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
