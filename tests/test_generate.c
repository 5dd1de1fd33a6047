/* `turnout generate`: one seed, the same bytes, also after a kill; the likeliest byte is infer's; what is
 * drawn; memory that does not grow; how it ends early; what is refused. */
#include "made_run.h"
#include "program.h"

#include "decode.h"
#include "safetensors.h"
#include "sample.h"

#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

static tn_context ctx;
static char shared[TEST_FOLDER]; /* made once: a run of every kind */
static const made_run runs[] = {
    {"routed", TN_TASK_TEXT, "routed", NULL, TN_POSITIONS_ROPE},
    {"conv", TN_TASK_TEXT, "conv"},
    {"attention", TN_TASK_TEXT, "attention", NULL, TN_POSITIONS_ROPE},
    {"random", TN_TASK_TEXT, "random:0.3"},
    {"periodic", TN_TASK_TEXT, "periodic:3"},
    {"told", TN_TASK_TEXT, "match:2,routed", .positions = TN_POSITIONS_ROPE, .window = 30, .match = 4},
    {"recall", TN_TASK_RECALL, "routed"},
    {"mqar", TN_TASK_MQAR, "routed"},
    {"capacity", TN_TASK_TEXT, "routed", "capacity:0.5"},
    {"ascii", TN_TASK_TEXT, "routed", .vocab = 128},
    {"wide", TN_TASK_TEXT, "routed", .vocab = 300}};
enum { TEXTS = 6, RUNS = sizeof runs / sizeof runs[0] };

static void enter(void) {
    test_folder_enter();
    setenv("T", TURNOUT_PROGRAM, 1);
    setenv("R", shared, 1);
}

/* Exit code of a line of shell in which $T is the program and $R holds the runs; what it says stands in
 * program_output. */
__attribute__((format(printf, 1, 2))) static int shell(const char *format, ...) {
    char line[1000], command[1100];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    snprintf(command, sizeof command, "{ %s; } 2>said", line);
    const int status = system(command);
    FILE *stream = fopen("said", "rb");
    ck_assert_ptr_nonnull(stream);
    program_output[fread(program_output, 1, sizeof program_output - 1, stream)] = '\0';
    fclose(stream);
    ck_assert_msg(WIFEXITED(status), "'%s' ends with status %d", line, status);
    return WEXITSTATUS(status);
}

static void gives(int code, const char *words, const char *line) {
    const int got = shell("%s", line);
    ck_assert_msg(got == code, "'%s' ends with %d, not %d: %s", line, got, code, program_output);
    ck_assert_msg(strstr(program_output, words), "'%s' does not say '%s': %s", line, words, program_output);
}

static size_t read_bytes(const char *path, char *bytes, size_t size) {
    FILE *stream = fopen(path, "rb");
    if (!stream)
        return 0;
    const size_t got = fread(bytes, 1, size, stream);
    fclose(stream);
    return got;
}

static size_t read_all(int descriptor, char *bytes, size_t size) {
    size_t got = 0;
    for (ssize_t more; got < size && (more = read(descriptor, bytes + got, size - got)) > 0;)
        got += (size_t)more;
    return got;
}

static bool same_file(const char *a, const char *b) {
    return shell("cmp -s %s %s", a, b) == 0;
}

START_TEST(one_seed_the_same_bytes) {
    gives(0, "", "$T generate $R/routed -p 'Once ' -n 300 >greedy");
    gives(0, "",
          "$T generate $R/routed -p 'Once ' -n 300 --temperature 0 --seed 8 -o again && cmp greedy again");
    gives(0, "", "$T generate $R/routed -p 'Once ' -n 300 --temperature 1 --seed 7 >seven");
    gives(0, "", "$T generate $R/routed -p 'Once ' -n 300 --temperature 1 -s 7 -o file");
    gives(0, "",
          "printf 'Once ' | $T generate $R/routed --prompt-file - -n 300 --temperature 1 -s 7 -o stdin");
    gives(0, "",
          "printf 'Once ' >p && $T generate $R/routed --prompt-file p -n 300 --temperature 1 -s 7 >long");
    gives(0, "", "$T generate $R/routed -p 'Once ' -n 120 --temperature 1 -s 7 >short");
    gives(0, "", "$T generate $R/routed -p 'Once ' -n 300 --temperature 1 -s 8 >eight");
    gives(0, "", "$T generate $R/routed -p 'Twice ' -n 300 --temperature 1 -s 7 >other");
    gives(0, "", "$T generate $R/routed -p 'Once ' -n 300 --temperature 1 -s 7 --top-k 1 >first");
    gives(0, "", "$T generate $R/routed -n 9 >none && $T generate $R/routed -p '\n' -n 9 >line");
    ck_assert_int_eq(shell("test $(wc -c <seven) = 300 && test $(wc -c <short) = 120"), 0);
    ck_assert(same_file("seven", "file") && same_file("seven", "stdin") && same_file("seven", "long"));
    ck_assert(same_file("first", "greedy") && same_file("none", "line"));
    ck_assert(shell("cmp -s -n 120 seven short") == 0);
    ck_assert(!same_file("seven", "eight") && !same_file("seven", "other") && !same_file("seven", "greedy"));
}
END_TEST

/* Logits of infer for `count` bytes, of each the row behind it. */
static void infer(const char *run, const char *bytes, int count, tn_safetensors *out) {
    static int32_t tokens[256];
    char line[300];
    for (int t = 0; t < count; t++)
        tokens[t] = (unsigned char)bytes[t];
    const tn_st_tensor t = {.name = "tokens",
                            .dtype = "I32",
                            .rank = 2,
                            .dims = {1, count},
                            .data = tokens,
                            .bytes = (size_t)count * 4};
    ck_ok(&ctx, tn_safetensors_write(&ctx, "tokens", NULL, 0, &t, 1));
    snprintf(line, sizeof line, "$T infer $R/%s --tokens tokens --logits logits", run);
    gives(0, "", line);
    ck_ok(&ctx, tn_safetensors_read(&ctx, "logits", out));
}

START_TEST(greedy_is_the_largest_logit) {
    enum { PROMPT = 9, MADE = 90, V = 256 };
    char bytes[PROMPT + MADE + 1] = "A prompt.", line[300];
    tn_safetensors out;
    bool seen[V] = {false};
    int kinds = 0;
    snprintf(line, sizeof line, "$T generate $R/%s -p '%s' -n %d -o made", runs[_i].name, bytes, MADE);
    gives(0, "", line);
    ck_assert_uint_eq(read_bytes("made", bytes + PROMPT, MADE + 1), MADE);
    infer(runs[_i].name, bytes, PROMPT + MADE, &out);
    const char *logits = tn_safetensors_find(&out, "logits")->data;
    for (int t = PROMPT; t < PROMPT + MADE; t++) {
        float row[V], most;
        memcpy(row, logits + (size_t)(t - 1) * sizeof row, sizeof row);
        most = row[0];
        for (int v = 1; v < V; v++)
            most = row[v] > most ? row[v] : most;
        const unsigned char byte = (unsigned char)bytes[t];
        ck_assert_msg(row[byte] >= most - 4e-5f, "byte %d at %d has %.9g, the largest is %.9g", byte, t,
                      (double)row[byte], (double)most);
        kinds += !seen[byte];
        seen[byte] = true;
    }
    ck_assert_int_gt(kinds, 1);
    tn_safetensors_free(&ctx, &out);
}
END_TEST

/* Of equal ones the lower; of the k likeliest alone; as often as the softmax says. */
START_TEST(what_is_drawn) {
    static const float flat[6] = {1, 3, 3, 2, 3, 0}, steep[4] = {0, 1, 2, -1};
    int32_t room[6];
    int counts[4] = {0}, least[6] = {0};
    double total = 0;
    ck_assert_int_eq(tn_sample(&(tn_sampling){0}, flat, 6, 9, room), 1);
    ck_assert_int_eq(tn_sample(&(tn_sampling){.temperature = 1e-300}, steep, 4, 9, room), 2);
    for (int n = 0; n < 20000; n++) {
        counts[tn_sample(&(tn_sampling){1, 0, 4}, steep, 4, n, room)]++;
        least[tn_sample(&(tn_sampling){2, 4, 4}, flat, 6, n, room)]++;
    }
    for (int v = 0; v < 4; v++)
        total += exp(steep[v]);
    for (int v = 0; v < 4; v++) {
        const double p = exp(steep[v]) / total, error = sqrt(p * (1 - p) / 20000);
        ck_assert_msg(fabs(counts[v] / 20000.0 - p) < 5 * error, "token %d: %d times, p = %g", v, counts[v],
                      p);
    }
    ck_assert(least[0] == 0 && least[5] == 0 && least[1] && least[2] && least[3] && least[4]);
    for (int n = 0; n < 100; n++) { /* the two lowest of three equal ones */
        const int32_t token = tn_sample(&(tn_sampling){1, 2, 4}, flat, 6, n, room);
        ck_assert(token == 1 || token == 2);
    }
}
END_TEST

START_TEST(measured) {
    json_error_t error;
    const char *text;
    static char made[4096];
    gives(0, "", "$T generate $R/routed -p 'Once ' -n 200 --temperature 2 >plain");
    gives(0, "", "$T generate $R/routed -p 'Once ' -n 200 --temperature 2 --json >json");
    json_t *o = json_load_file("json", JSON_ALLOW_NUL, &error);
    ck_assert_msg(o != NULL, "%s", error.text);
    static const char *const counts[][2] = {{"tokens", "200"}, {"n", "199"}, {"prefill_tokens", "5"}};
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(json_integer_value(json_object_get(o, counts[i][0])), atoi(counts[i][1]));
    const double low = json_real_value(json_object_get(o, "token_ms_q1")),
                 ms = json_real_value(json_object_get(o, "token_ms")),
                 high = json_real_value(json_object_get(o, "token_ms_q3")),
                 rate = json_real_value(json_object_get(o, "tokens_per_s")),
                 share = json_real_value(json_object_get(o, "routed_share"));
    ck_assert(low > 0 && low <= ms && ms <= high && rate > 0 && share > 0 && share < 1);
    ck_assert(json_array_size(json_object_get(o, "routed_share_layers")) == MADE_LAYERS);
    ck_assert(json_real_value(json_object_get(o, "prefill_ms")) > 0);
    ck_assert(json_integer_value(json_object_get(o, "launches")) > 0);
    ck_assert(json_integer_value(json_object_get(o, "cache_bytes")) > 205 * MADE_LAYERS * 8);
    ck_assert(json_is_string(json_object_get(o, "variant")) && json_is_string(json_object_get(o, "device")));
    ck_assert_uint_eq(read_bytes("plain", made, sizeof made), 200);
    text = json_string_value(json_object_get(o, "text")); /* a code point a byte */
    for (int i = 0; i < 200; i++) {
        int byte = (unsigned char)*text++;
        if (byte >= 0x80)
            byte = (byte & 3) << 6 | ((unsigned char)*text++ & 0x3F);
        ck_assert_int_eq(byte, (unsigned char)made[i]);
    }
    json_decref(o);
    gives(0, "",
          "$T generate $R/routed -p 'Once ' -n 200 --temperature 2 --json -o file >json && cmp file plain");
    ck_assert(shell("grep -q text json") != 0 && shell("grep -q '\"tokens\": 200' json") == 0);
    gives(0, "", "$T generate $R/conv -n 1 --json >json && grep -q '\"token_ms\": null' json");
}
END_TEST

/* Starts a long line with its bytes in "bytes" and its words in "words", and waits until `watched` has some.
 */
static pid_t start(const char *more, const char *watched) {
    char command[600];
    struct stat info;
    snprintf(command, sizeof command,
             "exec $T generate $R/routed -p 'Once ' --temperature 1 -n 1e6 %s >bytes 2>words", more);
    const pid_t pid = fork();
    ck_assert(pid >= 0);
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 6000 && (stat(watched, &info) != 0 || info.st_size < 50); i++)
        usleep(10000);
    return pid;
}

START_TEST(after_a_kill) {
    static char part[1 << 20], whole[4000];
    int status;
    pid_t pid = start("", "bytes");
    kill(pid, SIGKILL);
    ck_assert(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
    const size_t size = read_bytes("bytes", part, sizeof part);
    gives(0, "", "$T generate $R/routed -p 'Once ' --temperature 1 -n 4000 -o whole");
    ck_assert_uint_eq(read_bytes("whole", whole, sizeof whole), sizeof whole);
    ck_assert_uint_ge(size, 50);
    ck_assert_int_eq(memcmp(part, whole, size < sizeof whole ? size : sizeof whole), 0);
}
END_TEST

/* What was written stands, and the message counts it, and so does the object. */
START_TEST(interrupted) {
    static char part[1 << 20];
    char words[400] = "", want[100];
    int status;
    const char *made = _i ? "made" : "bytes";
    pid_t pid = start(_i ? "--json -o made" : "", made);
    kill(pid, SIGINT);
    ck_assert(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 3);
    read_bytes("words", words, sizeof words - 1);
    snprintf(want, sizeof want, "stopped after %zu of 1000000 tokens", read_bytes(made, part, sizeof part));
    ck_assert_msg(strstr(words, want), "%s: %s", want, words);
    json_t *o = json_load_file("bytes", 0, NULL);
    ck_assert(!_i ||
              json_integer_value(json_object_get(o, "tokens")) == atoi(want + strlen("stopped after ")));
    json_decref(o);
    ck_assert_msg(strchr(words, '\n') == words + strlen(words) - 1, "more than a line: %s", words);
}
END_TEST

START_TEST(outputs_that_end) {
    gives(0, "", "{ $T generate $R/routed -n 1e6; echo $? >code; } | head -c 20 >head");
    ck_assert_ptr_nonnull(strstr(program_output, "reader has gone"));
    ck_assert_int_eq(shell("test $(cat code) = 3 && test $(wc -c <head) = 20"), 0);
    gives(3, "the disk is full", "$T generate $R/routed -n 1e6 >/dev/full");
    gives(3, "stdout is closed", "$T generate $R/routed -n 1e6 >&-");
    gives(3, "stdout is closed", "$T generate $R/routed -n 1e6 --json -o x >&-");
    gives(3, "the disk is full", "$T generate $R/routed -n 1e6 -o /dev/full");
    gives(3, "the disk is full", "$T generate $R/routed -n 5 --json >/dev/full");
    gives(2, "no/such", "$T generate $R/routed -n 1e6 -o no/such/file");
    gives(2, "two prompts", "$T generate $R/routed -p a --prompt-file said");
    gives(2, "both be written to stdout", "$T generate $R/routed --json -o -");
    gives(2, "would be written over the input", "echo a >p; $T generate $R/routed --prompt-file p -o p");
}
END_TEST

START_TEST(refusals) {
    gives(2, "is empty", ": >p; $T generate $R/routed --prompt-file p");
    gives(2, "is empty", "$T generate $R/routed --prompt-file - </dev/null");
    gives(2, "is empty", "$T generate $R/routed --prompt-file - <&-");
    gives(2, "empty", "$T generate $R/routed --prompt ''");
    gives(2, "it is a pipe", "mkfifo f; timeout 20 $T generate $R/routed --prompt-file f");
    gives(2, "it is a device", "ln -s /dev/zero z; timeout 20 $T generate $R/routed --prompt-file z");
    gives(2, "No such file", "$T generate $R/routed --prompt-file nonesuch");
    gives(2, "--tokens wants a whole number from 1", "$T generate $R/routed --tokens 0");
    gives(2, "--temperature wants a number from 0", "$T generate $R/routed --temperature -0.5");
    gives(2, "--top-k wants a whole number from 1", "$T generate $R/routed --temperature 1 --top-k 0");
    gives(2, "--top-k wants --temperature", "$T generate $R/routed --top-k 5");
    gives(2, "task recall, whose tokens are no text", "$T generate $R/recall -p a");
    gives(2, "--decode", "$T generate $R/mqar -p a");
    gives(2, "by capacity", "$T generate $R/capacity -p a");
    gives(2, "byte 2 of the prompt is 195, outside the model's vocabulary of 128",
          "$T generate $R/ascii -p \"ab\303\244\"");
    gives(2, "300 tokens, and a byte is one of 256", "$T generate $R/wide -p a");
    gives(2, "config.json", "$T generate nonesuch -p a");
    gives(2, "kernels count to", "$T generate $R/attention -p a -n 1e9");
}
END_TEST

/* As many tokens as kernels could count, where they are more than the device has room for. */
START_TEST(past_the_memory) {
    char line[200], path[200];
    tn_device *dev;
    tn_train_config c;
    snprintf(path, sizeof path, "%s/attention/config.json", shared);
    ck_ok(&ctx, tn_train_config_load(&ctx, path, &c));
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    const tn_device_info *info = tn_device_get_info(dev);
    const double tokens = 2e9 / (MADE_LAYERS * MADE_WIDTH),
                 bytes = tn_decoder_bytes_of(&c.model, 1, (int64_t)tokens);
    const bool fits = bytes <= (double)info->global_bytes && bytes / 2 <= (double)info->max_alloc_bytes;
    tn_device_close(dev);
    if (fits) {
        printf("not held here: a refusal of what is past the memory (the device has room for all)\n");
        return;
    }
    snprintf(line, sizeof line, "$T generate $R/attention -p a -n %.0f", tokens - 100);
    gives(3, "would take 1", line);
    gives(3, "GB on ", line);
}
END_TEST

/* Resident bytes of a process that waits for its full pipe to be read, and the bytes in the pipe. */
static double resident(pid_t pid, int pipe_end, int *queued) {
    char path[64], line[200];
    long kib = -1;
    for (int i = 0, before = -1, still = 0; i < 6000 && still < 8; i++) {
        usleep(50000);
        ck_assert_int_eq(ioctl(pipe_end, FIONREAD, queued), 0);
        still = *queued == before && before > 0 ? still + 1 : 0;
        before = *queued;
    }
    ck_assert_int_gt(*queued, 0);
    snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    FILE *stream = fopen(path, "r");
    while (stream && fgets(line, sizeof line, stream))
        if (strncmp(line, "VmRSS:", 6) == 0)
            kib = atol(line + 6);
    ck_assert(stream && kib > 0);
    fclose(stream);
    return (double)kib * 1024;
}

/* `turnout generate` of a run into a pipe of 4 KiB, whose other end is given. */
static pid_t start_piped(const char *run, int *end) {
    char path[100];
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_ge(fcntl(ends[0], F_SETPIPE_SZ, 4096), 0);
    snprintf(path, sizeof path, "%s/%s", shared, run);
    const pid_t pid = fork();
    ck_assert(pid >= 0);
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
        close(ends[0]);
        execl(TURNOUT_PROGRAM, "turnout", "generate", path, "-n", "100000", "--temperature", "1",
              (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    *end = ends[0];
    return pid;
}

/* From two thousand tokens to ten thousand it takes what its cache takes, and nothing more. */
START_TEST(memory_does_not_grow) {
    enum { FIRST = 2000, REST = 8000, SPARE = 160 << 10 };
    static char bytes[REST];
    char path[200];
    int end, status, queued[2];
    tn_train_config c;
    const pid_t pid = start_piped(runs[_i].name, &end);
    ck_assert_uint_eq(read_all(end, bytes, FIRST), FIRST);
    const double before = resident(pid, end, &queued[0]);
    ck_assert_uint_eq(read_all(end, bytes, REST), REST);
    const double after = resident(pid, end, &queued[1]);
    snprintf(path, sizeof path, "%s/%s/config.json", shared, runs[_i].name);
    ck_ok(&ctx, tn_train_config_load(&ctx, path, &c));
    const double cache = tn_decoder_bytes_of(&c.model, 1, FIRST + REST + queued[1]) -
                         tn_decoder_bytes_of(&c.model, 1, FIRST + queued[0]);
    close(end);
    ck_assert(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 3);
    ck_assert_msg(after - before <= cache + SPARE, "%.0f bytes more, of which the cache takes %.0f",
                  after - before, cache);
}
END_TEST

/* A run that was trained, from end to end. */
START_TEST(trained) {
    gives(0, "",
          "$T train --task text --data $R/text --length 32 --layers 1 --width 32 --heads 2 --batch 2 "
          "--steps 3 --phase1 1 --ramp 1 --sequences 2 --seconds 0.02 -q -o run >/dev/null");
    gives(0, "", "$T generate run -p abc -n 30 --temperature 1 --seed 18446744073709551615 >a");
    gives(0, "", "$T generate run -p abc -n 30 --temperature 1 --seed 18446744073709551615 >b && cmp a b");
    ck_assert_int_eq(shell("test $(wc -c <a) = 30"), 0);
}
END_TEST

/* The first test, so that no other is forked from a process that has a device open. */
START_TEST(runs_are_made) {
    tn_device *dev;
    memcpy(test_folder, shared, sizeof shared);
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    for (size_t i = 0; i < RUNS; i++)
        made_run_write(dev, &runs[i], 5);
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("generate");
    TCase *made = tcase_create("made"), *t = tcase_create("generate");
    tcase_add_test(made, runs_are_made);
    tcase_set_timeout(made, 100);
    suite_add_tcase(suite, made);
    tcase_set_timeout(t, 200);
    tcase_add_checked_fixture(t, enter, test_folder_leave);
    tcase_add_test(t, what_is_drawn);
    tcase_add_test(t, one_seed_the_same_bytes);
    tcase_add_loop_test(t, greedy_is_the_largest_logit, 0, TEXTS);
    tcase_add_test(t, measured);
    tcase_add_test(t, after_a_kill);
    tcase_add_loop_test(t, interrupted, 0, 2);
    tcase_add_test(t, outputs_that_end);
    tcase_add_test(t, refusals);
    tcase_add_test(t, past_the_memory);
    tcase_add_loop_test(t, memory_does_not_grow, 0, 2);
    tcase_add_test(t, trained);
    suite_add_tcase(suite, t);
    if (!folder_make(shared))
        return EXIT_FAILURE;
    const int failed = tn_test_main(suite);
    return folder_remove(shared) ? failed : EXIT_FAILURE;
}
