/* Which variant and which values an op gets, and from where: tried, environment, tuned file, defaults. */
#include "folder.h"
#include "support.h"

#include "file.h"
#include "made_up_op.h"
#include "tuned.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LANES, TILES, FETCH };

static tn_context ctx;
static tn_device *dev;
static const tn_op op = MADE_UP_OP("gelu");

static void open_device(void) {
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
}

static void close_device(void) {
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}

/* As `turnout` opens a device of style THREADS without a word of the user's. */
static void set_up(void) {
    test_folder_make();
    setenv("TURNOUT_TUNED_DIR", test_folder, 1);
    unsetenv("TURNOUT_TUNED");
    unsetenv("TURNOUT_KIND");
    unsetenv("TURNOUT_TUNE");
    unsetenv("TURNOUT_VARIANT");
}

static void set(const char *name, const char *value) {
    setenv(name, value, 1);
    ck_ok(&ctx, tn_device_settings_reload(dev));
}

static tn_choice choose(int pass, int64_t rows) {
    const made_up_shape shape = {rows};
    tn_choice choice;
    ck_ok(&ctx, tn_variant_choose(dev, &op, pass, &shape, &choice));
    return choice;
}

static bool has_threads(void) {
    return tn_device_style(dev) == TN_STYLE_THREADS;
}

#define ck_choice(pass, rows, variant_, lanes, source_)                                                      \
    do {                                                                                                     \
        const tn_choice choice_ = choose(pass, rows);                                                        \
        ck_assert_str_eq(choice_.variant->name, variant_);                                                   \
        ck_assert_int_eq(choice_.values[LANES], lanes);                                                      \
        ck_assert_int_eq(choice_.source, source_);                                                           \
    } while (0)

START_TEST(precedence) {
    open_device();
    if (has_threads()) {
        ck_choice(0, 32, "whole", 16, TN_TUNABLE_DEFAULT);
        ck_choice(0, 33, "threads", 16, TN_TUNABLE_DEFAULT);
        ck_choice(1, 32, "threads", 16, TN_TUNABLE_DEFAULT); /* whole has no such pass */
    }
    set("TURNOUT_KIND", "gpu");
    ck_choice(0, 32, "groups", 4, TN_TUNABLE_ENVIRONMENT);
    set("TURNOUT_KIND", "cpu");
    ck_choice(0, 32, "whole", 16, TN_TUNABLE_ENVIRONMENT);
    set("TURNOUT_TUNE", "gemm.LANES=1,gelu.LANES=8");
    ck_choice(0, 24, "whole", 8, TN_TUNABLE_ENVIRONMENT);
    set("TURNOUT_TUNE", "gelu.LANES=8,gelu/threads.LANES=2");
    ck_choice(0, 24, "whole", 8, TN_TUNABLE_ENVIRONMENT);
    ck_choice(0, 25, "threads", 2, TN_TUNABLE_ENVIRONMENT);
    set("TURNOUT_VARIANT", "gemm=few,gelu=threads");
    ck_choice(0, 24, "threads", 2, TN_TUNABLE_ENVIRONMENT);
    ck_ok(&ctx, tn_tunable_try(dev, "gelu", "LANES", 3));
    ck_choice(0, 24, "threads", 3, TN_TUNABLE_TRIED);
    ck_ok(&ctx, tn_variant_try(dev, &op, &made_up_whole));
    ck_choice(0, 24, "whole", 3, TN_TUNABLE_TRIED);
    ck_assert(tn_variant_tried(dev, &op) == &made_up_whole);
    tn_choice choice;
    ck_assert_int_eq(tn_variant_choose(dev, &op, 0, &(made_up_shape){25}, &choice), TN_ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(ctx.message, "25 rows are no multiple of 3"));
    ck_assert(tn_variant_unfit(dev, &op));
    ck_assert_int_eq(tn_variant_choose(dev, &op, 1, &(made_up_shape){24}, &choice), TN_ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(ctx.message, "no pass backward"));
    tn_tunable_untry(dev, "gelu");
    ck_choice(0, 24, "threads", 2, TN_TUNABLE_ENVIRONMENT);
    close_device();
}
END_TEST

START_TEST(what_ran_and_from_where) {
    const made_up_shape shape = {32}, other = {8};
    int pass = -1, class_ = -1;
    open_device();
    set("TURNOUT_KIND", "cpu");
    ck_assert_ptr_null(tn_variant_ran(dev, "gelu"));
    ck_ok(&ctx, tn_op_run(dev, &op, 0, &shape, NULL));
    ck_assert(tn_variant_ran(dev, "gelu") == &made_up_whole);
    ck_assert(tn_variant_ran_as(dev, "gelu", &pass, &class_));
    ck_assert(pass == 0 && class_ == 1);
    ck_assert_int_eq(tn_tunable_source_of(dev, "gelu"), TN_TUNABLE_ENVIRONMENT);
    ck_assert_int_eq(tn_tunable_source_of(dev, NULL), TN_TUNABLE_ENVIRONMENT);
    ck_assert_int_eq(tn_tunable_source_of(dev, "gel"), TN_TUNABLE_DEFAULT);
    ck_ok(&ctx, tn_op_run(dev, &op, 1, &other, NULL));
    ck_assert(tn_variant_ran_as(dev, "gelu", &pass, &class_));
    ck_assert(pass == 1 && class_ == 0);
    ck_ok(&ctx, tn_variant_try(dev, &op, &made_up_groups)); /* a plan of before is no longer used */
    ck_ok(&ctx, tn_op_run(dev, &op, 0, &shape, NULL));
    ck_assert(tn_variant_ran(dev, "gelu") == &made_up_groups);
    tn_tunable_untry(dev, NULL);
    tn_variant_ran_forget(dev, "gelu");
    ck_assert_ptr_null(tn_variant_ran(dev, "gelu"));
    ck_ok(&ctx, tn_op_run(dev, &op, 0, &shape, NULL));
    ck_assert(tn_variant_ran(dev, "gelu") == &made_up_whole);
    close_device();
}
END_TEST

static tn_status refuse(tn_device *device, int pass, const void *shape, const int *values, void *plan) {
    (void)pass;
    (void)shape;
    (void)values;
    (void)plan;
    return tn_fail(tn_device_context(device), TN_ERR_UNSUPPORTED, "a kernel takes too much");
}

/* Kernels that take more than the device gives are found out when a plan is made. */
START_TEST(a_plan_that_is_refused) {
    const made_up_shape shape = {32};
    tn_variant first = made_up_threads, last = made_up_threads;
    const tn_variant *const both[] = {&first, &last, NULL};
    tn_op refused = op;
    first.name = "first";
    first.portable = false;
    first.plan = refuse;
    refused.variants = both;
    open_device();
    set("TURNOUT_KIND", "cpu");
    ck_ok(&ctx, tn_op_run(dev, &refused, 0, &shape, NULL));
    ck_assert(tn_variant_ran(dev, "gelu") == &last);
    set("TURNOUT_VARIANT", "gelu=first");
    ck_ok(&ctx, tn_op_run(dev, &refused, 0, &shape, NULL));
    ck_assert(tn_variant_ran(dev, "gelu") == &last);
    ck_ok(&ctx, tn_variant_try(dev, &refused, &first)); /* that one and no other */
    ck_assert_int_eq(tn_op_run(dev, &refused, 0, &shape, NULL), TN_ERR_UNSUPPORTED);
    ck_assert(!tn_variant_unfit(dev, &refused));
    tn_tunable_untry(dev, NULL);
    last.plan = refuse;
    ck_ok(&ctx, tn_device_settings_reload(dev)); /* no plan of before */
    ck_assert_int_eq(tn_op_run(dev, &refused, 0, &shape, NULL), TN_ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(ctx.message, "a kernel takes too much"));
    close_device();
}
END_TEST

static const tn_tuned_entry entries[] = {
    {.op = "gelu", .count = 1, .values = {{"TILES", 4}}, .ratio = 1.1, .ratio_q1 = 1.05, .ratio_q3 = 1.2},
    {.op = "gelu",
     .pass = "forward",
     .shapes = "many",
     .variant = "threads",
     .wins = true,
     .count = 2,
     .values = {{"LANES", 8}, {"FETCH", 16}},
     .ratio = 1.5,
     .ratio_q1 = 1.25,
     .ratio_q3 = 1.75,
     .n = 20},
    {.op = "gelu",
     .pass = "forward",
     .shapes = "few",
     .variant = "threads",
     .count = 1,
     .values = {{"LANES", 4}}},
};
enum { ENTRIES = sizeof entries / sizeof entries[0] };

static int files_in_folder(void) {
    int count = 0;
    DIR *open = opendir(test_folder);
    ck_assert_ptr_nonnull(open);
    for (struct dirent *e; (e = readdir(open)) != NULL;)
        count += e->d_name[0] != '.';
    closedir(open);
    return count;
}

START_TEST(file_round_trip) {
    static tn_tuned tuned;
    char text[256];
    open_device();
    const tn_device_info *info = tn_device_get_info(dev);
    ck_ok(&ctx, tn_tuned_read(&ctx, info, &tuned));
    ck_assert_int_eq(tuned.count, 0);
    ck_ok(&ctx, tn_tuned_store(&ctx, info, "gelu", entries, ENTRIES));
    ck_ok(&ctx, tn_tuned_store(&ctx, info, "gemm", NULL, 0)); /* the first stays */
    ck_assert_int_eq(files_in_folder(), 1);                   /* nothing is left aside */
    ck_ok(&ctx, tn_tuned_read(&ctx, info, &tuned));
    ck_assert_int_eq(tuned.count, ENTRIES);
    for (int i = 0; i < ENTRIES; i++) {
        const tn_tuned_entry *want = &entries[i], *got = &tuned.entries[i];
        ck_assert_str_eq(got->op, want->op);
        ck_assert_str_eq(got->pass, want->pass);
        ck_assert_str_eq(got->shapes, want->shapes);
        ck_assert_str_eq(got->variant, want->variant);
        ck_assert_int_eq(got->wins, want->wins);
        ck_assert_int_eq(got->count, want->count);
        ck_assert_str_eq(got->values[0].name, want->values[0].name);
        ck_assert_int_eq(got->values[0].value, want->values[0].value);
        ck_assert_double_eq(got->ratio_q1, want->ratio_q1);
        ck_assert_int_eq(got->n, want->n);
    }
    tn_tuned_describe(&tuned, text, sizeof text);
    ck_assert_ptr_nonnull(strstr(text, "1 op, 2"));              /* a year behind it */
    ck_ok(&ctx, tn_tuned_store(&ctx, info, "gelu", entries, 1)); /* in place of all it had */
    ck_ok(&ctx, tn_tuned_read(&ctx, info, &tuned));
    ck_assert_int_eq(tuned.count, 1);
    close_device();
    setenv("TURNOUT_TUNED", "0", 1);
    open_device();
    ck_assert_int_eq(tn_tuned_store(&ctx, tn_device_get_info(dev), "gelu", entries, 1), TN_ERR_OUTPUT);
    close_device();
}
END_TEST

START_TEST(a_winner_is_taken) {
    int values[TN_VARIANT_TUNABLES];
    tn_tunable_source source;
    open_device();
    ck_ok(&ctx, tn_tuned_store(&ctx, tn_device_get_info(dev), "gelu", entries, ENTRIES));
    close_device();

    open_device(); /* reads it */
    if (!has_threads()) {
        close_device();
        return;
    }
    ck_choice(0, 32, "threads", 8, TN_TUNABLE_TUNED); /* many rows */
    ck_assert_int_eq(choose(0, 32).values[TILES], 4); /* for all passes and classes */
    ck_assert_int_eq(choose(0, 32).values[FETCH], 16);
    ck_choice(0, 16, "whole", 16, TN_TUNABLE_TUNED); /* few: nothing beat the usual choice, but for TILES */
    ck_assert_int_eq(choose(0, 16).values[TILES], 4);
    ck_choice(0, 15, "threads", 4, TN_TUNABLE_TUNED); /* where that does not fit */
    ck_choice(1, 32, "threads", 16, TN_TUNABLE_TUNED);
    ck_assert_int_eq(choose(1, 32).values[FETCH], 8);
    tn_variant_values(dev, &op, &made_up_whole, 0, -1, values, &source);
    ck_assert_int_eq(values[TILES], 4);
    ck_assert_int_eq(values[LANES], 16);
    set("TURNOUT_TUNE", "gelu.LANES=1");
    ck_choice(0, 32, "threads", 1, TN_TUNABLE_ENVIRONMENT);
    unsetenv("TURNOUT_TUNE");
    set("TURNOUT_KIND", "cpu"); /* a kind that is asked for by name is that kind's defaults */
    ck_choice(0, 32, "whole", 16, TN_TUNABLE_ENVIRONMENT);
    ck_assert_int_eq(choose(0, 32).values[TILES], 2);
    unsetenv("TURNOUT_KIND");
    ck_ok(&ctx, tn_device_settings_reload(dev));
    tn_tuned_leave(dev, "gemm");
    ck_choice(0, 32, "threads", 8, TN_TUNABLE_TUNED);
    tn_tuned_leave(dev, "gelu");
    ck_choice(0, 32, "whole", 16, TN_TUNABLE_DEFAULT);
    close_device();
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
        ck_assert_msg(at != NULL, "%s in %s", from, text);
        fprintf(file, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    } else {
        fputs(to, file);
    }
    fclose(file);
    tn_free(&ctx, text);
}

/* One set an op, for all its passes and variants, or for one variant's: of another release, too. */
START_TEST(a_file_of_the_first_schema_is_read) {
    static tn_tuned tuned;
    open_device();
    const tn_device_info *info = tn_device_get_info(dev);
    ck_ok(&ctx, tn_tuned_store(&ctx, info, "gelu", entries, 1));
    ck_ok(&ctx, tn_tuned_read(&ctx, info, &tuned));
    edit(tuned.path, "turnout-tuned-2", "turnout-tuned-1");
    edit(tuned.path, "\"program\": \"", "\"program\": \"0.1.0 and before ");
    edit(tuned.path, "\"tuned\": [", "\"values\": {\"LANES\": 8}, \"ratio\": 1.5, \"n\": 3, \"more\": [");
    ck_ok(&ctx, tn_tuned_read(&ctx, info, &tuned));
    ck_assert_int_eq(tuned.count, 1);
    ck_assert_str_eq(tuned.entries[0].variant, "");
    close_device();
    open_device();
    if (has_threads()) {
        ck_choice(0, 24, "whole", 8, TN_TUNABLE_TUNED);
        ck_choice(1, 25, "threads", 8, TN_TUNABLE_TUNED);
    }
    close_device();
    edit(tuned.path, "\"gelu\"", "\"gelu:threads\"");
    open_device();
    if (has_threads()) {
        ck_choice(0, 48, "whole", 16, TN_TUNABLE_DEFAULT);
        ck_choice(1, 25, "threads", 8, TN_TUNABLE_TUNED);
    }
    ck_ok(&ctx, tn_tuned_store(&ctx, tn_device_get_info(dev), "gemm", NULL, 0)); /* keeps it */
    ck_ok(&ctx, tn_tuned_read(&ctx, tn_device_get_info(dev), &tuned));
    ck_assert_int_eq(tuned.count, 1);
    ck_ok(&ctx, tn_tuned_store(&ctx, tn_device_get_info(dev), "gelu", NULL, 0)); /* and this does not */
    ck_ok(&ctx, tn_tuned_read(&ctx, tn_device_get_info(dev), &tuned));
    ck_assert_int_eq(tuned.count, 0);
    close_device();
}
END_TEST

START_TEST(bad_files) {
    static tn_tuned tuned;
    static const struct {
        const char *from, *to, *words;
    } edits[] = {
        {NULL, "", "cannot be used"},
        {NULL, "{\"schema\": \"turnout-tuned-2\"", "line 1"},
        {NULL, "[1]", "its schema is ''"},
        {"turnout-tuned-2", "turnout-tuned-9", "its schema is 'turnout-tuned-9'"},
        {"\"driver\": \"", "\"driver\": \"other ", "its driver is 'other "},
        {"\"program\": \"", "\"program\": \"9", "its program is"},
        {"\"LANES\": 8", "\"LANES\": -8", "no count"},
        {"\"LANES\": 8", "\"LANES\": 8.5", "no count"},
        {"\"LANES\": 8", "\"LANES\": 99999999999", "no count"},
        {"\"LANES\": 8", "\"LANES\": 8, \"LANES\": 9", "line"},
        {"\"values\"", "\"valeus\"", "no values"},
        {"\"tuned\"", "\"tunde\"", "no values"},
        {"\"forward\"", "\"a pass that is longer than any there is\"", "too long"},
    };
    open_device();
    tn_device_info info = *tn_device_get_info(dev);
    const bool threads = has_threads();
    close_device();
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        ck_ok(&ctx, tn_tuned_store(&ctx, &info, "gelu", entries, ENTRIES));
        ck_ok(&ctx, tn_tuned_read(&ctx, &info, &tuned));
        edit(tuned.path, edits[i].from, edits[i].to);
        ck_assert_int_eq(tn_tuned_read(&ctx, &info, &tuned), TN_ERR_INPUT);
        ck_assert_msg(strstr(ctx.message, edits[i].words) != NULL, "%zu: %s", i, ctx.message);
        open_device(); /* a warning, and the defaults */
        if (threads)
            ck_choice(0, 32, "whole", 16, TN_TUNABLE_DEFAULT);
        close_device();
        unlink(tuned.path);
    }
}
END_TEST

START_TEST(stale_kernels) {
    static tn_tuned tuned;
    open_device();
    tn_device_info info = *tn_device_get_info(dev);
    ck_ok(&ctx, tn_tuned_store(&ctx, &info, "gelu", entries, ENTRIES));
    ck_ok(&ctx, tn_tuned_read(&ctx, &info, &tuned));
    edit(tuned.path, "\"kernel\": \"", "\"kernel\": \"0");
    ck_ok(&ctx, tn_tuned_read(&ctx, &info, &tuned));
    ck_assert_int_eq(tuned.count, 0);
    ck_assert_str_eq(tuned.stale, "gelu");
    ck_ok(&ctx, tn_tuned_store(&ctx, &info, "gemm", entries, 1)); /* and drops what is stale */
    ck_ok(&ctx, tn_tuned_read(&ctx, &info, &tuned));
    ck_assert_int_eq(tuned.count, 1);
    ck_assert_str_eq(tuned.stale, "");
    close_device();
}
END_TEST

START_TEST(folder_that_cannot_be_written) {
    open_device();
    setenv("TURNOUT_TUNED_DIR", "/proc/nowhere", 1);
    ck_assert_int_eq(tn_tuned_store(&ctx, tn_device_get_info(dev), "gelu", entries, 1), TN_ERR_OUTPUT);
    close_device();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("tuned");
    TCase *tests = tcase_create("tuned");
    tcase_set_timeout(tests, 200);
    tcase_add_checked_fixture(tests, set_up, test_folder_remove);
    tcase_add_test(tests, precedence);
    tcase_add_test(tests, what_ran_and_from_where);
    tcase_add_test(tests, a_plan_that_is_refused);
    tcase_add_test(tests, file_round_trip);
    tcase_add_test(tests, a_winner_is_taken);
    tcase_add_test(tests, a_file_of_the_first_schema_is_read);
    tcase_add_test(tests, bad_files);
    tcase_add_test(tests, stale_kernels);
    tcase_add_test(tests, folder_that_cannot_be_written);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
