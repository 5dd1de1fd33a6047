/* Energy through the program itself: a made-up package that draws 20 W and 10 W more for every processor the
 * program keeps busy. */
#include "energy_tree.h"
#include "program.h"
#include "rows.h"
#include "suite.h"

#include <math.h>
#include <pthread.h>

static const double idle_w = 20, busy_w = 10;

static pthread_t meter;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool stop;
static clockid_t clock_of_program; /* its processor time; 0: nothing runs */

static double seconds_of(clockid_t id) {
    struct timespec t;
    return clock_gettime(id, &t) == 0 ? (double)t.tv_sec + 1e-9 * (double)t.tv_nsec : 0;
}

static void *run_meter(void *data) {
    double start = seconds_of(CLOCK_MONOTONIC), busy = 0;
    for (bool go = true; go;) {
        pthread_mutex_lock(&lock);
        go = !stop;
        if (clock_of_program)
            busy = fmax(busy, seconds_of(clock_of_program));
        pthread_mutex_unlock(&lock);
        double joules = idle_w * (seconds_of(CLOCK_MONOTONIC) - start) + busy_w * busy;
        tree_put_number("intel-rapl:0", "energy_uj", 1e6 * joules);
        wait_s(0.001);
    }
    return data;
}

static void start_meter(void) {
    tree_make();
    tree_use("TURNOUT_POWERCAP");
    tree_put("intel-rapl:0", "name", "package-0\n");
    tree_put("intel-rapl:0", "max_energy_range_uj", "262143328850\n");
    tree_put("intel-rapl:0", "energy_uj", "0\n");
    stop = false;
    clock_of_program = 0;
    ck_assert_int_eq(pthread_create(&meter, NULL, run_meter, NULL), 0);
}

static void stop_meter(void) {
    pthread_mutex_lock(&lock);
    stop = true;
    pthread_mutex_unlock(&lock);
    pthread_join(meter, NULL);
    tree_remove();
}

static pid_t start(const char *line) {
    char command[600];
    snprintf(command, sizeof command, "exec %s %s >/dev/null 2>%s/errors", TURNOUT_PROGRAM, line, tree);
    pid_t pid = fork();
    ck_assert(pid >= 0);
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    return pid;
}

/* What the program said last; with -q of an error alone. */
static const char *said(void) {
    static char text[2000];
    char path[100];
    snprintf(path, sizeof path, "%s/errors", tree);
    FILE *stream = fopen(path, "r");
    const size_t got = stream ? fread(text, 1, sizeof text - 1, stream) : 0;
    if (stream)
        fclose(stream);
    text[got] = '\0';
    return text;
}

/* Lines of the file that are rows; `row` is the last of them that is ok. */
static int rows_in(const char *path, tn_cost_row *row) {
    char line[4096];
    int count = 0;
    FILE *stream = fopen(path, "r");
    while (stream && fgets(line, sizeof line, stream)) {
        tn_cost_row found;
        if (strncmp(line, TN_ROW_SCHEMA, strlen(TN_ROW_SCHEMA)) != 0 ||
            tn_row_parse(&ctx, line, &found) != TN_OK || strcmp(found.status, "ok") != 0)
            continue;
        *row = found;
        count++;
    }
    if (stream)
        fclose(stream);
    return count;
}

static const char *const source = "rapl package-0 (whole package, everything that ran on it)";

START_TEST(devices_name_it) {
    char words[200];
    snprintf(words, sizeof words, "\"energy_source\": \"%s\"", source);
    program_gives(0, "devices", source);
    program_gives(0, "devices --json", words);
    setenv("TURNOUT_POWERCAP", "/nonexistent", 1);
    program_gives(0, "devices", "energy  unmeasured: this kernel has no powercap counters");
}
END_TEST

/* The meter is a thread that others keep waiting, a tenth of a second at times. */
static void check_idle(const tn_cost_row *row) {
    ck_assert_double_ge(row->idle_w, 0.8 * idle_w);
    ck_assert_double_le(row->idle_w, 1.2 * idle_w);
}

START_TEST(bench_has_both_figures) {
    char line[300], csv[100];
    tn_cost_row row;
    clockid_t id;
    int status;
    snprintf(csv, sizeof csv, "%s/cost.csv", tree);
    /* An op far from the ceilings: a row past one is an error, and these are measured on a busy machine. */
    snprintf(line, sizeof line, "bench -q -d cpu --op gelu --pass forward --seconds 0.5 -o %s", csv);
    pid_t pid = start(line);
    ck_assert_int_eq(clock_getcpuclockid(pid, &id), 0);
    pthread_mutex_lock(&lock);
    clock_of_program = id;
    pthread_mutex_unlock(&lock);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(status == 0, "status %d: %s", status, said());
    ck_assert_int_ge(rows_in(csv, &row), 1);
    ck_assert_str_eq(row.energy_source, source);
    check_idle(&row);
    double watts = 1e3 * row.energy_j / row.wall_ms;
    ck_assert_double_ge(watts, idle_w + 0.2 * busy_w); /* a busy machine leaves it a part of a processor */
    ck_assert_double_ge(row.energy_net_j, 0.05 * row.energy_j);
    ck_assert_double_lt(row.energy_net_j, row.energy_j);
    /* What was taken off is the idle power over the time of a call: a mean, beside a median. */
    double call_s = (row.energy_j - row.energy_net_j) / row.idle_w;
    ck_assert_double_ge(call_s, 0.7e-3 * row.wall_ms);
    ck_assert_double_le(call_s, 3e-3 * row.wall_ms);
}
END_TEST

/* Nobody asked: no counter is read, no second is spent on the idle device, and the row says so. */
START_TEST(off_is_off) {
    char line[300], csv[100];
    tn_cost_row row;
    int status;
    snprintf(csv, sizeof csv, "%s/cost.csv", tree);
    snprintf(line, sizeof line,
             "bench -q -d cpu --op gelu --pass forward --shape N=4096 --energy off --seconds 0.05 -o %s",
             csv);
    ck_assert_int_ge(waitpid(start(line), &status, 0), 0);
    ck_assert_msg(status == 0, "status %d: %s", status, said());
    ck_assert_int_eq(rows_in(csv, &row), 1);
    ck_assert(isnan(row.energy_j) && isnan(row.energy_net_j) && isnan(row.idle_w));
    ck_assert_str_eq(row.energy_source, "unmeasured: not asked for");
}
END_TEST

/* The first rows of a sweep, whose cells are processes and get the idle power handed down. */
START_TEST(sweep_has_it_in_every_cell) {
    char line[300], part[100];
    tn_cost_row row;
    int status = 0, found = 0;
    snprintf(part, sizeof part, "%s/cost.csv.part", tree);
    snprintf(line, sizeof line, "sweep -q -d cpu --seconds 0.2 -o %s/cost.csv", tree);
    pid_t pid = start(line);
    for (int i = 0; i < 12000 && found < 2 && waitpid(pid, &status, WNOHANG) == 0; i++) {
        wait_s(0.01);
        found = rows_in(part, &row);
    }
    kill(pid, SIGINT);
    waitpid(pid, &status, 0);
    ck_assert_int_ge(found, 2);
    ck_assert_msg(strncmp(row.energy_source, source, strlen(source)) == 0, "%s", row.energy_source);
    check_idle(&row);
    ck_assert_double_ge(1e3 * row.energy_j / row.wall_ms, 0.5 * idle_w);
}
END_TEST

/* What an evaluation says to be saved is measured: without attention in any layer there is less time, and so
 * less energy, at a power that varies by half. */
START_TEST(eval_saves_joules) {
    char line[300], path[100];
    json_error_t error;
    int status;
    snprintf(line, sizeof line,
             "train -q -d cpu --distance 254 --mixer conv --steps 2 --sequences 32 -o %s/run", tree);
    ck_assert_int_ge(waitpid(start(line), &status, 0), 0);
    ck_assert_msg(status == 0, "status %d: %s", status, said());
    snprintf(path, sizeof path, "%s/run/summary.json", tree);
    json_t *summary = json_load_file(path, 0, &error);
    ck_assert_msg(summary != NULL, "%s", error.text);
    const json_t *saved = json_object_get(summary, "energy_saved_pct");
    ck_assert_str_eq(json_string_value(json_object_get(summary, "energy_source")), source);
    ck_assert(json_is_number(saved));
    ck_assert_double_gt(json_number_value(saved), 0);
    ck_assert_double_lt(json_number_value(saved), 100);
    json_decref(summary);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("energy_program");
    TCase *tests = tcase_create("program");
    tcase_set_timeout(tests, 150);
    tcase_add_checked_fixture(tests, start_meter, stop_meter);
    tcase_add_test(tests, devices_name_it);
    tcase_add_test(tests, bench_has_both_figures);
    tcase_add_test(tests, off_is_off);
    tcase_add_test(tests, sweep_has_it_in_every_cell);
    tcase_add_test(tests, eval_saves_joules);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
