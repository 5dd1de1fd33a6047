/* `turnout infer --decode` against `turnout infer`: the same file, made a token at a time; and the logits of
 * the last position alone. */
#include "made_run.h"
#include "program.h"

#include "safetensors.h"

#include <math.h>

enum { B = 3, T = 300, N = B * T, LAYERS = MADE_LAYERS };

static tn_context ctx;
static const made_run runs[] = {{"conv", TN_TASK_RECALL, "conv"},
                                {"rope", TN_TASK_RECALL, "attention", NULL, TN_POSITIONS_ROPE},
                                {"routed", TN_TASK_RECALL, "routed"},
                                {"random", TN_TASK_RECALL, "random:0.2"},
                                {"periodic", TN_TASK_RECALL, "periodic:7"},
                                {"told", TN_TASK_RECALL, "match:2,routed", .window = 40, .match = 3},
                                {"attention", TN_TASK_RECALL, "attention"},
                                {"routed-rope", TN_TASK_RECALL, "routed", NULL, TN_POSITIONS_ROPE},
                                {"mqar", TN_TASK_MQAR, "routed"}};
enum { RUNS = sizeof runs / sizeof runs[0], SHORT = 6 /* the rest have kernels of their own to build */ };

static void make_run(const made_run *run) {
    tn_device *dev;
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    made_run_write(dev, run, 5);
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}

/* `rows` sequences of the tokens that every run's vocabulary has. */
static void write_tokens(int rows, int columns) {
    static int32_t tokens[N];
    char path[200];
    tn_rng rng = tn_rng_make(3, TN_RNG_CASE, 0);
    for (int n = 0; n < N; n++)
        tokens[n] = (int32_t)tn_rng_below(&rng, 12) * 16; /* so few that runs stood before */
    const tn_st_tensor t = {.name = "tokens",
                            .dtype = "I32",
                            .rank = 2,
                            .dims = {rows, columns},
                            .data = tokens,
                            .bytes = (size_t)(rows * columns) * 4};
    made_path(path, "in", "");
    ck_ok(&ctx, tn_safetensors_write(&ctx, path, NULL, 0, &t, 1));
}

static void infer(const char *run, const char *options, const char *out) {
    char line[800];
    snprintf(line, sizeof line, "infer %s/%s --tokens %s/in --logits %s/%s %s", test_folder, run, test_folder,
             test_folder, out, options);
    program_gives(0, line, "");
}

static void read_out(const char *name, tn_safetensors *out) {
    char path[200];
    made_path(path, name, "");
    ck_ok(&ctx, tn_safetensors_read(&ctx, path, out));
}

static float at(const tn_st_tensor *t, int64_t i) {
    float value;
    memcpy(&value, (const char *)t->data + 4 * i, 4);
    return value;
}

/* Shapes, routes, and logits to 1e-5; `a` may have those of the last position alone. */
static void compare(const char *a, const char *b, int rows, int columns) {
    tn_safetensors x, y;
    read_out(a, &x);
    read_out(b, &y);
    const tn_st_tensor *la = tn_safetensors_find(&x, "logits"), *lb = tn_safetensors_find(&y, "logits"),
                       *ra = tn_safetensors_find(&x, "routes"), *rb = tn_safetensors_find(&y, "routes");
    ck_assert(la && lb && ra && rb && la->rank == 3 && la->dims[0] == rows && lb->dims[1] == columns);
    const int64_t V = lb->dims[2], kept = la->dims[1];
    ck_assert(la->dims[2] == V && (kept == columns || kept == 1) && ra->rank == 3 && ra->dims[0] == LAYERS);
    ck_assert_msg(ra->bytes == (size_t)(LAYERS * rows * columns) && rb->bytes == ra->bytes &&
                      memcmp(ra->data, rb->data, ra->bytes) == 0,
                  "routes of %s and %s differ", a, b);
    for (int64_t i = 0; i < rows * kept * V; i++) {
        const int64_t row = i / V, from = kept == columns ? row : row * columns + columns - 1;
        const float want = at(lb, from * V + i % V), got = at(la, i);
        ck_assert_msg(fabs((double)got - want) <= 1e-5 * (1 + fabs((double)want)),
                      "logit %lld of row %lld is %.9g in %s and %.9g in %s", (long long)(i % V),
                      (long long)row, (double)got, a, (double)want, b);
    }
    tn_safetensors_free(&ctx, &x);
    tn_safetensors_free(&ctx, &y);
}

/* Both decisions occur, or the routes would tell nothing. */
static void routes_differ(const char *out) {
    tn_safetensors x;
    read_out(out, &x);
    const tn_st_tensor *r = tn_safetensors_find(&x, "routes");
    ck_assert(memchr(r->data, 0, r->bytes) && memchr(r->data, 1, r->bytes));
    tn_safetensors_free(&ctx, &x);
}

START_TEST(as_in_one_pass) {
    const made_run *run = &runs[_i];
    const int rows = run->task == TN_TASK_MQAR ? 1 : B, columns = run->task == TN_TASK_MQAR ? 70 : T;
    test_folder_make();
    make_run(run);
    write_tokens(rows, columns);
    infer(run->name, "", "pass");
    infer(run->name, "--decode", "steps");
    infer(run->name, "--last", "last");
    infer(run->name, "--decode --last", "last-step");
    if (strcmp(run->mixer, "conv") != 0 && strcmp(run->mixer, "attention") != 0)
        routes_differ("pass");
    compare("steps", "pass", rows, columns);
    compare("last", "pass", rows, columns);
    compare("last-step", "steps", rows, columns);
    test_folder_remove();
}
END_TEST

/* More sequences than are decoded side by side: none is left out, none is another's. */
START_TEST(many_sequences) {
    test_folder_make();
    make_run(&runs[3]);
    write_tokens(37, 24);
    infer("random", "", "pass");
    infer("random", "--decode", "steps");
    compare("steps", "pass", 37, 24);
    test_folder_remove();
}
END_TEST

static void refused(const made_run *run, const char *word, const char *other) {
    char line[600];
    make_run(run);
    snprintf(line, sizeof line, "infer %s/%s --tokens %s/in --logits %s/out --decode", test_folder, run->name,
             test_folder, test_folder);
    program_gives(2, line, word, other);
    made_path(line, "out", "");
    ck_assert(access(line, F_OK) != 0);
}

START_TEST(refusals) {
    test_folder_make();
    write_tokens(1, 8);
    refused(&(made_run){"capacity", TN_TASK_RECALL, "routed", "capacity:0.5"}, "capacity", "whole sequence");
    refused(&(made_run){"oracle", TN_TASK_RECALL, "oracle"}, "oracle mixer", "recall or mqar");
    refused(&(made_run){"few", TN_TASK_RECALL, "routed", .vocab = 20}, "outside the vocabulary of 20",
            "position");
    refused(&(made_run){"one-layer", TN_TASK_RECALL, "conv,routed", "capacity:0.5"}, "capacity",
            "whole sequence");
    test_folder_remove();
}
END_TEST

/* Ctrl-C in a long sequence: nothing is written. */
START_TEST(interrupted) {
    enum { LONG = 400000 };
    static int32_t tokens[LONG];
    char line[600], words[200];
    int status;
    test_folder_make();
    make_run(&runs[2]);
    const tn_st_tensor t = {.name = "tokens",
                            .dtype = "I32",
                            .rank = 2,
                            .dims = {1, LONG},
                            .data = tokens,
                            .bytes = sizeof tokens};
    made_path(words, "in", "");
    ck_ok(&ctx, tn_safetensors_write(&ctx, words, NULL, 0, &t, 1));
    snprintf(line, sizeof line, "infer %s/routed --tokens %s/in --logits %s/out --decode --last", test_folder,
             test_folder, test_folder);
    made_path(words, "words", "");
    pid_t pid = program_start(line, words);
    usleep(1500000);
    kill(pid, SIGINT);
    ck_assert(waitpid(pid, &status, 0) == pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 3, "status %d", status);
    FILE *stream = fopen(words, "r");
    ck_assert(stream && fgets(line, sizeof line, stream));
    fclose(stream);
    ck_assert_msg(strstr(line, "of 400000 tokens of sequence 0 of 1; nothing was written"), "%s", line);
    made_path(words, "out", "");
    ck_assert(access(words, F_OK) != 0);
    test_folder_remove();
}
END_TEST

int main(void) {
    const char *all = getenv("TURNOUT_TEST_ALL");
    Suite *suite = suite_create("infer_decode");
    TCase *t = tcase_create("infer_decode");
    tcase_set_timeout(t, 200);
    tcase_add_loop_test(t, as_in_one_pass, 0, all && strcmp(all, "1") == 0 ? RUNS : SHORT);
    tcase_add_test(t, many_sequences);
    tcase_add_test(t, refusals);
    tcase_add_test(t, interrupted);
    suite_add_tcase(suite, t);
    return tn_test_main(suite);
}
