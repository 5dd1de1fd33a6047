/* Runs whose files are not what they should be: hurt, of another run, not finite, written by two at once.
 * Each is refused with a sentence, and nothing that was right is written over. */
#include "folder.h"
#include "program.h"

#include "file.h"
#include "safetensors.h"
#include "suite.h"

#include <math.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TINY                                                                                                 \
    "train --distance 6 --layers 1 --width 16 --heads 1 --batch 2 --sequences 4 --seconds 0.02 --quiet "     \
    "--phase1 1 --ramp "                                                                                     \
    "1 "

/* The run that every test begins with, trained once. */
static char kept[TEST_FOLDER];
static tn_context ctx;

static void train_once(void) {
    ck_assert(folder_make(kept));
    ck_assert_msg(program_run(TINY "--steps 3 -o %s/a", kept) == 0, "%s", program_output);
}

static void remove_once(void) {
    ck_assert(folder_remove(kept));
}

static void setup(void) {
    char command[200];
    test_folder_make();
    snprintf(command, sizeof command, "cp -r %s/a %s", kept, test_folder);
    ck_assert(system(command) == 0);
}

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *format, ...) {
    char rest[900], command[1000];
    va_list args;
    va_start(args, format);
    vsnprintf(rest, sizeof rest, format, args);
    va_end(args);
    snprintf(command, sizeof command, "cd %s && %s", test_folder, rest);
    ck_assert_msg(system(command) == 0, "%s", command);
}

static void teardown(void) {
    test_folder_remove();
    ck_assert_int_eq(ctx.live, 0);
}

static const char *in_folder(const char *name) {
    static char path[4][300];
    static int next;
    char *out = path[next++ % 4];
    snprintf(out, sizeof path[0], "%s/%s", test_folder, name);
    return out;
}

/* `line`, in which %s is the folder, ends with `code` and says `first` and `second`. */
static void gives(int code, const char *line, const char *first, const char *second) {
    char full[900], name[200];
    const char *at = line;
    size_t used = 0;
    snprintf(name, sizeof name, "%s", test_folder);
    for (; *at && used < sizeof full - 1; at++)
        if (at[0] == '%' && at[1] == 's')
            used += (size_t)snprintf(full + used, sizeof full - used, "%s", name), at++;
        else
            full[used++] = *at;
    full[used] = '\0';
    program_gives(code, full, first, second);
}

typedef struct change {
    const char *key, *text; /* metadata; text NULL: without it */
    const char *tensor;     /* whose value at `index` becomes `value` */
    size_t index;
    float value;
    float times; /* 0: not at all; else all its values */
} change;

/* Writes a safetensors file again with one thing changed. */
static void rewrite(const char *name, change c) {
    tn_safetensors in;
    tn_st_pair pairs[40];
    int meta = 0;
    bool found = false;
    const char *path = in_folder(name);
    ck_assert_msg(tn_safetensors_read(&ctx, path, &in) == TN_OK, "%s", ctx.message);
    for (int i = 0; i < in.meta_count; i++) {
        bool mine = c.key && strcmp(in.keys[i], c.key) == 0;
        found = found || mine;
        if (!mine || c.text)
            pairs[meta++] = (tn_st_pair){in.keys[i], mine ? c.text : in.values[i]};
    }
    for (int i = 0; i < in.count; i++) {
        char *bytes = in.bytes + ((const char *)in.tensors[i].data - in.bytes);
        if (!c.tensor || strcmp(in.tensors[i].name, c.tensor) != 0)
            continue;
        found = true;
        if (!(c.times > 0))
            memcpy(bytes + 4 * c.index, &c.value, 4);
        for (size_t k = 0; c.times > 0 && k < in.tensors[i].bytes / 4; k++) {
            float x;
            memcpy(&x, bytes + 4 * k, 4);
            x *= c.times;
            memcpy(bytes + 4 * k, &x, 4);
        }
    }
    ck_assert(found);
    ck_assert_msg(tn_safetensors_write(&ctx, path, pairs, meta, in.tensors, in.count) == TN_OK, "%s",
                  ctx.message);
    tn_safetensors_free(&ctx, &in);
}

static void write_tokens(void) {
    static const int32_t tokens[12] = {1, 70, 130, 131, 132, 1, 2, 71, 130, 131, 132, 2};
    tn_st_tensor t = {
        .name = "tokens", .dtype = "I32", .rank = 2, .dims = {2, 6}, .data = tokens, .bytes = sizeof tokens};
    ck_assert(tn_safetensors_write(&ctx, in_folder("in"), NULL, 0, &t, 1) == TN_OK);
}

START_TEST(weights_that_are_not_finite) {
    static const char tensor[] = "layers.0.mixer.k.weight";
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    write_tokens();
    shell("cp a/model.safetensors kept");
    for (size_t i = 0; i < 3; i++) {
        rewrite("a/model.safetensors", (change){.tensor = tensor, .index = 5, .value = bad[i]});
        gives(2, "eval %s/a --quiet --sequences 4", tensor, "index 5");
        gives(2, "infer %s/a --tokens %s/in --logits %s/out", tensor, i == 0 ? "nan" : "inf");
        ck_assert(!tn_file_exists(in_folder("out")));
        shell("cp kept a/model.safetensors");
    }
    rewrite("a/state.safetensors", (change){.tensor = "moment2.head.weight", .index = 7, .value = INFINITY});
    gives(2, "train --resume --quiet -o %s/a", "moment2.head.weight", "index 7");
}
END_TEST

START_TEST(results_that_are_not_finite) {
    write_tokens();
    rewrite("a/model.safetensors", (change){.tensor = "layers.0.norm1.weight", .times = 3e38f});
    gives(3, "eval %s/a --quiet --sequences 4", "layers.0.norm1", "inf");
    gives(3, "infer %s/a --tokens %s/in --logits %s/out", "layers.0.norm1", "sequence 0");
    ck_assert(!tn_file_exists(in_folder("out")));
}
END_TEST

START_TEST(config_against_model) {
    static const struct {
        const char *from, *to, *field, *value;
    } edits[] = {{"\"layers\": 1", "\"layers\": 2", "layers 2", "layers 1"},
                 {"\"d_model\": 16", "\"d_model\": 32", "d_model 32", "d_model 16"},
                 {"\"mlp_width\": 32", "\"mlp_width\": 64", "mlp_width 64", "mlp_width 32"},
                 {"\"mixer\": \"routed\"", "\"mixer\": \"attention\"", "mixer attention", "mixer routed"},
                 {"\"routing\": \"threshold\"", "\"routing\": \"capacity:0.5\"", "capacity:0.5", "threshold"},
                 {"\"positions\": \"none\"", "\"positions\": \"rope\"", "rope", "none"},
                 {"\"seed\": 1", "\"seed\": 2", "seed 1", "config.json has 2"},
                 {"\"distance\": 6", "\"distance\": 7", "distance 6", "config.json has 7"}};
    write_tokens();
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        shell("cp a/config.json kept && sed -i 's/%s/%s/' a/config.json && ! cmp -s a/config.json kept",
              edits[i].from, edits[i].to);
        gives(2, "eval %s/a --quiet --sequences 4", edits[i].field, edits[i].value);
        gives(2, "infer %s/a --tokens %s/in --logits %s/out", edits[i].field, edits[i].value);
        shell("mv kept a/config.json");
    }
    /* a checkpoint that does not say which run it is of, nor its heads of keys, as older ones, and one alone
     */
    rewrite("a/model.safetensors", (change){.key = "run"});
    rewrite("a/model.safetensors", (change){.key = "kv_heads"});
    gives(0, "eval %s/a --quiet --sequences 4 --seconds 0.02", "accuracy", "");
    shell("rm a/config.json");
    gives(0, "infer %s/a --tokens %s/in --logits %s/out", "", "");
}
END_TEST

/* The same model, so nothing but the run tells the two apart. */
START_TEST(another_runs_files) {
    ck_assert_msg(program_run(TINY "--steps 3 --lr 0.002 -o %s/b", test_folder) == 0, "%s", program_output);
    shell("cp b/model.safetensors b/state.safetensors a");
    gives(2, "eval %s/a --quiet --sequences 4", "another run", "lr 0.002");
    gives(2, "train --resume --quiet -o %s/a", "another run", "lr 0.002");
}
END_TEST

static void write_bytes(const char *path, const char *bytes, size_t size) {
    FILE *stream = fopen(path, "wb");
    ck_assert(stream && fwrite(bytes, 1, size, stream) == size && fclose(stream) == 0);
}

START_TEST(hurt_checkpoints) {
    static const struct {
        const char *key, *text, *word;
    } meta[] = {{"rms_eps", "nan", "rms_eps"},        {"rms_eps", "", "rms_eps"},
                {"rms_eps", "inf", "rms_eps"},        {"d_model", "nan", "d_model"},
                {"d_model", "-16", "d_model"},        {"d_model", "1e9", "d_model"},
                {"mlp_width", "32768", "has F32 ["},  {"vocab", "1048576", "has F32 ["},
                {"layers", "2", "missing"},           {"heads", "0", "heads"},
                {"mixer", "random:nan", "0 to 1"},    {"mixer", "conv", "12"},
                {"kv_heads", "2", "multiple"},        {"kv_heads", "-1", "kv_heads"},
                {"mixer", "routed,conv", "2 mixers"}, {"mixer", "conv,", "conv, attention or routed"},
                {"conv_taps", NULL, "conv_taps"}};
    static const unsigned char lengths[][8] = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
                                               {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
                                               {0, 0, 0, 0, 0, 0, 0, 0x80}};
    char *bytes;
    size_t size;
    shell("cp a/model.safetensors kept");
    for (size_t i = 0; i < sizeof meta / sizeof meta[0]; i++) {
        rewrite("a/model.safetensors", (change){.key = meta[i].key, .text = meta[i].text});
        gives(2, "eval %s/a --quiet --sequences 4", "model.safetensors", meta[i].word);
        shell("cp kept a/model.safetensors");
    }
    ck_assert(tn_file_read(&ctx, in_folder("kept"), &bytes, &size) == TN_OK);
    for (size_t i = 0; i < 3; i++) {
        memcpy(bytes, lengths[i], 8);
        write_bytes(in_folder("a/model.safetensors"), bytes, size);
        gives(2, "eval %s/a --quiet --sequences 4", "model.safetensors", "shorter than its header");
    }
    tn_free(&ctx, bytes);
    shell("sed 's/\"dtype\":\"F32\"/\"dtype\":\"I32\"/' kept >a/model.safetensors");
    gives(2, "eval %s/a --quiet --sequences 4", "embed.weight is I32", "F32 [192,16]");
    shell("sed 's/layers.0.mixer.q.weight/layers.0.mixer.k.weight/' kept >a/model.safetensors");
    gives(2, "eval %s/a --quiet --sequences 4", "model.safetensors", "not a JSON object");
    shell("sed 's/layers.0.mixer.q.weight/layers.0.mixer.Q.weight/' kept >a/model.safetensors");
    gives(2, "eval %s/a --quiet --sequences 4", "layers.0.mixer.q.weight", "missing");
}
END_TEST

/* Every value of the file; its `step`, −1 where it has none. */
static int step_of_finite(const char *name) {
    tn_safetensors file;
    ck_assert_msg(tn_safetensors_read(&ctx, in_folder(name), &file) == TN_OK, "%s", ctx.message);
    const char *step = tn_safetensors_meta(&file, "step");
    int number = step ? atoi(step) : -1;
    for (int k = 0; k < file.count; k++)
        for (size_t at = 0; at < file.tensors[k].bytes; at += 4) {
            float x;
            memcpy(&x, (const char *)file.tensors[k].data + at, 4);
            ck_assert_msg(isfinite(x), "%s of %s is %g", file.tensors[k].name, name, (double)x);
        }
    tn_safetensors_free(&ctx, &file);
    return number;
}

/* Weights grow a hundredfold a step. Nobody looks at the loss, and what was finite must survive. */
START_TEST(divergence) {
    static const char *const logged[] = {"", "--log-every 1"};
    static const char saved[] = "it is of step ";
    for (int i = 0; i < 2; i++) {
        char line[400];
        snprintf(line, sizeof line,
                 TINY
                 "--steps 200 --lr 9.9 --weight-decay 10 --warmup 0 --log-every 1000 --checkpoint-every 2 "
                 "%s -o %s/d%d",
                 logged[i], test_folder, i);
        program_gives(3, line, "diverged at step", "layers.0", "what was saved stands");
        const char *step = strstr(program_output, saved);
        ck_assert(step && atoi(step + strlen(saved)) ==
                              step_of_finite(i ? "d1/state.safetensors" : "d0/state.safetensors"));
        step_of_finite(i ? "d1/model.safetensors" : "d0/model.safetensors");
    }
}
END_TEST

START_TEST(what_a_resume_takes) {
    static const char *const steps[] = {"abc", "",   "999999999999", "-1",  "4",
                                        "3.0", " 3", "3 ",           "0x3", "99999999999999999999999"};
    shell("cp -r a whole && cp a/state.safetensors kept");
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        rewrite("a/state.safetensors", (change){.key = "step", .text = steps[i]});
        gives(2, "train --resume --quiet -o %s/a", "state.safetensors", "0 to 3");
        shell("cp kept a/state.safetensors");
    }
    rewrite("a/state.safetensors", (change){.key = "seed", .text = "1x"});
    gives(2, "train --resume --quiet -o %s/a", "1x", "seed");
    shell("rm a/state.safetensors");
    gives(2, "train --resume --quiet -o %s/a", "state.safetensors is missing", "overwrite");
    gives(2, TINY "--steps 3 --resume -o %s/a", "state.safetensors is missing", "overwrite");
    shell("cmp a/model.safetensors whole/model.safetensors");
    shell("cp kept a/state.safetensors");
    gives(2, "train --resume --quiet --lr 0.5 -o %s/a", "lr 0.003", "0.5");
    gives(2, "train --resume --quiet --mixer conv -o %s/a", "mixer \"routed\"", "\"conv\"");
    gives(2, "train --resume --quiet --task mqar -o %s/a", "task \"recall\"", "\"mqar\"");
    gives(2, "train --resume --quiet --distance 7 -o %s/a", "distance 6", "7");
    gives(2, "train --resume --quiet --steps 5 -o %s/a", "steps 3", "5");
    gives(2, "train --resume --quiet --no-curriculum -o %s/a", "curriculum true", "false");
    gives(0, "train --resume --quiet --lr 0.003 --sequences 4 --seconds 0.02 -o %s/a", "accuracy", "");
    /* killed before its first checkpoint: config.json alone, and no other option is needed to begin */
    shell("cd a && rm state.safetensors model.safetensors metrics.csv summary.json routes.csv");
    gives(0, "train --resume --quiet --sequences 4 --seconds 0.02 -o %s/a", "accuracy", "");
    shell(
        "cmp a/model.safetensors whole/model.safetensors && cmp a/state.safetensors whole/state.safetensors");
    /* the model alone, cut off between the last state and it */
    shell("rm a/model.safetensors");
    gives(0, "train --resume --quiet --sequences 4 --seconds 0.02 -o %s/a", "accuracy", "");
    shell("cmp a/model.safetensors whole/model.safetensors");
}
END_TEST

START_TEST(nothing_is_written_over) {
    static const char *const names[] = {"config.json", "state.safetensors", "model.safetensors",
                                        "metrics.csv", "summary.json"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        shell("rm -rf one && mkdir one && cp a/%s one", names[i]);
        gives(2, TINY "--steps 3 -o %s/one", "already holds a run", "--resume");
        shell("cmp a/%s one/%s && test $(ls -A one | wc -l) = 1", names[i], names[i]);
    }
}
END_TEST

static pid_t start(const char *line) {
    return program_start(line, in_folder("words"));
}

static double seconds_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool says(const char *file, const char *word) {
    char *bytes;
    size_t size;
    if (tn_file_read(&ctx, in_folder(file), &bytes, &size) != TN_OK)
        return false;
    bool found = strstr(bytes, word) != NULL;
    tn_free(&ctx, bytes);
    return found;
}

static void wait_for(const char *file, const char *word) {
    double until = seconds_now() + 60;
    while (!says(file, word) && seconds_now() < until)
        usleep(20000);
    ck_assert_msg(says(file, word), "%s does not say '%s'", file, word);
}

START_TEST(one_at_a_time) {
    char line[400], pid_text[40];
    snprintf(line, sizeof line, TINY "--steps 10000000 --checkpoint-every 10000000 -o %s/busy", test_folder);
    pid_t pid = start(line);
    wait_for("busy/.lock", "process");
    wait_for("busy/config.json", "routed");
    snprintf(pid_text, sizeof pid_text, "process %ld", (long)pid);
    gives(2, "train --resume --quiet -o %s/busy", "another process", pid_text);
    program_gives(2, line, "busy", "already holds a run");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    /* nobody has it now, whatever its file says */
    gives(2, "train --resume --quiet --lr 0.5 -o %s/busy", "lr 0.003", "0.5");
    shell("sed -i 's/\"steps\": 10000000/\"steps\": 2/' busy/config.json && rm -f busy/state.safetensors");
    gives(0, "train --resume --quiet --sequences 4 --seconds 0.02 -o %s/busy", "accuracy", "");
    ck_assert(!tn_file_exists(in_folder("busy/.lock")));
    snprintf(line, sizeof line,
             "study --only far --seeds 1 --steps 10000000 --distances 14 --quiet -o %s/study", test_folder);
    pid = start(line);
    wait_for("study/runs/recall14-routed-s1/config.json", "routed");
    snprintf(pid_text, sizeof pid_text, "process %ld", (long)pid);
    program_gives(2, line, "another process", pid_text);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}
END_TEST

/* The number behind `name` in a JSON file; NaN where it is null. */
static double number_of(const char *file, const char *name) {
    char *bytes, key[60];
    size_t size;
    snprintf(key, sizeof key, "\"%s\": ", name);
    ck_assert(tn_file_read(&ctx, in_folder(file), &bytes, &size) == TN_OK);
    const char *at = strstr(bytes, key);
    ck_assert_msg(at != NULL, "%s has no %s", file, name);
    char *end;
    double value = strtod(at + strlen(key), &end);
    if (end == at + strlen(key)) {
        ck_assert_msg(strncmp(end, "null", 4) == 0, "%s: %s is %.20s", file, name, end);
        value = NAN;
    }
    tn_free(&ctx, bytes);
    return value;
}

/* Column c of the last row of a metrics.csv. */
static double last_metric(const char *file, int c) {
    char *bytes;
    size_t size;
    ck_assert(tn_file_read(&ctx, in_folder(file), &bytes, &size) == TN_OK);
    bytes[size - 1] = '\0';
    char *at = strrchr(bytes, '\n') + 1;
    while (c-- > 0)
        at = strchr(at, ',') + 1;
    double value = strtod(at, NULL);
    tn_free(&ctx, bytes);
    return value;
}

/* A router that has learned nothing sends every row, in training's columns as after it: the margin, which
 * keeps all from attention in the last step, is none of its decision. */
START_TEST(one_meaning_of_attention) {
    static const char line[] = TINY "--gate-margin 50 --explore 0 --explore-below 0";
    ck_assert_msg(program_run("%s --steps 6 --log-every 1 -o %s/m", line, test_folder) == 0, "%s",
                  program_output);
    ck_assert_double_eq(last_metric("m/metrics.csv", 9), 0); /* routed_rows */
    ck_assert_double_eq(number_of("m/summary.json", "attention_pct"), 100);
    ck_assert_double_eq(last_metric("m/metrics.csv", 7), 100);
    ck_assert_msg(
        program_run("%s --steps 6 --routing capacity:0.25 --log-every 1 -o %s/c", line, test_folder) == 0,
        "%s", program_output);
    ck_assert_double_eq(number_of("c/summary.json", "attention_pct"), 25);
    ck_assert_double_eq(last_metric("c/metrics.csv", 7), 25);
}
END_TEST

static void attention_saves_nothing(void) {
    static const char *const fields[] = {"score_flops_saved_pct", "all_flops_saved_pct", "time_saved_pct",
                                         "time_saved_pct_q1",     "time_saved_pct_q3",   "energy_saved_pct"};
    ck_assert_msg(strstr(program_output, "n/a") && !strstr(program_output, "nan"), "%s", program_output);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        ck_assert_msg(isnan(number_of("t/summary.json", fields[i])), "%s", fields[i]);
    ck_assert(number_of("t/summary.json", "eval_ms_per_sequence") > 0);
    ck_assert(isfinite(number_of("a/summary.json", "time_saved_pct_q1")));
}

/* Minutes of work, of which one sequence is most: it says so first, and one Ctrl-C is enough. */
static void a_long_evaluation_can_be_stopped(void) {
    char line[300];
    int status = 0;
    bool ended = false;
    snprintf(line, sizeof line, "eval %s/t --distance 300000 --sequences 50", test_folder);
    pid_t pid = start(line);
    wait_for("words", "positions: about");
    usleep(300000);
    kill(pid, SIGINT);
    for (double until = seconds_now() + 40; !ended && seconds_now() < until; usleep(20000))
        ended = waitpid(pid, &status, WNOHANG) != 0;
    if (!ended) {
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
    }
    ck_assert_msg(ended, "it goes on for 40 s after Ctrl-C");
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    ck_assert(says("words", "stopped after 0 of 50 sequences"));
}

START_TEST(the_attention_mixer) {
    ck_assert_msg(program_run(TINY "--steps 2 --mixer attention -o %s/t", test_folder) == 0, "%s",
                  program_output);
    attention_saves_nothing();
    a_long_evaluation_can_be_stopped();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("checkpoint_faults");
    TCase *t = tcase_create("checkpoint_faults");
    tcase_set_timeout(t, 200);
    tcase_add_unchecked_fixture(t, train_once, remove_once);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, weights_that_are_not_finite);
    tcase_add_test(t, results_that_are_not_finite);
    tcase_add_test(t, config_against_model);
    tcase_add_test(t, another_runs_files);
    tcase_add_test(t, hurt_checkpoints);
    tcase_add_test(t, divergence);
    tcase_add_test(t, what_a_resume_takes);
    tcase_add_test(t, nothing_is_written_over);
    tcase_add_test(t, one_at_a_time);
    tcase_add_test(t, one_meaning_of_attention);
    tcase_add_test(t, the_attention_mixer);
    suite_add_tcase(suite, t);
    return tn_test_main(suite);
}
