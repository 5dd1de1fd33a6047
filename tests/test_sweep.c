/* The sweep against cells that misbehave on purpose, and against being killed: one row a cell, whatever
 * happens. */
#include "build.h"
#include "child.h"
#include "file.h"
#include "folder.h"
#include "rows.h"
#include "samples.h"
#include "suite.h"
#include "sweep.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CELLS = 10 };
static char csv[128], part[160], samples[128];
static tn_context ctx;

static void make_folder(void) {
    ctx = (tn_context){.quiet = true};
    test_folder_make();
    snprintf(csv, sizeof csv, "%s/cost.csv", test_folder);
    snprintf(part, sizeof part, "%s.part", csv);
    snprintf(samples, sizeof samples, "%s/cost.jsonl", test_folder);
    setenv("TURNOUT_TEST_CELLS", "1", 1);
}

static void remove_folder(void) {
    test_folder_remove();
    ck_assert_int_eq(ctx.live, 0);
}

static pid_t start(const char *seed) {
    pid_t pid = fork();
    if (pid == 0) {
        if (!freopen("/dev/null", "w", stderr))
            _exit(127);
        execl(TURNOUT_PROGRAM, "turnout", "sweep", "--timeout", "4", "--seed", seed, "-o", csv, "--samples",
              samples, (char *)NULL);
        _exit(127);
    }
    return pid;
}

/* Until the part holds a row: however slow the machine, the sweep is under way then. */
static void wait_for_row(void) {
    struct stat info;
    for (int i = 0; i < 3000; i++) {
        if (stat(part, &info) == 0 && info.st_size > 900) /* longer than the header */
            return;
        usleep(10000);
    }
    ck_abort_msg("no row after 30 s");
}

static int finish(pid_t pid) {
    int state;
    ck_assert_int_eq(waitpid(pid, &state, 0), pid);
    return WIFEXITED(state) ? WEXITSTATUS(state) : -1;
}

/* Status of every op in the file; each op must be there once. */
static void read_rows(char status[CELLS][32], char op[CELLS][32]) {
    char *bytes, *line;
    size_t size;
    int count = 0;
    ck_assert_msg(tn_file_read(&ctx, csv, &bytes, &size) == TN_OK, "%s", ctx.message);
    for (line = strchr(bytes, '\n') + 1; *line; line = strchr(line, '\n') + 1) {
        tn_cost_row row;
        ck_assert_msg(tn_row_parse(&ctx, line, &row) == TN_OK, "%s", ctx.message);
        ck_assert_int_lt(count, CELLS);
        for (int i = 0; i < count; i++)
            ck_assert_str_ne(op[i], row.op);
        snprintf(status[count], 32, "%s", row.status);
        snprintf(op[count++], 32, "%.31s", row.op);
        ck_assert(row.reason[0] || strcmp(row.status, "ok") == 0);
    }
    ck_assert_int_eq(count, CELLS);
    tn_free(&ctx, bytes);
}

static void expect(char status[CELLS][32], char op[CELLS][32], const char *which, const char *want) {
    for (int i = 0; i < CELLS; i++)
        if (strcmp(op[i], which) == 0)
            ck_assert_msg(strcmp(status[i], want) == 0, "%s is %s, not %s", which, status[i], want);
}

/* Every row that was measured has its samples, once, and no other has. */
static void check_samples(void) {
    static const char *const measured[] = {"ok-1", "ok-2", "ok-3", "slow"};
    char *bytes;
    size_t size;
    int seen[4] = {0}, lines = 0;
    ck_assert_msg(tn_file_read(&ctx, samples, &bytes, &size) == TN_OK, "%s", ctx.message);
    for (const char *line = bytes; *line; line = strchr(line, '\n') + 1, lines++) {
        tn_cost_row row;
        ck_assert_msg(tn_samples_row(&ctx, line, &row) == TN_OK, "%s", ctx.message);
        for (int i = 0; i < 4; i++)
            seen[i] += strcmp(row.op, measured[i]) == 0;
        ck_assert_ptr_nonnull(strstr(line, "\"wall_ms\": [1.0, 0.5, 2.0]"));
    }
    ck_assert_int_eq(lines, 4);
    for (int i = 0; i < 4; i++)
        ck_assert_msg(seen[i] == 1, "%s has %d lines of samples", measured[i], seen[i]);
    tn_free(&ctx, bytes);
}

static void check_file(void) {
    check_samples();
    char status[CELLS][32], op[CELLS][32];
    read_rows(status, op);
    expect(status, op, "ok-1", "ok");
    expect(status, op, "ok-2", "ok");
    expect(status, op, "ok-3", "ok");
    expect(status, op, "slow", "ok");
    expect(status, op, "hang", "timeout");
    expect(status, op, "crash", "error");
    expect(status, op, "fail", "error");
    expect(status, op, "lost", "error");
    expect(status, op, "noise", "error");
    expect(status, op, "broken", "unsupported");
    ck_assert(!tn_file_exists(part));
}

START_TEST(misbehaving_cells_cost_one_row_each) {
    ck_assert_int_eq(finish(start("1")), 0);
    check_file();
}
END_TEST

START_TEST(killed_again_and_again) {
    tn_rng rng = tn_rng_make(5, TN_RNG_CASE, 0);
    int kills = 0;
    for (int i = 0; i < 12; i++) {
        pid_t pid = start("7");
        usleep(40000 + 1000 * tn_rng_below(&rng, 500));
        kill(pid, SIGKILL);
        kills += finish(pid) == -1;
        if (tn_file_exists(csv))
            break;
    }
    ck_assert_int_ge(kills, 2);
    if (!tn_file_exists(csv))
        ck_assert_int_eq(finish(start("7")), 0);
    check_file();
}
END_TEST

static void append(const char *path, const char *mode, const char *text) {
    FILE *stream = fopen(path, mode);
    ck_assert_ptr_nonnull(stream);
    fputs(text, stream);
    fclose(stream);
}

static void stop_midway(void) {
    pid_t pid = start("3");
    wait_for_row();
    kill(pid, SIGKILL);
    ck_assert_int_eq(finish(pid), -1);
    ck_assert(tn_file_exists(part));
}

START_TEST(a_torn_last_line_is_measured_again) {
    stop_midway();
    append(part, "a", "turnout-cost-1,0.1.0,2026-");
    ck_assert_int_eq(finish(start("3")), 0);
    check_file();
}
END_TEST

/* A program that was built anew while the sweep ran: its rows are not mixed with those before. */
START_TEST(built_anew_under_way) {
    char line[512], program[128];
    tn_device_list list;
    tn_sweep_result result;
    snprintf(program, sizeof program, "%s/program", test_folder);
    snprintf(line, sizeof line,
             "#!/bin/sh\n%s \"$@\" | sed 's/^turnout-cost-1,[^,]*,/turnout-cost-1,0.1.9+gabc,/'\n",
             TURNOUT_PROGRAM);
    append(program, "w", line);
    ck_assert_int_eq(chmod(program, 0700), 0);
    ck_assert_int_eq(tn_device_list_make(&ctx, &list), TN_OK);
    const tn_device_info *device;
    ck_assert_int_eq(tn_device_select(&ctx, &list, NULL, &device), TN_OK);
    ck_assert_int_eq(tn_sweep_run(&ctx,
                                  &(tn_sweep_options){.program = program,
                                                      .path = csv,
                                                      .preset = "quick",
                                                      .seed = 3,
                                                      .timeout_s = 4,
                                                      .devices = &device,
                                                      .device_count = 1,
                                                      .cpu_model = ""},
                                  &result),
                     TN_ERR_INPUT);
    ck_assert_msg(strstr(ctx.message, "built anew") && strstr(ctx.message, "0.1.9+gabc") &&
                      strstr(ctx.message, tn_build_version()),
                  "%s", ctx.message);
    tn_device_list_free(&ctx, &list);
}
END_TEST

/* Unfinished or whole: a file of another build is left as it is, and both builds are named. */
START_TEST(rows_of_another_build_are_refused) {
    char line[512], *bytes;
    size_t size;
    for (int whole = 0; whole < 2; whole++) {
        if (whole)
            ck_assert_int_eq(finish(start("3")), 0);
        else
            stop_midway();
        const char *file = whole ? csv : part;
        snprintf(line, sizeof line,
                 "sed -i 's/^turnout-cost-1,[^,]*,/turnout-cost-1,0.1.9+gabc,/' %s && cp %s %s/was", file,
                 file, test_folder);
        ck_assert_int_eq(system(line), 0);
        snprintf(line, sizeof line, "%s sweep --seed 3 -o %s 2>%s/said", TURNOUT_PROGRAM, csv, test_folder);
        int code = system(line);
        ck_assert(WIFEXITED(code) && WEXITSTATUS(code) == 2);
        snprintf(line, sizeof line, "%s/said", test_folder);
        ck_assert_int_eq(tn_file_read(&ctx, line, &bytes, &size), TN_OK);
        ck_assert_msg(strstr(bytes, "0.1.9+gabc") && strstr(bytes, tn_build_version()), "%s", bytes);
        tn_free(&ctx, bytes);
        snprintf(line, sizeof line, "cmp %s/was %s && rm -f %s/cost.*", test_folder, file, test_folder);
        ck_assert_int_eq(system(line), 0);
    }
}
END_TEST

START_TEST(samples_of_a_row_that_is_not_there_are_dropped) {
    static const char line[] = "{\"schema\": \"turnout-samples-1\", \"op\": \"ok-1\"}\n";
    char grown[160];
    snprintf(grown, sizeof grown, "%s.part", samples);
    stop_midway();
    append(grown, "a", line); /* the row it belongs to was never written */
    append(grown, "a", "{\"torn");
    ck_assert_int_eq(finish(start("3")), 0);
    check_file();
}
END_TEST

START_TEST(samples_of_another_sweep_are_left_alone) {
    char grown[160];
    snprintf(grown, sizeof grown, "%s.part", samples);
    stop_midway();
    append(grown, "w", "{}\n{}\n{}\n");
    ck_assert_int_eq(finish(start("3")), 2);
    ck_assert(tn_file_exists(part) && tn_file_exists(grown));
}
END_TEST

START_TEST(killed_between_the_two_renames) {
    ck_assert_int_eq(finish(start("3")), 0);
    ck_assert_int_eq(rename(csv, part), 0);
    ck_assert_int_eq(finish(start("3")), 0);
    check_file();
}
END_TEST

START_TEST(other_formats_at_the_end) {
    char *bytes;
    size_t size;
    snprintf(csv, sizeof csv, "%s/cost.md", test_folder);
    ck_assert_int_eq(finish(start("3")), 0);
    check_samples();
    ck_assert_int_eq(tn_file_read(&ctx, csv, &bytes, &size), TN_OK);
    ck_assert_int_eq(strncmp(bytes, "| what ", 7), 0);
    ck_assert_ptr_nonnull(strstr(bytes, "| ok-1 forward"));
    tn_free(&ctx, bytes);
    snprintf(part, sizeof part, "%s.part", csv);
    ck_assert(!tn_file_exists(part));
}
END_TEST

START_TEST(foreign_files_are_left_alone) {
    char *bytes;
    size_t size;
    append(part, "w", "name,value\na,1\n");
    ck_assert_int_eq(finish(start("1")), 2);
    ck_assert_int_eq(tn_file_read(&ctx, part, &bytes, &size), TN_OK);
    ck_assert_str_eq(bytes, "name,value\na,1\n");
    tn_free(&ctx, bytes);
    ck_assert(!tn_file_exists(csv));
    unlink(part);
    stop_midway();
    ck_assert_int_eq(finish(start("4")), 2); /* another seed is another sweep */
    append(part, "a", "broken line\nanother\n");
    ck_assert_int_eq(finish(start("3")), 2);
}
END_TEST

START_TEST(an_interrupt_keeps_what_is_done) {
    pid_t pid = start("1");
    wait_for_row();
    kill(pid, SIGINT);
    ck_assert_int_eq(finish(pid), 3);
    ck_assert(tn_file_exists(part) && tn_file_exists(csv)); /* to go on with, and to read */
    ck_assert_int_eq(finish(start("1")), 0);
    check_file();
}
END_TEST

START_TEST(a_child_and_its_words) {
    tn_child_result r;
    char *sh[] = {"/bin/sh", "-c", "echo out; echo bad news >&2; exit 3", NULL};
    char *sleeper[] = {"/bin/sh", "-c", "sleep 30 & sleep 30", NULL};
    char *missing[] = {"/nonexistent", NULL};
    ck_assert_int_eq(tn_child_run(&ctx, sh, 10, &r), TN_OK);
    ck_assert(r.code == 3 && r.signal == 0 && !r.timed_out);
    ck_assert_str_eq(r.output, "out\n");
    ck_assert_str_eq(r.error, "bad news\n");
    tn_child_free(&ctx, &r);
    ck_assert_int_eq(tn_child_run(&ctx, sleeper, 0.2, &r), TN_OK);
    ck_assert(r.timed_out && r.seconds < 5);
    tn_child_free(&ctx, &r);
    ck_assert_int_eq(tn_child_run(&ctx, missing, 10, &r), TN_OK);
    ck_assert_int_eq(r.code, 127);
    tn_child_free(&ctx, &r);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("sweep");
    TCase *tests = tcase_create("sweep");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    tcase_add_test(tests, misbehaving_cells_cost_one_row_each);
    tcase_add_test(tests, killed_again_and_again);
    tcase_add_test(tests, rows_of_another_build_are_refused);
    tcase_add_test(tests, built_anew_under_way);
    tcase_add_test(tests, a_torn_last_line_is_measured_again);
    tcase_add_test(tests, samples_of_a_row_that_is_not_there_are_dropped);
    tcase_add_test(tests, samples_of_another_sweep_are_left_alone);
    tcase_add_test(tests, killed_between_the_two_renames);
    tcase_add_test(tests, other_formats_at_the_end);
    tcase_add_test(tests, foreign_files_are_left_alone);
    tcase_add_test(tests, an_interrupt_keeps_what_is_done);
    tcase_add_test(tests, a_child_and_its_words);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
