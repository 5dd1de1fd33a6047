/* Training as a user runs it: the same bits twice, the same bits after a kill and a resume, and what is
 * refused. */
#include "program.h"
#include "folder.h"
#include "suite.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

/* Small: every phase of the curriculum in 60 steps of a fraction of a second. */
#define SMALL                                                                                                \
    "train --distance 14 --layers 2 --width 32 --batch 8 --steps 60 --phase1 20 --ramp 20 --log-every 1 "    \
    "--checkpoint-every 7 --sequences 20 --seconds 0.02 --quiet --seed 3"

/* The shorter task first, then the run's own, with a head that starts as the embedding. */
#define MQAR                                                                                                 \
    "train --task mqar --length 32 --pairs 4 --layers 2 --width 32 --batch 4 --steps 60 --phase1 20 "        \
    "--ramp 20 --short-steps 10 --short-length 16 --head-init 0.1 --log-every 1 --checkpoint-every 7 "       \
    "--sequences 20 --seconds 0.02 --quiet --seed 3"

/* λ is steered, which is part of the state. */
#define BUDGET SMALL " --budget 0.2 --price known --explore 3 --explore-below 0 --gate-margin 0"

/* Layers that differ, and a window. */
#define LAYERS                                                                                               \
    "train --distance 14 --layers 3 --mixers conv,routed,attention --window 5 --width 32 --batch 8 "         \
    "--steps 60 --phase1 20 --ramp 20 --log-every 1 --checkpoint-every 7 --sequences 20 --seconds 0.02 "     \
    "--quiet --seed 3"

static const char *const cut_lines[] = {SMALL, MQAR, BUDGET, LAYERS};

static char *slurp(const char *run, const char *name, size_t *size) {
    char path[200];
    snprintf(path, sizeof path, "%s/%s/%s", test_folder, run, name);
    FILE *stream = fopen(path, "rb");
    ck_assert_msg(stream != NULL, "%s is missing", path);
    fseek(stream, 0, SEEK_END);
    *size = (size_t)ftell(stream);
    rewind(stream);
    char *bytes = calloc(*size + 1, 1);
    ck_assert(bytes && fread(bytes, 1, *size, stream) == *size);
    fclose(stream);
    return bytes;
}

/* From `offset` on; −1: behind the header of a safetensors file. */
static bool same_from(const char *a, const char *b, const char *name, long offset) {
    size_t size_a, size_b, from_a = (size_t)offset, from_b = (size_t)offset;
    char *x = slurp(a, name, &size_a), *y = slurp(b, name, &size_b);
    if (offset < 0) {
        uint64_t length_a, length_b;
        memcpy(&length_a, x, 8);
        memcpy(&length_b, y, 8);
        from_a = 8 + length_a;
        from_b = 8 + length_b;
    }
    bool same = size_a - from_a == size_b - from_b && memcmp(x + from_a, y + from_b, size_a - from_a) == 0;
    free(x);
    free(y);
    return same;
}

/* Of runs with different options: their files say which they are of. */
static bool same_weights(const char *a, const char *b) {
    return same_from(a, b, "model.safetensors", -1);
}

static void same_file(const char *a, const char *b, const char *name) {
    ck_assert_msg(same_from(a, b, name, 0), "%s of %s and %s differ", name, a, b);
}

/* metrics.csv but for its three last columns, which are times. */
static void same_metrics(const char *a, const char *b) {
    size_t size;
    char *texts[2] = {slurp(a, "metrics.csv", &size), slurp(b, "metrics.csv", &size)}, *rest[2];
    char *x = strtok_r(texts[0], "\n", &rest[0]), *y = strtok_r(texts[1], "\n", &rest[1]);
    int lines = 0;
    for (; x && y; x = strtok_r(NULL, "\n", &rest[0]), y = strtok_r(NULL, "\n", &rest[1]), lines++) {
        for (int column = 0; column < 3; column++) {
            *strrchr(x, ',') = '\0';
            *strrchr(y, ',') = '\0';
        }
        ck_assert_str_eq(x, y);
    }
    ck_assert(!x && !y);
    ck_assert_int_eq(lines, 61);
    free(texts[0]);
    free(texts[1]);
}

START_TEST(test_same_bits) {
    ck_assert_msg(program_run(SMALL " -o %s/a", test_folder) == 0, "%s", program_output);
    ck_assert_msg(program_run(SMALL " -o %s/b", test_folder) == 0, "%s", program_output);
    same_file("a", "b", "model.safetensors");
    same_file("a", "b", "state.safetensors");
    same_metrics("a", "b");
}
END_TEST

/* Starts training and sends `number` after a while; the exit status as waitpid gives it. */
/* At the start every batch has a wrong answer, so each is run again dense: the same bits as dense steps
 * throughout, and others than with compacted ones. (No price: it is left out where a batch is run again.) */
START_TEST(test_wrong_answers_run_again) {
    static const char short_run[] =
        "train --distance 14 --layers 2 --width 32 --batch 8 --steps 8 --phase1 0 "
        "--ramp 4 --lambda 0 --router-bias 0.1 --gate-margin 1 --sequences 20 --seconds 0.02 --quiet";
    ck_assert_msg(program_run("%s --explore 1 --explore-below 0 -o %s/dense", short_run, test_folder) == 0,
                  "%s", program_output);
    ck_assert_msg(program_run("%s --explore 0 --explore-below 1 -o %s/again", short_run, test_folder) == 0,
                  "%s", program_output);
    ck_assert_msg(program_run("%s --explore 0 --explore-below 0 -o %s/never", short_run, test_folder) == 0,
                  "%s", program_output);
    ck_assert(same_weights("dense", "again"));
    ck_assert(!same_weights("dense", "never"));
}
END_TEST

/* As long as it lasts the shorter task is that task, with as many positions a step. */
START_TEST(test_shorter_task) {
    char line[300];
    static const char rest[] =
        "--layers 2 --width 32 --taps 16 --steps 6 --phase1 2 --ramp 2 --explore-below 0.5 "
        "--penalty rows --sequences 20 --seconds 0.02 --quiet";
    ck_assert_msg(program_run("train --task mqar --length 64 --pairs 8 --batch 2 --short-steps 6 "
                              "--short-length 16 %s -o %s/shorter",
                              rest, test_folder) == 0,
                  "%s", program_output);
    ck_assert_msg(program_run("train --task mqar --length 16 --pairs 2 --batch 8 %s -o %s/short", rest,
                              test_folder) == 0,
                  "%s", program_output);
    ck_assert_msg(program_run("train --task mqar --length 64 --pairs 8 --batch 2 --short-steps 5 "
                              "--short-length 16 %s -o %s/both",
                              rest, test_folder) == 0,
                  "%s", program_output);
    ck_assert(same_weights("shorter", "short"));
    ck_assert(!same_weights("shorter", "both"));
    snprintf(line, sizeof line, MQAR " --short-length 12 -o %s/x", test_folder);
    program_gives(2, line, "can be divided", "12");
    snprintf(line, sizeof line, MQAR " --short-length 4 -o %s/x", test_folder);
    program_gives(2, line, "4 pairs");
    snprintf(line, sizeof line, MQAR " --short-steps 0 -o %s/x", test_folder);
    program_gives(2, line, "0 steps");
    snprintf(line, sizeof line, SMALL " --short-steps 3 --short-length 8 -o %s/x", test_folder);
    program_gives(2, line, "mqar");
}
END_TEST

/* A run that was killed before it began is started, not resumed. */
static const char *resume_word(const char *run) {
    char config[200];
    snprintf(config, sizeof config, "%s/%s/config.json", test_folder, run);
    return access(config, F_OK) == 0 ? "--resume" : "";
}

static int start_and_signal(const char *line, const char *run, int number, unsigned ms) {
    char full[2000];
    snprintf(full, sizeof full, "%s %s -o %s/%s", line, resume_word(run), test_folder, run);
    return program_signal(full, number, ms);
}

START_TEST(test_killed_and_resumed) {
    unsigned seed =
        (unsigned)getpid(); /* the moments are random; that the result does not depend on them is the test */
    int killed = 0;
    const char *line = cut_lines[_i];
    ck_assert_msg(program_run("%s -o %s/whole", line, test_folder) == 0, "%s", program_output);
    for (int attempt = 0; attempt < 40 && killed < 3; attempt++) {
        int status = start_and_signal(line, "cut", SIGKILL, 100 + (unsigned)rand_r(&seed) % 900);
        if (WIFSIGNALED(status))
            killed++;
        else
            break; /* it was through */
    }
    int code = program_run("%s %s -o %s/cut", line, resume_word("cut"), test_folder);
    ck_assert_msg(code == 0, "resuming after %d kills exits with %d: %s", killed, code, program_output);
    same_file("whole", "cut", "model.safetensors");
    same_file("whole", "cut", "state.safetensors");
    same_metrics("whole", "cut");
}
END_TEST

/* They are part of the run, and count in what it saves. */
START_TEST(test_layers_and_window) {
    char line[400];
    ck_assert_msg(program_run(LAYERS " --steps 4 -o %s/a", test_folder) == 0, "%s", program_output);
    snprintf(line, sizeof line, "train --window 6 --resume --quiet -o %s/a", test_folder);
    program_gives(2, line, "the run in the folder has window 5", "6");
    snprintf(line, sizeof line, "train --mixers conv,routed,routed --resume --quiet -o %s/a", test_folder);
    program_gives(2, line, "mixer \"conv,routed,attention\"", "\"conv,routed,routed\"");
    snprintf(line, sizeof line, "eval %s/a --sequences 5 --seconds 0.02 --quiet --json", test_folder);
    program_gives(0, line, "\"mixer\": \"conv,routed,attention\"");
    ck_assert_msg(strstr(program_output, "\"window\": 5") != NULL, "%s", program_output);
    ck_assert_msg(strstr(program_output, "[\n    0.0,") && strstr(program_output, " 100.0\n"), "%s",
                  program_output);
    /* Of 16 positions all rows see 136; with a window of 5, 70: attention, yet it saves something. */
    ck_assert_msg(
        program_run("train --distance 14 --layers 1 --mixer attention --window 5 --width 32 --batch 8 "
                    "--steps 2 --sequences 5 --seconds 0.02 --quiet --json -o %s/b",
                    test_folder) == 0,
        "%s", program_output);
    ck_assert_msg(strstr(program_output, "\"attention_pct\": 100.0,") &&
                      strstr(program_output, "\"attention_pairs_pct\": 51.47") &&
                      strstr(program_output, "\"score_flops_saved_pct\": 48.52"),
                  "%s", program_output);
}
END_TEST

START_TEST(test_interrupt) {
    char line[300];
    int status = start_and_signal(SMALL, "stopped", SIGINT, 700);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return; /* it was faster than the signal */
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 3, "Ctrl-C gives status %x", (unsigned)status);
    snprintf(line, sizeof line, SMALL " -o %s/stopped", test_folder);
    program_gives(2, line, "already holds a run", "--resume");
    snprintf(line, sizeof line, SMALL " --lr 0.5 --resume -o %s/stopped", test_folder);
    program_gives(2, line, "lr");
    ck_assert_msg(program_run(SMALL " --resume -o %s/stopped", test_folder) == 0, "%s", program_output);
    ck_assert_msg(program_run(SMALL " -o %s/whole", test_folder) == 0, "%s", program_output);
    same_file("whole", "stopped", "model.safetensors");
}
END_TEST

/* The number that stands behind "lambda" in a run's config.json, and how it is written there. */
static double recorded_lambda(const char *run, char text[40]) {
    size_t size;
    char *config = slurp(run, "config.json", &size), *at = strstr(config, "\"lambda\": ");
    ck_assert(at != NULL && strstr(config, "\"unrouted_row_ms\": ") != NULL);
    snprintf(text, 40, "%.*s", (int)strcspn(at + 10, ",\n"), at + 10);
    free(config);
    return strtod(text, NULL);
}

/* A run's λ is measured once. Another price is written over it: what goes on from there must be the run with
 * that price, not one of a new measurement. */
START_TEST(test_price_is_measured_once) {
    static const char run[] = SMALL " --steps 12 --phase1 0 --ramp 2 --explore-below 0";
    char command[300], text[40], line[400];
    ck_assert_msg(program_run("%s --lambda measured -o %s/m", run, test_folder) == 0, "%s", program_output);
    double lambda = recorded_lambda("m", text);
    ck_assert_msg(lambda >= 0.01 && lambda <= 100, "λ is %g", lambda);
    ck_assert_msg(program_run("%s --lambda measured --resume -o %s/m", run, test_folder) == 0, "%s",
                  program_output);
    snprintf(command, sizeof command,
             "cd %s/m && rm *.safetensors metrics.csv summary.json && "
             "sed -i 's/\"lambda\": .*,/\"lambda\": 7.25,/' config.json",
             test_folder);
    ck_assert_int_eq(system(command), 0);
    ck_assert_msg(program_run("%s --lambda measured --resume -o %s/m", run, test_folder) == 0, "%s",
                  program_output);
    ck_assert_msg(program_run("%s --lambda 7.25 -o %s/given", run, test_folder) == 0, "%s", program_output);
    ck_assert_msg(program_run("%s --lambda 0.01 -o %s/cheap", run, test_folder) == 0, "%s", program_output);
    ck_assert(recorded_lambda("m", text) == 7.25);
    ck_assert(same_weights("m", "given"));
    ck_assert(!same_weights("m", "cheap"));
    snprintf(line, sizeof line, "%s --lambda measured --resume -o %s/given", run, test_folder);
    program_gives(2, line, "7.25", "did not measure");
    snprintf(line, sizeof line, "%s --lambda 7.25 --resume -o %s/m", run, test_folder);
    program_gives(2, line, "routed_row_ms");
    snprintf(line, sizeof line, "%s --lambda measured -o %s/m", run, test_folder);
    program_gives(2, line, "already holds a run");
}
END_TEST

START_TEST(test_bad_arguments) {
    static const struct {
        const char *line, *word;
    } bad[] = {{"train", "-o DIR"},
               {"train --task tetris -o x", "tetris"},
               {"train --distance 0 -o x", "distance"},
               {"train --distance -1 -o x", "distance"},
               {"train --distance far -o x", "distance"},
               {"train --task mqar --distance 5 -o x", "--distance does not belong"},
               {"train --task text -o x", "--data"},
               {"train --mixer ring -o x", "ring"},
               {"train --mixer random:1.5 -o x", "from 0 to 1"},
               {"train --routing capacity:-0.1 -o x", "from 0 to 1"},
               {"train --mixer conv --routing threshold -o x", "--routing"},
               {"train --mixers conv,attention -o x", "2 mixers for 4 layers"},
               {"train --mixers conv,oracle,conv,conv -o x", "a layer's is conv, attention or routed"},
               {"train --mixer conv --mixers conv,routed -o x", "give one of them"},
               {"train --mixer conv --window 8 -o x", "a window belongs to attention"},
               {"train --window -1 -o x", "--window wants a whole number"},
               {"train --mixer conv --lambda measured -o x", "--lambda measured belongs to the mixer routed"},
               {"train --mixer oracle --lambda measured -o x", "mixer routed"},
               {"train --lambda measurd -o x", "if not measured"},
               {"train --lambda -1 -o x", "from 0 to"},
               {"train --resume --lambda measured --quiet -o test_train_nothing_here", "no run to resume"},
               {"train --heads 5 -o x", "head"},
               {"train --heads 4 --kv-heads 3 -o x", "3 heads of keys and values for 4 heads"},
               {"train --heads 2 --kv-heads 4 -o x", "multiple"},
               {"train --kv-heads 0 -o x", "kv-heads"},
               {"train --steps 0 -o x", "steps"},
               {"train --steps 1 --quiet -d nosuch -o x", "nosuch"},
               {"train --steps 1 --quiet -o /proc/nowhere/run", "/proc/nowhere"},
               {"train --resume --quiet -o test_train_nothing_here", "resume"},
               {"eval", "DIR"},
               {"eval test_train_nothing_here", "test_train_nothing_here"},
               {"infer x", "--tokens"},
               {"trian", "train"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        program_gives(2, bad[i].line, bad[i].word);
    ck_assert(access("x", F_OK) != 0);
    ck_assert(access("test_train_nothing_here", F_OK) != 0);
}
END_TEST

static void truncate_to(const char *name, double share) {
    char path[200];
    struct stat info;
    snprintf(path, sizeof path, "%s/a/%s", test_folder, name);
    ck_assert(stat(path, &info) == 0 && truncate(path, (off_t)((double)info.st_size * share)) == 0);
}

START_TEST(test_damaged_run) {
    char line[300], name[200];
    ck_assert_msg(program_run(SMALL " --steps 3 -o %s/a", test_folder) == 0, "%s", program_output);
    ck_assert_msg(program_run("eval %s/a --sequences 5 --seconds 0.02 --quiet --json", test_folder) == 0,
                  "%s", program_output);
    ck_assert(strstr(program_output, "\"score_flops_saved_pct\"") && strstr(program_output, "\"accuracy\""));
    ck_assert_msg(
        program_run("eval %s/a --sequences 5 --seconds 0.02 --quiet --longest-pass 1e-7", test_folder) == 0,
        "%s", program_output);
    ck_assert_msg(strstr(program_output, "attention was not timed: a pass would take about") &&
                      strstr(program_output, "ms a sequence, in batches") && !strstr(program_output, "nan"),
                  "%s", program_output);
    snprintf(line, sizeof line, "eval %s/a --length 64", test_folder);
    program_gives(2, line, "--length does not belong");
    truncate_to("state.safetensors", 0.7);
    snprintf(line, sizeof line, SMALL " --steps 3 --resume -o %s/a", test_folder);
    program_gives(2, line, "state.safetensors", "safetensors file");
    truncate_to("model.safetensors", 0.7);
    snprintf(line, sizeof line, "eval %s/a --quiet", test_folder);
    program_gives(2, line, "model.safetensors");
    truncate_to("config.json", 0.5);
    program_gives(2, line, "config.json");
    snprintf(name, sizeof name, "%s/a/config.json", test_folder);
    FILE *stream = fopen(name, "wb");
    fputs("{\"schema\": \"another-1\"}", stream);
    fclose(stream);
    program_gives(2, line, "another-1");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("train");
    TCase *t = tcase_create("train");
    tcase_set_timeout(t, 200);
    tcase_add_checked_fixture(t, test_folder_make, test_folder_remove);
    tcase_add_test(t, test_same_bits);
    tcase_add_test(t, test_wrong_answers_run_again);
    tcase_add_test(t, test_shorter_task);
    tn_test_add_drawn(t, test_killed_and_resumed, 0, 4, 2);
    tcase_add_test(t, test_layers_and_window);
    tcase_add_test(t, test_interrupt);
    tcase_add_test(t, test_price_is_measured_once);
    tcase_add_test(t, test_bad_arguments);
    tcase_add_test(t, test_damaged_run);
    suite_add_tcase(suite, t);
    return tn_test_main(suite);
}
