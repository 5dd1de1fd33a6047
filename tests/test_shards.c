/* Parts of a sweep as processes run them: their files have together the rows of the whole grid, each once,
 * and nothing that goes wrong in one part is another's. */
#include "file.h"
#include "folder.h"
#include "program.h"
#include "rows.h"
#include "suite.h"

#include <signal.h>
#include <sys/stat.h>

enum { ROWS_MAX = 64, KEY = 1400 };

typedef struct rows {
    char key[ROWS_MAX][KEY], shard[ROWS_MAX][24];
    int count;
} rows;

static tn_context ctx;
static rows whole, parts;

static void enter(void) {
    ctx = (tn_context){.quiet = true};
    setenv("TURNOUT_TEST_CELLS", "1", 1);
    test_folder_enter();
}

static void leave(void) {
    ck_assert_int_eq(chdir("/"), 0);
    test_folder_remove();
    ck_assert_int_eq(ctx.live, 0);
}

static void add_rows(const char *csv, rows *out) {
    char *bytes;
    size_t size;
    ck_assert_msg(tn_file_read(&ctx, csv, &bytes, &size) == TN_OK, "%s", ctx.message);
    for (char *line = strchr(bytes, '\n') + 1; *line; line = strchr(line, '\n') + 1) {
        tn_cost_row row;
        ck_assert_int_lt(out->count, ROWS_MAX);
        ck_assert_msg(tn_row_parse(&ctx, line, &row) == TN_OK, "%s", ctx.message);
        snprintf(out->shard[out->count], sizeof out->shard[0], "%s", row.shard);
        tn_row_key(&row, out->key[out->count++], KEY);
    }
    tn_free(&ctx, bytes);
}

static int times_in(const rows *in, const char *key) {
    int times = 0;
    for (int i = 0; i < in->count; i++)
        times += strcmp(in->key[i], key) == 0;
    return times;
}

static void check_union(const char *options, int count) {
    char name[64], want[32];
    parts.count = 0;
    for (int i = 1; i <= count; i++) {
        const int before = parts.count;
        snprintf(name, sizeof name, "%d-of-%d.csv", i, count);
        snprintf(want, sizeof want, "%d/%d", i, count);
        int code = program_run("sweep -q %s --shard %s -o %s", options, want, name);
        ck_assert_msg(code == 0 || strstr(program_output, "none of "), "%s", program_output);
        add_rows(name, &parts);
        for (int k = before; k < parts.count; k++)
            ck_assert_str_eq(parts.shard[k], want);
    }
    ck_assert_int_eq(parts.count, whole.count);
    for (int i = 0; i < whole.count; i++)
        ck_assert_msg(times_in(&parts, whole.key[i]) == 1, "%d times: %s", times_in(&parts, whole.key[i]),
                      whole.key[i]);
}

START_TEST(parts_are_the_whole) {
    static const char options[] = "--timeout 0.5";
    whole.count = 0;
    ck_assert_int_eq(program_run("sweep -q %s -o whole.csv", options), 0);
    add_rows("whole.csv", &whole);
    ck_assert_int_eq(whole.count, 10);
    ck_assert_str_eq(whole.shard[0], "");
    check_union(options, 1);
    check_union(options, 2);
    check_union(options, 3);
    check_union(options, 7);
}
END_TEST

START_TEST(parts_of_real_cells) {
    static const char options[] = "--op gelu,row_gather,grad_clip --seconds 0.005 --energy off";
    unsetenv("TURNOUT_TEST_CELLS");
    whole.count = 0;
    ck_assert_msg(program_run("sweep -q %s -o whole.csv", options) == 0, "%s", program_output);
    add_rows("whole.csv", &whole);
    ck_assert_int_eq(whole.count, 5);
    check_union(options, 2);
}
END_TEST

START_TEST(bad_parts) {
    static const char *const bad[] = {"0/4", "5/4", "a/b", "1/0", "1/4x", "''"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        for (int study = 0; study < 2; study++) {
            ck_assert_int_eq(program_run("%s --shard %s -o out.csv", study ? "study" : "sweep", bad[i]), 2);
            ck_assert_ptr_nonnull(strstr(program_output, "--shard"));
            ck_assert_ptr_eq(strchr(program_output, '\n'), program_output + strlen(program_output) - 1);
            ck_assert(!tn_file_exists("out.csv") && !tn_file_exists("out.csv.part"));
        }
    program_gives(2, "sweep --shard auto -o out.csv", "finds no launcher", "I/N");
}
END_TEST

START_TEST(a_launchers_numbers) {
    setenv("OMPI_COMM_WORLD_RANK", "1", 1);
    setenv("OMPI_COMM_WORLD_SIZE", "2", 1);
    ck_assert_int_eq(program_run("sweep -q --timeout 0.5 --shard auto -o auto.csv"), 0);
    parts.count = 0;
    add_rows("auto.csv", &parts);
    ck_assert_int_gt(parts.count, 0);
    for (int i = 0; i < parts.count; i++)
        ck_assert_str_eq(parts.shard[i], "2/2");
    program_gives(0, "sweep --dry-run --shard auto", "of shard 2/2");
    program_gives(0, "study --only seed --dry-run --shard auto", "of shard 2/2");
}
END_TEST

/* A file has one part: what it has is not mixed with another, nor with a whole grid. */
START_TEST(another_part_is_refused) {
    ck_assert_int_eq(program_run("sweep -q --timeout 0.5 --shard 1/2 -o a.csv"), 0);
    program_gives(2, "sweep -q --timeout 0.5 --shard 2/2 -o a.csv", "a.csv", "shard 1/2", "shard 2/2");
    program_gives(2, "sweep -q --timeout 1 -o a.csv", "a.csv", "shard 1/2", "the whole grid");
    program_gives(0, "sweep --timeout 0.5 --shard 1/2 -o a.csv", "whole already");
    ck_assert_int_eq(program_run("sweep -q --timeout 1 -o b.csv"), 0);
    program_gives(2, "sweep -q --timeout 0.5 --shard 2/2 -o b.csv", "a whole grid", "shard 2/2");
}
END_TEST

START_TEST(a_part_without_a_cell) {
    int i = 1;
    do
        ck_assert_int_eq(program_run("sweep --dry-run --shard %d/50", i), 0);
    while (strncmp(program_output, "0 cells", 7) != 0 && i++ < 50);
    char line[80];
    snprintf(line, sizeof line, "sweep --shard %d/50 -o none.csv", i);
    program_gives(0, line, "no cell of the grid falls to this shard");
    parts.count = 0;
    add_rows("none.csv", &parts);
    ck_assert_int_eq(parts.count, 0);
    program_gives(0, line, "no cell");
    snprintf(line, sizeof line, "study --only seed --distances 62 --seeds 1 -o none --shard %d/50",
             i == 1 ? 2 : 1);
    program_gives(0, line, "no run of the study falls to this shard");
}
END_TEST

static void wait_for(const char *path) {
    for (int i = 0; i < 3000 && !tn_file_exists(path); i++)
        usleep(10000);
    ck_assert(tn_file_exists(path));
}

/* Two tasks that were given one file: the second is refused, and the first goes on. */
START_TEST(two_tasks_with_one_file) {
    pid_t pid = program_start("sweep -q --timeout 3 -o one.csv", "said");
    int status;
    wait_for("one.csv.part");
    usleep(300000);
    program_gives(2, "sweep -q --timeout 3 -o one.csv", "another sweep is writing one.csv.part");
    ck_assert(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    parts.count = 0;
    add_rows("one.csv", &parts);
    ck_assert_int_eq(parts.count, 10);
    unsetenv("TURNOUT_TEST_CELLS");
    pid = program_start("bench -q --op gelu --seconds 2 --energy off -o bench.csv", "said");
    wait_for("bench.csv.lock");
    usleep(100000);
    program_gives(2, "bench -q --op gelu --seconds 0.01 --energy off -o bench.csv", "another process",
                  "is writing bench.csv");
    kill(pid, SIGTERM);
    ck_assert(waitpid(pid, &status, 0) == pid);
    ck_assert(!tn_file_exists("bench.csv.lock"));
}
END_TEST

/* The first child of a process; 0: it has none at the moment. */
static pid_t child_of(pid_t pid) {
    char path[80];
    int child = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *stream = fopen(path, "r");
    if (stream && fscanf(stream, "%d", &child) != 1)
        child = 0;
    if (stream)
        fclose(stream);
    return child;
}

/* As a scheduler ends a job: SIGTERM to every process of it, here the cell's first. Nothing that ended so is
 * a row, the rows there were are kept, and the same command goes on. */
START_TEST(a_job_that_is_ended) {
    struct stat info;
    int status, stops = 0;
    for (int k = 0; k < 4; k++) {
        pid_t pid = program_start("sweep -q --timeout 2 --seed 3 -o t.csv", "said"), cell = 0;
        wait_for("t.csv.part");
        const off_t before = stat("t.csv.part", &info) == 0 ? info.st_size : 0;
        for (int i = 0; i < 1000 && stat("t.csv.part", &info) == 0 && info.st_size <= before; i++)
            usleep(5000);
        for (int i = 0; i < 200 && (cell = child_of(pid)) == 0; i++)
            usleep(2000);
        if (cell)
            kill(cell, SIGTERM);
        usleep(3000);
        kill(pid, SIGTERM);
        ck_assert(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
        if (WEXITSTATUS(status) == 0)
            break;
        ck_assert_int_eq(WEXITSTATUS(status), 3);
        ck_assert(tn_file_exists("t.csv") && tn_file_exists("t.csv.part"));
        stops++;
    }
    ck_assert_int_gt(stops, 0);
    program_gives(0, "sweep -q --timeout 2 --seed 3 -o t.csv", "");
    ck_assert_int_eq(program_run("sweep -q --timeout 2 --seed 3 -o left-alone.csv"), 0);
    parts.count = whole.count = 0;
    add_rows("t.csv", &parts);
    add_rows("left-alone.csv", &whole);
    ck_assert_int_eq(parts.count, whole.count);
    ck_assert_int_eq(system("for f in t left-alone; do cut -d, -f13,24 $f.csv | sort >$f.txt; done; cmp "
                            "t.txt left-alone.txt"),
                     0);
}
END_TEST

START_TEST(names_of_machines_and_devices) {
    char host[256], want[400];
    ck_assert_int_eq(gethostname(host, sizeof host), 0);
    ck_assert_int_eq(program_run("sweep -q --timeout 0.5 --shard 1/3 -o 'c-%%h-%%d-%%%%.csv'"), 0);
    snprintf(want, sizeof want, "c-%s-0-0-%%.csv", host);
    ck_assert_msg(tn_file_exists(want), "no %s", want);
    program_gives(2, "sweep -q -o 'c-%x.csv'", "'%x'", "%h", "%%");
    program_gives(2, "bench -q -o 'c-%'", "'%'", "%h");
    program_gives(2, "study -q -o '%s'", "'%s'", "%h");
    program_gives(2, "sweep -q -d nosuch -o '%d.csv'", "nosuch");
    program_gives(2, "sweep -q -o 'missing/%h.csv'", "missing/");
    unsetenv("TURNOUT_TEST_CELLS");
    ck_assert_int_eq(
        program_run("bench -q --op gelu --pass forward --seconds 0.005 --energy off -o 'b-%%d.csv'"), 0);
    ck_assert(tn_file_exists("b-0-0.csv"));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("shards");
    TCase *tests = tcase_create("shards");
    tcase_set_timeout(tests, 180);
    tcase_add_checked_fixture(tests, enter, leave);
    tcase_add_test(tests, parts_are_the_whole);
    tcase_add_test(tests, parts_of_real_cells);
    tcase_add_test(tests, bad_parts);
    tcase_add_test(tests, a_launchers_numbers);
    tcase_add_test(tests, another_part_is_refused);
    tcase_add_test(tests, a_part_without_a_cell);
    tcase_add_test(tests, two_tasks_with_one_file);
    tcase_add_test(tests, a_job_that_is_ended);
    tcase_add_test(tests, names_of_machines_and_devices);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
