/* `turnout tune` when sets of tunables take their process along (bad_layer.c): each costs that set, and the
 * search goes on. */
#include "program.h"
#include "tune_set.h"

static void set_up(void) {
    program_folder_make();
    setenv("TURNOUT_TUNED_DIR", program_folder, 1);
    setenv("TURNOUT_CACHE", "off", 1);
    unsetenv("TURNOUT_TUNED");
    setenv("OPENCL_LAYERS", BAD_LAYER_FILE, 1);
}

/* Builds of gelu with these options are the first of those that end in `how`. */
static void bad_build(const char *how, const char *options) {
    char setting[64];
    snprintf(setting, sizeof setting, "clBuildProgram:1:%s:", how);
    setenv("BAD_LAYER", setting, 1);
    setenv("BAD_LAYER_OPTIONS", options, 1);
}

START_TEST(a_set_that_takes_its_process_along) {
    static const char *const how[] = {"crash", "lost", "hang"}, *const ends[] = {"ended by SIGABRT",
                                                                                 "ended with code 3",
                                                                                 "no result after 20 s"};
    bad_build(how[_i], "-DLANES=8 -DSTREAM=0"); /* not a default of any kind */
    char line[128];
    snprintf(line, sizeof line, "tune -d cpu --op gelu --seconds 1 --cases 1 --timeout %d",
             _i == 2 ? 20 : 120);
    program_gives(0, line, "not taken: with TURNOUT_TUNE=gelu.LANES=8", ends[_i], "\ngelu  ");
    ck_assert_msg(_i != 1 || strstr(program_output, "is lost"), "%s", program_output);
    /* one turn a set */
    char said[200];
    const char *first = strstr(program_output, "not taken: with TURNOUT_TUNE=gelu.LANES=8");
    snprintf(said, sizeof said, "%.*s", (int)strcspn(first + 11, ":") + 11, first);
    ck_assert_msg(!strstr(first + 1, said), "tried again: %s", program_output);
}
END_TEST

START_TEST(defaults_that_take_their_process_along) {
    bad_build("crash", "-DLANES=16");
    program_gives(3, "tune -d cpu --op gelu --seconds 1 --cases 1", "gelu is not tuned: with its defaults",
                  "ended by SIGABRT", "1 op could not be tuned");
    bad_build("crash", "-DLANES=4"); /* a GPU's */
    program_gives(0, "tune -d cpu --op gelu --seconds 1 --cases 1", "only this kind's are tried", "\ngelu  ");
}
END_TEST

START_TEST(verify_only_goes_on) {
    bad_build("crash", "-DLANES=1 ");
    program_gives(1, "tune -d cpu --op gelu --verify-only --sets 6 --cases 1",
                  "wrong: with TURNOUT_TUNE=gelu.LANES=1,", "ended by SIGABRT", "gave wrong results");
    const char *row = strstr(program_output, "\ngelu  ");
    int sets, refused, wrong;
    ck_assert_msg(row && sscanf(row, " gelu %*f %d %d %d", &sets, &refused, &wrong) == 3, "%s",
                  program_output);
    ck_assert_int_eq(sets, 6);
    ck_assert_int_ge(wrong, 1);
    ck_assert_int_lt(wrong, 6);
}
END_TEST

START_TEST(spaces_as_text) {
    tn_tune_space space = {.tunables = 3,
                           .count = {2, 0, 3},
                           .values = {{1, 16}, {0}, {0, 5, 1 << 30}},
                           .cpu = {{16, -1, 0}},
                           .gpu = {{1, -1, 5}},
                           .device = {{16, -1, 5}}},
                  back;
    tn_tune_set set;
    char text[512], word[64];
    const char *at = word;
    tn_tune_space_encode(&space, text, sizeof text);
    ck_assert(tn_tune_space_decode(text, &back));
    ck_assert_int_eq(back.tunables, 3);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(back.count[i], space.count[i]);
        for (int k = 0; k < space.count[i]; k++)
            ck_assert_int_eq(back.values[i][k], space.values[i][k]);
        ck_assert_int_eq(back.device.values[i], space.device.values[i]);
        ck_assert_int_eq(back.gpu.values[i], space.gpu.values[i]);
    }
    tn_tune_set_encode(&space, &space.device, word, sizeof word);
    ck_assert_str_eq(word, "16,-1,5");
    ck_assert(tn_tune_set_decode(&space, &at, &set) && tn_tune_set_equal(&space, &set, &space.device));
    text[10] = '\0';
    ck_assert(!tn_tune_space_decode(text, &back));
    ck_assert(!tn_tune_space_decode("99;", &back));
    at = "1,2";
    ck_assert(!tn_tune_set_decode(&space, &at, &set));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("tune_apart");
    TCase *tests = tcase_create("tune_apart");
    tcase_set_timeout(tests, 180);
    tcase_add_checked_fixture(tests, set_up, program_folder_remove);
    tcase_add_loop_test(tests, a_set_that_takes_its_process_along, 0, 3);
    tcase_add_test(tests, defaults_that_take_their_process_along);
    tcase_add_test(tests, verify_only_goes_on);
    tcase_add_test(tests, spaces_as_text);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
