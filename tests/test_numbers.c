/* Numbers and lists of k=v as people write them: one reader for all of them. */
#include "pairs.h"
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static tn_context ctx;

static void whole(const char *text, int64_t want) {
    int64_t value = -77;
    ck_assert_msg(tn_number_int(&ctx, "--n", tn_slice_of(text), INT64_MIN, INT64_MAX, &value) == TN_OK, "%s",
                  ctx.message);
    ck_assert_msg(value == want, "'%s' is %lld", text, (long long)value);
}

START_TEST(whole_numbers) {
    whole("0", 0);
    whole("-0", 0);
    whole("42", 42);
    whole("-42", -42);
    whole("010", 10); /* no octal */
    whole("0x10", 16);
    whole("0XfF", 255);
    whole("-0x10", -16);
    whole("1e3", 1000);
    whole("1E+3", 1000);
    whole("1.5e3", 1500);
    whole("1.500e1", 15);
    whole("100e-2", 1);
    whole("4096.0", 4096);
    whole("0.000", 0);
    whole("0e99999999999", 0);
    whole("9223372036854775807", INT64_MAX);
    whole("9007199254740993", 9007199254740993); /* no double holds it */
    whole("9.007199254740993e15", 9007199254740993);
    uint64_t large;
    ck_assert_int_eq(tn_number_uint64(&ctx, "--seed", tn_slice_of("0xffffffffffffffff"), &large), TN_OK);
    ck_assert(large == UINT64_MAX);
    ck_assert_int_eq(tn_number_uint64(&ctx, "--seed", tn_slice_of("18446744073709551615"), &large), TN_OK);
    ck_assert(large == UINT64_MAX);
}
END_TEST

START_TEST(what_is_no_whole_number) {
    static const char *const wrong[] = {"",
                                        " 1",
                                        "1 ",
                                        "+1",
                                        "-",
                                        "--1",
                                        "1x",
                                        "x",
                                        "1.5",
                                        "1e-1",
                                        "1.5e0",
                                        "0x",
                                        "0x1g",
                                        "1e",
                                        "1e+",
                                        "nan",
                                        ".",
                                        "1..2",
                                        "0x1p4",
                                        "1e19",
                                        "9223372036854775808",
                                        "1e99999999999999999999",
                                        "inf"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        int64_t value;
        ck_assert_msg(tn_number_int(&ctx, "--n", tn_slice_of(wrong[i]), -9e18, INT64_MAX, &value) ==
                          TN_ERR_ARG,
                      "'%s' is taken", wrong[i]);
    }
    static const char *const large[] = {"-1", "18446744073709551616", "1.5", "0x10000000000000000"};
    for (size_t i = 0; i < sizeof large / sizeof large[0]; i++) {
        uint64_t value;
        ck_assert_int_eq(tn_number_uint64(&ctx, "--seed", tn_slice_of(large[i]), &value), TN_ERR_ARG);
    }
    int64_t value;
    ck_assert_int_eq(tn_number_int(&ctx, "--n", tn_slice_of("65"), 1, 64, &value), TN_ERR_ARG);
    ck_assert_str_eq(ctx.message, "--n wants a whole number from 1 to 64, not '65'");
}
END_TEST

START_TEST(real_numbers) {
    static const char *const texts[] = {"0.05",
                                        ".5",
                                        "5.",
                                        "-2.5e-3",
                                        "1e300",
                                        "0.1",
                                        "1e-9",
                                        "3e0",
                                        "123456789012345678901234567890",
                                        "2.2250738585072014e-308"};
    double value;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        ck_assert_msg(tn_number_real(&ctx, "--x", tn_slice_of(texts[i]), 0, 0, &value) == TN_OK, "%s",
                      ctx.message);
        ck_assert_msg(value == strtod(texts[i], NULL), "'%s' is %.17g", texts[i], value);
    }
    ck_assert_int_eq(tn_number_real(&ctx, "--x", tn_slice_of("0x10"), 0, 100, &value), TN_OK);
    ck_assert(value == 16);
    static const char *const wrong[] = {"",    "nan", "inf",  "-inf", "1e999", "0x1p4",
                                        "1,5", "+.5", " 0.5", "e5",   "-",     "0.5 "};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        ck_assert_msg(tn_number_real(&ctx, "--x", tn_slice_of(wrong[i]), 0, 0, &value) == TN_ERR_ARG,
                      "'%s' is taken", wrong[i]);
    ck_assert_int_eq(tn_number_real(&ctx, "--x", tn_slice_of("1.5"), 0, 1, &value), TN_ERR_ARG);
    ck_assert_str_eq(ctx.message, "--x wants a number from 0 to 1, not '1.5'");
}
END_TEST

START_TEST(a_number_at_the_beginning) {
    tn_number n;
    ck_assert_uint_eq(tn_number_read(tn_slice_of("256..1024*2"), &n), 3);
    ck_assert(n.whole && n.magnitude == 256 && n.real == 256);
    ck_assert_uint_eq(tn_number_read(tn_slice_of("0.25..1"), &n), 4);
    ck_assert(!n.whole && n.real == 0.25);
    ck_assert_uint_eq(tn_number_read(tn_slice_of("2epochs"), &n), 1);
    ck_assert_uint_eq(tn_number_read((tn_slice){"12345", 2}, &n), 2); /* not beyond the slice */
    ck_assert(n.magnitude == 12 && n.real == 12);
    ck_assert_uint_eq(tn_number_read(tn_slice_of("N"), &n), 0);
}
END_TEST

/* "key=value|key=value" of all parts; "!" for one without a value. */
static const char *parts_of(const char *text) {
    static char out[512];
    size_t used = 0;
    tn_pair pair;
    int index = 0;
    out[0] = '\0';
    for (tn_pairs pairs = tn_pairs_of(text); tn_pairs_next(&pairs, &pair);) {
        ck_assert_int_eq(pair.index, ++index);
        used += (size_t)snprintf(out + used, sizeof out - used, "%s%.*s%s%.*s", used ? "|" : "",
                                 tn_slice_shown(pair.key), pair.key.at, pair.value.at ? "=" : "!",
                                 tn_slice_shown(pair.value), pair.value.at ? pair.value.at : "");
    }
    return out;
}

START_TEST(parts_of_a_list) {
    ck_assert_str_eq(parts_of(""), "");
    ck_assert_str_eq(parts_of(" \t"), "");
    ck_assert_str_eq(parts_of("B=2"), "B=2");
    ck_assert_str_eq(parts_of("B=2,T=3"), "B=2|T=3");
    ck_assert_str_eq(parts_of(" B=2  T=3\t,  D=4 \n"), "B=2|T=3|D=4");
    ck_assert_str_eq(parts_of("B=2,,T=3"), "B=2|!|T=3");
    ck_assert_str_eq(parts_of("B=2,"), "B=2|!");
    ck_assert_str_eq(parts_of(",B=2"), "!|B=2");
    ck_assert_str_eq(parts_of("B,T="), "B!|T=");
    ck_assert_str_eq(parts_of("a=b=c"), "a=b=c");
}
END_TEST

static tn_status read(const char *text, int64_t *B, double *rho) {
    tn_pair_field fields[] = {{.name = "B", .whole = B, .low = 1, .high = 64},
                              {.name = "rho", .real = rho, .low = 0, .high = 1}};
    return tn_pairs_read(&ctx, "shape of x", text, fields, 2);
}

START_TEST(fields_of_a_list) {
    int64_t B = 7;
    double rho = 0.5;
    ck_assert_int_eq(read("", &B, &rho), TN_OK);
    ck_assert(B == 7 && rho == 0.5);
    ck_assert_int_eq(read("rho=.25 B=6e1", &B, &rho), TN_OK);
    ck_assert(B == 60 && rho == 0.25);
    static const char *const wrong[][2] = {
        {"B=1,Q=2", "part 2, 'Q=2', names none of its values; there is B, rho, as B=1"},
        {"B", "part 1, 'B', is not NAME=VALUE; there is B, rho"},
        {"B=1,", "part 2, '', is not NAME=VALUE"},
        {"B=65", "shape of x: B wants a whole number from 1 to 64, not '65'"},
        {"B=", "B wants a whole number from 1 to 64, not ''"},
        {"B=1.5", "not '1.5'"},
        {"B=1 B=2", "shape of x: B stands twice, again as 'B=2' in part 2; leave one out"},
        {"rho=nan", "rho wants a number from 0 to 1, not 'nan'"}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ck_assert_int_eq(read(wrong[i][0], &B, &rho), TN_ERR_ARG);
        ck_assert_msg(strstr(ctx.message, wrong[i][1]) != NULL, "'%s' lacks '%s'", ctx.message, wrong[i][1]);
    }
}
END_TEST

START_TEST(names_with_a_value) {
    tn_slice value;
    ck_assert(tn_named_value("random:0.5", "random", &value) && tn_slice_is(value, "0.5"));
    ck_assert(tn_named_value("random:", "random", &value) && value.length == 0);
    ck_assert(!tn_named_value("random", "random", &value));
    ck_assert(!tn_named_value("randomly:1", "random", &value));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("numbers");
    TCase *tests = tcase_create("numbers");
    tcase_add_test(tests, whole_numbers);
    tcase_add_test(tests, what_is_no_whole_number);
    tcase_add_test(tests, real_numbers);
    tcase_add_test(tests, a_number_at_the_beginning);
    tcase_add_test(tests, parts_of_a_list);
    tcase_add_test(tests, fields_of_a_list);
    tcase_add_test(tests, names_with_a_value);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
