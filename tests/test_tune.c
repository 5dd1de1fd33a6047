/* Tunables: where values come from, the tuned file, and the tables of the cases. */
#include "support.h"

#include "file.h"
#include "tune_set.h"
#include "tuned.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static tn_context ctx;
static tn_device *dev;
static char folder[] = "/tmp/turnout-tune-XXXXXX";

static void open_device(void) {
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
}

static void close_device(void) {
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}

static void use_folder(void) {
    ck_assert_ptr_nonnull(mkdtemp(folder));
    setenv("TURNOUT_TUNED_DIR", folder, 1);
    unsetenv("TURNOUT_TUNED");
    unsetenv("TURNOUT_KIND");
}

static void empty_folder(void) {
    char command[96];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

static int files_in_folder(void) {
    int count = 0;
    DIR *open = opendir(folder);
    ck_assert_ptr_nonnull(open);
    for (struct dirent *e; (e = readdir(open)) != NULL;)
        count += e->d_name[0] != '.';
    closedir(open);
    return count;
}

static const tn_tuned_op gelu_op = {.op = "gelu",
                                    .count = 2,
                                    .values = {{"LANES", 8}, {"VECTORS", 32}},
                                    .ratio = 1.5,
                                    .ratio_q1 = 1.25,
                                    .ratio_q3 = 1.75,
                                    .n = 20};

START_TEST(test_precedence) {
    open_device();
    unsetenv("TURNOUT_KIND");
    unsetenv("TURNOUT_TUNE");
    int device_default = tn_tunable(dev, "gelu", "LANES", 100, 200);
    ck_assert(device_default == 100 || device_default == 200);
    ck_assert_int_eq(tn_tunable_source_of(dev, "gelu"), TN_TUNABLE_DEFAULT);
    setenv("TURNOUT_KIND", "gpu", 1);
    ck_assert_int_eq(tn_tunable(dev, "gelu", "LANES", 100, 200), 200);
    ck_assert_int_eq(tn_tunable_source_of(dev, "gelu"), TN_TUNABLE_ENVIRONMENT);
    setenv("TURNOUT_TUNE", "gemm.LANES=1,gelu.LANES=7", 1);
    ck_assert_int_eq(tn_tunable(dev, "gelu", "LANES", 100, 200), 7);
    ck_ok(&ctx, tn_tunable_try(dev, "gelu", "LANES", 9));
    ck_assert_int_eq(tn_tunable(dev, "gelu", "LANES", 100, 200), 9);
    ck_assert_int_eq(tn_tunable_source_of(dev, "gelu"), TN_TUNABLE_TRIED);
    ck_assert_int_eq(tn_tunable_source_of(dev, NULL), TN_TUNABLE_TRIED);
    ck_assert_int_eq(tn_tunable_source_of(dev, "gel"), TN_TUNABLE_DEFAULT);
    tn_tunable_untry(dev, "gelu");
    ck_assert_int_eq(tn_tunable(dev, "gelu", "LANES", 100, 200), 7);
    unsetenv("TURNOUT_TUNE");
    unsetenv("TURNOUT_KIND");
    ck_assert_int_eq(tn_tunable(dev, "gelu", "LANES", 100, 200), device_default);
    ck_assert_int_eq(tn_tunable_source_of(dev, NULL), TN_TUNABLE_DEFAULT);
    close_device();
}
END_TEST

START_TEST(test_classes_fall_back) {
    open_device();
    ck_ok(&ctx, tn_tunable_try(dev, "gelu", "LANES", 3));
    ck_assert_int_eq(tn_tunable(dev, "gelu:few", "LANES", 100, 100), 3);
    ck_ok(&ctx, tn_tunable_try(dev, "gelu:few", "LANES", 4));
    ck_assert_int_eq(tn_tunable(dev, "gelu:few", "LANES", 100, 100), 4);
    ck_assert_int_eq(tn_tunable(dev, "gelu", "LANES", 100, 100), 3);
    ck_assert_int_eq(tn_tunable_source_of(dev, "gelu"), TN_TUNABLE_TRIED);
    setenv("TURNOUT_TUNE", "gelu.ROWS=5,gelu:few.LOCAL=6", 1);
    ck_assert_int_eq(tn_tunable(dev, "gelu:few", "ROWS", 100, 100), 5);
    ck_assert_int_eq(tn_tunable(dev, "gelu:few", "LOCAL", 100, 100), 6);
    ck_assert_int_eq(tn_tunable(dev, "gelu", "LOCAL", 100, 100), 100);
    unsetenv("TURNOUT_TUNE");
    close_device();
}
END_TEST

START_TEST(test_file_round_trip) {
    static tn_tuned tuned;
    tn_tuned_op other = {.op = "gemm:few", .count = 0, .ratio = 1};
    char text[256];
    use_folder();
    open_device();
    const tn_device_info *info = tn_device_get_info(dev);
    ck_ok(&ctx, tn_tuned_read(&ctx, info, &tuned));
    ck_assert_int_eq(tuned.count, 0);
    ck_ok(&ctx, tn_tuned_store(&ctx, info, &gelu_op, 1));
    ck_ok(&ctx, tn_tuned_store(&ctx, info, &other, 1)); /* the first stays */
    ck_assert_int_eq(files_in_folder(), 1);             /* nothing is left aside */
    ck_ok(&ctx, tn_tuned_read(&ctx, info, &tuned));
    ck_assert_int_eq(tuned.count, 2);
    ck_assert_str_eq(tuned.ops[0].op, "gelu");
    ck_assert_int_eq(tuned.ops[0].count, 2);
    ck_assert_str_eq(tuned.ops[0].values[1].name, "VECTORS");
    ck_assert_int_eq(tuned.ops[0].values[1].value, 32);
    ck_assert_double_eq(tuned.ops[0].ratio_q1, 1.25);
    ck_assert_int_eq(tuned.ops[0].n, 20);
    ck_assert_int_eq(tuned.ops[1].count, 0);
    tn_tuned_describe(&tuned, text, sizeof text);
    ck_assert_ptr_nonnull(strstr(text, "tuned values for 1 op, 2")); /* a year behind it */
    close_device();

    open_device(); /* reads it */
    ck_assert_int_eq(tn_tunable(dev, "gelu", "VECTORS", 1, 2), 32);
    ck_assert_int_eq(tn_tunable_source_of(dev, "gelu"), TN_TUNABLE_TUNED);
    setenv("TURNOUT_KIND", "gpu", 1); /* a kind asked for by name is that kind's defaults */
    ck_assert_int_eq(tn_tunable(dev, "gelu", "VECTORS", 1, 2), 2);
    unsetenv("TURNOUT_KIND");
    close_device();

    setenv("TURNOUT_TUNED", "0", 1);
    open_device();
    ck_assert_int_eq(tn_tunable(dev, "gelu", "VECTORS", 2, 2), 2);
    ck_assert_int_eq(tn_tuned_store(&ctx, tn_device_get_info(dev), &gelu_op, 1), TN_ERR_OUTPUT);
    close_device();
    empty_folder();
}
END_TEST

/* Replaces `from` in the tuned file by `to`, or all of it when `from` is NULL. */
static void edit(const char *path, const char *from, const char *to) {
    char *text;
    size_t size;
    ck_ok(&ctx, tn_file_read(&ctx, path, &text, &size));
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    if (from) {
        char *at = strstr(text, from);
        ck_assert_ptr_nonnull(at);
        fprintf(file, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    } else {
        fputs(to, file);
    }
    fclose(file);
    tn_free(&ctx, text);
}

START_TEST(test_bad_files) {
    static tn_tuned tuned;
    static const struct {
        const char *from, *to, *words;
    } edits[] = {
        {NULL, "", "cannot be used"},
        {NULL, "{\"schema\": \"turnout-tuned-1\"", "line 1"},
        {NULL, "[1]", "its schema is ''"},
        {"turnout-tuned-1", "turnout-tuned-9", "its schema is 'turnout-tuned-9'"},
        {"\"driver\": \"", "\"driver\": \"other ", "its driver is 'other "},
        {"\"program\": \"", "\"program\": \"9", "its program is"},
        {"\"LANES\": 8", "\"LANES\": -8", "no count"},
        {"\"LANES\": 8", "\"LANES\": 8.5", "no count"},
        {"\"LANES\": 8", "\"LANES\": 99999999999", "no count"},
        {"\"LANES\": 8", "\"LANES\": 8, \"LANES\": 9", "line"},
        {"\"values\"", "\"valeus\"", "no values"},
    };
    use_folder();
    open_device();
    tn_device_info info = *tn_device_get_info(dev);
    close_device();
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        ck_ok(&ctx, tn_tuned_store(&ctx, &info, &gelu_op, 1));
        ck_ok(&ctx, tn_tuned_read(&ctx, &info, &tuned));
        edit(tuned.path, edits[i].from, edits[i].to);
        ck_assert_int_eq(tn_tuned_read(&ctx, &info, &tuned), TN_ERR_INPUT);
        ck_assert_msg(strstr(ctx.message, edits[i].words) != NULL, "%zu: %s", i, ctx.message);
        open_device(); /* a warning, and the defaults */
        ck_assert_int_eq(tn_tunable(dev, "gelu", "LANES", 5, 5), 5);
        close_device();
        unlink(tuned.path);
    }
    empty_folder();
}
END_TEST

START_TEST(test_stale_kernels) {
    static tn_tuned tuned;
    tn_tuned_op gemm_op = {.op = "gemm", .count = 1, .values = {{"TM", 4}}, .ratio = 2};
    use_folder();
    open_device();
    tn_device_info info = *tn_device_get_info(dev);
    ck_ok(&ctx, tn_tuned_store(&ctx, &info, &gelu_op, 1));
    ck_ok(&ctx, tn_tuned_read(&ctx, &info, &tuned));
    edit(tuned.path, "\"kernel\": \"", "\"kernel\": \"0");
    ck_ok(&ctx, tn_tuned_read(&ctx, &info, &tuned));
    ck_assert_int_eq(tuned.count, 0);
    ck_assert_str_eq(tuned.stale, "gelu");
    ck_ok(&ctx, tn_tuned_store(&ctx, &info, &gemm_op, 1)); /* and drops what is stale */
    ck_ok(&ctx, tn_tuned_read(&ctx, &info, &tuned));
    ck_assert_int_eq(tuned.count, 1);
    ck_assert_str_eq(tuned.stale, "");
    close_device();
    empty_folder();
}
END_TEST

START_TEST(test_folder_that_cannot_be_written) {
    open_device();
    setenv("TURNOUT_TUNED_DIR", "/proc/nowhere", 1);
    unsetenv("TURNOUT_TUNED");
    ck_assert_int_eq(tn_tuned_store(&ctx, tn_device_get_info(dev), &gelu_op, 1), TN_ERR_OUTPUT);
    close_device();
}
END_TEST

/* The table of a case is what its op asks for: neither less (space_make says so) nor more. */
START_TEST(test_tables) {
    open_device();
    for (int i = 0; i < tn_case_count; i++) {
        tn_tune_space space;
        ck_ok(&ctx, tn_tune_space_make(dev, tn_cases[i], 3, &space));
        for (int k = 0; k < space.tunables; k++) {
            const tn_case_tunable *t = &tn_cases[i]->tunables[k];
            ck_assert_msg(space.count[k] >= t->count, "%s lists %s, but never asks for it", tn_cases[i]->op,
                          t->name);
            ck_assert(t->meaning[0]);
            for (int v = 1; v < t->count; v++)
                ck_assert_msg(t->values[v - 1] < t->values[v], "%s.%s: not ascending", tn_cases[i]->op,
                              t->name);
        }
    }
    close_device();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("tune");
    TCase *lookup = tcase_create("lookup"), *file = tcase_create("file"), *sets = tcase_create("sets");
    tcase_add_test(lookup, test_precedence);
    tcase_add_test(lookup, test_classes_fall_back);
    tcase_add_test(file, test_file_round_trip);
    tcase_add_test(file, test_bad_files);
    tcase_add_test(file, test_stale_kernels);
    tcase_add_test(file, test_folder_that_cannot_be_written);
    tcase_set_timeout(file, 60);
    tcase_add_test(sets, test_tables);
    tcase_set_timeout(sets, 300);
    suite_add_tcase(suite, lookup);
    suite_add_tcase(suite, file);
    suite_add_tcase(suite, sets);
    return tn_test_main(suite);
}
