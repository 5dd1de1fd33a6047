/* A real sweep killed again and again at random moments has in the end exactly the rows of one that was left
 * alone, and no child outlives a kill. The moments are of a seed that is printed; TURNOUT_KILL_SEED gives it
 * again. */
#include "sweep_cell.h"
#include "clock.h"
#include "file.h"
#include "folder.h"
#include "suite.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KILLS = 5, ALL_KILLS = 20, ROWS_MAX = 64 };

typedef struct rows {
    char key[ROWS_MAX][1400];
    int count;
} rows;

static const char mark[] = "--seed=918273"; /* of the sweep; its children have it on their command lines */
static tn_context ctx;
static rows alone, killed;

static pid_t start(const char *csv) {
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        if (!freopen("/dev/null", "w", stderr))
            _exit(127);
        execl(TURNOUT_PROGRAM, "turnout", "sweep", mark, "--level=op,layer",
              "--op=gelu,rms_norm,causal_conv,row_gather,route_mix,route_gate,adamw,rope", "--T=64,96",
              "--batch=2", "--rho=0,0.1,0.5,1", "--pass=forward,backward", "--seconds=0.01", "-o", csv,
              (char *)NULL);
        _exit(127);
    }
    return pid;
}

static int finish(pid_t pid) {
    int state;
    ck_assert_int_eq(waitpid(pid, &state, 0), pid);
    return WIFEXITED(state) ? WEXITSTATUS(state) : -1;
}

static void read_rows(const char *csv, rows *out) {
    char *bytes;
    size_t size;
    out->count = 0;
    ck_assert_msg(tn_file_read(&ctx, csv, &bytes, &size) == TN_OK, "%s", ctx.message);
    for (char *line = strchr(bytes, '\n') + 1; *line; line = strchr(line, '\n') + 1) {
        tn_cost_row row;
        ck_assert_int_lt(out->count, ROWS_MAX);
        ck_assert_msg(tn_row_parse(&ctx, line, &row) == TN_OK, "%s", ctx.message);
        ck_assert_msg(strcmp(row.status, "ok") == 0, "%s: %s", row.op, row.reason);
        tn_row_key(&row, out->key[out->count++], sizeof out->key[0]);
    }
    tn_free(&ctx, bytes);
}

static int times_in(const rows *r, const char *key) {
    int count = 0;
    for (int i = 0; i < r->count; i++)
        count += strcmp(r->key[i], key) == 0;
    return count;
}

static void compare(const char *csv) {
    read_rows(csv, &killed);
    for (int i = 0; i < alone.count; i++)
        ck_assert_msg(times_in(&killed, alone.key[i]) == 1, "%d rows of %s", times_in(&killed, alone.key[i]),
                      alone.key[i]);
    ck_assert_int_eq(killed.count, alone.count);
}

/* Is there a process, not yet dead, with the sweep's mark among its words? */
static bool survivor(void) {
    char path[300], words[4096];
    bool found = false;
    DIR *proc = opendir("/proc");
    ck_assert_ptr_nonnull(proc);
    for (struct dirent *entry; (entry = readdir(proc)) != NULL;) {
        snprintf(path, sizeof path, "/proc/%s/cmdline", entry->d_name);
        FILE *file = entry->d_name[0] >= '0' && entry->d_name[0] <= '9' ? fopen(path, "r") : NULL;
        size_t size = file ? fread(words, 1, sizeof words - 1, file) : 0; /* nothing of a dead one */
        if (file)
            fclose(file);
        for (size_t at = 0; at < size; at += strlen(words + at) + 1) {
            words[size] = '\0';
            found = found || strcmp(words + at, mark) == 0;
        }
    }
    closedir(proc);
    return found;
}

static void check_orphans(void) {
    for (int i = 0; i < 500 && survivor(); i++)
        usleep(10000);
    ck_assert_msg(!survivor(), "a child of the killed sweep lives on");
}

static unsigned long long seed_of_moments(void) {
    const char *given = getenv("TURNOUT_KILL_SEED");
    return given ? strtoull(given, NULL, 10) : (unsigned long long)(1e6 * tn_clock_seconds());
}

START_TEST(killed_again_and_again) {
    char csv[128], quiet[128];
    unsigned long long seed = seed_of_moments();
    tn_rng rng = tn_rng_make(seed, TN_RNG_CASE, 0);
    double whole = tn_clock_seconds();
    snprintf(quiet, sizeof quiet, "%s/alone.csv", test_folder);
    snprintf(csv, sizeof csv, "%s/killed.csv", test_folder);
    fprintf(stderr, "moments of seed %llu (TURNOUT_KILL_SEED)\n", seed);
    pid_t pid = start(quiet);
    for (int i = 0; i < 500 && !survivor(); i++)
        usleep(10000);
    ck_assert(survivor()); /* who looks for the living finds them */
    ck_assert_int_eq(finish(pid), 0);
    read_rows(quiet, &alone);
    ck_assert_int_ge(alone.count, 20);
    whole = tn_clock_seconds() - whole; /* with kernels to build: longer than any run to come */
    for (int kills = 0, most = getenv("TURNOUT_TEST_ALL") ? ALL_KILLS : KILLS; kills < most;) {
        pid = start(csv);
        usleep((useconds_t)(1e6 * tn_rng_uniform(&rng) * (whole < 6 ? whole / 2 : 3)));
        kill(pid, SIGKILL);
        kills += finish(pid) == -1;
        check_orphans();
        if (tn_file_exists(csv)) { /* it was faster than its killers: once more from the start */
            compare(csv);
            unlink(csv);
        }
    }
    ck_assert_int_eq(finish(start(csv)), 0);
    compare(csv);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

int main(void) {
    ctx.quiet = true;
    Suite *suite = suite_create("kills");
    TCase *tests = tcase_create("kills");
    tcase_set_timeout(tests, 280);
    tcase_add_checked_fixture(tests, test_folder_make, test_folder_remove);
    tcase_add_test(tests, killed_again_and_again);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
