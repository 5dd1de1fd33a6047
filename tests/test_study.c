/* A study as a user runs it: every row once, whatever kills it, and the same numbers as one that was left
 * alone. */
#include "program.h"

#include "bits_table.h"
#include "file.h"
#include "folder.h"
#include "study_rows.h"
#include "suite.h"

#include <math.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TINY "study --only seed,far --steps 6 --distances 14 --sequences 8 --seconds 0.02 --quiet"
#define FAR  "study --only far --steps 6 --distances 14 --sequences 8 --seconds 0.02 --quiet"
enum { ROWS = 2 * 7 + 2 }; /* two seeds */

static tn_context ctx;

static void teardown(void) {
    test_folder_remove();
    ck_assert_int_eq(ctx.live, 0);
}

static void load(const char *study, tn_study_rows *rows) {
    char path[200];
    snprintf(path, sizeof path, "%s/%s/study.csv", test_folder, study);
    ck_assert_msg(tn_study_rows_load(&ctx, path, rows) == TN_OK, "%s",
                  ctx.message); /* refuses a name twice */
}

static bool exists(const char *name) {
    char path[300];
    snprintf(path, sizeof path, "%s/%s", test_folder, name);
    return tn_file_exists(path);
}

/* Rows of both, and all that is not a time, are the same. */
static void same_rows(const char *a, const char *b) {
    static const char *const columns[] = {
        "accuracy", "cross_entropy", "attention_pct", "run",          "attention_pct_layers", "mixer",
        "status",   "steps",         "regret",        "steps_to_999", "eval_sequences"};
    tn_study_rows x, y;
    load(a, &x);
    load(b, &y);
    ck_assert_uint_eq(x.count, ROWS);
    ck_assert_uint_eq(y.count, ROWS);
    for (size_t i = 0; i < x.count; i++) {
        const char *name = tn_study_row_text(&x.items[i], "name");
        const tn_study_row *other = tn_study_rows_find(&y, name);
        ck_assert_msg(other != NULL, "%s has no row '%s'", b, name);
        for (size_t c = 0; c < sizeof columns / sizeof columns[0]; c++)
            ck_assert_str_eq(tn_study_row_text(&x.items[i], columns[c]),
                             tn_study_row_text(other, columns[c]));
    }
    tn_study_rows_free(&x);
    tn_study_rows_free(&y);
}

/* Starts the study and sends `number` after a while; the exit status as waitpid gives it. */
static int start_and_signal(const char *study, int number, unsigned ms) {
    char line[2000];
    snprintf(line, sizeof line, TINY " --seeds 2 -o %s/%s", test_folder, study);
    return program_signal(line, number, ms);
}

static void controls_match(void) {
    tn_study_rows rows;
    load("whole", &rows);
    const tn_study_row *routed = tn_study_rows_find(&rows, "seed-recall14-routed-s2"),
                       *random = tn_study_rows_find(&rows, "seed-recall14-random-s2");
    double rho = strtod(tn_study_row_text(random, "mixer") + strlen("random:"), NULL);
    ck_assert_double_eq_tol(100 * rho, tn_study_row_value(routed, "attention_pct"), 1e-6);
    ck_assert_double_eq_tol(tn_study_row_value(routed, "regret"),
                            tn_study_row_value(routed, "attention_pct") / (100.0 / 64), 1e-6);
    for (size_t i = 0; i < rows.count; i++)
        ck_assert(tn_study_row_ok(&rows.items[i]));
    tn_study_rows_free(&rows);
}

/* One killed again and again against one that is let alone; then that a second call does nothing. */
START_TEST(killed_and_resumed) {
    unsigned seed = (unsigned)getpid() ^ (unsigned)time(NULL);
    int killed = 0;
    ck_assert_msg(program_run(TINY " --seeds 2 -o %s/whole", test_folder) == 0, "%s", program_output);
    controls_match();
    const int most = getenv("TURNOUT_TEST_ALL") ? 8 : 2;
    for (int attempt = 0; attempt < 8 && killed < most; attempt++) {
        if (!WIFSIGNALED(start_and_signal("cut", SIGKILL, 150 + (unsigned)rand_r(&seed) % 1100)))
            break; /* it was through */
        killed++;
    }
    ck_assert_msg(program_run(TINY " --seeds 2 -o %s/cut", test_folder) == 0, "after %d kills: %s", killed,
                  program_output);
    same_rows("whole", "cut");
    ck_assert(exists("cut/study.md") && exists("cut/runs/recall14-routed-s1/routes.csv"));
    ck_assert(exists("cut/runs/recall14-routed-s1/summary.json"));
    ck_assert(!exists("cut/runs/recall14-conv-s1/routes.csv")); /* no router, no routes */
}
END_TEST

static void read_csv(const char *name, char **bytes) {
    char path[200];
    size_t size;
    snprintf(path, sizeof path, "%s/%s", test_folder, name);
    ck_assert_msg(tn_file_read(&ctx, path, bytes, &size) == TN_OK, "%s", ctx.message);
}

START_TEST(nothing_is_done_twice_and_seeds_may_grow) {
    char *before, *after, line[300];
    ck_assert_msg(program_run(FAR " --seeds 1 -o %s/a", test_folder) == 0, "%s", program_output);
    read_csv("a/study.csv", &before);
    ck_assert_msg(program_run(FAR " --seeds 1 -o %s/a", test_folder) == 0, "%s", program_output);
    read_csv("a/study.csv", &after);
    ck_assert_str_eq(before, after); /* times too: nothing ran */
    tn_free(&ctx, before);
    tn_free(&ctx, after);
    ck_assert_msg(program_run(FAR " --seeds 2 -o %s/a", test_folder) == 0, "%s", program_output);
    tn_study_rows rows;
    load("a", &rows);
    ck_assert_uint_eq(rows.count, 2);
    tn_study_rows_free(&rows);
    snprintf(line, sizeof line, FAR " --sequences 9 --seeds 2 -o %s/a", test_folder);
    program_gives(2, line, "sequences 8", "9");
    snprintf(line, sizeof line, FAR " --seeds 1 -o %s/a", test_folder);
    program_gives(2, line, "seeds");
    /* a run of other defaults, as another version may have had, is not mixed in */
    snprintf(line, sizeof line,
             "sed -i 's/\"lr\": .*,/\"lr\": 0.25,/' %s/a/runs/recall14-routed-s2/config.json", test_folder);
    ck_assert_int_eq(system(line), 0);
    snprintf(line, sizeof line, FAR " --seeds 2 -o %s/a", test_folder);
    program_gives(2, line, "recall14-routed-s2", "lr 0.25");
}
END_TEST

/* The row whose λ is the device's own keeps it when the rows are written anew. */
START_TEST(a_measured_price_is_kept) {
    static const char line[] =
        "study --only lambda --seeds 1 --steps 4 --distances 14 --sequences 8 --seconds "
        "0.02 --quiet -o";
    static const char name[] = "lambda-recall14-routed-lambda-measured-s1";
    char path[200], first[40] = "";
    for (int time = 0; time < 2; time++) {
        tn_study_rows rows;
        ck_assert_msg(program_run("%s %s/l", line, test_folder) == 0, "%s", program_output);
        load("l", &rows);
        const tn_study_row *row = tn_study_rows_find(&rows, name);
        ck_assert(rows.count == 8 && row != NULL && tn_study_row_ok(row));
        double routed = tn_study_row_value(row, "routed_row_ms"),
               unrouted = tn_study_row_value(row, "unrouted_row_ms"),
               lambda = fmin(fmax(0.5 * routed / unrouted, 0.01), 100);
        ck_assert_double_eq_tol(tn_study_row_value(row, "lambda"), lambda, 1e-6 * lambda);
        row = tn_study_rows_find(&rows, "lambda-recall14-routed-lambda2-s1");
        ck_assert(row != NULL && !*tn_study_row_text(row, "routed_row_ms"));
        row = tn_study_rows_find(&rows, name);
        if (time == 1)
            ck_assert_str_eq(first, tn_study_row_text(row, "lambda"));
        snprintf(first, sizeof first, "%s", tn_study_row_text(row, "lambda"));
        tn_study_rows_free(&rows);
        snprintf(path, sizeof path, "%s/l/study.csv", test_folder);
        ck_assert_int_eq(unlink(path), 0);
    }
}
END_TEST

/* A run that cannot start is a row; what depends on it too; the others go on. Repaired, they are tried again.
 */
START_TEST(a_failure_is_a_row) {
    char command[300];
    snprintf(command, sizeof command,
             "mkdir -p %s/f/runs/recall14-routed-s1 && cd %s/f/runs && "
             "echo broken >recall14-routed-s1/config.json",
             test_folder, test_folder);
    ck_assert_int_eq(system(command), 0);
    ck_assert_msg(program_run(TINY " --seeds 1 -o %s/f", test_folder) == 3, "%s", program_output);
    tn_study_rows rows;
    load("f", &rows);
    ck_assert_uint_eq(rows.count, 8);
    for (size_t i = 0; i < rows.count; i++) {
        const char *run = tn_study_row_text(&rows.items[i], "run");
        bool hurt = strstr(run, "routed-s1") || strstr(run, "random") || strstr(run, "periodic");
        ck_assert_msg(tn_study_row_ok(&rows.items[i]) != hurt, "%s", run);
        ck_assert(!hurt || *tn_study_row_text(&rows.items[i], "reason"));
    }
    tn_study_rows_free(&rows);
    snprintf(command, sizeof command, "rm -r %s/f/runs/recall14-routed-s1", test_folder);
    ck_assert_int_eq(system(command), 0);
    ck_assert_msg(program_run(TINY " --seeds 1 -o %s/f", test_folder) == 0, "%s", program_output);
    load("f", &rows);
    ck_assert_uint_eq(rows.count, 8);
    for (size_t i = 0; i < rows.count; i++)
        ck_assert(tn_study_row_ok(&rows.items[i]));
    tn_study_rows_free(&rows);
}
END_TEST

START_TEST(interrupted) {
    int status = start_and_signal("i", SIGINT, 900);
    ck_assert_msg(WIFEXITED(status), "SIGINT killed it");
    ck_assert(WEXITSTATUS(status) == 3 || WEXITSTATUS(status) == 0);
    tn_study_rows rows; /* what there is is whole, and no row is that of the interrupted run */
    load("i", &rows);
    ck_assert(WEXITSTATUS(status) == 3 ? rows.count < ROWS : rows.count == ROWS);
    for (size_t i = 0; i < rows.count; i++)
        ck_assert(tn_study_row_ok(&rows.items[i]));
    tn_study_rows_free(&rows);
}
END_TEST

/* routes.csv of the four sequences that were evaluated: its routed rows are those of the row in study.csv. */
static void routes_agree(const char *study, const char *run, const char *name, int T) {
    char *bytes, path[200];
    size_t size;
    int routed[4] = {0}, needed = 0, count = 0, ends = 0;
    snprintf(path, sizeof path, "%s/%s/runs/%s/routes.csv", test_folder, study, run);
    ck_assert_msg(tn_file_read(&ctx, path, &bytes, &size) == TN_OK, "%s", ctx.message);
    for (char *line = strchr(bytes, '\n') + 1; *line; line = strchr(line, '\n') + 1, count++) {
        int sequence, layer, position, token, is_routed, is_needed;
        ck_assert_int_eq(
            sscanf(line, "%d,%d,%d,%d,%d,%d", &sequence, &layer, &position, &token, &is_routed, &is_needed),
            6);
        ck_assert(sequence >= 0 && sequence < 4 && layer >= 0 && layer < 4 && position >= 0 && position < T);
        ck_assert(position == 0 ? token < 64 : position == 1 ? token >= 64 && token < 128 : true);
        ck_assert_int_eq(is_needed, position == T - 1);
        bool end = position < 8 || position >= T - 8;
        ck_assert(T <= 256 || end || is_routed);
        routed[layer] += is_routed;
        needed += is_needed;
        ends += end;
    }
    tn_free(&ctx, bytes);
    ck_assert_int_eq(needed, 16);
    ck_assert_int_eq(ends, 256);
    ck_assert(T > 256 || count == 16 * T);
    tn_study_rows rows;
    load(study, &rows);
    const char *layers = tn_study_row_text(tn_study_rows_find(&rows, name), "attention_pct_layers");
    for (int i = 0; i < 4; i++) {
        char *end;
        ck_assert_double_eq_tol(strtod(layers, &end), 100.0 * routed[i] / (4 * T), 1e-5);
        layers = end + 1;
    }
    tn_study_rows_free(&rows);
}

START_TEST(routes) {
    ck_assert_msg(program_run(FAR " --seeds 1 --sequences 4 -o %s/r", test_folder) == 0, "%s",
                  program_output);
    routes_agree("r", "recall14-routed-s1", "far-recall14-routed-s1-at14", 16);
    ck_assert_msg(program_run(FAR " --seeds 1 --sequences 4 --distances 298 -o %s/l", test_folder) == 0, "%s",
                  program_output);
    routes_agree("l", "recall298-routed-s1", "far-recall298-routed-s1-at298", 300);
}
END_TEST

/* Bytes in the rows of a name, all of one kind of bucket, and how many rows they are. */
static double bytes_of(const tn_csv *bits, const char *name, size_t *rows) {
    double sum = 0, value;
    *rows = 0;
    for (size_t row = 0; row < bits->rows; row++) {
        if (strcmp(tn_csv_text(bits, row, tn_csv_column(bits, "name")), name) != 0)
            continue;
        *rows += 1;
        if (strcmp(tn_csv_text(bits, row, tn_csv_column(bits, "by")), "distance") == 0 &&
            tn_csv_number(bits, row, tn_csv_column(bits, "bytes"), &value))
            sum += value;
    }
    return sum;
}

/* Every good row of text has its bits once, also where the study was killed between the two files. */
START_TEST(bits_of_text) {
    char line[400], cut[100], *text;
    tn_study_rows rows;
    tn_csv bits;
    size_t all = 0, own;
    ck_assert((text = calloc(20001, 1)) != NULL);
    for (int i = 0; i < 20000; i++)
        text[i] = (char)(i % 7 == 6 ? ' ' : 'a' + i * i % 23);
    test_folder_write("text", text);
    free(text);
    snprintf(line, sizeof line,
             "study --only text --data %s/text --length 64 --seeds 1 --steps 1 --sequences 2 "
             "--rows '*64-conv-s1*' --seconds 0.02 --quiet -o %s/b",
             test_folder, test_folder);
    program_gives(0, line, "");
    snprintf(cut, sizeof cut, "sed -i 2d %s/b/study.csv", test_folder);
    ck_assert_int_eq(system(cut), 0);
    program_gives(0, line, "");
    load("b", &rows);
    snprintf(line, sizeof line, "%s/b/bits.csv", test_folder);
    ck_assert_msg(tn_bits_read(&ctx, line, &bits) == TN_OK, "%s", ctx.message);
    for (size_t i = 0; i < rows.count; i++) {
        const tn_study_row *row = &rows.items[i];
        ck_assert(tn_study_row_ok(row));
        double bytes = tn_study_row_value(row, "eval_sequences") * tn_study_row_value(row, "length");
        ck_assert_double_eq_tol(bytes_of(&bits, tn_study_row_text(row, "name"), &own), bytes, 0.5);
        ck_assert(isfinite(tn_study_row_value(row, "bits_last_quarter")));
        all += own;
    }
    ck_assert_uint_gt(rows.count, 2);
    ck_assert_uint_eq(all, bits.rows);
    tn_study_rows_free(&rows);
    tn_csv_free(&bits);
}
END_TEST

/* An untrained router sends so many rows that 16 million positions would take days: said, not tried. */
START_TEST(what_would_take_days_is_skipped) {
    tn_study_rows rows;
    for (int i = 0; i < 2; i++) { /* and it is not an error to be tried again */
        ck_assert_msg(program_run(FAR " --seeds 1 --distances 14,16000000 -o %s/s", test_folder) == 0, "%s",
                      program_output);
        load("s", &rows);
        ck_assert_uint_eq(rows.count, 2);
        const tn_study_row *far = tn_study_rows_find(&rows, "far-recall14-routed-s1-at16000000");
        ck_assert_str_eq(tn_study_row_text(far, "status"), "skipped");
        ck_assert(strstr(tn_study_row_text(far, "reason"), " h"));
        ck_assert(!*tn_study_row_text(far, "accuracy"));
        tn_study_rows_free(&rows);
    }
}
END_TEST

START_TEST(bad_arguments) {
    static const struct {
        const char *line, *word;
    } bad[] = {{"study", "-o DIR"},
               {"study --only seeds -o x", "no part 'seeds'"},
               {"study --only text -o x", "--data FILE"},
               {"study --only text --data /nowhere/text -o x", "/nowhere/text"},
               {"study --only seed --distances 14,x -o x", "not 'x'"},
               {"study --seeds 0 -o x", "seeds"},
               {"study --only seed -d nosuch -o x", "nosuch"},
               {"study --only seed --steps 1 --distances 14 -o /proc/nowhere/x", "/proc/nowhere"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        program_gives(2, bad[i].line, bad[i].word);
    ck_assert(access("x", F_OK) != 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("study");
    TCase *t = tcase_create("study");
    tcase_set_timeout(t, 200);
    tcase_add_checked_fixture(t, test_folder_make, teardown);
    tcase_add_test(t, killed_and_resumed);
    tcase_add_test(t, nothing_is_done_twice_and_seeds_may_grow);
    if (tn_test_drawn("rows written anew", 0, 2)) /* a study each: one of them a run */
        tcase_add_test(t, a_failure_is_a_row);
    if (tn_test_drawn("rows written anew", 1, 2))
        tcase_add_test(t, a_measured_price_is_kept);
    tcase_add_test(t, interrupted);
    tcase_add_test(t, routes);
    tcase_add_test(t, bits_of_text);
    tcase_add_test(t, what_would_take_days_is_skipped);
    tcase_add_test(t, bad_arguments);
    suite_add_tcase(suite, t);
    return tn_test_main(suite);
}
