/* `turnout tune` when sets of tunables take their process along (bad_layer.c): each costs that set, and the
 * search goes on. */
#include "folder.h"
#include "program.h"
#include "suite.h"
#include "tune_set.h"

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
    tcase_add_test(tests, sets_as_text);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
