/* Parts of a grid: how they are asked for, and that they have no work in common and together all of it. No
 * device is opened. */
#include "cell_list.h"
#include "shard.h"
#include "study_plan.h"
#include "suite.h"

#include <stdlib.h>
#include <string.h>

static const int counts[] = {1, 2, 3, 7, 100};
enum { COUNTS = sizeof counts / sizeof counts[0] };
static const char *const launcher[] = {"OMPI_COMM_WORLD_RANK",
                                       "OMPI_COMM_WORLD_SIZE",
                                       "PMI_RANK",
                                       "PMI_SIZE",
                                       "SLURM_PROCID",
                                       "SLURM_NTASKS",
                                       "SLURM_JOB_ID",
                                       "SLURM_STEP_ID",
                                       "SLURM_ARRAY_TASK_ID",
                                       "SLURM_ARRAY_TASK_COUNT",
                                       "SLURM_ARRAY_TASK_MIN",
                                       "SLURM_ARRAY_TASK_STEP"};
static tn_context ctx;

static void no_launcher(void) {
    ctx = (tn_context){.quiet = true};
    for (size_t i = 0; i < sizeof launcher / sizeof launcher[0]; i++)
        unsetenv(launcher[i]);
}

static void check_live(void) {
    ck_assert_int_eq(ctx.live, 0);
}

START_TEST(a_part_in_words) {
    tn_shard s;
    char text[TN_SHARD_TEXT];
    ck_assert_int_eq(tn_shard_parse(&ctx, "2/4", &s), TN_OK);
    ck_assert(s.index == 2 && s.count == 4);
    tn_shard_print(&s, text);
    ck_assert_str_eq(text, "2/4");
    ck_assert_int_eq(tn_shard_parse(&ctx, "1000000/1000000", &s), TN_OK);
    ck_assert_int_eq(tn_shard_parse(&ctx, NULL, &s), TN_OK);
    tn_shard_print(&s, text);
    ck_assert_str_eq(text, "");
    ck_assert(tn_shard_has(&s, "anything"));
}
END_TEST

START_TEST(what_is_no_part) {
    static const char *const bad[] = {"0/4",       "5/4",
                                      "a/b",       "1/0",
                                      "1/4x",      "1/4/4",
                                      " 1/4",      "1/4 ",
                                      "1e0/4",     "+1/4",
                                      "-1/4",      "/",
                                      "1/",        "/4",
                                      "1/1000001", "",
                                      "1",         "0x1/4",
                                      "4",         "Auto",
                                      "auto ",     "9999999999/9999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        tn_shard s = {3, 4};
        ck_assert_msg(tn_shard_parse(&ctx, bad[i], &s) == TN_ERR_ARG, "'%s' passes", bad[i]);
        ck_assert_msg(strstr(ctx.message, "I/N") && strstr(ctx.message, bad[i]), "%s", ctx.message);
        ck_assert(s.count == 0 && !strchr(ctx.message, '\n'));
    }
}
END_TEST

/* Variables as "A=1 B=2", and the part that "auto" makes of them, or a word of the refusal. */
static void expect(const char *variables, const char *want) {
    char text[200], got[TN_SHARD_TEXT];
    tn_shard s;
    no_launcher();
    snprintf(text, sizeof text, "%s", variables);
    for (char *rest = text, *one; (one = strsep(&rest, " ")) != NULL;)
        if (*one) {
            char *equals = strchr(one, '=');
            *equals = '\0';
            setenv(one, equals + 1, 1);
        }
    tn_status status = tn_shard_parse(&ctx, "auto", &s);
    tn_shard_print(&s, got);
    if (strchr(want, '/'))
        ck_assert_msg(status == TN_OK && strcmp(got, want) == 0, "%s: %s %s", variables, got, ctx.message);
    else
        ck_assert_msg(status == TN_ERR_ARG && strstr(ctx.message, want) && !strchr(ctx.message, '\n'),
                      "%s: %s %s", variables, got, ctx.message);
}

START_TEST(as_a_launcher_numbers) {
    expect("OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=4", "1/4");
    expect("OMPI_COMM_WORLD_RANK=3 OMPI_COMM_WORLD_SIZE=4 PMI_RANK=0 PMI_SIZE=2",
           "4/4"); /* the first counts */
    expect("PMI_RANK=1 PMI_SIZE=3 SLURM_PROCID=0 SLURM_NTASKS=9", "2/3");
    expect("SLURM_PROCID=2 SLURM_NTASKS=5", "3/5");
    expect("SLURM_JOB_ID=7 SLURM_STEP_ID=0 SLURM_PROCID=2 SLURM_NTASKS=5", "3/5");
    expect("SLURM_ARRAY_TASK_ID=4 SLURM_ARRAY_TASK_COUNT=4 SLURM_ARRAY_TASK_MIN=1", "4/4");
    expect("SLURM_ARRAY_TASK_ID=0 SLURM_ARRAY_TASK_COUNT=2 SLURM_ARRAY_TASK_MIN=0", "1/2");
    expect("SLURM_ARRAY_TASK_ID=5 SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_STEP=2",
           "3/3");
    /* a job of an array: its script has a number among processes, and is alone */
    expect(
        "SLURM_JOB_ID=7 SLURM_PROCID=0 SLURM_ARRAY_TASK_ID=2 SLURM_ARRAY_TASK_COUNT=4 SLURM_ARRAY_TASK_MIN=1",
        "2/4");
    expect("SLURM_JOB_ID=7 SLURM_PROCID=0 SLURM_NTASKS=1 SLURM_ARRAY_TASK_ID=2 SLURM_ARRAY_TASK_COUNT=4 "
           "SLURM_ARRAY_TASK_MIN=1",
           "2/4");
    /* processes within jobs of an array */
    expect("OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2 SLURM_ARRAY_TASK_ID=3 SLURM_ARRAY_TASK_COUNT=3 "
           "SLURM_ARRAY_TASK_MIN=1",
           "6/6");
}
END_TEST

START_TEST(launchers_that_make_no_sense) {
    expect("", "finds no launcher");
    expect("OMPI_COMM_WORLD_RANK= PMI_RANK=", "finds no launcher");
    expect("OMPI_COMM_WORLD_RANK=1", "set no OMPI_COMM_WORLD_SIZE");
    expect("PMI_SIZE=4", "set no PMI_RANK");
    expect("SLURM_PROCID=0", "set no SLURM_NTASKS");
    expect("OMPI_COMM_WORLD_RANK=4 OMPI_COMM_WORLD_SIZE=4", "from 0 to 3");
    expect("PMI_RANK=0 PMI_SIZE=0", "PMI_SIZE");
    no_launcher();
    setenv("PMI_RANK", "x", 1);
    setenv("PMI_SIZE", "4", 1);
    tn_shard s;
    ck_assert_int_eq(tn_shard_parse(&ctx, "auto", &s), TN_ERR_ARG);
    ck_assert_msg(strstr(ctx.message, "PMI_RANK wants a whole number"), "%s", ctx.message);
    expect("SLURM_JOB_ID=7 SLURM_PROCID=0 SLURM_NTASKS=4", "srun");
    expect("SLURM_ARRAY_TASK_ID=9 SLURM_ARRAY_TASK_COUNT=4 SLURM_ARRAY_TASK_MIN=1", "number them 1-4");
    expect("SLURM_ARRAY_TASK_ID=2 SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_STEP=2",
           "number them 1-3");
    expect("SLURM_ARRAY_TASK_ID=2 SLURM_ARRAY_TASK_MIN=1", "set no SLURM_ARRAY_TASK_COUNT");
    expect(
        "OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=20000 SLURM_ARRAY_TASK_ID=1 SLURM_ARRAY_TASK_COUNT=1000 "
        "SLURM_ARRAY_TASK_MIN=1",
        "more than 1000000");
}
END_TEST

/* What has a part keeps it: files of two versions of the program can be put together. */
START_TEST(a_works_part_stays) {
    static const struct {
        const char *work;
        int part[COUNTS]; /* of so many */
    } known[] = {{"level=op|op=gelu|pass=forward|shape=N=524288|cache=warm|", {1, 2, 2, 4, 60}},
                 {"recall126-s1", {1, 2, 2, 1, 80}}};
    for (size_t k = 0; k < sizeof known / sizeof known[0]; k++)
        for (int c = 0; c < COUNTS; c++)
            for (int i = 1; i <= counts[c]; i++)
                ck_assert_msg(tn_shard_has(&(tn_shard){i, counts[c]}, known[k].work) ==
                                  (i == known[k].part[c]),
                              "%s is %s part %d of %d", known[k].work,
                              i == known[k].part[c] ? "not in" : "in", i, counts[c]);
}
END_TEST

static void list_cells(const char *preset, const tn_device_info *info, tn_cell_list *out) {
    static const tn_sweep_axes levels = {.level = {{"op", "layer", "model", "decode"}, 4},
                                         .cores = {{1, 2}, 2}};
    ck_assert_msg(tn_cells_make(&ctx, preset, &levels, info, false, out) == TN_OK, "%s", ctx.message);
}

static bool same_cell(const tn_sweep_cell *a, const tn_sweep_cell *b) {
    tn_cost_row rows[2];
    char key[2][1400];
    tn_sweep_cell_identify(a, 1, "", &rows[0]);
    tn_sweep_cell_identify(b, 1, "", &rows[1]);
    for (int i = 0; i < 2; i++)
        tn_row_key(&rows[i], key[i], sizeof key[i]);
    return strcmp(key[0], key[1]) == 0;
}

/* Every cell of the grid is in one part, once, and no part has another. */
static void check_union(const char *preset, int count) {
    static const tn_device_info info = {.name = "none", .kind = TN_KIND_CPU};
    tn_cell_list whole = {0};
    list_cells(preset, &info, &whole);
    bool *seen = calloc(whole.count, sizeof *seen);
    size_t sum = 0;
    for (int i = 1; i <= count; i++) {
        tn_cell_list part = {0};
        list_cells(preset, &info, &part);
        tn_cells_keep(&part, &(tn_shard){i, count});
        sum += part.count;
        size_t at = 0;
        for (size_t k = 0; k < part.count; k++, at++) { /* in the order of the whole */
            while (at < whole.count && !same_cell(&part.items[k], &whole.items[at]))
                at++;
            ck_assert_uint_lt(at, whole.count);
            ck_assert(!seen[at]);
            seen[at] = true;
        }
        tn_cell_list_free(&ctx, &part);
    }
    ck_assert_uint_eq(sum, whole.count);
    free(seen);
    tn_cell_list_free(&ctx, &whole);
}

START_TEST(parts_of_a_sweep_are_the_whole) {
    for (int c = 0; c < COUNTS; c++) {
        check_union("quick", counts[c]);
        check_union("full", counts[c]);
    }
}
END_TEST

/* Machines call and number their devices in their own ways and have other drivers: a cell's part is the same.
 */
START_TEST(the_device_has_no_say) {
    static const tn_device_info a = {.name = "A100", .kind = TN_KIND_CPU, .driver = "1"},
                                b = {.name = "MI300",
                                     .kind = TN_KIND_CPU,
                                     .driver = "2",
                                     .platform = 1,
                                     .index = 3};
    for (int i = 1; i <= 3; i++) {
        tn_cell_list one = {0}, other = {0};
        list_cells("quick", &a, &one);
        list_cells("quick", &b, &other);
        tn_cells_keep(&one, &(tn_shard){i, 3});
        tn_cells_keep(&other, &(tn_shard){i, 3});
        ck_assert_uint_eq(one.count, other.count);
        ck_assert_uint_gt(one.count, 0);
        for (size_t k = 0; k < one.count; k++) {
            one.items[k].info = other.items[k].info;
            ck_assert(same_cell(&one.items[k], &other.items[k]));
        }
        tn_cell_list_free(&ctx, &one);
        tn_cell_list_free(&ctx, &other);
    }
}
END_TEST

static void plan_study(tn_shard shard, tn_study_plan *out) {
    tn_study_options o = {
        .seeds = 3, .sequences = 100, .device_count = 2, .devices = {"0:0", "1:0"}, .shard = shard};
    ck_assert_int_eq(tn_study_parts_parse(&ctx, "seed,far,mqar,text,lambda,devices", o.parts), TN_OK);
    snprintf(o.data, sizeof o.data, "/proc/self/exe");
    ck_assert_msg(tn_study_plan_make(&ctx, &o, out) == TN_OK, "%s", ctx.message);
}

static const tn_study_item *find(const tn_study_plan *plan, const char *name) {
    for (size_t i = 0; i < plan->count; i++)
        if (strcmp(plan->items[i].name, name) == 0)
            return &plan->items[i];
    return NULL;
}

/* What an item needs of others is of its own unit: its routed run, the attention run, whoever shares its run.
 */
static void check_needs(const tn_study_plan *whole, const tn_study_plan *part) {
    for (size_t i = 0; i < part->count; i++) {
        const tn_study_item *item = &part->items[i], *same = find(whole, item->name);
        ck_assert_ptr_nonnull(same);
        ck_assert_str_eq(item->matched, same->matched);
        for (size_t k = 0; k < whole->count; k++) {
            const tn_study_item *other = &whole->items[k];
            if (strcmp(other->run, item->run) == 0 || strcmp(other->run, item->attention) == 0)
                ck_assert_msg(find(part, other->name) != NULL, "%s lacks %s", item->name, other->name);
        }
    }
}

START_TEST(parts_of_a_study_are_the_whole_and_complete) {
    tn_study_plan whole;
    plan_study((tn_shard){0, 0}, &whole);
    for (int c = 0; c < COUNTS; c++) {
        size_t sum = 0;
        for (int i = 1; i <= counts[c]; i++) {
            tn_study_plan part;
            plan_study((tn_shard){i, counts[c]}, &part);
            check_needs(&whole, &part);
            sum += part.count; /* names are once in the whole, and each is found there: none is twice if it
                                  adds up */
            tn_study_plan_free(&part);
        }
        ck_assert_uint_eq(sum, whole.count);
    }
    tn_study_plan_free(&whole);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("shard");
    TCase *tests = tcase_create("shard");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, no_launcher, check_live);
    tcase_add_test(tests, a_part_in_words);
    tcase_add_test(tests, what_is_no_part);
    tcase_add_test(tests, as_a_launcher_numbers);
    tcase_add_test(tests, launchers_that_make_no_sense);
    tcase_add_test(tests, a_works_part_stays);
    tcase_add_test(tests, parts_of_a_sweep_are_the_whole);
    tcase_add_test(tests, the_device_has_no_say);
    tcase_add_test(tests, parts_of_a_study_are_the_whole_and_complete);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
