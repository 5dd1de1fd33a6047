/* The survey's plan, its shares, what it refuses; and surveys of a made-up device, whose program is this test
 * itself: pieces that hang, crash and are wrong cost themselves alone, and one that is killed ends with the
 * same cells. */
#include "survey.h"

#include "build.h"
#include "cell_child.h"
#include "clock.h"
#include "file.h"
#include "folder.h"
#include "pairs.h"
#include "suite.h"
#include "survey_plan.h"
#include "survey_rows.h"

#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static tn_context ctx;
static char self[4096];
static const tn_device_info devices[2] = {
    {.platform = 7, .index = 0, .name = "Made up", .platform_name = "P", .driver = "1", .kind = TN_KIND_GPU},
    {.platform = 7, .index = 1, .name = "Another", .platform_name = "P", .driver = "1", .kind = TN_KIND_GPU}};
static const tn_device_info *const chosen[2] = {&devices[0], &devices[1]};

/* ---- this test as the program ---- */

static const char *word(int argc, char **argv, const char *name) {
    for (int i = 2; i < argc; i++)
        if (strncmp(argv[i], name, strlen(name)) == 0)
            return argv[i] + strlen(name);
    return "";
}

static void copy(char *to, size_t size, int argc, char **argv, const char *name) {
    snprintf(to, size, "%s", word(argc, argv, name));
}

/* The row that the cell of these words should have: 2 ms, twice as fast as dense attention. */
static int answer_cell(int argc, char **argv) {
    tn_sweep_cell cell = {.B = -1, .T = -1, .D = -1, .H = -1, .K = -1, .rho = NAN};
    tn_cost_row row;
    const char *rho = word(argc, argv, "--rho="), *layer = word(argc, argv, "--layer=");
    cell.info = &devices[strcmp(word(argc, argv, "--device="), "7:1") == 0];
    copy(cell.level, sizeof cell.level, argc, argv, "--level=");
    copy(cell.op, sizeof cell.op, argc, argv, "--op=");
    copy(cell.pass, sizeof cell.pass, argc, argv, "--pass=");
    copy(cell.shape, sizeof cell.shape, argc, argv, "--shape=");
    copy(cell.mixer, sizeof cell.mixer, argc, argv, "--mixer=");
    const bool decode = strcmp(cell.level, "decode") == 0;
    tn_pair_field fields[] = {{.name = "B", .whole = &cell.B, .low = 1, .high = INT32_MAX},
                              {.name = decode ? "context" : "T",
                               .whole = decode ? &cell.context : &cell.T,
                               .low = 1,
                               .high = INT32_MAX},
                              {.name = "D", .whole = &cell.D, .low = 1, .high = INT32_MAX},
                              {.name = "H", .whole = &cell.H, .low = 1, .high = INT32_MAX},
                              {.name = "K", .whole = &cell.K, .low = 1, .high = INT32_MAX}};
    if (layer[0] && tn_pairs_read(&ctx, "layer", layer, fields, 5) != TN_OK)
        return 2;
    if (rho[0])
        cell.rho = strtod(rho, NULL);
    tn_execution_parse(word(argc, argv, "--execution=")[0] ? word(argc, argv, "--execution=") : "compacted",
                       &cell.execution);
    tn_sweep_cell_identify(&cell, 1, "", &row);
    row.n = 5;
    row.wall_ms = row.wall_ms_q1 = row.wall_ms_q3 = 2;
    row.timing_s = 0.2;
    if (strcmp(cell.level, "op") == 0)
        row.roofline_pct = 50;
    if (cell.rho > 0) {
        row.dense_ratio = row.dense_ratio_q1 = row.dense_ratio_q3 = 2;
        row.dense_wall_ms = 4;
        snprintf(row.schedule, sizeof row.schedule, "%s", tn_execution_name(cell.execution));
    }
    tn_rows_write(stdout, TN_ROW_CSV, 0, &row);
    return 0;
}

/* FAKE_SURVEY: "hang WORD", "crash WORD" or "wrong WORD", of calls that have that word; or "slow". */
static int answer(int argc, char **argv) {
    const char *what = getenv("FAKE_SURVEY"), *calls = getenv("FAKE_CALLS");
    char line[2048] = "";
    for (int i = 1; i < argc; i++) {
        strcat(line, argv[i]);
        strcat(line, " ");
    }
    FILE *file = calls ? fopen(calls, "ab") : NULL;
    if (file) {
        fprintf(file, "%s\n", line);
        fclose(file);
    }
    const char *of = what && strchr(what, ' ') ? strchr(what, ' ') + 1 : NULL;
    if (of && strstr(line, of) && strncmp(what, "hang", 4) == 0)
        sleep(60);
    if (of && strstr(line, of) && strncmp(what, "crash", 5) == 0)
        raise(SIGKILL);
    if (of && strstr(line, of) && strncmp(what, "wrong", 5) == 0) {
        fputs("turnout verify: error 3 of 2 allowed\n", stderr);
        return 1;
    }
    if (what && strcmp(what, "slow") == 0)
        usleep(8000);
    if (strcmp(argv[1], "devices") == 0)
        puts("{\"devices\": []}");
    else if (strcmp(argv[1], "verify") == 0)
        puts("[{\"fitted\": 2, \"cases\": 2, \"worst_pct\": 4.5}]");
    else if (strstr(line, "--level=roofline"))
        puts("1e11,2e10,1e10,2e11,2e11,1e11,1e11,9e10,6e10,2e10,1e14,nan,0");
    else if (strcmp(argv[1], "cell") == 0)
        return answer_cell(argc, argv);
    return 0;
}

/* ---- the plan ---- */

START_TEST(plan_has_all_stages) {
    for (int k = 0; k < 3; k++) {
        tn_device_info info = devices[0];
        info.kind = (tn_device_kind)k;
        tn_survey_plan plan;
        int first[TN_SURVEY_STAGES] = {0}, beyond = 0;
        ck_assert_msg(tn_survey_plan_make(&ctx, &info, &plan) == TN_OK, "%s", ctx.message);
        for (size_t i = 0; i < plan.count; i++) {
            const tn_survey_item *item = &plan.items[i];
            ck_assert(item->tier >= 1 && item->tier <= 4 && item->nominal_s > 0 && item->name[0]);
            ck_assert(i == 0 || item->stage >= plan.items[i - 1].stage);
            first[item->stage] += item->tier == 1;
            beyond += item->tier > 1;
            for (size_t j = 0; j < i; j++)
                ck_assert_msg(plan.items[j].stage != item->stage ||
                                  strcmp(plan.items[j].name, item->name) != 0,
                              "%s is there twice", item->name);
        }
        for (int stage = 0; stage < TN_SURVEY_STAGES; stage++)
            ck_assert_msg(first[stage] > 0 || stage == TN_SURVEY_PEERS, "no %s in two minutes",
                          tn_survey_stage_kinds[stage].name);
        ck_assert_int_gt(beyond, 30);
        tn_survey_plan_free(&plan);
    }
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

START_TEST(shares) {
    bool has[TN_SURVEY_STAGES];
    double left = 236;
    for (int i = 0; i < TN_SURVEY_STAGES; i++)
        has[i] = true;
    for (int i = 0; i < TN_SURVEY_STAGES;
         i++) { /* each takes its share: nothing is left, none gets nothing */
        const double share = tn_survey_share(has, (tn_survey_stage)i, left);
        ck_assert(share > 0 && share <= left);
        left -= share;
    }
    ck_assert(fabs(left) < 1e-9);
    const double among_all = tn_survey_share(has, TN_SURVEY_LAYER, 100);
    has[TN_SURVEY_RECALL] = has[TN_SURVEY_OPS] = false;
    ck_assert(tn_survey_share(has, TN_SURVEY_LAYER, 100) > among_all); /* what others do not need */
    ck_assert(tn_survey_share(has, TN_SURVEY_LAYER, -3) <= 0);
    ck_assert_int_eq(tn_survey_tier(2), 1);
    ck_assert_int_eq(tn_survey_tier(4), 2);
    ck_assert_int_eq(tn_survey_tier(9.9), 2);
    ck_assert_int_eq(tn_survey_tier(10), 3);
    ck_assert_int_eq(tn_survey_tier(600), 4);
}
END_TEST

/* ---- surveys of a made-up device ---- */

/* Parts have no cell in common and are together the whole; each verifies for itself. */
START_TEST(parts) {
    for (int count = 1; count <= 7; count += count == 3 ? 4 : 1) {
        tn_survey_plan whole_plan, part;
        size_t all = 0, verified = 0, cells = 0;
        ck_assert_int_eq(tn_survey_plan_make(&ctx, &devices[0], &whole_plan), TN_OK);
        for (int i = 1; i <= count; i++) {
            ck_assert_int_eq(tn_survey_plan_make(&ctx, &devices[0], &part), TN_OK);
            tn_survey_plan_keep(&part, &(tn_shard){i, count});
            for (size_t k = 0; k < part.count; k++) {
                verified += part.items[k].stage < TN_SURVEY_LAYER;
                all += part.items[k].stage >= TN_SURVEY_LAYER;
            }
            tn_survey_plan_free(&part);
        }
        for (size_t k = 0; k < whole_plan.count; k++)
            cells += whole_plan.items[k].stage >= TN_SURVEY_LAYER;
        ck_assert_uint_eq(all, cells);
        ck_assert_uint_eq(verified, (whole_plan.count - cells) * (size_t)count);
        tn_survey_plan_free(&whole_plan);
    }
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

static tn_survey_options options(double minutes) {
    static char folder[128];
    snprintf(folder, sizeof folder, "%s/survey", test_folder);
    return (tn_survey_options){.program = self,
                               .folder = folder,
                               .minutes = minutes,
                               .cpu_model = "",
                               .devices = chosen,
                               .device_count = 1};
}

static char *text_of(const char *name) {
    static char text[262144];
    char path[300], *bytes;
    size_t size;
    snprintf(path, sizeof path, "%s/survey/%s", test_folder, name);
    ck_assert_msg(tn_file_read(&ctx, path, &bytes, &size) == TN_OK, "%s", ctx.message);
    snprintf(text, sizeof text, "%s", bytes);
    tn_free(&ctx, bytes);
    return text;
}

static void has_text(const char *name, const char *wanted) {
    const char *text = text_of(name);
    ck_assert_msg(strstr(text, wanted) != NULL, "\"%s\" is not in %s:\n%s", wanted, name, text);
}

static int count_lines(const char *text) {
    int count = 0;
    for (; *text; text++)
        count += *text == '\n';
    return count;
}

static void quietly(void) {
    test_folder_make();
    ctx.quiet = true;
    setenv("FAKE_SURVEY", "", 1);
    setenv("TURNOUT_TUNED", "1", 1);
    unsetenv("FAKE_CALLS");
    ck_assert(freopen("/dev/null", "w", stdout) != NULL);
}

START_TEST(whole) {
    char calls[128];
    const tn_survey_options o = options(2);
    snprintf(calls, sizeof calls, "%s/calls", test_folder);
    setenv("FAKE_CALLS", calls, 1);
    ck_assert_msg(tn_survey_run(&ctx, &o) == TN_OK, "%s", ctx.message);
    has_text("survey.json", "\"whole\": true");
    has_text("survey.json", "largest error 4.5 %");
    has_text("survey.md", "routing pays from T ≥ 256, the shortest length measured: 2 times as fast");
    has_text("survey.md", "The recall model, trained and evaluated: not measured.");
    has_text("survey.md", "`--minutes 4` has");
    has_text("survey.md", "45 of the ops' 45 programs"); /* time was left for those of longer surveys */
    has_text("report.html", "routing pays from T");
    const char *const files[] = {"cost.csv", "step.csv", "decode.csv"};
    for (int i = 0; i < 3; i++)
        ck_assert(!strstr(text_of(files[i]), "timeout") && count_lines(text_of(files[i])) > 3);
    FILE *file = fopen(calls, "rb");
    ck_assert_ptr_nonnull(file);
    fseek(file, 0, SEEK_END);
    const long before = ftell(file);
    ck_assert_msg(tn_survey_run(&ctx, &o) == TN_OK, "%s", ctx.message); /* whole: nothing runs again */
    fseek(file, 0, SEEK_END);
    ck_assert_int_eq(ftell(file), before);
    fclose(file);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

static tn_status survey_with(const char *what, double minutes) {
    const tn_survey_options o = options(minutes);
    setenv("FAKE_SURVEY", what, 1);
    return tn_survey_run(&ctx, &o);
}

START_TEST(what_fails_costs_itself) {
    ck_assert_int_eq(survey_with("crash --level=model", 0.4), TN_OK);
    has_text("step.csv", "ended by SIGKILL");
    has_text("decode.csv", ",ok,");
    has_text("survey.md", "A training step, routed and not: not measured.");
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

START_TEST(what_is_wrong_is_said) {
    ck_assert_int_eq(survey_with("wrong --op=mlp --variant=fused_groups", 0.4), TN_ERR_CHECK);
    ck_assert_msg(strstr(ctx.message, "1 program of the ops gave wrong results") != NULL, "%s", ctx.message);
    has_text("survey.md", "mlp fused_groups failed** (verify): wrong: error 3 of 2 allowed");
    has_text("cost.csv", ",ok,");
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

/* In its time, to a second; what did not come to its turn is named, and has its rows. */
START_TEST(what_hangs_is_cut) {
    const double start = tn_clock_seconds();
    ck_assert_int_eq(survey_with("hang --level=layer", 0.12), TN_OK);
    ck_assert_msg(tn_clock_seconds() - start < 0.12 * 60 + 2, "%g s", tn_clock_seconds() - start);
    has_text("cost.csv", "timeout");
    has_text("survey.md", "Left out of layer: layer");
    has_text("survey.md", "From which length routing pays: not measured.");
    has_text("decode.csv", ",ok,");
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

/* The rows of all files by cell, sorted, without numbers. */
static int keys_of(const char *folder, char (*keys)[1400], int most) {
    int count = 0;
    for (int f = 0; f < TN_SURVEY_FILES; f++) {
        tn_survey_rows rows;
        ck_assert_msg(tn_survey_rows_load(&ctx, folder, tn_survey_file_names[f], &rows) == TN_OK, "%s",
                      ctx.message);
        for (size_t i = 0; i < rows.count && count < most; i++)
            tn_row_key(&rows.items[i], keys[count++], sizeof keys[0]);
        tn_survey_rows_free(&rows);
    }
    qsort(keys, (size_t)count, sizeof keys[0], (int (*)(const void *, const void *))strcmp);
    return count;
}

static void run_killed(const tn_survey_options *o, int kills) {
    for (int i = 0; i <= kills; i++) {
        pid_t pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
            const tn_status status = tn_survey_run(&ctx, o);
            if (status != TN_OK)
                fprintf(stderr, "%s\n", ctx.message);
            _exit(status == TN_OK ? 0 : 1);
        }
        if (i < kills) {
            usleep(1000 * (unsigned)(20 + rand() % 400));
            kill(pid, SIGKILL);
        }
        int state;
        ck_assert_int_eq(waitpid(pid, &state, 0), pid);
        usleep(i < kills ? 100000
                         : 0); /* a child of it that was just forked still has the lock's file open */
        ck_assert_msg(i < kills || (WIFEXITED(state) && WEXITSTATUS(state) == 0), "the last one fails");
    }
}

START_TEST(killed_it_has_the_same_cells) {
    enum { MOST = 200 };
    static char alone[MOST][1400], killed[MOST][1400];
    char folder[160];
    tn_survey_options o = options(1);
    const unsigned seed = (unsigned)time(NULL);
    srand(seed);
    setenv("FAKE_SURVEY", "slow", 1);
    ck_assert_msg(tn_survey_run(&ctx, &o) == TN_OK, "%s", ctx.message);
    const int count = keys_of(o.folder, alone, MOST);
    snprintf(folder, sizeof folder, "%s/killed", test_folder);
    o.folder = folder;
    run_killed(&o, 6);
    ck_assert_int_gt(count, 20);
    ck_assert_msg(keys_of(folder, killed, MOST) == count, "seed %u", seed);
    for (int i = 0; i < count; i++)
        ck_assert_msg(strcmp(alone[i], killed[i]) == 0, "seed %u: %s", seed, killed[i]);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

static void refused(const tn_survey_options *o, const char *why) {
    ck_assert_int_eq(tn_survey_run(&ctx, o), TN_ERR_ARG);
    ck_assert_msg(strstr(ctx.message, why) != NULL, "%s", ctx.message);
    ck_assert_int_eq(ctx.live, 0);
}

START_TEST(refusals) {
    tn_survey_options o = options(0.4);
    ck_assert_msg(tn_survey_run(&ctx, &o) == TN_OK, "%s", ctx.message);
    o.minutes = 0.3;
    refused(&o, "survey of 0.4 minutes");
    o.minutes = 0.4;
    o.devices = chosen + 1;
    refused(&o, "holds a survey of 7:0 Made up");
    o.devices = chosen;
    o.each = true;
    refused(&o, "holds a survey of one device");
    o.each = false;
    o.shard = (tn_shard){2, 3};
    refused(&o, "holds the whole of a survey, and this is shard 2/3");
    o.shard = (tn_shard){0};
    o.folder = test_folder; /* which holds the survey's folder */
    refused(&o, "holds something else than a survey");
    o.minutes = 3;
    o.device_count = 2;
    ck_assert_int_eq(tn_survey_check(&ctx, &o), TN_ERR_ARG);
    ck_assert_msg(strstr(ctx.message, "--minutes 4") != NULL, "%s", ctx.message);
    o.minutes = 4;
    ck_assert_int_eq(tn_survey_check(&ctx, &o), TN_OK);
}
END_TEST

START_TEST(longer_goes_on) {
    tn_survey_options o = options(0.4);
    ck_assert_msg(tn_survey_run(&ctx, &o) == TN_OK, "%s", ctx.message);
    const int before = count_lines(text_of("cost.csv"));
    o.minutes = 4; /* with pieces that the shorter one has not */
    ck_assert_msg(tn_survey_run(&ctx, &o) == TN_OK, "%s", ctx.message);
    ck_assert_int_gt(count_lines(text_of("cost.csv")), before);
    has_text("survey.json", "\"starts\": 2");
    has_text("survey.json", "\"minutes\": 4");
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

START_TEST(several_devices) {
    tn_survey_options o = options(0.8);
    o.device_count = 2;
    o.each = true;
    ck_assert_msg(tn_survey_run(&ctx, &o) == TN_OK, "%s", ctx.message);
    has_text("survey.json", "\"7-1\"");
    has_text("7-0/survey.json", "\"whole\": true");
    has_text("survey.md", "| Another");
    has_text("survey.md", "For a routed layer (");
    has_text("report.html", "Another");
    ck_assert_msg(tn_survey_run(&ctx, &o) == TN_OK, "%s", ctx.message);
    o.each = false;
    o.device_count = 1;
    refused(&o, "holds a survey of several devices");
}
END_TEST

int main(int argc, char **argv) {
    if (argc > 1)
        return answer(argc, argv);
    const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    self[length > 0 ? length : 0] = '\0';
    Suite *suite = suite_create("survey");
    TCase *tests = tcase_create("survey");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, quietly, test_folder_remove);
    tcase_add_test(tests, plan_has_all_stages);
    tcase_add_test(tests, shares);
    tcase_add_test(tests, parts);
    tcase_add_test(tests, whole);
    tcase_add_test(tests, what_fails_costs_itself);
    tcase_add_test(tests, what_is_wrong_is_said);
    tcase_add_test(tests, what_hangs_is_cut);
    tcase_add_test(tests, killed_it_has_the_same_cells);
    tcase_add_test(tests, refusals);
    tcase_add_test(tests, longer_goes_on);
    tcase_add_test(tests, several_devices);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
