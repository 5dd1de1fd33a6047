/* Tunables: where values come from, the tuned file, and the tables of the cases. */
#include "support.h"

#include "file.h"
#include "launch.h"
#include "tune.h"
#include "tune_cover.h"
#include "tune_set.h"
#include "tuned.h"
#include "variant.h"

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
    ck_ok(&ctx, tn_device_settings_reload(dev));
    int device_default = tn_tunable_ask(dev, "gelu", "LANES", 100, 200);
    ck_assert(device_default == 100 || device_default == 200);
    ck_assert_int_eq(tn_tunable_source_of(dev, "gelu"), TN_TUNABLE_DEFAULT);
    setenv("TURNOUT_KIND", "gpu", 1);
    ck_ok(&ctx, tn_device_settings_reload(dev));
    ck_assert_int_eq(tn_tunable_ask(dev, "gelu", "LANES", 100, 200), 200);
    ck_assert_int_eq(tn_tunable_source_of(dev, "gelu"), TN_TUNABLE_ENVIRONMENT);
    setenv("TURNOUT_TUNE", "gemm.LANES=1,gelu.LANES=7", 1);
    ck_ok(&ctx, tn_device_settings_reload(dev));
    ck_assert_int_eq(tn_tunable_ask(dev, "gelu", "LANES", 100, 200), 7);
    ck_ok(&ctx, tn_tunable_try(dev, "gelu", "LANES", 9));
    ck_assert_int_eq(tn_tunable_ask(dev, "gelu", "LANES", 100, 200), 9);
    ck_assert_int_eq(tn_tunable_source_of(dev, "gelu"), TN_TUNABLE_TRIED);
    ck_assert_int_eq(tn_tunable_source_of(dev, NULL), TN_TUNABLE_TRIED);
    ck_assert_int_eq(tn_tunable_source_of(dev, "gel"), TN_TUNABLE_DEFAULT);
    tn_tunable_untry(dev, "gelu");
    ck_assert_int_eq(tn_tunable_ask(dev, "gelu", "LANES", 100, 200), 7);
    unsetenv("TURNOUT_TUNE");
    unsetenv("TURNOUT_KIND");
    ck_ok(&ctx, tn_device_settings_reload(dev));
    ck_assert_int_eq(tn_tunable_ask(dev, "gelu", "LANES", 100, 200), device_default);
    ck_assert_int_eq(tn_tunable_source_of(dev, NULL), TN_TUNABLE_DEFAULT);
    close_device();
}
END_TEST

START_TEST(test_classes_fall_back) {
    open_device();
    ck_ok(&ctx, tn_tunable_try(dev, "gelu", "LANES", 3));
    ck_assert_int_eq(tn_tunable_ask(dev, "gelu:few", "LANES", 100, 100), 3);
    ck_ok(&ctx, tn_tunable_try(dev, "gelu:few", "LANES", 4));
    ck_assert_int_eq(tn_tunable_ask(dev, "gelu:few", "LANES", 100, 100), 4);
    ck_assert_int_eq(tn_tunable_ask(dev, "gelu", "LANES", 100, 100), 3);
    ck_assert_int_eq(tn_tunable_source_of(dev, "gelu"), TN_TUNABLE_TRIED);
    setenv("TURNOUT_TUNE", "gelu.ROWS=5,gelu:few.LOCAL=6", 1);
    ck_ok(&ctx, tn_device_settings_reload(dev));
    ck_assert_int_eq(tn_tunable_ask(dev, "gelu:few", "ROWS", 100, 100), 5);
    ck_assert_int_eq(tn_tunable_ask(dev, "gelu:few", "LOCAL", 100, 100), 6);
    ck_assert_int_eq(tn_tunable_ask(dev, "gelu", "LOCAL", 100, 100), 100);
    unsetenv("TURNOUT_TUNE");
    ck_ok(&ctx, tn_device_settings_reload(dev));
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
    ck_assert_ptr_nonnull(strstr(text, "1 op, 2")); /* a year behind it */
    close_device();

    open_device(); /* reads it */
    ck_assert_int_eq(tn_tunable_ask(dev, "gelu", "VECTORS", 1, 2), 32);
    ck_assert_int_eq(tn_tunable_source_of(dev, "gelu"), TN_TUNABLE_TUNED);
    setenv("TURNOUT_KIND", "gpu", 1); /* a kind asked for by name is that kind's defaults */
    ck_ok(&ctx, tn_device_settings_reload(dev));
    ck_assert_int_eq(tn_tunable_ask(dev, "gelu", "VECTORS", 1, 2), 2);
    unsetenv("TURNOUT_KIND");
    close_device();

    setenv("TURNOUT_TUNED", "0", 1);
    open_device();
    ck_assert_int_eq(tn_tunable_ask(dev, "gelu", "VECTORS", 2, 2), 2);
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
        ck_assert_int_eq(tn_tunable_ask(dev, "gelu", "LANES", 5, 5), 5);
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
        ck_ok(&ctx, tn_tune_space_make(dev, tn_cases[i], 3, false, &space));
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

/* A kernel is built for each value: one op in so many a run, drawn anew, and all with TURNOUT_TEST_ALL. */
static int step_of(int share) {
    return getenv("TURNOUT_TEST_ALL") ? 1 : share;
}

static int first_of(int share) {
    return (int)(tn_test_seed() % (uint64_t)step_of(share));
}

/* A few sets of an op, the defaults of both kinds among them; `turnout tune --verify-only` goes through all
 * pairs of values. */
START_TEST(test_some_sets_verify) {
    const tn_tune_cover_options options = {.most = 3, .cases = 1, .seed = 5};
    open_device();
    for (int i = first_of(2); i < tn_case_count; i += step_of(2)) {
        tn_tune_space space;
        tn_tune_tally tally;
        if (!tn_cases[i]->tunables)
            continue;
        ck_ok(&ctx, tn_tune_space_make(dev, tn_cases[i], 1, false, &space));
        ck_ok(&ctx, tn_tune_cover(dev, tn_cases[i], &space, &options, &tally));
        ck_assert_msg(tally.wrong == 0, "%s: %d wrong sets", tn_cases[i]->op, tally.wrong);
        ck_assert_int_lt(tally.refused, tally.sets);
        ck_assert(tally.sets == 3 || tally.left == 0);
        ck_assert_int_lt(tally.left, tally.pairs);
    }
    close_device();
}
END_TEST

/* gelu with two traps: with LANES = 8 it does nothing, which would be the fastest; LANES = 4 is refused. */
static tn_status run_with_traps(tn_device *device, const tn_shape *shape, int pass, tn_tensor *t) {
    int lanes = tn_tunable_ask(device, "gelu", "LANES", 16, 16);
    if (lanes == 4)
        return tn_fail(&ctx, TN_ERR_UNSUPPORTED, "four lanes are more than this device can");
    return lanes == 8 ? TN_OK : tn_case_find("gelu")->run(device, shape, pass, t);
}

static tn_case case_with_traps(void) {
    tn_case c = *tn_case_find("gelu");
    c.run = run_with_traps;
    return c;
}

START_TEST(test_cover_sees_what_is_wrong) {
    const tn_tune_cover_options options = {.most = 40, .cases = 1, .seed = 1};
    tn_case c = case_with_traps();
    tn_tune_space space;
    tn_tune_tally tally;
    setenv("TURNOUT_KIND", "cpu", 1); /* the other kind's default is 4 lanes */
    open_device();
    ck_ok(&ctx, tn_tune_space_make(dev, &c, 1, false, &space));
    ck_ok(&ctx, tn_tune_cover(dev, &c, &space, &options, &tally));
    ck_assert_int_gt(tally.wrong, 0);
    ck_assert_int_gt(tally.refused, 0);
    ck_assert_int_lt(tally.wrong + tally.refused, tally.sets);
    unsetenv("TURNOUT_KIND");
    close_device();
}
END_TEST

START_TEST(test_tuning_takes_nothing_wrong) {
    const tn_tune_options options = {.seconds = 12, .seed = 1, .cases = 1}; /* a busy machine too */
    tn_case c = case_with_traps();
    tn_tune_space space;
    tn_tune_report report;
    setenv("TURNOUT_KIND", "cpu", 1);
    open_device();
    ck_ok(&ctx, tn_tune_space_make(dev, &c, 1, false, &space));
    space.device = space.cpu;
    ck_ok(&ctx, tn_tune_op(dev, &c, &space, &options, &report));
    ck_assert_int_gt(report.workloads, 1);
    ck_assert_int_ge(report.wrong, 1);
    ck_assert_int_ge(report.refused, 1);
    ck_assert_str_eq(c.tunables[0].name, "LANES");
    ck_assert(report.best.values[0] == 16 || report.best.values[0] == 1);
    ck_assert_int_eq(tn_tunable_ask(dev, "gelu", "LANES", 16, 16), 16); /* nothing is left tried */
    if (report.result.count == 0)
        ck_assert_double_eq(report.result.ratio, 1);
    else
        ck_assert_double_gt(report.result.ratio_q1, 1);
    unsetenv("TURNOUT_KIND");
    close_device();
}
END_TEST

/* What is not said to move last bits does not: each value alone against the defaults, on two shapes. */
static void run_for_bytes(const tn_case *c, tn_problem *p, const tn_tune_set *set, unsigned char *bytes,
                          size_t *size) {
    ck_ok(&ctx, tn_problem_upload(p));
    ck_ok(&ctx, tn_tune_set_try(dev, c, set));
    tn_status status = c->run(dev, &p->shape, p->pass, p->tensors);
    *size = 0;
    if (status == TN_ERR_UNSUPPORTED)
        return;
    ck_ok(&ctx, status);
    for (int i = 0; i < p->tensor_count; i++) {
        if (p->tensors[i].count == 0 || p->tensors[i].role == TN_IN)
            continue;
        ck_ok(&ctx, tn_problem_read(p, i, bytes + *size));
        *size += p->tensors[i].count * (p->tensors[i].type == TN_U8 ? 1 : 4);
    }
}

static void same_bits(const tn_case *c, const tn_tune_space *space, int pass, int index) {
    enum { MOST = 1 << 22 };
    static unsigned char want[MOST], got[MOST];
    tn_rng rng = tn_rng_make(3, TN_RNG_CASE, (uint64_t)index);
    tn_shape shape = {{0}};
    tn_problem p;
    size_t want_size, size;
    char text[200];
    c->draw(&rng, &shape);
    ck_ok(&ctx, tn_problem_make(&ctx, dev, c, pass, &shape, 3, &p));
    run_for_bytes(c, &p, &space->device, want, &want_size);
    ck_assert_uint_lt(want_size, MOST);
    for (int row = 0; row < space->tunables; row++)
        for (int i = 0; i < space->count[row] && !c->tunables[row].bits; i++) {
            tn_tune_set set = space->device;
            set.values[row] = space->values[row][i];
            run_for_bytes(c, &p, &set, got, &size);
            tn_tune_set_print(c, &set, text, sizeof text);
            ck_assert_msg(size == 0 || (size == want_size && memcmp(got, want, size) == 0),
                          "%s %s: other bits with %s", c->op, c->passes[pass], text);
        }
    tn_problem_free(&ctx, &p);
}

START_TEST(test_bits_move_only_where_the_table_says) {
    open_device();
    for (int i = first_of(6); i < tn_case_count; i += step_of(6)) {
        tn_tune_space space;
        ck_ok(&ctx, tn_tune_space_make(dev, tn_cases[i], 1, false, &space));
        for (int pass = 0; tn_cases[i]->passes[pass]; pass++)
            same_bits(tn_cases[i], &space, pass, _i);
        tn_tunable_untry(dev, NULL);
        tn_kernels_forget(dev);
    }
    close_device();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("tune");
    TCase *lookup = tcase_create("lookup"), *file = tcase_create("file"), *sets = tcase_create("sets"),
          *search = tcase_create("search");
    tcase_add_test(lookup, test_precedence);
    tcase_add_test(lookup, test_classes_fall_back);
    tcase_add_test(file, test_file_round_trip);
    tcase_add_test(file, test_bad_files);
    tcase_add_test(file, test_stale_kernels);
    tcase_add_test(file, test_folder_that_cannot_be_written);
    tcase_set_timeout(file, 200);
    tcase_add_test(sets, test_tables);
    tcase_add_test(sets, test_some_sets_verify);
    tcase_add_test(sets, test_cover_sees_what_is_wrong);
    tcase_add_loop_test(sets, test_bits_move_only_where_the_table_says, 1, 2);
    tcase_set_timeout(sets, 900);
    tcase_add_test(search, test_tuning_takes_nothing_wrong);
    tcase_set_timeout(search, 400);
    suite_add_tcase(suite, lookup);
    suite_add_tcase(suite, file);
    suite_add_tcase(suite, sets);
    suite_add_tcase(suite, search);
    return tn_test_main(suite);
}
