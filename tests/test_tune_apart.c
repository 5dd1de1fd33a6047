/* `turnout tune` when sets of tunables take their process along (bad_layer.c): each costs that set, and the
 * search goes on. */
#include "folder.h"
#include "program.h"
#include "suite.h"
#include "tune_apart.h"
#include "tune_set.h"

#include <math.h>

static void set_up(void) {
    test_folder_make();
    setenv("TURNOUT_TUNED_DIR", test_folder, 1);
    setenv("TURNOUT_CACHE", "off", 1);
    unsetenv("TURNOUT_TUNED");
    setenv("OPENCL_LAYERS", BAD_LAYER_FILE, 1);
}

#define OP "gelu"

/* Builds of the op with these options are the first of those that end in `how`. */
static void bad_build(const char *how, const char *options) {
    char setting[64];
    snprintf(setting, sizeof setting, "clBuildProgram:1:%s:", how);
    setenv("BAD_LAYER", setting, 1);
    setenv("BAD_LAYER_OPTIONS", options, 1);
}

/* The first set that is not taken, up to the colon behind it. */
static void first_not_taken(char *text, size_t size) {
    const char *first = strstr(program_output, "not taken: with ");
    ck_assert_msg(first != NULL, "%s", program_output);
    snprintf(text, size, "%.*s", (int)strcspn(first + 11, ":") + 11, first);
    int turns = 0; /* one a set in each of the op's two passes */
    for (const char *at = first; at; at = strstr(at + 1, text))
        turns++;
    ck_assert_msg(turns <= 2, "tried again: %s", program_output);
}

START_TEST(a_set_that_takes_its_process_along) {
    static const char *const how[] = {"crash", "lost", "hang"}, *const ends[] = {"ended by SIGABRT",
                                                                                 "ended with code 3",
                                                                                 "no result after 20 s"};
    bad_build(how[_i], "-DLANES=8 "); /* not a default of any style */
    char line[128], said[300];
    snprintf(line, sizeof line, "tune -d cpu --op " OP " --seconds 2 --cases 1 --timeout %d",
             _i == 2 ? 20 : 120);
    program_gives(0, line, "not taken: with TURNOUT_", ends[_i], "\n" OP "  ");
    ck_assert_msg(_i != 1 || strstr(program_output, "is lost"), "%s", program_output);
    first_not_taken(said, sizeof said);
    ck_assert_ptr_nonnull(strstr(said, OP ".LANES=8"));
}
END_TEST

START_TEST(defaults_that_take_their_process_along) {
    bad_build("crash", "-DLANES=16 ");
    program_gives(3, "tune -d cpu --op " OP " --seconds 1 --cases 1", OP " is not tuned: with its defaults",
                  "ended by SIGABRT", "1 op could not be tuned");
}
END_TEST

START_TEST(verify_only_goes_on) {
    bad_build("crash", "-DLANES=1 ");
    program_gives(1, "tune -d cpu --op " OP " --verify-only --sets 4 --cases 1", "wrong: with TURNOUT_",
                  "ended by SIGABRT", "gave wrong results");
    const char *row = strstr(program_output, "\n" OP "  ");
    char variant[32];
    int rows = 0, sets, refused, wrong, wrongs = 0;
    for (; row; row = strstr(row + 1, "\n" OP "  "), rows++) {
        ck_assert_msg(sscanf(row, " " OP " %31s %*f %d %d %d", variant, &sets, &refused, &wrong) == 4, "%s",
                      program_output);
        ck_assert_int_eq(sets, 4);
        ck_assert_int_lt(wrong, 4);
        wrongs += wrong;
    }
    ck_assert_int_ge(rows, 1);
    ck_assert_int_ge(wrongs, 1);
}
END_TEST

/* On a GPU a set whose kernels hold far more private memory than the defaults' is refused before it runs;
 * what would run it hangs. */
START_TEST(sets_that_spill) {
    int sets, refused, wrong;
    setenv("BAD_LAYER", "clBuildProgram:1000000:hang:", 1);
    setenv("BAD_LAYER_GPU", "1", 1);
    setenv("BAD_LAYER_PRIVATE", _i ? "900 -DLANES=" : "5000 -DLANES=8 ", 1);
    program_gives(0,
                  _i ? "tune -d gpu --op " OP " --seconds 3 --cases 1"
                     : "tune -d gpu --op " OP " --seconds 20 --cases 1",
                  "\n" OP "  ");
    const char *row = strstr(program_output, "\n" OP "  ");
    ck_assert_msg(sscanf(row, " " OP " %d %d %d", &sets, &refused, &wrong) == 3, "%s", program_output);
    ck_assert_msg(_i ? refused == 0 : refused > 0 && refused < sets, "%s", program_output);
    ck_assert_int_eq(wrong, 0);
    unsetenv("BAD_LAYER_GPU");
    unsetenv("BAD_LAYER_PRIVATE");
}
END_TEST

/* The longest op first; its part of the time is that of its sets, weighed by its time; what was not timed
 * counts as the mean and comes last; what has nothing to try gets nothing. */
START_TEST(order_of_ops) {
    const double weights[] = {10, 10, 0, 20, 10}, seconds[] = {0.1, 0.6, 9, NAN, 0.3};
    const double none[] = {NAN, NAN, NAN, NAN, NAN};
    int order[5], at[5];
    double shares[5];
    tn_tune_order(weights, seconds, 5, order, shares);
    for (int i = 0; i < 5; i++)
        at[order[i]] = i;
    ck_assert(at[1] < at[4] && at[4] < at[0] && at[0] < at[3]);
    ck_assert_double_eq_tol(shares[1], 10 * 0.62, 1e-9);
    ck_assert_double_eq_tol(shares[0], 10 * 0.12, 1e-9);
    ck_assert_double_eq_tol(shares[3], 20 * (0.02 + 1.0 / 3), 1e-9);
    ck_assert_double_eq(shares[2], 0);
    tn_tune_order(weights, none, 5, order, shares);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(order[i], i);
    ck_assert_double_eq_tol(shares[3] / shares[0], 2, 1e-9);
    double read[64];
    tn_tune_shares_read("noise\nshare gelu 0.25\nshare nosuchop 3\nshare gemm x\n", read);
    for (int i = 0; i < tn_case_count; i++)
        ck_assert(strcmp(tn_cases[i]->op, "gelu") == 0 ? read[i] == 0.25 : isnan(read[i]));
}
END_TEST

/* Seconds that are over before the last op has had its turn: what was not tried is said, and it is what takes
 * least. */
START_TEST(a_card_takes_less_than_four_minutes) {
    setenv("BAD_LAYER", "clBuildProgram:1000000:hang:", 1);
    program_gives(0, "tune -d cpu --dry-run", "--seconds 240;");
    setenv("BAD_LAYER_GPU", "1", 1);
    program_gives(0, "tune -d gpu --dry-run", "--seconds 210;");
    program_gives(0, "tune -d gpu --dry-run --seconds 60", "--seconds 60;");
    unsetenv("BAD_LAYER_GPU");
}
END_TEST

START_TEST(time_is_over) {
    setenv("BAD_LAYER", "clBuildProgram:1000000:hang:", 1);
    program_gives(0, "tune -d cpu --seconds 1 --cases 1",
                  "not tried, for the 1 s were over: ", "--seconds, or --op");
}
END_TEST

START_TEST(sets_as_text) {
    tn_tune_space space = {.op = tn_op_find(OP), .variant = 0, .tunables = 3, .start = {0, {16, 1, 5}}};
    tn_tune_set set;
    char word[64];
    int variant;
    tn_tune_set_encode(&space, &space.start, word, sizeof word);
    ck_assert_str_eq(word, "0:16,1,5");
    ck_assert(tn_tune_set_decode(&space, word, &set) && tn_tune_set_equal(&space, &set, &space.start));
    static const char *const nonsense[] = {"",        "0",        "0:1,2", "0:1,2,", "0:1,2,3,4",
                                           "1:1,2,3", "99:1,2,3", "x",     "0:1,,2", "-2:1,2,3"};
    for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++)
        ck_assert_msg(!tn_tune_set_decode(&space, nonsense[i], &set), "%s", nonsense[i]);
    ck_assert(tn_tune_set_variant(space.op, "-1:4", &variant) && variant == TN_TUNE_ANY_VARIANT);
    ck_assert(!tn_tune_set_variant(space.op, "99:4", &variant));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("tune_apart");
    TCase *tests = tcase_create("tune_apart");
    tcase_set_timeout(tests, 180);
    tcase_add_checked_fixture(tests, set_up, test_folder_remove);
    tcase_add_loop_test(tests, a_set_that_takes_its_process_along, 0, 3);
    tcase_add_test(tests, defaults_that_take_their_process_along);
    tcase_add_test(tests, verify_only_goes_on);
    tcase_add_loop_test(tests, sets_that_spill, 0, 2);
    tcase_add_test(tests, order_of_ops);
    tcase_add_test(tests, a_card_takes_less_than_four_minutes);
    tcase_add_test(tests, time_is_over);
    tcase_add_test(tests, sets_as_text);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
