/* A real survey of two minutes, killed at random moments and gone on with, ends with exactly the cells of one
 * that was left alone, and in its time. The moments are of a seed that is printed; TURNOUT_KILL_SEED gives it
 * again. */
#include "clock.h"
#include "file.h"
#include "folder.h"
#include "program.h"
#include "rows.h"
#include "suite.h"

#include <time.h>

enum { ROWS_MAX = 200, KILLS = 4, SECONDS = 120 };

typedef struct rows {
    char key[ROWS_MAX][1400];
    int count, ok;
} rows;

static tn_context ctx;
static rows alone, killed;

static void read_file(const char *folder, const char *name, rows *out) {
    char path[256], *bytes;
    size_t size;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    ck_assert_msg(tn_file_read(&ctx, path, &bytes, &size) == TN_OK, "%s", ctx.message);
    for (char *line = strchr(bytes, '\n') + 1; *line; line = strchr(line, '\n') + 1) {
        tn_cost_row row;
        ck_assert_int_lt(out->count, ROWS_MAX);
        ck_assert_msg(tn_row_parse(&ctx, line, &row) == TN_OK, "%s", ctx.message);
        ck_assert_msg(strcmp(row.status, "error") != 0, "%s: %s", row.op, row.reason);
        out->ok += strcmp(row.status, "ok") == 0;
        ck_assert_msg(strcmp(row.status, "ok") != 0 || row.verified[0], "%s is not verified", row.op);
        tn_row_key(&row, out->key[out->count++], sizeof out->key[0]);
    }
    tn_free(&ctx, bytes);
}

static void read_rows(const char *folder, rows *out) {
    read_file(folder, "cost.csv", out);
    read_file(folder, "step.csv", out);
    read_file(folder, "decode.csv", out);
    qsort(out->key, (size_t)out->count, sizeof out->key[0], (int (*)(const void *, const void *))strcmp);
}

static int finish(pid_t pid) {
    int state;
    ck_assert_int_eq(waitpid(pid, &state, 0), pid);
    return WIFEXITED(state) ? WEXITSTATUS(state) : -1;
}

static pid_t start(const char *folder) {
    char line[512];
    snprintf(line, sizeof line, "survey --quiet --minutes 2 -o %s", folder);
    return program_start(line, "/dev/null");
}

START_TEST(the_same_cells) {
    char one[64], other[64];
    const char *given = getenv("TURNOUT_KILL_SEED");
    const unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);
    printf("TURNOUT_KILL_SEED=%u\n", seed);
    srand(seed);
    snprintf(one, sizeof one, "%s/alone", test_folder);
    snprintf(other, sizeof other, "%s/killed", test_folder);
    const double before = tn_clock_seconds();
    ck_assert_int_eq(finish(start(one)), 0);
    const double seconds = tn_clock_seconds() - before;
    ck_assert_msg(seconds < 1.1 * SECONDS, "it took %.0f s", seconds);
    for (int i = 0; i < KILLS; i++) {
        pid_t pid = start(other);
        usleep(100000 * (unsigned)(10 + rand() % 240));
        kill(pid, SIGKILL);
        ck_assert_int_eq(finish(pid), -1);
    }
    ck_assert_int_eq(finish(start(other)), 0);
    read_rows(one, &alone);
    read_rows(other, &killed);
    ck_assert_int_gt(alone.ok, 5);
    ck_assert_int_gt(killed.ok, 5);
    ck_assert_int_eq(alone.count, killed.count);
    for (int i = 0; i < alone.count; i++)
        ck_assert_str_eq(alone.key[i], killed.key[i]);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("survey_kills");
    TCase *tests = tcase_create("survey_kills");
    tcase_set_timeout(tests, 700);
    tcase_add_checked_fixture(tests, test_folder_make, test_folder_remove);
    tcase_add_test(tests, the_same_cells);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
